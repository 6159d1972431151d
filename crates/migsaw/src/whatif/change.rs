//! Changes to a problem.

use std::fmt;
use std::str::FromStr;

use crate::capacity::base::running;
use crate::fleet::{NodeGroup, NodeNames, Pool, Strategy};
use crate::geometry::nearest;
use crate::present::Present;
use crate::problem::{MAX_COUNT, MAX_NODES, Problem};

/// A change to a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Idle nodes more, as those of the pool.
    AddNodes {
        /// The pool's name.
        pool: String,
        /// How many.
        count: u32,
    },
    /// A node less. What runs there is asked for elsewhere.
    RemoveNode {
        /// The node's name.
        node: String,
    },
    /// Nodes less: those on which least runs and is pinned, of equal ones the last.
    RemoveNodes {
        /// The pool's name.
        pool: String,
        /// How many.
        count: u32,
    },
    /// More or less of a demand.
    Scale {
        /// The demand, with its namespace if it has one; `None` for all.
        demand: Option<String>,
        /// By how much.
        by: Scaling,
    },
    /// Another strategy for a pool, for which its nodes are drained.
    Strategy {
        /// The pool's name.
        pool: String,
        /// The strategy.
        strategy: Strategy,
    },
}

/// How a count changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// To so many hundredths of a per cent of what it was, rounded up.
    To(BasisPoints),
    /// By so many units.
    By(i64),
    /// To so many units.
    Count(u64),
}

/// Hundredths of a per cent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BasisPoints(pub u32);

/// The text is no scaling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` says no change (expected like `+20%`, `-12.5%`, `+5`, `-5` or `40`)")]
pub struct InvalidScaling {
    /// The refused text.
    pub text: String,
}

/// The text is no percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no percentage (expected like `20%` or `12.5%`, at most 100000%)")]
pub struct InvalidPercentage {
    /// The refused text.
    pub text: String,
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// There is no such pool.
    #[error("the fleet has no pool `{pool}` (nearest: {})", nearest.join(", "))]
    UnknownPool {
        /// The name.
        pool: String,
        /// Pools that may have been meant.
        nearest: Vec<String>,
    },
    /// There is no such node.
    #[error("the fleet has no node `{node}` (nearest: {})", nearest.join(", "))]
    UnknownNode {
        /// The name.
        node: String,
        /// Nodes that may have been meant.
        nearest: Vec<String>,
    },
    /// There is no such demand.
    #[error("there is no demand `{demand}` (nearest: {})", nearest.join(", "))]
    UnknownDemand {
        /// The name.
        demand: String,
        /// Demands that may have been meant.
        nearest: Vec<String>,
    },
    /// A pool has fewer nodes than are to go.
    #[error("pool `{pool}` has {found} nodes, of which {asked} cannot be removed")]
    TooFewNodes {
        /// The pool.
        pool: String,
        /// Nodes there are.
        found: u32,
        /// Nodes to remove.
        asked: u32,
    },
    /// A pool would have more nodes than there may be.
    #[error("pool `{pool}` would have more than {MAX_NODES} nodes")]
    TooManyNodes {
        /// The pool.
        pool: String,
    },
    /// A demand would ask for more than it may.
    #[error("demand `{demand}` would have more than {MAX_COUNT} units")]
    TooManyUnits {
        /// The demand.
        demand: String,
    },
    /// A demand would ask for less than what runs of it.
    #[error("{running} units of demand `{demand}` run, so it cannot be scaled to {count}: which of them would end?")]
    BelowRunning {
        /// The demand.
        demand: String,
        /// Units that run.
        running: u64,
        /// Units asked for after the change.
        count: u64,
    },
}

impl ChangeError {
    /// A stable code for programs; `docs/errors.md` lists them.
    pub fn code(&self) -> &'static str {
        match self {
            ChangeError::UnknownPool { .. } => "unknown-pool",
            ChangeError::UnknownNode { .. } => "unknown-node",
            ChangeError::UnknownDemand { .. } => "unknown-demand",
            ChangeError::TooFewNodes { .. } => "too-few-nodes",
            ChangeError::TooManyNodes { .. } | ChangeError::TooManyUnits { .. } => "out-of-range",
            ChangeError::BelowRunning { .. } => "below-running",
        }
    }
}

