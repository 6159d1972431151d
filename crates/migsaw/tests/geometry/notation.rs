//! The text notation prints what it parses and parses what it prints.

use migsaw::geometry::{Counts, GeometryFile, Layout, LayoutError, Placement, ProfileId, ProfileName};
use proptest::prelude::*;

use crate::{GEOMETRIES, model};

#[test]
fn every_layout_and_its_counts_round_trip() {
    for name in GEOMETRIES {
        let model = model(name);
        for layout in model.layouts() {
            let text = layout.display(&model).to_string();
            assert_eq!(Layout::parse(&model, &text), Ok(layout.clone()), "{text}");
            let counts = layout.counts();
            assert_eq!(Counts::parse(&model, &counts.display(&model).to_string()), Ok(counts));
        }
    }
}

fn check(text: &str, code: &str, said: &str) {
    let error = Layout::parse(&model("A100-40GB"), text).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (code, said), "{text}");
}

#[test]
fn layouts_that_are_none_are_refused_with_the_reason() {
    check("1g.5gb", "layout-form", "`1g.5gb` is no placement (expected like `1g.10gb@3`)");
    check("1g.5gb@", "layout-form", "`1g.5gb@` is no placement (expected like `1g.10gb@3`)");
    check("1g.5gb@-1", "layout-form", "`1g.5gb@-1` is no placement (expected like `1g.10gb@3`)");
    check("1g.5gb@+1", "layout-form", "`1g.5gb@+1` is no placement (expected like `1g.10gb@3`)");
    check("1g.5gb@256", "layout-form", "`1g.5gb@256` is no placement (expected like `1g.10gb@3`)");
    check("1g.5gb@7", "illegal-start", "1g.5gb cannot start at 7 on A100-40GB (legal starts: 0, 1, 2, 3, 4, 5, 6)");
    check("2g.10gb@6", "illegal-start", "2g.10gb cannot start at 6 on A100-40GB (legal starts: 0, 2, 4)");
    check("4g.20gb@4", "illegal-start", "4g.20gb cannot start at 4 on A100-40GB (legal starts: 0)");
    check("1g.5gb@255", "illegal-start", "1g.5gb cannot start at 255 on A100-40GB (legal starts: 0, 1, 2, 3, 4, 5, 6)");
    check("3g.20gb@0,1g.5gb@3", "overlap", "1g.5gb@3 overlaps 3g.20gb@0");
    check("1g.5gb@3,3g.20gb@0", "overlap", "1g.5gb@3 overlaps 3g.20gb@0");
    check("1g.5gb@0,1g.5gb@0", "overlap", "1g.5gb@0 overlaps 1g.5gb@0");
    check("1g.5gb+me@0,1g.5gb+me@1", "too-many-instances", "2 instances of 1g.5gb+me on one A100-40GB, at most 1");
    check("1g.20gb@0", "unknown-profile", "A100-40GB has no profile `1g.20gb` (nearest: 1g.10gb, 3g.20gb, 4g.20gb)");
    check("empty,1g.5gb@0", "layout-form", "`empty` is no placement (expected like `1g.10gb@3`)");
}

#[test]
fn counts_take_other_forms_too() {
    let a100 = model("A100-40GB");
    let expected = Counts::parse(&a100, "1g.5gb=2,1g.5gb+me=1,3g.20gb=1").unwrap();
    for text in ["1g.5gb:2,3g.20gb,1g.5gb+me", "1g.5gb+me,1g.5gb,1g.5gb,3g.20gb", " 1g.5gb = 2 , 1g.5gb+me, 3g.20gb=1,"]
    {
        assert_eq!(Counts::parse(&a100, text), Ok(expected), "{text}");
    }
    for text in ["empty", "", " , ", "1g.5gb=0"] {
        assert_eq!(Counts::parse(&a100, text), Ok(Counts::EMPTY), "{text}");
    }
    for (text, code) in [
        ("1g.5gb=x", "layout-count"),
        ("1g.5gb=-1", "layout-count"),
        ("1g.5gb=+1", "layout-count"),
        ("1g.5gb=256", "layout-count"),
        ("1g.5gb=200,1g.5gb=100", "layout-count"),
        ("1g.5gb=2=3", "layout-count"),
        ("4c.4g.20gb=1,3c.4g.20gb=1", "unknown-compute-instance"),
        ("1c.3g.40gb=1", "unknown-profile"),
        ("2", "unknown-profile"),
    ] {
        assert_eq!(Counts::parse(&a100, text).map_err(|e| e.code()), Err(code), "{text}");
    }
}

