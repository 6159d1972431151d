//! Bodies of `filter` and `prioritize`, as kube-scheduler sends them.

use super::fleet::{KINDS, PodText, Shape, name, node, pod};

/// What a pending pod asks for.
const ASKS: [(&str, u64); 8] = [
    ("1g.10gb", 1),
    ("2g.20gb", 1),
    ("3g.40gb", 1),
    ("1g.10gb", 2),
    ("1g.20gb", 1),
    ("1g.10gb", 1),
    ("7g.80gb", 1),
    ("2g.20gb", 2),
];

/// A profile that no model of the fleet has.
const HOPELESS: (&str, u64) = ("1g.18gb", 1);

/// A pod that waits for a node, as JSON.
pub fn pending(number: u32) -> String {
    debug_assert!(KINDS.iter().all(|kind| !kind.profiles.contains(&HOPELESS.0)));
    waiting(number, ASKS[number as usize % ASKS.len()], number % 5 == 4)
}

/// A pod that no node could ever take, as JSON.
pub fn hopeless(number: u32) -> String {
    waiting(number, HOPELESS, false)
}

fn waiting(number: u32, slices: (&str, u64), is_particular: bool) -> String {
    pod(PodText { number: 90_000_000 + number, slices: Some(slices), on: None, is_particular })
}

/// A body with the names of all nodes.
pub fn by_name(pod: &str, nodes: u32) -> String {
    let names: Vec<String> = (0..nodes).map(|number| format!("\"{}\"", name(number))).collect();
    format!(r#"{{"Pod":{pod},"Nodes":null,"NodeNames":[{}]}}"#, names.join(","))
}

/// A body with all nodes, whole.
pub fn whole(pod: &str, shape: &Shape) -> String {
    let nodes: Vec<String> = (0..shape.nodes).map(|number| node(shape, number).json()).collect();
    format!(r#"{{"Pod":{pod},"Nodes":{{"metadata":{{}},"items":[{}]}},"NodeNames":null}}"#, nodes.join(","))
}
