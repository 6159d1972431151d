//! Rules of the hardware that follow from the placements, and numbers that were published for them.

use migsaw::geometry::{Counts, Engines, Layout, Model, Placement, Profile};

use crate::{counts, is_base, layout, model, reduced};

fn fits(model: &Model, wanted: &str, pinned: &str) -> bool {
    model.place(&counts(model, wanted), &layout(model, pinned)).unwrap().is_some()
}

#[test]
fn what_a_seven_slice_board_takes() {
    let a100 = model("A100-40GB");
    for (wanted, pinned, expected) in [
        ("3g.20gb=2", "empty", true),
        // A real driver refused the third.
        ("3g.20gb=2,1g.5gb=1", "empty", false),
        ("4g.20gb=1,3g.20gb=1", "empty", true),
        ("4g.20gb=1,3g.20gb=1", "1g.5gb@4", false),
        ("3g.20gb=1,2g.10gb=2", "empty", true),
        ("7g.40gb=1", "empty", true),
        ("7g.40gb=1", "1g.5gb@6", false),
        ("1g.5gb=7", "empty", true),
        ("1g.5gb=6,1g.5gb+me=1", "empty", true),
        ("1g.5gb+me=2", "empty", false),
        ("1g.5gb=8", "empty", false),
        ("1g.10gb=4", "empty", true),
        ("1g.10gb=1,1g.5gb=6", "empty", true),
        ("1g.10gb=1,1g.5gb=6", "1g.10gb@0", false),
        ("2g.10gb=3,1g.5gb=1", "empty", true),
        ("2g.10gb=3,1g.10gb=1", "empty", true),
        ("empty", "7g.40gb@0", true),
    ] {
        assert_eq!(fits(&a100, wanted, pinned), expected, "{wanted} beside {pinned}");
    }
}

#[test]
fn engines_bind_on_a30_and_rtx_pro_6000() {
    let a30 = model("A30");
    assert!(fits(&a30, "1g.6gb+me=1,2g.12gb=1,1g.6gb=1", "empty"));
    assert!(!fits(&a30, "1g.6gb+me=1,2g.12gb+me=1", "empty"));
    let rtx = model("RTX-PRO-6000");
    assert!(fits(&rtx, "1g.24gb+me.all=1,1g.24gb-me=3", "empty"));
    assert!(!fits(&rtx, "1g.24gb+me.all=1,1g.24gb=1", "empty"));
    assert!(!fits(&rtx, "1g.24gb+me.all=1,1g.24gb+me=1", "empty"));
    assert!(fits(&rtx, "1g.24gb+me=1,1g.24gb=3", "empty"));
    assert!(fits(&rtx, "2g.48gb+me.all=1,2g.48gb-me=1", "empty"));
    assert!(!fits(&rtx, "2g.48gb=1,2g.48gb+me.all=1", "empty"));
    assert!(!fits(&rtx, "1g.24gb=1", "2g.48gb+me.all@6"));
}

/// On an idle board totals and maxima decide, and only there.
#[test]
fn totals_decide_on_an_empty_board() {
    let whole = model("A100-80GB");
    for (model, multisets) in [(reduced(&whole, is_base), 37), ((*whole).clone(), 127)] {
        let mut within = 0;
        for_each_within_maxima(&model, |wanted| {
            let sum = |of: &dyn Fn(&Profile) -> u8| -> u32 {
                wanted.iter().map(|(id, n)| u32::from(of(model.get(id))) * u32::from(n)).sum()
            };
            let by_totals = sum(&|p| p.compute_slices) <= 7 && sum(&|p| p.memory_slices) <= 8;
            let fits = model.place(wanted, &Layout::empty()).unwrap().is_some();
            assert_eq!(fits, by_totals, "{}", wanted.display(&model));
            within += usize::from(by_totals);
        });
        assert_eq!(within - 1, multisets);
    }
}

fn for_each_within_maxima(model: &Model, mut visit: impl FnMut(&Counts)) {
    let mut counts = Counts::EMPTY;
    loop {
        visit(&counts);
        // Count up, the first profile fastest.
        let Some((id, _)) = model.profile_ids().find(|(id, p)| counts[*id] < p.max_instances) else { return };
        for (smaller, _) in model.profile_ids().take(id.index()) {
            counts[smaller] = 0;
        }
        counts[id] += 1;
    }
}