/// The problem with these changes, made one after the other.
///
/// # Errors
/// Everything that cannot be changed so. That nothing fits afterwards is for planning to say; a fleet without any
/// node, for [`Problem::validate`].
pub fn changed(problem: &Problem, changes: &[Change]) -> Result<Problem, Vec<ChangeError>> {
    let mut after = problem.clone();
    let made = changes.iter().map(|change| change.make(&mut after));
    let errors: Vec<ChangeError> = made.filter_map(Result::err).collect();
    if errors.is_empty() { Ok(after) } else { Err(errors) }
}

impl Change {
    fn make(&self, problem: &mut Problem) -> Result<(), ChangeError> {
        match self {
            Change::AddNodes { pool, count } => add_nodes(problem, pool, *count),
            Change::RemoveNode { node } => remove_node(problem, node),
            Change::RemoveNodes { pool, count } => remove_nodes(problem, pool, *count),
            Change::Scale { demand, by } => scale(problem, demand.as_deref(), *by),
            Change::Strategy { pool, strategy } => {
                let pool = find_pool(problem, pool)?;
                let pool = &mut problem.fleet.pools[pool];
                if pool.strategy != *strategy {
                    pool.strategy = *strategy;
                    pool.nodes.iter_mut().for_each(|group| group.present = None);
                }
                Ok(())
            }
        }
    }
}

fn find_pool(problem: &Problem, name: &str) -> Result<usize, ChangeError> {
    let pools = &problem.fleet.pools;
    pools.iter().position(|pool| pool.name == name).ok_or_else(|| ChangeError::UnknownPool {
        pool: name.to_owned(),
        nearest: nearest(name, pools.iter().map(|pool| pool.name.clone())),
    })
}

/// Idle nodes with MIG off, known to be so where anything is known of the fleet.
pub(crate) fn add_nodes(problem: &mut Problem, pool: &str, count: u32) -> Result<(), ChangeError> {
    let index = find_pool(problem, pool)?;
    let nodes = &problem.fleet.pools[index].nodes;
    if u64::from(problem.fleet.pools[index].node_count()) + u64::from(count) > u64::from(MAX_NODES) {
        return Err(ChangeError::TooManyNodes { pool: pool.to_owned() });
    }
    let unit = nodes.iter().find_map(|group| group.present.as_ref()).map(|present| present.unit);
    let is_known = problem.is_running_known();
    let present = is_known.then(|| Present { unit: unit.unwrap_or_default(), ..Present::default() });
    let names = NodeNames::Numbered { prefix: problem.fleet.unused_prefix(&format!("{pool}-new-")), first: 0, count };
    problem.fleet.pools[index].nodes.push(NodeGroup { names, pinned: Vec::new(), present });
    Ok(())
}

fn remove_node(problem: &mut Problem, name: &str) -> Result<(), ChangeError> {
    for pool in &mut problem.fleet.pools {
        for group in 0..pool.nodes.len() {
            if let Some(index) = index_of(&pool.nodes[group].names, name) {
                remove(pool, group, index);
                return Ok(());
            }
        }
    }
    let pools = problem.fleet.pools.iter();
    // Of a large fleet the last nodes are not proposed.
    let names = pools.flat_map(|pool| (0..pool.node_count().min(20_000)).map(|index| pool.node_name(index)));
    Err(ChangeError::UnknownNode { node: name.to_owned(), nearest: nearest(name, names.take(20_000)) })
}

fn index_of(names: &NodeNames, name: &str) -> Option<u32> {
    match names {
        NodeNames::Numbered { prefix, first, count } => {
            let number: u32 = name.strip_prefix(prefix.as_str())?.parse().ok()?;
            let index = number.checked_sub(*first).filter(|index| index < count)?;
            (names.get(index) == name).then_some(index)
        }
        NodeNames::Listed(listed) => u32::try_from(listed.iter().position(|listed| listed == name)?).ok(),
    }
}

