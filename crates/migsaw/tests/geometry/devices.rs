//! Compute instances against a simulation of how mig-parted creates them.

use std::collections::BTreeMap;

use migsaw::geometry::{Catalog, GeometryFile, Model, Profile, ProfileId, ProfileName};

use crate::model;

/// mig-parted keeps filling the GPU instance it made last while it has the same profile, and makes
/// another when the driver refuses. How many that makes for one order.
fn gpu_instances_made(order: &[u8], capacity: u8, most: &BTreeMap<u8, u8>) -> usize {
    let mut made: Vec<Vec<u8>> = Vec::new();
    for &slices in order {
        let fits = |gi: &Vec<u8>| {
            gi.iter().sum::<u8>() + slices <= capacity
                && gi.iter().map(|&s| u8::from(s == slices)).sum::<u8>() < most[&slices]
        };
        match made.last_mut().filter(|gi| fits(gi)) {
            Some(gi) => gi.push(slices),
            None => made.push(vec![slices]),
        }
    }
    made.len()
}

fn fewest(list: &mut Vec<u8>, from: usize, capacity: u8, most: &BTreeMap<u8, u8>) -> usize {
    if from == list.len() {
        return gpu_instances_made(list, capacity, most);
    }
    let mut best = usize::MAX;
    for j in from..list.len() {
        if !list[from..j].contains(&list[j]) {
            list.swap(from, j);
            best = best.min(fewest(list, from + 1, capacity, most));
            list.swap(from, j);
        }
    }
    best
}

#[test]
fn the_fewest_gpu_instances_are_what_the_best_order_makes() {
    let mut checked = 0;
    for board in ["A30", "A100-80GB", "GB200"] {
        let model = model(board);
        for (id, profile) in model.profile_ids() {
            let most: BTreeMap<u8, u8> = model
                .compute_instances
                .iter()
                .filter(|ci| ci.gpu_instance == id && ci.compute_slices < profile.compute_slices)
                .map(|ci| (ci.compute_slices, ci.max_per_instance))
                .collect();
            let forms: Vec<u8> = most.keys().copied().collect();
            for_each_multiset(&forms, 6, &mut |list| {
                checked += 1;
                check(&model, id, profile, list, &most);
            });
        }
    }
    assert!(checked > 500, "only {checked}");
}

fn for_each_multiset(forms: &[u8], at_most: usize, visit: &mut impl FnMut(&[u8])) {
    fn extend(forms: &[u8], at_most: usize, list: &mut Vec<u8>, visit: &mut impl FnMut(&[u8])) {
        visit(list);
        if list.len() == at_most {
            return;
        }
        for (i, &form) in forms.iter().enumerate() {
            list.push(form);
            extend(&forms[i..], at_most, list, visit);
            list.pop();
        }
    }
    extend(forms, at_most, &mut Vec::new(), visit);
}

fn check(model: &Model, id: ProfileId, profile: &Profile, list: &[u8], most: &BTreeMap<u8, u8>) {
    let mut asked: BTreeMap<ProfileName, u32> = BTreeMap::new();
    for slices in list {
        *asked.entry(format!("{slices}c.{}", profile.name).parse().unwrap()).or_default() += 1;
    }
    let expected = fewest(&mut list.to_vec(), 0, profile.compute_slices, most);
    let fits = expected <= usize::from(profile.max_instances);
    match model.resolve_devices(&asked) {
        Ok(devices) => {
            assert!(fits, "{asked:?}");
            assert_eq!(usize::from(devices.counts[id]), expected, "{asked:?}");
            assert_eq!(devices.instances.len(), expected);
            let mut packed: Vec<u8> = Vec::new();
            for gi in &devices.instances {
                assert_eq!(gi.profile, id);
                assert_eq!(gpu_instances_made(&gi.compute_instances, profile.compute_slices, most), 1, "{asked:?}");
                packed.extend(&gi.compute_instances);
            }
            packed.sort_unstable();
            assert_eq!(packed, list, "{asked:?}");
        }
        Err(error) => {
            assert!(!fits, "{asked:?}: {error}");
            assert_eq!(error.problems.len(), 1);
            assert_eq!(error.problems[0].code(), "too-many-instances");
        }
    }
}

/// A board no one makes, on which the search for the fewest could take very long.
#[test]
fn packing_ends_on_any_board() {
    let starts: Vec<String> = (0..19).map(|start| format!("{{start: {start}, size: 1}}")).collect();
    let forms: Vec<String> = (3..=9)
        .map(|c| format!("{{gi_profile: 20g.1gb, ci_profile: {c}c.20g.1gb, compute_slices: {c}, max_per_gi: 9}}"))
        .collect();
    let text = format!(
        "models: [{{id: X, profiles: [{{name: 20g.1gb, placements: [{}]}}], \
         compute_instance_profiles: [{}]}}]",
        starts.join(", "),
        forms.join(", ")
    );
    let mut catalog = Catalog::builtin();
    catalog.add(&GeometryFile::parse(&text).unwrap()).unwrap();
    let model = catalog.model("X").unwrap();
    let asked: BTreeMap<ProfileName, u32> =
        (3..=9).map(|c| (format!("{c}c.20g.1gb").parse().unwrap(), if c == 9 { 12 } else { 6 })).collect();
    let devices = model.resolve_devices(&asked).unwrap();
    let slices: u32 = asked.iter().map(|(name, n)| u32::from(name.compute_instance().unwrap()) * n).sum();
    assert!((slices.div_ceil(20)..=19).contains(&u32::from(devices.counts[ProfileId(0)])));
    assert!(devices.instances.iter().all(|gi| gi.compute_instances.iter().sum::<u8>() <= 20));
}
