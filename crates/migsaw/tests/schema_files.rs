//! The published schemas say what the library reads.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

use std::path::Path;

use migsaw::document::schema;

/// Compares with the file, or rewrites it if `MIGSAW_BLESS` is set.
fn check(name: &str, schema: &serde_json::Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
    let current = format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    if std::env::var_os("MIGSAW_BLESS").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(published == current, "{} is out of date: run this test with MIGSAW_BLESS=1", path.display());
}

#[test]
fn scenario_schema_is_current() {
    check("scenario.json", schema::scenario());
}

#[test]
fn plan_schema_is_current() {
    check("plan.json", schema::plan());
}

#[test]
fn curve_schema_is_current() {
    check("curve.json", schema::curve());
}

#[test]
fn diff_schema_is_current() {
    check("diff.json", schema::diff());
}

#[test]
fn rollout_schema_is_current() {
    check("rollout.json", schema::rollout());
}

#[test]
fn applied_schema_is_current() {
    check("applied.json", schema::applied());
}

#[test]
fn simulation_schema_is_current() {
    check("simulation.json", schema::simulation());
}

#[test]
fn quotas_schema_is_current() {
    check("quotas.json", schema::quotas());
}

#[test]
fn advice_schema_is_current() {
    check("advice.json", schema::advice());
}

#[test]
fn capacity_schema_is_current() {
    check("capacity.json", schema::capacity());
}

#[test]
fn whatif_schema_is_current() {
    check("whatif.json", schema::whatif());
}

#[test]
fn buy_schema_is_current() {
    check("buy.json", schema::buy());
}

#[test]
fn robust_schema_is_current() {
    check("robust.json", schema::robust());
}

#[test]
fn everything_is_described() {
    let outputs = [
        schema::plan(),
        schema::curve(),
        schema::diff(),
        schema::rollout(),
        schema::applied(),
        schema::capacity(),
        schema::whatif(),
        schema::buy(),
        schema::robust(),
        schema::simulation(),
    ];
    for schema in [schema::scenario()].into_iter().chain(outputs) {
        let mut objects: Vec<(&str, &serde_json::Value)> = vec![("the document", schema)];
        objects.extend(schema["$defs"].as_object().unwrap().iter().map(|(name, part)| (name.as_str(), part)));
        for (name, object) in objects {
            assert!(object["description"].is_string(), "{name} has no description");
            for (field, property) in object["properties"].as_object().into_iter().flatten() {
                assert!(property["description"].is_string(), "{name}.{field} has no description");
            }
            let closed = object["properties"].is_null() || object["additionalProperties"] == false;
            assert!(closed, "{name} accepts unknown fields");
        }
    }
}

#[test]
fn chargeback_schema_is_current() {
    check("chargeback.json", schema::chargeback());
}

#[test]
fn rightsize_schema_is_current() {
    check("rightsize.json", schema::rightsize());
}
