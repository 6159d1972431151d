//! A user's geometry file.

use migsaw::geometry::{Catalog, Counts, Creation, GeometryFile, GeometryFileError, Layout};
use proptest::prelude::*;

type Edit = fn(&mut serde_json::Value);

fn with(text: &str) -> Result<Catalog, GeometryFileError> {
    let mut catalog = Catalog::builtin();
    catalog.add(&GeometryFile::parse(text)?)?;
    Ok(catalog)
}

fn problems(text: &str) -> Vec<String> {
    with(text).unwrap_err().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_minimal_model_needs_names_and_starts_only() {
    let catalog = with(
        "models:
- id: HALVES
  profiles:
  - {name: 1g.16gb, placements: [{start: 0, size: 2}, {start: 2, size: 2}]}
  - {name: 2g.32gb, placements: [{start: 0, size: 4}]}
",
    )
    .unwrap();
    let model = catalog.model("halves").unwrap();
    assert_eq!((model.units, model.compute_slices, model.memory_slices), (4, 2, 4));
    let max: Vec<u8> = model.profiles.iter().map(|p| p.max_instances).collect();
    assert_eq!(max, [2, 1]);
    assert_eq!(model.layouts().len(), 5);
    assert!(model.facets.is_none());
    let wanted = Counts::parse(&model, "1g.16gb=2").unwrap();
    assert_eq!(
        model.place(&wanted, &Layout::empty()).unwrap().unwrap().display(&model).to_string(),
        "1g.16gb@0,1g.16gb@2"
    );
    assert_eq!(catalog.models().count(), Catalog::builtin().models().count() + 1);
}

#[test]
fn json_and_yaml_say_the_same() {
    let json = r#"{"schema": "mig-geometry/1", "models": [{"id": "X", "profiles": [
        {"name": "1g.5gb", "size_units": 1, "placements": [{"start": 0, "size": 1}]}]}]}"#;
    for text in [json.to_owned(), format!("\u{feff}{json}"), format!("# JSON is YAML\n{json}")] {
        assert_eq!(with(&text).unwrap().model("X").unwrap().profiles.len(), 1, "{text}");
    }
}

#[test]
fn the_catalogue_reads_as_a_users_file() {
    let catalog = with(include_str!("../../src/geometry/catalog.json")).unwrap();
    assert_eq!(catalog.models().count(), Catalog::builtin().models().count());
    assert!(catalog.model("H100-80GB").unwrap().facets.is_some());
}

#[test]
fn a_users_model_replaces_the_built_in_one() {
    let text = "models: [{id: a30-24gb, gpu_product_labels: [{value: NVIDIA-A30}, {value: NVIDIA-H100-80GB-HBM3}],
        pci_devices: [{device_id: '0x2330'}], aliases: [H100-80GB-HBM3],
        profiles: [{name: 1g.12gb, placements: [{start: 0, size: 2}, {start: 2, size: 2}]}]}]";
    let catalog = with(text).unwrap();
    assert_eq!(catalog.models().count(), Catalog::builtin().models().count());
    // The id in another case, an alias, a label and a device that were another model's.
    for name in ["A30-24GB", "A30", "NVIDIA-A30-MIG-1g.12gb", "NVIDIA-H100-80GB-HBM3", "h100-80gb-hbm3"] {
        assert_eq!(catalog.model(name).unwrap().profiles.len(), 1, "{name}");
    }
    assert_eq!(catalog.by_device_filter("0x233010DE").unwrap().unwrap().id, "a30-24gb");
    assert_eq!(catalog.model("H100-80GB").unwrap().profiles.len(), 7, "an id means its own model");
}

#[test]
fn a_refused_model_is_accepted_with_starts() {
    let text = "models:
- id: RTX-PRO-5000-48GB
  profiles:
  - {name: 1g.24gb, size_units: 6, placements: [{start: 0, size: 6}, {start: 6, size: 6}]}
  - {name: 2g.48gb, size_units: 12, placements: [{start: 0, size: 12}]}
";
    assert_eq!(Catalog::builtin().model("RTX-PRO-5000").unwrap_err().code(), "model-without-geometry");
    let catalog = with(text).unwrap();
    assert_eq!(catalog.model("RTX-PRO-5000").unwrap().units, 12);
    assert_eq!(catalog.refused().count(), 2);
    let without = "models: [{id: NEW, profiles: [{name: 1g.5gb, size_units: 1}]}]";
    let refusal = with(without).unwrap().model("NEW").unwrap_err().to_string();
    assert!(refusal.starts_with("NEW cannot be planned: nobody publishes where 1g.5gb may start"), "{refusal}");
}

