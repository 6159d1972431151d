//! Pools and what is pinned on their nodes.

use super::*;

#[test]
fn pools_that_make_no_sense() {
    for (name, pool, expected) in [
        (
            "unknown model",
            "{pool: a, model: H100-80G, nodes: 1, gpusPerNode: 8}",
            &["4 unknown-model fleet[0].model"][..],
        ),
        ("ambiguous model", "{pool: a, model: A100, nodes: 1, gpusPerNode: 8}", &["4 ambiguous-model fleet[0].model"]),
        (
            "unpublished geometry",
            "{pool: a, model: RTX-PRO-5000, nodes: 1, gpusPerNode: 8}",
            &["4 model-without-geometry fleet[0].model"],
        ),
        ("no model", "{pool: a, nodes: 1, gpusPerNode: 8}", &["4 missing-field fleet[0]"]),
        ("no GPUs", "{pool: a, model: A30, nodes: 1}", &["4 missing-field fleet[0]"]),
        (
            "both forms",
            "{pool: a, model: A30, nodes: 1, gpus: [{model: A30, count: 1}]}",
            &["4 exclusive-fields fleet[0].gpus"],
        ),
        ("no GPU in the list", "{pool: a, nodes: 1, gpus: []}", &["4 empty-list fleet[0].gpus"]),
        (
            "too many GPUs",
            "{pool: a, nodes: 1, gpus: [{model: A30, count: 60}, {model: A30, count: 5}]}",
            &["4 out-of-range fleet[0].gpus"],
        ),
        (
            "too many nodes",
            "{pool: a, model: A30, nodes: 10000001, gpusPerNode: 8}",
            &["4 out-of-range fleet[0].nodes"],
        ),
        ("negative nodes", "{pool: a, model: A30, nodes: -1, gpusPerNode: 8}", &["4 out-of-range fleet[0].nodes"]),
        ("no node", "{pool: a, model: A30, nodes: 0, gpusPerNode: 8}", &["4 empty-fleet fleet"]),
        ("NaN nodes", "{pool: a, model: A30, nodes: .nan, gpusPerNode: 8}", &["4 wrong-type fleet[0].nodes"]),
        (
            "negative price",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, costPerGpu: -2}",
            &["4 invalid-price fleet[0].costPerGpu"],
        ),
        (
            "infinite price",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, costPerGpu: .inf}",
            &["4 wrong-type fleet[0].costPerGpu"],
        ),
        (
            "too fine a price",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, costPerGpu: 0.1234567}",
            &["4 invalid-price fleet[0].costPerGpu"],
        ),
        ("empty name", "{pool: '', model: A30, nodes: 1, gpusPerNode: 8}", &["4 empty-name fleet[0].pool"]),
        (
            "space around a name",
            "{pool: ' a', model: A30, nodes: 1, gpusPerNode: 8}",
            &["4 invalid-name fleet[0].pool"],
        ),
        (
            "node twice",
            "{pool: a, model: A30, nodes: [n, m, n], gpusPerNode: 8}",
            &["4 duplicate-node fleet[0].nodes[2]"],
        ),
        (
            "label of the wrong type",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, labels: {n: 1}}",
            &["4 wrong-type fleet[0].labels.n"],
        ),
        (
            "unknown effect",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, taints: [{key: k, effect: Never}]}",
            &["4 unknown-value fleet[0].taints[0].effect"],
        ),
    ] {
        check(name, &with_pool(pool), expected);
    }
}

#[test]
fn pinned_instances_that_make_no_sense() {
    for (name, pool, expected) in [
        (
            "pinned overlap",
            "{pool: a, model: H100-80GB, nodes: 1, gpusPerNode: 8, pinned: [{nodes: 1, gpus: [empty, '3g.40gb@0,1g.10gb@3']}]}",
            &["4 overlap fleet[0].pinned[0].gpus[1]"][..],
        ),
        (
            "pinned at an illegal start",
            "{pool: a, model: H100-80GB, nodes: 1, gpusPerNode: 8, pinned: [{nodes: 1, gpus: ['3g.40gb@5']}]}",
            &["4 illegal-start fleet[0].pinned[0].gpus[0]"],
        ),
        (
            "pinned unknown profile",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, pinned: [{nodes: 1, gpus: ['3g.40gb@0']}]}",
            &["4 unknown-profile fleet[0].pinned[0].gpus[0]"],
        ),
        (
            "more GPUs pinned than there are",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 1, pinned: [{nodes: 1, gpus: [empty, taken]}]}",
            &["4 pinned-too-many fleet[0].pinned[0].gpus"],
        ),
        (
            "more nodes pinned than there are",
            "{pool: a, model: A30, nodes: 2, gpusPerNode: 1, pinned: [{nodes: 2, gpus: [taken]}, {nodes: 1, gpus: [taken]}]}",
            &["4 pinned-nodes fleet[0].pinned[1].nodes"],
        ),
        (
            "unknown node pinned",
            "{pool: a, model: A30, nodes: 2, gpusPerNode: 1, pinned: [{nodes: [a-2, b], gpus: [taken]}]}",
            &["4 unknown-node fleet[0].pinned[0].nodes[0]", "4 unknown-node fleet[0].pinned[0].nodes[1]"],
        ),
        (
            "node pinned twice",
            "{pool: a, model: A30, nodes: 2, gpusPerNode: 1, pinned: [{nodes: [a-1, a-1], gpus: [taken]}]}",
            &["4 duplicate-node fleet[0].pinned[0].nodes[1]"],
        ),
    ] {
        check(name, &with_pool(pool), expected);
    }
}

#[test]
fn fleets_that_make_no_sense() {
    let empty = format!("{HEAD}fleet: []\n{DEMAND}");
    check("empty fleet", &empty, &["3 empty-fleet fleet"]);
    let pool = "- {pool: a, model: A30, nodes: 1, gpusPerNode: 1, costPerGpu: 1}\n";
    let two = format!("{HEAD}fleet:\n{pool}{}{DEMAND}", pool.replace(", costPerGpu: 1", ""));
    check("same name, price missing", &two, &["5 cost-missing fleet[1]", "5 duplicate-pool fleet[1].pool"]);
    let unfit = format!("{HEAD}fleet:\n{}{pool}{DEMAND}", pool.replace("A30", "B30"));
    check("same name as a broken pool", &unfit, &["4 unknown-model fleet[0].model", "5 duplicate-pool fleet[1].pool"]);
}

#[test]
fn pinned_nodes_are_taken_by_name_first_and_then_in_order() {
    let text = with_pool(
        "{pool: a, model: H100-80GB, nodes: 6, gpusPerNode: 2, pinned: [{nodes: 2, gpus: [taken]}, {nodes: [a-1], gpus: [7g.80gb@0]}, {nodes: 1, gpus: [empty]}, {nodes: 1, gpus: [empty, taken]}]}",
    );
    let pool = &read(&text).unwrap().fleet.pools[0];
    let shown: Vec<(u32, u32, usize)> =
        pool.node_ranges().map(|(range, group)| (range.start, range.end, group.pinned.len())).collect();
    assert_eq!(shown, [(0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 4, 0), (4, 5, 2), (5, 6, 0)]);
    assert_eq!(pool.nodes[1].names, NodeNames::Numbered { prefix: "a-".into(), first: 1, count: 1 });
    assert!(matches!(pool.nodes[1].state(0), GpuState::Pinned(_)));
}
