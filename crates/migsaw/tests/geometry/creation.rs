//! Creation orders: every set that fits has one, and it is the one mig-parted would find first.

use std::collections::BTreeSet;

use migsaw::geometry::{Capability, Catalog, Counts, Creation, Layout, Model, Occupancy, Placement, ProfileId};

use crate::{GEOMETRIES, model};

/// The finding that lets a plan be given as counts: no set that fits must be avoided.
#[test]
fn every_set_that_fits_an_idle_gpu_has_an_order() {
    let expected = [("A30-24GB", 19, (0, 1)), ("A100-80GB", 127, (7, 11)), ("RTX-PRO-6000-96GB", 114, (0, 1))];
    for (name, multisets, attempts) in expected {
        let model = model(name);
        let all = Capability::of(&model, &Occupancy::idle(&model));
        assert_eq!(all.all().len() - 1, multisets);
        let (mut late, mut most) = (0, 0);
        for wanted in all.all() {
            match model.creation_order(wanted).unwrap() {
                Creation::Order(order) => {
                    assert_eq!(order.layout().counts(), *wanted);
                    assert!(Layout::new(&model, order.steps.iter().copied()).is_ok());
                    late += usize::from(order.attempt > 1);
                    most = most.max(order.attempt);
                }
                Creation::Impossible(proof) => panic!("{name}: {}", proof.display(&model)),
            }
        }
        assert_eq!((late, most), attempts, "{name}: sets that need more than one attempt, and the most attempts");
    }
}

/// mig-parted sorts plain and double-memory 1g alike. If the plain ones happen to come first, they can
/// take the places of the double ones, and later orders are needed.
#[test]
fn an_unlucky_tie_costs_attempts_but_never_the_set() {
    let a100 = model("A100-80GB");
    let [plain, double] = ["1g.10gb", "1g.20gb"].map(|name| a100.profile(&name.parse().unwrap()).unwrap());
    let (mut late, mut most) = (0, 0);
    for wanted in a100.idle_capability().all() {
        let mut list = sorted(&a100, wanted);
        let small_first = |id: &ProfileId| if *id == double { (1, 2) } else { (1, u8::from(*id == plain)) };
        let first_1g = list.iter().position(|&id| a100.get(id).compute_slices == 1).unwrap_or(list.len());
        list[first_1g..].sort_by_key(small_first);
        let mut tried = 0;
        assert!(first_by_swapping(&a100, &mut list, 0, &mut tried).is_some(), "{}", wanted.display(&a100));
        late += usize::from(tried > 1);
        most = most.max(tried);
    }
    assert_eq!((late, most), (14, 41));
}

#[test]
fn every_set_that_fits_beside_pinned_instances_has_an_order() {
    for (name, expected) in [("A30-24GB", 53), ("A100-80GB", 1109), ("RTX-PRO-6000-96GB", 277)] {
        let model = model(name);
        let mut seen = BTreeSet::new();
        for state in model.layouts() {
            let taken = state.occupancy(&model).unwrap();
            if !seen.insert(taken) {
                continue;
            }
            let capability = Capability::of(&model, &taken);
            for wanted in capability.maximal() {
                let found = model.creation_order_beside(wanted, &state).unwrap();
                let Creation::Order(order) = found else {
                    panic!("{name}: {} beside {}", wanted.display(&model), state.display(&model));
                };
                assert_eq!(order.layout().counts(), *wanted);
                assert!(Layout::new(&model, state.merged(&order.layout()).placements().iter().copied()).is_ok());
            }
        }
        assert_eq!(seen.len(), expected, "{name}");
    }
}

/// All models of the catalogue, so that a new one cannot slip through the three geometries above.
#[test]
fn every_set_has_an_order_on_every_model() {
    for model in Catalog::builtin().models() {
        for wanted in model.idle_capability().maximal() {
            assert!(matches!(model.creation_order(wanted).unwrap(), Creation::Order(_)), "{}", model.id);
        }
    }
}