#[test]
fn a_model_without_profiles_amends_the_catalogues() {
    let text = r#"{"models": [{"id": "gb300-278gb", "driver_variant_names": [{"driver": "99x", "1g": "1g.32gb"}]}]}"#;
    let catalog = with(text).unwrap();
    let model = catalog.model("GB300").unwrap();
    assert_eq!((model.id.as_str(), model.profiles.len()), ("GB300-278GB", 7));
    assert!(model.facets.is_some() && !model.product_labels.is_empty());
    assert!(model.profile(&"1g.32gb+me".parse().unwrap()).is_some());
    assert!(model.profile(&"1g.31gb".parse().unwrap()).is_none(), "what is given replaces what was there");
    let unknown = r#"{"models": [{"id": "X", "aliases": ["Y"]}]}"#;
    assert_eq!(problems(unknown), ["X: a model that is not in the catalogue needs `profiles`"]);
    // An amended model can be amended again.
    let mut catalog = with(text).unwrap();
    catalog.add(&GeometryFile::parse("models: [{id: GB300-278GB, aliases: [MINE]}]").unwrap()).unwrap();
    assert!(catalog.model("mine").unwrap().profile(&"1g.32gb".parse().unwrap()).is_some());
}

#[test]
fn models_that_contradict_themselves_are_refused() {
    for (model, said) in [
        (
            "compute_slices: 4, profiles: [{name: 2g.10gb, placements: [{start: 0, size: 2}, {start: 2, size: 2}, {start: 4, size: 2}]}]",
            "X: compute_slices is 4, but by the placements 2g.10gb=3 fits, which has 6",
        ),
        (
            "engine_budget: {values: {jpeg: 1}}, profiles: [{name: 1g.10gb, engines: {jpeg: 5}, placements: [{start: 0, size: 1}]}]",
            "X: 1g.10gb holds 5 JPEG decoders, and engine_budget has 1",
        ),
    ] {
        assert_eq!(problems(&format!("models: [{{id: X, {model}}}]")), [said]);
    }
}

/// What a file does not say is said to be unknown, and by nobody.
#[test]
fn facts_of_a_users_model_have_no_invented_source() {
    let catalog =
        with("models: [{id: X, profiles: [{name: 1g.5gb, engines: {jpeg: 1}, placements: [{start: 0, size: 1}]}]}]");
    let model = catalog.unwrap().model("X").unwrap();
    let p = &model.profiles[0];
    assert_eq!(p.driver_starts.source, [""; 0]);
    assert_eq!((p.published_engines.value.jpeg, p.published_engines.value.decoders), (Some(1), None));
}

/// Normals prove bounds, so they are only taken for the profiles they were found for.
#[test]
fn facets_are_dropped_where_a_model_differs() {
    let catalogue = include_str!("../../src/geometry/catalog.json");
    let mut file: serde_json::Value = serde_json::from_str(catalogue).unwrap();
    let h100 = file["models"].as_array().unwrap().iter().position(|m| m["id"] == "H100-80GB").unwrap();
    let profiles = file["models"][h100]["profiles"].clone();
    file["models"][h100]["compute_instance_profiles"] = Vec::<serde_json::Value>::new().into();
    let edits: [(&str, Edit); 4] = [
        ("a start less", |p| {
            p[3]["placements"].as_array_mut().unwrap().pop();
            p[3].as_object_mut().unwrap().remove("driver_start_order");
        }),
        ("another maximum", |p| p[1]["max_instances"] = 2.into()),
        ("another class", |p| p[0]["class"] = "one".into()),
        ("the same class twice", |p| {
            let twin = p[0].clone();
            p[1] = twin;
            p[1]["name"] = "1g.11gb".into();
        }),
    ];
    for (what, edit) in edits {
        let mut edited = profiles.clone();
        edit(&mut edited);
        file["models"][h100]["profiles"] = edited;
        let catalog = with(&file.to_string()).unwrap();
        assert!(catalog.model("H100-80GB").unwrap().facets.is_none(), "{what}");
        assert!(catalog.model("A100-80GB").unwrap().facets.is_some());
    }
    // Fewer profiles are a face of the same polytope.
    file["models"][h100]["profiles"] = profiles.as_array().unwrap().iter().skip(3).cloned().collect();
    let normals = with(&file.to_string()).unwrap().model("H100-80GB").unwrap().facets.clone().unwrap();
    assert!(normals.iter().all(|row| row.len() == 4));
}