/// Beside pinned instances totals mislead: states with room for one more by totals, and of those the
/// ones without a legal start.
#[test]
fn totals_mislead_beside_pinned_instances() {
    let base = reduced(&model("A100-80GB"), is_base);
    let states = base.layouts();
    assert_eq!(states.len(), 298);
    for (name, by_totals, blocked) in [("2g.20gb", 235, 100), ("3g.40gb", 153, 116), ("4g.40gb", 84, 73)] {
        let one = counts(&base, name);
        let (id, _) = one.iter().next().unwrap();
        let profile = base.get(id);
        let mut found = (0, 0);
        for state in &states {
            let sum = |of: &dyn Fn(&Profile) -> u8| -> u8 {
                state.placements().iter().map(|p| of(base.get(p.profile))).sum()
            };
            let room = sum(&|p| p.compute_slices) + profile.compute_slices <= 7
                && sum(&|p| p.size) + profile.size <= 8
                && state.counts()[id] < profile.max_instances;
            if room {
                found.0 += 1;
                found.1 += i32::from(base.place(&one, state).unwrap().is_none());
            }
        }
        assert_eq!(found, (by_totals, blocked), "{name}");
    }
}

#[test]
fn twelve_of_the_pairs_of_1g_block_every_3g() {
    let a100 = model("A100-80GB");
    let one = a100.profile(&"1g.10gb".parse().unwrap()).unwrap();
    let wanted = counts(&a100, "3g.40gb");
    let pairs = (0..7).flat_map(|a| (a + 1..7).map(move |b| (a, b)));
    let blocks = |&(a, b): &(u8, u8)| {
        let pinned = Layout::new(&a100, [a, b].map(|start| Placement { start, profile: one })).unwrap();
        a100.place(&wanted, &pinned).unwrap().is_none()
    };
    assert_eq!(pairs.clone().count(), 21);
    assert_eq!(pairs.filter(blocks).count(), 12);
}

/// Maxima may be replaced by counters, each total the largest value over the profiles, as the DRA driver
/// has them: engines, copy engines, SMs, memory, and one counter for each placement unit.
#[test]
fn counters_say_the_same_as_maxima() {
    for name in ["A30-24GB", "A100-40GB", "A100-80GB", "H100-80GB", "H200-141GB", "RTX-PRO-6000-96GB"] {
        let model = model(name);
        let consumption: Vec<[u32; 7]> = model.profiles.iter().map(counters).collect();
        let mut totals = [0; 7];
        for counters in &consumption {
            totals = std::array::from_fn(|i| totals[i].max(counters[i]));
        }
        let mut found = Vec::new();
        by_counters(&model, &consumption, totals, 0, &mut Vec::new(), &mut found);
        found.sort_unstable();
        assert_eq!(found, model.layouts(), "{name}");
    }
}

fn counters(p: &Profile) -> [u32; 7] {
    let Engines { decoders, encoders, jpeg, ofa } = p.engines;
    let copy = p.published_engines.value.copy_engines.unwrap();
    let [decoders, encoders, jpeg, ofa, copy] = [decoders, encoders, jpeg, ofa, copy].map(u32::from);
    [decoders, encoders, jpeg, ofa, copy, p.sm_count.value.unwrap().into(), p.memory_mib.value.unwrap()]
}

fn by_counters(
    model: &Model,
    consumption: &[[u32; 7]],
    left: [u32; 7],
    from: u8,
    chosen: &mut Vec<Placement>,
    found: &mut Vec<Layout>,
) {
    let free = |start: u8, size: u8| {
        chosen.iter().all(|p| start + size <= p.start || p.start + model.get(p.profile).size <= start)
    };
    // `Layout::new` would apply the maxima; a layout that breaks one must show as a difference.
    found.push(Layout::new(model, chosen.iter().copied()).unwrap());
    let mut next = Vec::new();
    for start in from..model.units {
        for (profile, _) in model.profile_ids().filter(|(_, p)| p.starts.contains(&start) && free(start, p.size)) {
            let used = &consumption[profile.index()];
            let after: Option<Vec<u32>> = left.iter().zip(used).map(|(l, u)| l.checked_sub(*u)).collect();
            next.extend(after.map(|after| (Placement { start, profile }, after)));
        }
    }
    for (placement, after) in next {
        chosen.push(placement);
        by_counters(model, consumption, after.try_into().unwrap(), placement.start + 1, chosen, found);
        chosen.pop();
    }
}

/// Terminal captures of layouts that exist, and of published ones that do not.
#[test]
fn disputed_layouts_are_named() {
    let gb300 = model("GB300");
    let disputed: Vec<String> = gb300.disputed.iter().map(|d| d.counts.display(&gb300).to_string()).collect();
    assert_eq!(disputed, ["2g.70gb=2,3g.139gb=1"]);
    assert!(fits(&gb300, "2g.70gb=2,3g.139gb=1", "empty"), "the placement model says that it fits");
}