#[test]
fn what_does_not_fit_has_no_order() {
    for name in GEOMETRIES {
        let model = model(name);
        for maximal in model.idle_capability().maximal() {
            for (id, _) in model.profile_ids() {
                let mut more = *maximal;
                more[id] += 1;
                let Creation::Impossible(proof) = model.creation_order(&more).unwrap() else {
                    panic!("{} was created", more.display(&model));
                };
                assert_eq!(proof.with_starts, None);
                let created: Counts = proof.best_prefix.iter().map(|p| (p.profile, 1)).collect();
                assert_eq!(created.plus(&proof.missing), more);
                assert!(Layout::new(&model, proof.best_prefix.iter().copied()).is_ok());
            }
        }
    }
}

/// A driver that prefers other starts can make a set fail in its first orders, or in all of them. Held
/// against the plain enumeration of all distinct orders, made by swapping as mig-parted does.
#[test]
fn agrees_with_plain_enumeration_for_any_preference() {
    let mut outcomes = BTreeSet::new();
    for (name, preferences) in [
        ("A100-80GB", [("1g.10gb", [0, 1, 2, 3, 4, 5, 6].as_slice()), ("2g.20gb", &[2, 0, 4]), ("3g.40gb", &[0, 4])]),
        ("A100-80GB", [("1g.10gb", &[3, 6, 0, 1, 2, 4, 5]), ("2g.20gb", &[0, 4, 2]), ("1g.20gb", &[4, 0, 2, 6])]),
        ("A30-24GB", [("1g.6gb", &[3, 0, 1, 2]), ("2g.12gb", &[2, 0]), ("1g.6gb+me", &[1, 2, 0, 3])]),
    ] {
        let mut model = (*model(name)).clone();
        for (profile, starts) in preferences {
            let id = model.profile(&profile.parse().unwrap()).unwrap();
            model.profiles[id.index()].driver_starts.value = starts.to_vec();
        }
        for wanted in Capability::of(&model, &Occupancy::idle(&model)).all() {
            if wanted.total() > 6 {
                continue;
            }
            let mut tried = 0;
            let expected = first_by_swapping(&model, &mut sorted(&model, wanted), 0, &mut tried);
            match (model.creation_order(wanted).unwrap(), expected) {
                (Creation::Order(order), Some(steps)) => {
                    assert_eq!((order.steps, order.attempt), (steps, tried), "{}", wanted.display(&model));
                    outcomes.insert(if tried > 1 { "later" } else { "at once" });
                }
                (Creation::Impossible(proof), None) => {
                    assert_eq!(proof.orders, tried, "{}", wanted.display(&model));
                    assert_eq!(proof.with_starts.map(|layout| layout.counts()), Some(*wanted));
                    outcomes.insert("never");
                }
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            }
        }
    }
    assert_eq!(outcomes, BTreeSet::from(["at once", "later", "never"]), "the preferences are too easy");
}

/// Most compute slices first; `+me` before none; double memory before plain.
fn sorted(model: &Model, wanted: &Counts) -> Vec<ProfileId> {
    let mut list: Vec<ProfileId> = wanted.iter().flat_map(|(id, n)| std::iter::repeat_n(id, usize::from(n))).collect();
    list.sort_by_key(|&id| {
        let name = &model.get(id).name;
        (u8::MAX - name.slices(), !name.to_string().ends_with("+me"), u8::MAX - model.get(id).size, id)
    });
    list
}

fn first_by_swapping(model: &Model, list: &mut [ProfileId], from: usize, tried: &mut u128) -> Option<Vec<Placement>> {
    if from == list.len() {
        *tried += 1;
        let steps = model.created_in_order(list, &Layout::empty()).unwrap();
        return (steps.len() == list.len()).then_some(steps);
    }
    for j in from..list.len() {
        if list[from..j].contains(&list[j]) {
            continue;
        }
        list.swap(from, j);
        if let Some(steps) = first_by_swapping(model, list, from + 1, tried) {
            return Some(steps);
        }
        list.swap(from, j);
    }
    None
}
