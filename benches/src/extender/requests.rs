//! Bodies of `filter` and `prioritize`, as kube-scheduler sends them.

use serde::Deserialize;
use serde_json::value::RawValue;

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

/// Zones, and workers of the scheduler (its `parallelism`).
const ZONES: u32 = 3;
const WORKERS: usize = 16;

/// The pods of the fleet have lower numbers.
const FIRST: u32 = 90_000_000;

/// A profile that no model of the fleet has.
const HOPELESS: (&str, u64) = ("1g.18gb", 1);

/// A pod that waits for a node, as JSON.
pub fn pending(number: u32) -> String {
    debug_assert!(KINDS.iter().all(|kind| !kind.profiles.contains(&HOPELESS.0)));
    waiting(number, asks(number), number % 5 == 4)
}

/// In how many ways pods ask; those whose numbers differ by a multiple of it ask alike.
pub const WAYS: usize = ASKS.len();

/// The profile that the pod asks for, and how many of it.
pub fn asks(number: u32) -> (&'static str, u64) {
    ASKS[number as usize % WAYS]
}

/// The same pod on a node, as JSON.
pub fn bound(number: u32, node: &str) -> String {
    pod(PodText { number: FIRST + number, slices: Some(asks(number)), on: Some(node), is_particular: false })
}

/// Its UID.
pub fn uid(number: u32) -> String {
    format!("a52aa5d7-8b78-40dc-8d58-0000{:08}", FIRST + number)
}

/// A pod that no node could ever take, as JSON.
pub fn hopeless(number: u32) -> String {
    waiting(number, HOPELESS, false)
}

fn waiting(number: u32, slices: (&str, u64), is_particular: bool) -> String {
    pod(PodText { number: FIRST + number, slices: Some(slices), on: None, is_particular })
}

/// All nodes in the order in which a scheduler names them: zone by zone in turn, and then as they come out of its
/// workers, each of which takes a square root's worth of them at a time.
pub fn order(nodes: u32) -> Vec<u32> {
    let by_zone =
        (0..ZONES).flat_map(|zone| (zone..nodes).step_by(ZONES as usize).zip(0..).map(move |(n, at)| (at, zone, n)));
    let mut by_zone: Vec<(u32, u32, u32)> = by_zone.collect();
    by_zone.sort_unstable();
    let in_turn: Vec<u32> = by_zone.into_iter().map(|(_, _, number)| number).collect();
    let shares: Vec<&[u32]> = in_turn.chunks(nodes.isqrt().max(1) as usize).collect();
    let at_once = |shares: &[&[u32]]| -> Vec<u32> {
        let longest = shares.iter().map(|share| share.len()).max().unwrap_or(0);
        (0..longest).flat_map(|at| shares.iter().filter_map(move |share| share.get(at).copied())).collect()
    };
    shares.chunks(WORKERS).flat_map(at_once).collect()
}

/// A body with the names of all nodes.
pub fn by_name(pod: &str, nodes: u32) -> String {
    let names: Vec<String> = order(nodes).into_iter().map(name).collect();
    of_names(pod, &names)
}

/// A body with these names.
pub fn of_names(pod: &str, names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!(r#"{{"Pod":{pod},"Nodes":null,"NodeNames":[{}]}}"#, names.join(","))
}

/// The body of `prioritize` after this one of `filter` and its answer: about the nodes that were kept.
///
/// # Errors
/// If one of them is none.
pub fn about_kept(asked: &str, answer: &[u8]) -> serde_json::Result<String> {
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow, rename = "Pod")]
        pod: &'a RawValue,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Kept<'a> {
        #[serde(borrow)]
        nodes: Option<&'a RawValue>,
        #[serde(borrow)]
        node_names: Option<&'a RawValue>,
    }
    let Asked { pod } = serde_json::from_str(asked)?;
    let Kept { nodes, node_names } = serde_json::from_slice(answer)?;
    let [nodes, names] = [nodes, node_names].map(|kept| kept.map_or("null", RawValue::get));
    Ok(format!(r#"{{"Pod":{pod},"Nodes":{nodes},"NodeNames":{names}}}"#))
}

/// A body with all nodes, whole.
pub fn whole(pod: &str, shape: &Shape) -> String {
    let nodes: Vec<String> = order(shape.nodes).into_iter().map(|number| node(shape, number).json()).collect();
    format!(r#"{{"Pod":{pod},"Nodes":{{"metadata":{{}},"items":[{}]}},"NodeNames":null}}"#, nodes.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_the_same_one_wherever_it_is() {
        let read = |text: &str| serde_json::from_str::<migsaw_kube::scheduling::Pod>(text).unwrap();
        for number in 0..20 {
            let (waiting, there) = (read(&pending(number)), read(&bound(number, "n")));
            assert_eq!((waiting.uid.clone(), waiting.asks.clone(), waiting.node), (uid(number), there.asks, None));
            assert_eq!((there.uid, there.node.as_deref()), (waiting.uid, Some("n")));
            let (profile, n) = asks(number);
            assert_eq!(waiting.asks.resources.get(format!("nvidia.com/mig-{profile}").as_str()), Some(&n));
        }
    }

    #[test]
    fn scores_are_asked_for_of_what_was_kept() {
        let asked = by_name("{}", 3);
        let check = |answer: &str, expected: &str| assert_eq!(about_kept(&asked, answer.as_bytes()).unwrap(), expected);
        check(r#"{"NodeNames":["a"],"FailedNodes":{}}"#, r#"{"Pod":{},"Nodes":null,"NodeNames":["a"]}"#);
        check(r#"{"Nodes":{"items":[1]}}"#, r#"{"Pod":{},"Nodes":{"items":[1]},"NodeNames":null}"#);
    }

    #[test]
    fn each_node_is_named_once_whatever_the_order() {
        for nodes in [0, 1, 2, 3, 100, 5000] {
            let mut order = order(nodes);
            assert_eq!(order.is_sorted(), nodes < 4, "{nodes}");
            order.sort_unstable();
            assert!(order.into_iter().eq(0..nodes));
        }
    }
}
