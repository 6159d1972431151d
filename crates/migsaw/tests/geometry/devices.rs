//! Compute instances against a simulation of how mig-parted creates them.

use std::collections::BTreeMap;

use migsaw::geometry::{Model, Profile, ProfileId, ProfileName};

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