/// Takes a node out of a group of nodes.
pub(crate) fn remove(pool: &mut Pool, group: usize, index: u32) {
    let of = pool.nodes[group].clone();
    let parts = match of.names {
        NodeNames::Numbered { prefix, first, count } => {
            let behind = NodeNames::Numbered {
                prefix: prefix.clone(),
                first: first.saturating_add(index).saturating_add(1),
                count: count - index - 1,
            };
            vec![NodeNames::Numbered { prefix, first, count: index }, behind]
        }
        NodeNames::Listed(mut names) => {
            names.remove(index as usize);
            vec![NodeNames::Listed(names)]
        }
    };
    let parts = parts.into_iter().filter(|names| names.count() > 0);
    let left = parts.map(|names| NodeGroup { names, pinned: of.pinned.clone(), present: of.present.clone() });
    pool.nodes.splice(group..=group, left);
}

fn remove_nodes(problem: &mut Problem, name: &str, count: u32) -> Result<(), ChangeError> {
    let index = find_pool(problem, name)?;
    let pool = &mut problem.fleet.pools[index];
    let found = pool.node_count();
    if found < count {
        return Err(ChangeError::TooFewNodes { pool: name.to_owned(), found, asked: count });
    }
    let mut left = count;
    while left > 0 {
        let load = |group: &NodeGroup| {
            let running = group.present.as_ref().map_or(0, |present| present.running.len());
            (running, group.pinned.iter().filter(|state| **state != crate::fleet::GpuState::Idle).count())
        };
        let groups = pool.nodes.iter().enumerate().filter(|(_, group)| group.names.count() > 0);
        let Some((group, _)) = groups.min_by_key(|(at, group)| (load(group), std::cmp::Reverse(*at))) else { break };
        let here = pool.nodes[group].names.count();
        let gone = here.min(left);
        match &mut pool.nodes[group].names {
            NodeNames::Numbered { count, .. } => *count -= gone,
            NodeNames::Listed(names) => names.truncate((here - gone) as usize),
        }
        left -= gone;
        pool.nodes.retain(|group| group.names.count() > 0);
    }
    Ok(())
}

fn scale(problem: &mut Problem, name: Option<&str>, by: Scaling) -> Result<(), ChangeError> {
    let found: Vec<usize> = match name {
        None => (0..problem.demands.len()).collect(),
        Some(name) => problem.demands_named(name),
    };
    if let Some(name) = name.filter(|_| found.is_empty()) {
        let names = problem.demands.iter().map(crate::demand::Demand::full_name);
        return Err(ChangeError::UnknownDemand { demand: name.to_owned(), nearest: nearest(name, names) });
    }
    let running = running(problem);
    for index in found {
        let running = running.get(&index).copied().unwrap_or(0);
        let demand = &mut problem.demands[index];
        let count = by.of(demand.count);
        if count > MAX_COUNT {
            return Err(ChangeError::TooManyUnits { demand: demand.full_name() });
        }
        if count < running {
            return Err(ChangeError::BelowRunning { demand: demand.full_name(), running, count });
        }
        demand.count = count;
    }
    Ok(())
}

impl Scaling {
    /// What becomes of a count.
    pub fn of(self, count: u64) -> u64 {
        match self {
            Scaling::To(share) => share.of(count),
            Scaling::By(more) => count.saturating_add_signed(more),
            Scaling::Count(count) => count,
        }
    }
}

impl BasisPoints {
    /// All of it.
    pub const WHOLE: BasisPoints = BasisPoints(10_000);

