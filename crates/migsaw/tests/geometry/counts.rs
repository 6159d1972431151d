//! Numbers of layouts, from an exhaustive enumeration made elsewhere (`data/layout-counts.json`).

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::{Capability, Catalog, Counts, Layout, Model, Occupancy, Profile};
use serde::Deserialize;

use crate::{is_base, model, reduced};

#[derive(Deserialize)]
struct Expected {
    fields: Vec<String>,
    counts: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
}

fn expected() -> Expected {
    serde_json::from_str(include_str!("../data/layout-counts.json")).unwrap()
}

/// The empty layout is not counted.
fn found(model: &Model) -> BTreeMap<&'static str, usize> {
    let layouts = model.layouts();
    let multisets: BTreeSet<Counts> = layouts.iter().map(Layout::counts).collect();
    let maximal = model.maximal_layouts();
    let of_maximal: BTreeSet<Counts> = maximal.iter().map(Layout::counts).collect();
    let capability = Capability::of(model, &Occupancy::idle(model));
    assert_eq!(capability.all(), multisets.iter().copied().collect::<Vec<_>>(), "{}", model.id);
    let compute = |layout: &Layout| -> usize {
        layout.placements().iter().map(|p| usize::from(model.get(p.profile).compute_slices)).sum()
    };
    BTreeMap::from([
        ("placed", layouts.len() - 1),
        ("multisets", multisets.len() - 1),
        ("maximal_placed", maximal.len()),
        ("multisets_of_maximal_placed", of_maximal.len()),
        ("maximal_multisets", capability.maximal().len()),
        ("max_compute", layouts.iter().map(compute).max().unwrap()),
    ])
}

#[test]
fn enumeration_gives_the_known_numbers() {
    let expected = expected();
    let models: Vec<String> = Catalog::builtin().models().map(|m| m.id.clone()).collect();
    assert_eq!(models, expected.counts.keys().cloned().collect::<Vec<_>>(), "every model has its numbers");
    for (id, sets) in &expected.counts {
        for (set, numbers) in sets {
            let me = |p: &Profile| p.class.ends_with("+me");
            let double = |p: &Profile| p.class.ends_with("x2");
            let part = reduced(&model(id), |p| match set.as_str() {
                "base" => is_base(p),
                "base_and_me" => is_base(p) || me(p),
                "base_and_double" => is_base(p) || double(p),
                _ => true,
            });
            let found = found(&part);
            let found: Vec<usize> = expected.fields.iter().map(|field| found[field.as_str()]).collect();
            assert_eq!(&found, numbers, "{id}, {set}: {:?}", expected.fields);
        }
    }
}

/// The published list of 19 for a seven-slice board: left half times right half, and the whole.
#[test]
fn the_published_nineteen_are_the_maximal_layouts() {
    let a100 = reduced(&model("A100-40GB"), is_base);
    let left = [
        "4g.20gb@0",
        "3g.20gb@0",
        "2g.10gb@0,2g.10gb@2",
        "2g.10gb@0,1g.5gb@2,1g.5gb@3",
        "1g.5gb@0,1g.5gb@1,2g.10gb@2",
        "1g.5gb@0,1g.5gb@1,1g.5gb@2,1g.5gb@3",
    ];
    let right = ["3g.20gb@4", "2g.10gb@4,1g.5gb@6", "1g.5gb@4,1g.5gb@5,1g.5gb@6"];
    let halves = left.iter().flat_map(|l| right.iter().map(move |r| format!("{l},{r}")));
    let published: BTreeSet<String> = halves.chain(["7g.40gb@0".to_owned()]).collect();
    let found: BTreeSet<String> = a100.maximal_layouts().iter().map(|l| l.display(&a100).to_string()).collect();
    assert_eq!(found, published);
}

/// Another scheduler's test suite lists 32 combinations that use all memory.
#[test]
fn thirty_two_multisets_use_all_memory() {
    let a100 = model("A100-40GB");
    let size = |counts: &Counts| -> u32 { counts.iter().map(|(id, n)| u32::from(a100.get(id).size * n)).sum() };
    assert_eq!(a100.idle_capability().all().iter().filter(|c| size(c) == 8).count(), 32);
}

#[test]
fn completions_of_a_state_are_the_layouts_that_contain_it() {
    for name in ["A30-24GB", "RTX-PRO-6000-96GB"] {
        let model = model(name);
        let layouts = model.layouts();
        for state in &layouts {
            let completions = model.completions(&state.occupancy(&model).unwrap());
            let contains = |l: &&Layout| state.placements().iter().all(|p| l.placements().contains(p));
            assert_eq!(completions.len(), layouts.iter().filter(contains).count(), "{}", state.display(&model));
            assert!(completions.is_sorted() && completions[0].is_empty());
        }
    }
}
