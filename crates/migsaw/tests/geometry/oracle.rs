//! A second, plain implementation of "does it fit", sharing nothing with the library's: intervals on a
//! list of units, every start of every instance tried.

use migsaw::geometry::{Capability, Counts, Creation, Layout, Misfit, Model, Placement, ProfileId};
use proptest::prelude::*;

use crate::{GEOMETRIES, model};

struct Oracle<'m> {
    model: &'m Model,
    /// Who takes each unit.
    units: Vec<bool>,
    present: Vec<u32>,
}

impl<'m> Oracle<'m> {
    fn beside(model: &'m Model, pinned: &Layout) -> Oracle<'m> {
        let mut oracle =
            Oracle { model, units: vec![false; model.units.into()], present: vec![0; model.profiles.len()] };
        for p in pinned.placements() {
            assert!(oracle.put(p.profile.index(), p.start.into()), "a pinned layout is legal");
        }
        oracle
    }

    fn put(&mut self, profile: usize, start: usize) -> bool {
        let p = &self.model.profiles[profile];
        let interval = start..start + usize::from(p.size);
        if !p.starts.iter().any(|&s| usize::from(s) == start)
            || interval.end > self.units.len()
            || self.units[interval.clone()].contains(&true)
        {
            return false;
        }
        self.units[interval].fill(true);
        self.present[profile] += 1;
        true
    }

    fn take_out(&mut self, profile: usize, start: usize) {
        let size = usize::from(self.model.profiles[profile].size);
        self.units[start..start + size].fill(false);
        self.present[profile] -= 1;
    }

    /// Maxima and engines, which do not depend on positions.
    fn within_limits(&self, wanted: &[u32]) -> bool {
        let in_all = |of: &dyn Fn(usize) -> u32| -> u32 {
            (0..wanted.len()).map(|i| (wanted[i] + self.present[i]) * of(i)).sum()
        };
        let profiles = &self.model.profiles;
        let budget = self.model.engine_budget;
        let within =
            |total: u16, of: &dyn Fn(usize) -> u16| total == u16::MAX || in_all(&|i| of(i).into()) <= total.into();
        (0..wanted.len()).all(|i| wanted[i] == 0 || wanted[i] + self.present[i] <= profiles[i].max_instances.into())
            && within(budget.decoders, &|i| profiles[i].engines.decoders)
            && within(budget.encoders, &|i| profiles[i].engines.encoders)
            && within(budget.jpeg, &|i| profiles[i].engines.jpeg)
            && within(budget.ofa, &|i| profiles[i].engines.ofa)
    }

    fn places(&mut self, wanted: &mut [u32]) -> bool {
        let Some(profile) = wanted.iter().position(|&n| n > 0) else { return true };
        wanted[profile] -= 1;
        for start in 0..self.units.len() {
            if self.put(profile, start) {
                let done = self.places(wanted);
                self.take_out(profile, start);
                if done {
                    wanted[profile] += 1;
                    return true;
                }
            }
        }
        wanted[profile] += 1;
        false
    }

    fn fits(&mut self, wanted: &[u32]) -> bool {
        self.within_limits(wanted) && self.places(&mut wanted.to_vec())
    }
}

/// The library's answers to one question, all held against the oracle's.
fn check(model: &Model, pinned: &Layout, wanted: &[u32]) -> bool {
    let counts = wanted.iter().zip(0..).map(|(&n, i)| (ProfileId(i), u8::try_from(n).unwrap())).collect();
    let expected = Oracle::beside(model, pinned).fits(wanted);
    let context = || format!("{:?} beside {} on {}", wanted, pinned.display(model), model.id);
    let placed = model.place(&counts, pinned).unwrap();
    assert_eq!(placed.is_some(), expected, "{}", context());
    assert_eq!(model.why_not(&counts, pinned).is_none(), expected, "{}", context());
    if let Some(placed) = placed {
        assert_eq!(placed.counts(), counts, "{}", context());
        let mut together = Oracle::beside(model, pinned);
        let legal = placed.placements().iter().all(|p| together.put(p.profile.index(), p.start.into()));
        assert!(legal && together.within_limits(&vec![0; wanted.len()]), "{}", context());
    }
    let created = matches!(model.creation_order_beside(&counts, pinned).unwrap(), Creation::Order(_));
    assert_eq!(created, expected, "{}", context());
    expected
}

/// Every state of an A30 and every question up to one more than the maximum of each profile.
#[test]
fn agrees_with_every_question_about_an_a30() {
    let a30 = model("A30");
    let most: Vec<u32> = a30.profiles.iter().map(|p| u32::from(p.max_instances) + 1).collect();
    let states = a30.layouts();
    let (mut asked, mut fitting, mut expected) = (0, 0, 0);
    for state in &states {
        expected += Capability::of(&a30, &state.occupancy(&a30).unwrap()).all().len();
        let mut wanted = vec![0; most.len()];
        loop {
            asked += 1;
            fitting += usize::from(check(&a30, state, &wanted));
            let Some(i) = (0..most.len()).find(|&i| wanted[i] < most[i]) else { break };
            wanted[..i].fill(0);
            wanted[i] += 1;
        }
    }
    assert_eq!((states.len(), asked), (76, 76 * 6 * 3 * 4 * 3 * 3));
    assert_eq!((fitting, expected), (269, 269));
}

fn question() -> impl Strategy<Value = (usize, Vec<(u8, u8)>, Vec<u32>)> {
    let pinned = prop::collection::vec((0u8..16, 0u8..12), 0..6);
    let wanted = prop::collection::vec(prop_oneof![4 => Just(0u32), 3 => Just(1), 1 => 2..8u32], 16);
    (0..GEOMETRIES.len(), pinned, wanted)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn agrees_with_sampled_questions_about_all_geometries((geometry, tried, wanted) in question()) {
        let model = model(GEOMETRIES[geometry]);
        let mut pinned = Layout::empty();
        for (profile, start) in tried {
            let placement = Placement { start, profile: ProfileId(profile % u8::try_from(model.profiles.len()).unwrap()) };
            let more = pinned.placements().iter().copied().chain([placement]);
            pinned = Layout::new(&model, more).unwrap_or(pinned);
        }
        check(&model, &pinned, &wanted[..model.profiles.len()]);
    }
}

/// What is stranded, from the oracle alone: the most of each that any completion uses.
#[test]
fn stranded_is_what_no_completion_uses() {
    for name in GEOMETRIES {
        let model = model(name);
        let layouts = model.layouts();
        let sums = |layout: &Layout| -> (u32, u32) {
            let profiles = layout.placements().iter().map(|p| model.get(p.profile));
            profiles.fold((0, 0), |(c, u), p| (c + u32::from(p.compute_slices), u + u32::from(p.size)))
        };
        let sums: Vec<(u32, u32)> = layouts.iter().map(sums).collect();
        // On the large board a third of the states, evenly spread, will do.
        let step = if layouts.len() > 1000 { 3 } else { 1 };
        for (state, &(compute, _)) in layouts.iter().zip(&sums).step_by(step) {
            let contains = |l: &Layout| state.placements().iter().all(|p| l.placements().contains(p));
            let containing = layouts.iter().zip(&sums).filter(|(l, _)| contains(l)).map(|(_, sums)| sums);
            let (mut most_compute, mut most_units) = (0, 0);
            for &(c, u) in containing {
                most_compute = most_compute.max(c);
                most_units = most_units.max(u);
            }
            let found = model.stranded(state).unwrap();
            let context = state.display(&model).to_string();
            assert_eq!(u32::from(found.free_compute), u32::from(model.compute_slices) - compute, "{context}");
            assert_eq!(u32::from(found.compute()), u32::from(model.compute_slices) - most_compute, "{context}");
            assert_eq!(u32::from(found.memory_units()), u32::from(model.units) - most_units, "{context}");
            assert_eq!(found.units.len(), usize::from(found.memory_units()), "{context}");
            assert!(found.units.iter().all(|u| !u.reached_by.is_empty()), "every unit of these boards is in reach");
        }
    }
}

/// A misfit by position is minimal: without any one instance the rest fits.
#[test]
fn conflicts_are_minimal() {
    let a100 = model("A100-80GB");
    let mut conflicts = 0;
    for state in a100.layouts().iter().step_by(7) {
        for wanted in a100.idle_capability().all() {
            let Some(Misfit::Conflict { wanted: part }) = a100.why_not(wanted, state) else { continue };
            conflicts += 1;
            let id = |name| a100.profile(name).unwrap();
            let part: Counts = part.iter().map(|p| (id(&p.profile), p.wanted)).collect();
            assert!(part.is_within(wanted) && a100.place(&part, state).unwrap().is_none());
            for (id, _) in part.iter() {
                let mut fewer = part;
                fewer[id] -= 1;
                assert!(a100.place(&fewer, state).unwrap().is_some());
            }
        }
    }
    assert!(conflicts > 100, "only {conflicts} conflicts were looked at");
}