    /// So much of a count, rounded up.
    pub fn of(self, count: u64) -> u64 {
        let whole = u128::from(BasisPoints::WHOLE.0);
        let scaled = (u128::from(count) * u128::from(self.0)).div_ceil(whole);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

impl FromStr for BasisPoints {
    type Err = InvalidPercentage;

    fn from_str(text: &str) -> Result<BasisPoints, InvalidPercentage> {
        let parse = || {
            let number = text.trim().strip_suffix('%')?;
            let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
            let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
            if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
                return None;
            }
            let whole: u32 = whole.parse().ok().filter(|&n| n <= 100_000)?;
            Some(BasisPoints(whole * 100 + format!("{fraction:0<2}").parse::<u32>().ok()?))
        };
        parse().ok_or_else(|| InvalidPercentage { text: text.chars().take(80).collect() })
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:02}", self.0 % 100);
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{fraction}%", self.0 / 100)
    }
}

impl FromStr for Scaling {
    type Err = InvalidScaling;

    fn from_str(text: &str) -> Result<Scaling, InvalidScaling> {
        let parse = || {
            let text = text.trim();
            let digits = |t: &str| (!t.is_empty() && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<i64>());
            if let Some(more) = text.strip_prefix('+').or_else(|| text.strip_prefix('-')) {
                let is_less = text.starts_with('-');
                if more.ends_with('%') {
                    let BasisPoints(points) = more.parse().ok()?;
                    let whole = BasisPoints::WHOLE.0;
                    let to = if is_less { whole.checked_sub(points)? } else { whole.checked_add(points)? };
                    return Some(Scaling::To(BasisPoints(to)));
                }
                let more = digits(more)?.ok()?;
                return Some(Scaling::By(if is_less { -more } else { more }));
            }
            Some(Scaling::Count(digits(text)?.ok()?.unsigned_abs()))
        };
        parse().ok_or_else(|| InvalidScaling { text: text.chars().take(80).collect() })
    }
}

impl fmt::Display for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scaling::To(BasisPoints(points)) if *points >= BasisPoints::WHOLE.0 => {
                write!(f, "+{}", BasisPoints(points - BasisPoints::WHOLE.0))
            }
            Scaling::To(BasisPoints(points)) => write!(f, "-{}", BasisPoints(BasisPoints::WHOLE.0 - points)),
            Scaling::By(more) => write!(f, "{more:+}"),
            Scaling::Count(count) => write!(f, "to {count}"),
        }
    }
}