#[test]
fn compute_instances_and_resources_are_counted_too() {
    let h100 = model("H100-80GB");
    for (text, counts) in [
        ("1c.3g.40gb=3", "3g.40gb=1"),
        ("1c.3g.40gb=4", "3g.40gb=2"),
        ("1c.3g.40gb=1,2c.3g.40gb=1,3g.40gb=1", "3g.40gb=2"),
        ("3c.3g.40gb", "3g.40gb=1"),
        ("1g.10gb.me=1", "1g.10gb+me=1"),
        ("nvidia.com/mig-1g.10gb=2,nvidia.com/mig-1g.10gb.me", "1g.10gb=2,1g.10gb+me=1"),
        // Whether they fit is for others to say.
        ("1c.7g.80gb=15", "7g.80gb=3"),
    ] {
        assert_eq!(Counts::parse(&h100, text).unwrap().display(&h100).to_string(), counts, "{text}");
    }
    let placed = Layout::parse(&h100, "nvidia.com/mig-1g.10gb.me@3").unwrap();
    assert_eq!(placed.display(&h100).to_string(), "1g.10gb+me@3");
    assert_eq!(Layout::parse(&h100, "1c.3g.40gb@0").unwrap_err().code(), "start-of-compute-instance");
    let sum = Counts::parse(&h100, "1g.10gb=200,1g.10gb=100").unwrap_err().to_string();
    assert!(sum.contains("`1g.10gb=300`"), "{sum}");
}

/// An engine budget is not a count: its misfit names the model.
#[test]
fn engines_are_part_of_a_layout() {
    let rtx = model("RTX-PRO-6000");
    let error = Layout::parse(&rtx, "1g.24gb+me.all@0,1g.24gb@3").unwrap_err();
    assert_eq!(error, LayoutError::Engines { model: rtx.id.clone() });
    assert!(Layout::parse(&rtx, "1g.24gb+me.all@0,1g.24gb-me@3,2g.48gb-me@6").is_ok());
}

/// No profile of the catalogue has two attributes; a user's may, and then commas have two meanings.
#[test]
fn attribute_lists_are_told_from_the_next_item() {
    let text = "models: [{id: X, profiles: [
        {name: '1g.10gb+me,gfx', placements: [{start: 0, size: 1}, {start: 1, size: 1}]},
        {name: 1g.10gb, placements: [{start: 0, size: 1}, {start: 1, size: 1}]}]}]";
    let mut catalog = migsaw::geometry::Catalog::builtin();
    catalog.add(&GeometryFile::parse(text).unwrap()).unwrap();
    let model = catalog.model("X").unwrap();
    for text in ["1g.10gb@0,1g.10gb+me,gfx@1", "1g.10gb+me,gfx@0,1g.10gb+me,gfx@1"] {
        assert_eq!(Layout::parse(&model, text).unwrap().display(&model).to_string(), text);
    }
    assert_eq!(Counts::parse(&model, "1g.10gb+me,gfx,1g.10gb").unwrap().total(), 2);
}

fn name() -> impl Strategy<Value = String> {
    let attributes =
        (prop::sample::select(vec!["+", "-"]), prop::sample::subsequence(vec!["me", "gfx", "me.all"], 1..=3));
    let suffix =
        prop_oneof![Just(String::new()), attributes.prop_map(|(sign, list)| format!("{sign}{}", list.join(",")))];
    (prop::option::of(1u8..=3), 3u8..=9, 0u32..1000, suffix)
        .prop_map(|(c, g, m, s)| format!("{}{g}g.{m}gb{s}", c.map_or(String::new(), |c| format!("{c}c."))))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_legal_placements_round_trip(
        geometry in 0..GEOMETRIES.len(),
        tried in prop::collection::vec((0u8..16, 0u8..12), 0..12),
    ) {
        let model = model(GEOMETRIES[geometry]);
        let mut layout = Layout::empty();
        for (profile, start) in tried {
            let placement = Placement { start, profile: ProfileId(profile) };
            let more = layout.placements().iter().copied().chain([placement]);
            layout = Layout::new(&model, more).unwrap_or(layout);
        }
        let text = layout.display(&model).to_string();
        prop_assert_eq!(Layout::parse(&model, &text), Ok(layout));
    }

    #[test]
    fn any_counts_round_trip(counts in prop::collection::vec(any::<u8>(), 5)) {
        let model = model("A30");
        let counts: Counts = (0..).map(ProfileId).zip(counts).collect();
        prop_assert_eq!(Counts::parse(&model, &counts.display(&model).to_string()), Ok(counts));
    }

    #[test]
    fn any_name_round_trips(text in name()) {
        let name: ProfileName = text.parse().unwrap();
        prop_assert_eq!(name.to_string(), text);
    }

    #[test]
    fn no_text_makes_parsing_panic(text in "\\PC{0,40}", similar in "[0-9gcb.+\\-,@=: memxl]{0,30}") {
        let model = model("A100-40GB");
        for text in [text, similar] {
            if let Ok(name) = text.parse::<ProfileName>() {
                prop_assert_eq!(name.to_string(), text.clone());
            }
            let _ = (Layout::parse(&model, &text), Counts::parse(&model, &text), ProfileName::from_resource(&text));
        }
    }
}