#[test]
fn all_problems_are_listed_at_once() {
    let text = "models:
- id: X
  placement_units: 4
  gpu_product_labels: [{value: NVIDIA-X}]
  aliases: [Y]
  compute_instance_profiles:
  - {gi_profile: 9g.9gb, ci_profile: 1c.9g.9gb, compute_slices: 1, max_per_gi: 1}
  profiles:
  - {name: 1g.5gb, placements: [{start: 0, size: 1}, {start: 4, size: 1}], max_instances: 0}
  - {name: 1g5gb, placements: [{start: 0, size: 1}]}
  - {name: 2g.10gb, placements: [{start: 0, size: 2}, {start: 0, size: 2}]}
  - {name: 3g.20gb, size_units: 2, placements: [{start: 0, size: 3}], driver_start_order: [1]}
  - {name: 4g.20gb, placements: []}
  - {name: 2g.10gb, placements: [{start: 2, size: 2}]}
  - {name: 1c.2g.10gb, placements: [{start: 2, size: 2}]}
- id: Y
  gpu_product_labels: [{value: nvidia-x}]
  profiles: []
";
    let found = problems(text);
    let expected = [
        "X: a placement of 1g.5gb ends behind the last of 4 units",
        "X: max_instances of 1g.5gb must be at least 1",
        "X: `1g5gb` is not a MIG profile name (expected like `1g.10gb`, `1g.10gb+me` or `1c.3g.40gb`)",
        "X: 2g.10gb has the same start twice",
        "X: the placements of 3g.20gb must all have its size, 2 units",
        "X: driver_start_order of 3g.20gb must name each of its starts once",
        "X: 4g.20gb has no placement",
        "X: profile 2g.10gb is there twice",
        "X: 1c.2g.10gb is a compute instance; a profile is a GPU instance, like 2g.10gb",
        "X: compute_instance_profiles names 9g.9gb, which is no profile of the model",
        "Y: the name `Y` belongs to X already",
        "Y: the product label `nvidia-x` belongs to X already",
        "Y: a model needs at least one profile",
    ];
    for problem in expected {
        assert!(found.iter().any(|p| p == problem), "`{problem}` is missing in {found:#?}");
    }
    // A wrong file adds nothing.
    let mut catalog = Catalog::builtin();
    assert!(catalog.add(&GeometryFile::parse(text).unwrap()).is_err());
    assert!(catalog.model("X").is_err());
}

#[test]
fn text_that_is_no_geometry_file_is_refused() {
    for (text, said) in [
        ("", "not a geometry file"),
        ("models: 3", "not a geometry file"),
        ("{\"models\": [", "not a geometry file"),
        ("models: [{id: X, profiles: [], colour: red}]", "colour"),
        ("models: [{id: X, profiles: [{name: 1g.5gb, placement: []}]}]", "placement"),
        ("models: [{id: X, profiles: [{name: 1g.5gb, placements: [{start: -1, size: 1}]}]}]", "from 0 to 255"),
        ("models: [{id: X, profiles: [{name: 1g.5gb, placements: [{start: 0, size: 999}]}]}]", "from 0 to 255"),
        ("{\"schema\": \"mig-geometry/2\", \"models\": []}", "schema `mig-geometry/2` is not known"),
        ("models: [{id: X, profiles: [{name: 1g.5gb, placements: [{start: 0, size: 1}], confidence: sure}]}]", "sure"),
    ] {
        let found = problems(text).join("; ");
        assert!(found.contains(said), "{text}: {found}");
    }
}

