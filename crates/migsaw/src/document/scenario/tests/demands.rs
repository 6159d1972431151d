//! Demands and their selectors.

use super::*;

#[test]
fn demands_that_make_no_sense() {
    for (name, demand, expected) in [
        ("nothing asked", "{name: x, count: 1}", &["6 missing-field demand[0]"][..]),
        (
            "two requests",
            "{name: x, count: 1, wholeGpus: 1, profile: 1g.10gb}",
            &["6 exclusive-fields demand[0].wholeGpus"],
        ),
        (
            "instances of whole GPUs",
            "{name: x, count: 1, wholeGpus: 1, instances: 2}",
            &["6 exclusive-fields demand[0].instances"],
        ),
        (
            "whole GPUs on one GPU",
            "{name: x, count: 1, wholeGpus: 2, sameGpu: true}",
            &["6 exclusive-fields demand[0].sameGpu"],
        ),
        ("no profile name", "{name: x, count: 1, profile: 1g10gb}", &["6 invalid-profile-name demand[0].profile"]),
        ("unknown profile", "{name: x, count: 1, profile: 5g.10gb}", &["6 unknown-profile demand[0].profile"]),
        ("no profile in the map", "{name: x, count: 1, profiles: {}}", &["6 empty-list demand[0].profiles"]),
        (
            "none of a profile",
            "{name: x, count: 1, profiles: {1g.10gb: 0}}",
            &["6 out-of-range demand[0].profiles[\"1g.10gb\"]"],
        ),
        (
            "unknown among profiles",
            "{name: x, count: 1, profiles: {1g.10gb: 1, 8g.1gb: 2}}",
            &["6 unknown-profile demand[0].profiles[\"8g.1gb\"]"],
        ),
        ("no limit given", "{name: x, count: 1, atLeast: {}}", &["6 missing-field demand[0].atLeast"]),
        (
            "memory in GB",
            "{name: x, count: 1, atLeast: {memory: 16GB}}",
            &["6 invalid-quantity demand[0].atLeast.memory"],
        ),
        (
            "negative memory",
            "{name: x, count: 1, atLeast: {memory: -1}}",
            &["6 invalid-quantity demand[0].atLeast.memory"],
        ),
        ("huge memory", "{name: x, count: 1, atLeast: {memory: 9999Pi}}", &["6 out-of-range demand[0].atLeast.memory"]),
        (
            "too much compute",
            "{name: x, count: 1, atLeast: {compute: 8}}",
            &["6 out-of-range demand[0].atLeast.compute"],
        ),
        ("huge count", "{name: x, count: 1000000001, wholeGpus: 1}", &["6 out-of-range demand[0].count"]),
        ("no instance", "{name: x, count: 1, profile: 1g.10gb, instances: 0}", &["6 out-of-range demand[0].instances"]),
        ("unknown pool", "{name: x, count: 1, wholeGpus: 1, pools: [a, b]}", &["6 unknown-pool demand[0].pools[1]"]),
        ("no pool", "{name: x, count: 1, wholeGpus: 1, pools: []}", &["6 empty-list demand[0].pools"]),
        ("none per node", "{name: x, count: 1, wholeGpus: 1, maxPerNode: 0}", &["6 out-of-range demand[0].maxPerNode"]),
        ("no name", "{name: '', count: 1, wholeGpus: 1}", &["6 empty-name demand[0].name"]),
        (
            "flat affinity",
            "{name: x, count: 1, wholeGpus: 1, nodeAffinity: [{key: k, operator: Exists}]}",
            &[
                "6 missing-field demand[0].nodeAffinity[0]",
                "6 unknown-field demand[0].nodeAffinity[0].key",
                "6 unknown-field demand[0].nodeAffinity[0].operator",
            ],
        ),
        (
            "toleration without a key",
            "{name: x, count: 1, wholeGpus: 1, tolerations: [{value: v}]}",
            &["6 invalid-toleration demand[0].tolerations[0]"],
        ),
        (
            "value with Exists",
            "{name: x, count: 1, wholeGpus: 1, tolerations: [{key: k, operator: Exists, value: v}]}",
            &["6 invalid-toleration demand[0].tolerations[0]"],
        ),
    ] {
        check(name, &with_demand(demand), expected);
    }
    let twice =
        format!("{HEAD}{FLEET}{DEMAND}- {{name: x, wholeGpus: 1, count: 2}}\n- {{name: x, wholeGpu: 1, count: 2}}\n");
    check(
        "same name",
        &twice,
        &[
            "7 duplicate-demand demand[1].name",
            "8 duplicate-demand demand[2].name",
            "8 unknown-field demand[2].wholeGpu",
        ],
    );
}

#[test]
fn selectors_that_cannot_hold() {
    let none: &[&str] = &[];
    for (name, selector, terms, expected) in [
        ("plain", "{a: x}", "[{key: b, operator: Exists}]", none),
        ("in and in", "{a: x}", "[{key: a, operator: In, values: [y, z]}]", &["contradictory-selector"]),
        ("in and in that meet", "{a: x}", "[{key: a, operator: In, values: [y, x]}]", none),
        ("in and not in", "{a: x}", "[{key: a, operator: NotIn, values: [y, x]}]", &["contradictory-selector"]),
        (
            "not in leaves one",
            "{}",
            "[{key: a, operator: In, values: [y, x]}, {key: a, operator: NotIn, values: [y]}]",
            none,
        ),
        (
            "there and missing",
            "{}",
            "[{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]",
            &["contradictory-selector"],
        ),
        ("equal and missing", "{a: x}", "[{key: a, operator: DoesNotExist}]", &["contradictory-selector"]),
        (
            "above and below",
            "{}",
            "[{key: a, operator: Gt, values: ['4']}, {key: a, operator: Lt, values: ['5']}]",
            &["contradictory-selector"],
        ),
        (
            "above and below with room",
            "{}",
            "[{key: a, operator: Gt, values: ['4']}, {key: a, operator: Lt, values: ['6']}]",
            none,
        ),
        ("above what it is", "{a: '4'}", "[{key: a, operator: Gt, values: ['4']}]", &["contradictory-selector"]),
        ("a word above a number", "{a: x}", "[{key: a, operator: Gt, values: ['4']}]", &["contradictory-selector"]),
        (
            "smallest number",
            "{}",
            "[{key: a, operator: Lt, values: ['-9223372036854775808']}, {key: a, operator: Gt, values: ['0']}]",
            &["contradictory-selector"],
        ),
        ("no value", "{}", "[{key: a, operator: In}]", &["selector-values"]),
        ("values for Exists", "{}", "[{key: a, operator: Exists, values: [x]}]", &["selector-values"]),
        ("a word as bound", "{}", "[{key: a, operator: Gt, values: [x]}]", &["selector-values"]),
    ] {
        let text = with_demand(&format!(
            "{{name: x, count: 1, wholeGpus: 1, nodeSelector: {selector}, nodeAffinity: [{{matchExpressions: {terms}}}]}}"
        ));
        let codes: Vec<&str> = match read(&text) {
            Ok(_) => Vec::new(),
            Err(found) => found.iter().map(|d| d.code).collect(),
        };
        assert_eq!(codes, expected, "{name}");
    }
}