impl fmt::Display for Change {
    /// In words, `2 nodes more in inference`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = |count: u32| if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") };
        match self {
            Change::AddNodes { pool, count } => write!(f, "{} more in {pool}", nodes(*count)),
            Change::RemoveNode { node } => write!(f, "without node {node}"),
            Change::RemoveNodes { pool, count } => write!(f, "{} fewer in {pool}", nodes(*count)),
            Change::Scale { demand, by } => match demand {
                Some(demand) => write!(f, "{demand} {by}"),
                None => write!(f, "all demand {by}"),
            },
            Change::Strategy { pool, strategy } => write!(f, "{pool} with strategy {strategy}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::Demand;
    use crate::fleet::Fleet;
    use crate::geometry::Catalog;
    use crate::present::{Held, Running};

    fn problem() -> Problem {
        let a30 = Catalog::builtin().model("A30").unwrap();
        let mut pool = Pool::new("a", a30.clone(), 3, 1);
        let present = Present {
            running: vec![Running {
                name: None,
                demand: 0,
                holds: vec![Held { gpu: 0, instance: None }],
                stays: false,
            }],
            ..Present::default()
        };
        let names = NodeNames::Listed(vec!["x".to_owned(), "y".to_owned()]);
        pool.nodes.push(NodeGroup { names, pinned: Vec::new(), present: Some(present) });
        let whole = crate::demand::Request::WholeGpus { gpus: 1 };
        let mut other = Demand::of_profile("b", "1g.6gb".parse().unwrap(), 10);
        other.namespace = Some("team".to_owned());
        Problem {
            fleet: Fleet { pools: vec![pool, Pool::new("b", a30, 1, 1)] },
            demands: vec![Demand::new("w", whole, 4), other],
            ..Problem::default()
        }
    }

    fn check(change: &Change, expected: Result<(&[&str], [u64; 2]), &str>) {
        let found = changed(&problem(), std::slice::from_ref(change));
        match (found, expected) {
            (Ok(found), Ok((nodes, counts))) => {
                let pools = found.fleet.pools.iter();
                let names: Vec<String> =
                    pools.flat_map(|pool| (0..pool.node_count()).map(|index| pool.node_name(index))).collect();
                assert_eq!(names, nodes, "{change:?}");
                assert_eq!(found.demands.iter().map(|d| d.count).collect::<Vec<_>>(), counts, "{change:?}");
                assert_eq!(found.validate(), [], "{change:?}");
            }
            (Err(found), Err(code)) => assert_eq!((found.len(), found[0].code()), (1, code), "{change:?}"),
            (found, expected) => panic!("{change:?}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn changes_do_what_they_say() {
        let (pool, other) = (|| "a".to_owned(), || "c".to_owned());
        let all = ["a-0", "a-1", "a-2", "x", "y", "b-0"];
        let node = |node: &str| Change::RemoveNode { node: node.to_owned() };
        check(&node("a-1"), Ok((&["a-0", "a-2", "x", "y", "b-0"], [4, 10])));
        check(&node("x"), Ok((&["a-0", "a-1", "a-2", "y", "b-0"], [4, 10])));
        check(&node("a-01"), Err("unknown-node"));
        check(&node("a-3"), Err("unknown-node"));
        check(&Change::AddNodes { pool: pool(), count: 0 }, Ok((&all, [4, 10])));
        let more = ["a-0", "a-1", "a-2", "x", "y", "a-new-0", "b-0"];
        check(&Change::AddNodes { pool: pool(), count: 1 }, Ok((&more, [4, 10])));
        check(&Change::AddNodes { pool: other(), count: 1 }, Err("unknown-pool"));
        check(&Change::AddNodes { pool: pool(), count: MAX_NODES }, Err("out-of-range"));
        // Those on which nothing runs go first.
        check(&Change::RemoveNodes { pool: pool(), count: 2 }, Ok((&["a-0", "x", "y", "b-0"], [4, 10])));
        check(&Change::RemoveNodes { pool: pool(), count: 4 }, Ok((&["x", "b-0"], [4, 10])));
        check(&Change::RemoveNodes { pool: pool(), count: 6 }, Err("too-few-nodes"));
        check(&Change::Strategy { pool: pool(), strategy: Strategy::Single }, Ok((&all, [4, 10])));
        let scale = |demand: Option<&str>, by: &str| Change::Scale {
            demand: demand.map(str::to_owned),
            by: by.parse().unwrap(),
        };
        check(&scale(None, "+20%"), Ok((&all, [5, 12])));
        check(&scale(Some("team/b"), "-12.5%"), Ok((&all, [4, 9])));
        check(&scale(Some("b"), "+5"), Ok((&all, [4, 15])));
        check(&scale(Some("b"), "-50"), Ok((&all, [4, 0])));
        check(&scale(Some("w"), "2"), Ok((&all, [2, 10])));
        check(&scale(Some("w"), "1"), Err("below-running"));
        check(&scale(Some("c"), "1"), Err("unknown-demand"));
        check(&scale(Some("b"), "1000000001"), Err("out-of-range"));
    }

    #[test]
    fn scalings_print_what_they_parse() {
        for text in ["+20%", "-12.5%", "+5", "-5"] {
            assert_eq!(text.parse::<Scaling>().unwrap().to_string(), text);
        }
        assert_eq!("40".parse::<Scaling>().unwrap().to_string(), "to 40");
        for text in ["", "%", "+", "20%", "+%", "-101%", "1.5", "+1.234%", "x2", "++1", "+99999999999999999999"] {
            assert!(text.parse::<Scaling>().is_err(), "{text}");
        }
        assert_eq!("12.5%".parse(), Ok(BasisPoints(1250)));
        assert_eq!(BasisPoints(11_250).of(8), 9);
    }
}