#[test]
fn errors_of_form_name_model_and_profile() {
    let profile = |text: &str| format!("models: [{{id: X, profiles: [{{name: 1g.5gb, {text}}}]}}]");
    for (text, said) in [
        ("null".to_owned(), "not a geometry file: expected a map with the list `models`, found nothing"),
        ("[]".to_owned(), "not a geometry file: expected a map with the list `models`, found a list"),
        ("models: [{id: '', profiles: []}]".to_owned(), "model 1: a model needs an id"),
        (
            profile("placements: [{start: -1, size: 1}]"),
            "X: a placement of 1g.5gb: invalid value: integer `-1`, expected a whole number from 0 to 255 (line 1)",
        ),
        (
            profile("sm_count: lots"),
            "X: profile 1g.5gb: invalid type: string \"lots\", expected a whole number from 0 to 65535 (line 1)",
        ),
        (profile("placements: [3]"), "X: a placement of 1g.5gb: invalid type: integer `3`, expected a map (line 1)"),
    ] {
        assert_eq!(problems(&text), [said], "{text}");
    }
    let two = "models: [{id: X, memory_slices: -1, profiles: [{name: 1g.5gb, max_instances: -1}]}]";
    assert_eq!(problems(two).len(), 2);
}

#[test]
fn a_board_beyond_enumeration_is_refused_in_good_time() {
    let starts: Vec<String> = (0..32).map(|start| format!("{{start: {start}, size: 1}}")).collect();
    let profile = |i: u32| format!("{{name: 1g.{i}gb, placements: [{}]}}", starts.join(", "));
    let profiles: Vec<String> = (1..=16).map(profile).collect();
    let found = problems(&format!("models: [{{id: HUGE, profiles: [{}]}}]", profiles.join(", ")));
    assert_eq!(found, ["HUGE: the model has more than 1000000 layouts, which is more than migsaw plans with"]);
    let more: Vec<String> = (1..=17).map(profile).collect();
    let found = problems(&format!("models: [{{id: HUGE, placement_units: 33, profiles: [{}]}}]", more.join(", ")));
    assert_eq!(found, ["HUGE: placement_units must lie in 1..=32", "HUGE: a model may have at most 16 profiles"]);
}

#[test]
fn a_syntax_error_says_where() {
    let found = problems("models:\n- id: X\n  profiles:\n  - {name: 1g.5gb, colour: red}\n").join("; ");
    assert!(found.contains("line 4"), "{found}");
    let found = problems("{\"models\": [\n{\"id\": 3}]}").join("; ");
    assert!(found.contains("line 2"), "{found}");
}

fn any_model() -> impl Strategy<Value = serde_json::Value> {
    let small = || prop_oneof![8 => 0u8..6, 1 => any::<u8>()];
    let placement = (small(), small()).prop_map(|(start, size)| serde_json::json!({"start": start, "size": size}));
    let profile = (1u8..4, 1u8..9, prop::collection::vec(placement, 0..4), prop::option::of(small()), any::<bool>());
    let profile = profile.prop_map(|(g, gb, mut placements, max, same_size)| {
        if same_size {
            for placement in &mut placements {
                placement["size"] = g.into();
            }
        }
        serde_json::json!({"name": format!("{g}g.{gb}gb"), "placements": placements, "max_instances": max})
    });
    (prop::collection::vec(profile, 0..4), prop::option::of(small())).prop_map(|(profiles, units)| {
        serde_json::json!({"models": [{"id": "X", "placement_units": units, "profiles": profiles}]})
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// Whatever a user claims about a board is refused, or can be planned with.
    #[test]
    fn no_model_makes_the_engine_panic(file in any_model()) {
        let Ok(catalog) = with(&file.to_string()) else { return Ok(()) };
        let model = catalog.model("X").unwrap();
        for layout in model.layouts().iter().take(50) {
            let text = layout.display(&model).to_string();
            prop_assert_eq!(&Layout::parse(&model, &text).unwrap(), layout);
            prop_assert!(model.stranded(layout).unwrap().memory_units() <= model.units);
            let counts = layout.counts();
            prop_assert_eq!(model.place(&counts, &Layout::empty()).unwrap().unwrap().counts(), counts);
            let created = model.creation_order(&counts).unwrap();
            // The driver's own choice may rule a set out; the proof then knows starts that would do.
            if let Creation::Impossible(proof) = created {
                prop_assert!(proof.with_starts.is_some());
            }
        }
    }
}
