//! Quotas.

use super::{HEAD, check, read};
use crate::document::scenario::ScenarioDocument;

/// A scenario with quotas in flow form, from line 9 on.
fn with_quotas(quotas: &str) -> String {
    let fleet = "fleet:\n- {pool: a, model: A30, nodes: 2, gpusPerNode: 2}\n";
    let demand = "demand:\n- {name: x, namespace: n, profile: 1g.6gb, count: 2}\n- {name: w, wholeGpus: 1, count: 1}\n";
    format!("{HEAD}{fleet}{demand}quotas:\n- {quotas}\n")
}

#[test]
fn quotas_that_make_no_sense() {
    for (name, quotas, expected) in [
        (
            "no such demand",
            "{name: q, namespace: n, hard: {gpu: 1}, demands: [y]}",
            &["9 unknown-demand quotas[0].demands[0]"][..],
        ),
        (
            "another namespace",
            "{name: q, namespace: n, hard: {gpu: 1}, demands: [w]}",
            &["9 unknown-demand quotas[0].demands[0]"],
        ),
        ("no profile", "{name: q, hard: {gpus: 1}}", &["9 invalid-profile-name quotas[0].hard.gpus"]),
        ("less than none", "{name: q, hard: {gpu: -1}}", &["9 out-of-range quotas[0].hard.gpu"]),
        ("nothing", "{name: q, hard: {}}", &["9 empty-list quotas[0].hard"]),
        ("no name", "{name: '', hard: {gpu: 1}}", &["9 empty-name quotas[0].name"]),
        (
            "a name twice",
            "{name: q, hard: {gpu: 1}}\n- {name: q, hard: {gpu: 2}}",
            &["10 duplicate-quota quotas[1].name"],
        ),
    ] {
        check(name, &with_quotas(quotas), expected);
    }
}

#[test]
fn quotas_are_written_as_they_are_read() {
    let text = with_quotas("{name: q, namespace: n, hard: {1g.6gb: 3, gpu: 0}, demands: [x], used: {1g.6gb: 1}}");
    let problem = read(&text).expect("a right scenario");
    let again = ScenarioDocument::new(&problem).to_text();
    assert_eq!(read(&again).expect("what was written").quotas, problem.quotas);
    assert_eq!(problem.quotas[0].demands, Some([0].into()));
}
