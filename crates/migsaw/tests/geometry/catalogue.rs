//! Invariants of the built-in catalogue, read as plain data where the library reads it too.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::{Catalog, Confidence, Layout, Model, OtherName, Profile};
use serde_json::Value;

fn raw() -> Value {
    serde_json::from_str(include_str!("../../src/geometry/catalog.json")).unwrap()
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_model_of_the_facts_is_there() {
    let catalog = Catalog::builtin();
    let known: Vec<&str> = catalog.models().map(|m| m.id.as_str()).collect();
    let expected = [
        "A100-40GB",
        "A100-80GB",
        "A30-24GB",
        "A800-40GB",
        "A800-80GB",
        "B200-180GB",
        "B300-269GB",
        "GB200-186GB",
        "GB300-278GB",
        "GH200-144GB",
        "GH200-96GB",
        "H100-80GB",
        "H100-94GB",
        "H20-141GB",
        "H20-96GB",
        "H200-141GB",
        "H800-80GB",
        "RTX-PRO-6000-96GB",
    ];
    assert_eq!(known, expected);
    let refused: Vec<&str> = catalog.refused().map(|(id, _)| id).collect();
    assert_eq!(refused, ["RTX-PRO-4500-32GB", "RTX-PRO-5000-48GB", "THOR-IGPU"]);
}

#[test]
fn profiles_are_well_formed() {
    for model in Catalog::builtin().models() {
        let at = |p: &Profile| format!("{} on {}", p.name, model.id);
        let mut ids = BTreeSet::new();
        let mut classes = BTreeSet::new();
        for (_, p) in model.profile_ids() {
            assert!(ids.insert(p.driver_id.expect("a driver id")), "{}: driver id twice", at(p));
            assert!(classes.insert(&p.class), "{}: class twice", at(p));
            assert!(p.starts.is_sorted_by(|a, b| a < b), "{}", at(p));
            assert!(p.starts.iter().all(|s| s + p.size <= model.units), "{}", at(p));
            assert!(usize::from(p.max_instances) <= p.starts.len(), "{}", at(p));
            let mut order = p.driver_starts.value.clone();
            order.sort_unstable();
            assert_eq!(order, p.starts, "{}", at(p));
            assert_eq!(p.name.slices(), p.compute_slices, "{}", at(p));
            assert!(p.name.compute_instance().is_none(), "{}", at(p));
            assert_eq!(p.size * model.memory_slices, p.memory_slices * model.units, "{}: size", at(p));
            // What makes compute no budget of its own: no instance has more compute than memory slices.
            assert!(p.compute_slices <= p.memory_slices, "{}", at(p));
        }
        let largest = model.profiles.iter().find(|p| p.size == model.units).unwrap();
        assert_eq!((largest.compute_slices, &largest.starts[..]), (model.compute_slices, &[0][..]), "{}", model.id);
    }
}

/// A profile's maximum is what an idle GPU takes of it alone.
#[test]
fn maxima_can_be_reached() {
    for model in Catalog::builtin().models() {
        for (id, p) in model.profile_ids() {
            let most = [(id, p.max_instances)].into_iter().collect();
            assert!(model.place(&most, &Layout::empty()).unwrap().is_some(), "{} of {}", p.max_instances, p.name);
        }
    }
}

#[test]
fn names_mean_one_profile() {
    for model in Catalog::builtin().models() {
        let mut seen = BTreeMap::new();
        for p in &model.profiles {
            for name in std::iter::once(&p.name).chain(&p.aliases) {
                let other = seen.insert(name.clone(), &p.name);
                assert_eq!(other, None, "{name} on {}", model.id);
                assert_eq!(model.get(model.profile(name).unwrap()).name, p.name);
            }
        }
    }
}

/// Names by driver release, each with who says so.
#[test]
fn other_names_say_whose_they_are() {
    let catalog = Catalog::builtin();
    let names = |id: &str| {
        let model = catalog.model(id).unwrap();
        let shown = |o: &OtherName| format!("{} {} {:?}", model.get(o.profile).name, o.name, o.by);
        model.other_names.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(names("A100-80GB"), [r#"7g.80gb 7g.79gb Driver("earlier")"#]);
    assert_eq!(names("H100-94GB"), [r#"1g.12gb 1g.11gb Tool("DCGM")"#]);
    assert!(names("GB200").contains(&r#"1g.23gb+me 1g.24gb+me Driver("earlier")"#.to_owned()));
    assert!(names("GB300").contains(&r#"3g.139gb 3g.126gb Driver("61x")"#.to_owned()));
    for model in catalog.models() {
        assert!(model.other_names.iter().all(|other| !other.source.is_empty()), "{}", model.id);
    }
}

#[test]
fn every_source_is_explained() {
    let raw = raw();
    let keys: BTreeSet<&str> = raw["sources"].as_object().unwrap().keys().map(String::as_str).collect();
    let models = raw["models"].as_array().unwrap();
    let ids: BTreeSet<&str> = models.iter().map(|m| m["id"].as_str().unwrap()).collect();
    let mut cited = 0;
    let mut check = |sources: &Value, at: &str| {
        for source in strings(sources) {
            // A key, `key:path/in/repository`, or `key (remark)`; captures have a colon in the key. What is
            // copied from a sibling says so.
            let key = source.split(" (").next().unwrap();
            let known = keys.contains(key)
                || key.rsplit_once(':').is_some_and(|(key, _)| keys.contains(key))
                || key.strip_prefix("sibling ").is_some_and(|id| ids.contains(id));
            assert!(known, "{at}: `{source}` is not among the sources");
            cited += 1;
        }
    };
    for model in models {
        let id = model["id"].as_str().unwrap();
        for list in ["gpu_product_labels", "pci_devices", "profiles", "compute_instance_profiles"] {
            for item in model[list].as_array().unwrap() {
                check(&item["source"], id);
                check(&item["field_confidence"]["placements_source"], id);
                check(&item["field_confidence"]["driver_start_source"], id);
            }
        }
        check(&model["engine_budget"]["source"], id);
    }
    assert!(cited > 500, "only {cited} citations");
}

/// A value that is there is sourced or derived; one that is not is unsourced.
#[test]
fn confidence_says_whether_there_is_a_value() {
    for model in Catalog::builtin().models() {
        for p in &model.profiles {
            let at = format!("{} on {}", p.name, model.id);
            assert_ne!(p.confidence, Confidence::Unsourced, "{at}");
            assert_ne!(p.starts_confidence.confidence, Confidence::Unsourced, "{at}");
            assert_eq!(p.memory_mib.value.is_some(), p.memory_mib.confidence != Confidence::Unsourced, "{at}");
            assert_eq!(p.sm_count.value.is_some(), p.sm_count.confidence != Confidence::Unsourced, "{at}");
            assert!(!p.source.is_empty(), "{at}");
        }
    }
}

/// The number in a name: the profile's share of the board's memory, rounded up to eighths, of the
/// board's gigabytes (go-nvlib).
#[test]
fn names_follow_the_rule_where_memory_is_sourced() {
    let mut checked = 0;
    for model in Catalog::builtin().models() {
        let total_gb = u64::from(model.memory_gb.unwrap());
        for p in &model.profiles {
            let (Some(mib), Confidence::Source) = (p.memory_mib.value, p.memory_mib.confidence) else { continue };
            let eighths = (u64::from(mib) * 8).div_ceil(total_gb * 1024);
            let rounded = (eighths * total_gb * 2 + 8) / 16;
            assert_eq!(u64::from(p.name.gigabytes()), rounded, "{} on {}", p.name, model.id);
            checked += 1;
        }
    }
    assert!(checked > 60, "only {checked} names");
}

/// A derived amount is a lower bound: never more than the name says, never less than smaller profiles.
#[test]
fn memory_is_plausible() {
    for model in Catalog::builtin().models() {
        let mib = |p: &Profile| p.memory_mib.value;
        for p in &model.profiles {
            let Some(have) = mib(p) else { continue };
            assert!(have <= p.name.gigabytes() * 1024 + 512, "{} on {}: {have}", p.name, model.id);
            let smaller = model.profiles.iter().filter(|q| q.size < p.size).filter_map(mib).max();
            assert!(smaller.is_none_or(|smaller| smaller < have), "{} on {}: {have}", p.name, model.id);
        }
    }
}

#[test]
fn labels_and_devices_belong_to_one_model() {
    let catalog = Catalog::builtin();
    let mut seen = BTreeSet::new();
    for model in catalog.models() {
        assert!(!model.product_labels.is_empty() && !model.pci_devices.is_empty(), "{}", model.id);
        for label in &model.product_labels {
            assert!(seen.insert(label.value.clone()), "{} twice", label.value);
            assert!(!label.value.contains(' ') && label.value.len() <= 63, "{} is no label value", label.value);
            assert_eq!(catalog.by_product_label(&label.value).unwrap().unwrap().id, model.id);
        }
        for device in &model.pci_devices {
            assert!(seen.insert(device.filter.clone()), "{} twice", device.filter);
            assert_eq!(device.filter, format!("{}10DE", device.device_id), "{}", model.id);
            assert_eq!(catalog.by_device_filter(&device.filter).unwrap().unwrap().id, model.id);
        }
    }
    let unmapped = raw()["unmapped_pci_ids"]["ids"].clone();
    for device in unmapped.as_array().unwrap() {
        let filter = format!("{}10DE", device[0].as_str().unwrap());
        assert!(catalog.by_device_filter(&filter).is_none(), "{filter} has no known geometry");
    }
}

#[test]
fn compute_instances_fit_their_gpu_instance() {
    for model in Catalog::builtin().models() {
        for ci in &model.compute_instances {
            let whole = model.get(ci.gpu_instance).compute_slices;
            assert!(u32::from(ci.compute_slices) * u32::from(ci.max_per_instance) <= u32::from(whole), "{}", model.id);
        }
        let divisible = |m: &Model| !m.compute_instances.is_empty();
        assert_eq!(divisible(model), model.family != "four-compute-twelve-unit", "{}", model.id);
    }
}
