//! Why something is not served, and the smallest change that would serve it.
//!
//! The reasons go from what no plan could change (no such profile, no pool that is allowed, a unit larger
//! than a node) to what this fleet is too small for. For the latter the relaxation is solved once more
//! with the number of nodes of each eligible pool free: the fewest that must be added.

use std::collections::BTreeMap;

use super::cell::{Capabilities, Cell};
use super::compile::{Compiled, PoolShape};
use super::decision::Decisions;
use super::fleet_program::FleetProgram;
use super::outcome::{Plan, Status, TierName, Unserved, UnservedCode};
use super::program::Sum;
use super::solver::Solver;
use super::templates::Template;
use super::{Backend, Depth, Formulation, Options, Unlimited};
use crate::demand::{Demand, Eligibility, Ineligible, Request, Together};
use crate::fleet::{Fleet, NodeGroup, NodeNames, Pool, Strategy};
use crate::problem::Problem;

/// Most node groups of a fleet for which the missing nodes are worked out.
const MAX_GROUPS: usize = 2_000;
/// Most terms of all programs solved for that together.
const WORK: usize = 200_000;
/// Most nodes that are tried to be added.
const MAX_ADDED: u32 = 1 << 20;
/// Branch and bound nodes for one remedy.
const NODES: u64 = 500;

pub(super) fn unserved(compiled: &Compiled<'_>, plan: &Plan, options: &Options<'_>) -> Vec<Unserved> {
    let served = plan.served(compiled.problem.demands.len());
    let served_in = served_in(compiled, plan);
    let mut explainer = Explainer { compiled, options, plan, served: &served, served_in, work_left: WORK };
    let demands = compiled.problem.demands.iter().enumerate();
    let missing = demands.filter(|(index, demand)| demand.count > served[*index]);
    missing
        .map(|(index, demand)| {
            let (code, reason, remedy) = match plan.status {
                Status::Unknown => (
                    UnservedCode::NotDecided,
                    "the time limit came before any plan was found".to_owned(),
                    Some("give more time".to_owned()),
                ),
                _ => explainer.explain(index, demand),
            };
            Unserved { demand: index, count: demand.count - served[index], code, reason, remedy }
        })
        .collect()
}

struct Explainer<'a> {
    compiled: &'a Compiled<'a>,
    options: &'a Options<'a>,
    plan: &'a Plan,
    served: &'a [u64],
    /// By the pool's name.
    served_in: BTreeMap<&'a str, ServedIn>,
    work_left: usize,
}

/// Units that a pool serves.
#[derive(Debug, Default)]
struct ServedIn {
    by_priority: BTreeMap<i32, u64>,
    by_demand: BTreeMap<usize, u64>,
}

fn served_in<'a>(compiled: &'a Compiled<'_>, plan: &Plan) -> BTreeMap<&'a str, ServedIn> {
    let mut pools: BTreeMap<&str, ServedIn> = BTreeMap::new();
    for group in &plan.nodes {
        let served = pools.entry(&compiled.problem.fleet.pools[group.pool].name).or_default();
        for serving in &group.serves {
            let units = u64::from(serving.units) * u64::from(group.node_count());
            let priority = compiled.problem.demands[serving.demand].priority;
            *served.by_priority.entry(priority).or_default() += units;
            *served.by_demand.entry(serving.demand).or_default() += units;
        }
    }
    pools
}

type Explanation = (UnservedCode, String, Option<String>);

impl Explainer<'_> {
    fn explain(&mut self, index: usize, demand: &Demand) -> Explanation {
        let pools: Vec<(&Pool, &PoolShape)> = self
            .compiled
            .problem
            .fleet
            .pools
            .iter()
            .zip(&self.compiled.pools)
            .filter(|(pool, _)| pool.gpu_count() > 0)
            .collect();
        let gives =
            |shape: &PoolShape| matches!(demand.request, Request::WholeGpus { .. }) || !shape.ways(demand).is_empty();
        let admitted: Vec<(&Pool, &PoolShape)> =
            pools.iter().filter(|(pool, _)| demand.eligible.admits(pool).is_ok()).copied().collect();
        if admitted.is_empty() {
            return no_pool(demand, &pools, &gives);
        }
        let giving: Vec<(&Pool, &PoolShape)> = admitted.iter().filter(|(_, shape)| gives(shape)).copied().collect();
        if giving.is_empty() {
            return no_profile(demand, &admitted, &pools, &gives);
        }
        if !giving.iter().any(|(pool, _)| unit_fits(demand, pool)) {
            return too_large(demand, &giving);
        }
        if let Some(explanation) = self.spread_out(index, demand, &giving) {
            return explanation;
        }
        if self.may_be_more(demand.priority) {
            return (
                UnservedCode::NotDecided,
                "the search ended before it found room for it, or the proof that there is none".to_owned(),
                None,
            );
        }
        self.full(index, demand, &giving)
    }

    /// Whether no bound rules out that more is served at this priority.
    fn may_be_more(&self, priority: i32) -> bool {
        let mut tiers = self.plan.tiers.iter();
        tiers.any(|tier| tier.name == TierName::Served { priority } && tier.value < tier.bound)
    }

    /// Each node the demand may use already serves as many units as it may.
    fn spread_out(&self, index: usize, demand: &Demand, pools: &[(&Pool, &PoolShape)]) -> Option<Explanation> {
        let most = u64::from(demand.max_per_node?);
        let nodes: u64 = pools.iter().map(|(pool, _)| u64::from(pool.node_count())).sum();
        (self.served[index] >= nodes * most).then(|| {
            let missing = demand.count - self.served[index];
            (
                UnservedCode::MaxPerNode,
                format!("each of the {nodes} nodes it may use serves {most} already, which is its most per node"),
                Some(format!("{} more in one of {}", nodes_of(missing.div_ceil(most)), names(pools))),
            )
        })
    }

    fn full(&mut self, index: usize, demand: &Demand, pools: &[(&Pool, &PoolShape)]) -> Explanation {
        let gpus: u64 = pools.iter().map(|(pool, _)| pool.gpu_count()).sum();
        let before = self.served_before(index, pools);
        let others = if before > 0 {
            format!(", which serve {} of its priority or higher", units_of_others(before))
        } else {
            String::new()
        };
        let on = if gpus == 1 { "the GPU".to_owned() } else { format!("the {gpus} GPUs") };
        let reason = format!("no room is left for {} on {on} of {}{others}", what(demand), names(pools));
        let groups: usize = self.compiled.pools.iter().map(|shape| shape.classes.len()).sum();
        let is_quick = groups <= MAX_GROUPS && self.options.depth == Depth::All;
        let remedy = if is_quick { self.missing_nodes(index, pools) } else { None };
        (UnservedCode::Capacity, reason, remedy)
    }

    /// Units that the pools serve of other demands which are at least as important.
    fn served_before(&self, index: usize, pools: &[(&Pool, &PoolShape)]) -> u64 {
        let priority = self.compiled.problem.demands[index].priority;
        let here = pools.iter().filter_map(|(pool, _)| self.served_in.get(pool.name.as_str()));
        let others = |served: &ServedIn| {
            let all: u64 = served.by_priority.range(priority..).map(|(_, units)| units).sum();
            all - served.by_demand.get(&index).copied().unwrap_or(0)
        };
        here.map(others).sum()
    }

    /// The pool that needs fewest nodes more to serve the demand too, and everything served now.
    fn missing_nodes(&mut self, index: usize, pools: &[(&Pool, &PoolShape)]) -> Option<String> {
        let usable = pools.iter().filter(|(pool, _)| unit_fits(&self.compiled.problem.demands[index], pool));
        let mut added = Vec::new();
        for (pool, _) in usable {
            match self.nodes_to_add(index, &pool.name) {
                Search::Found(nodes) => added.push((nodes, &pool.name)),
                Search::None => {}
                Search::Stopped => return None,
            }
        }
        let (nodes, pool) = added.into_iter().min()?;
        Some(format!("{} more in pool {pool}", nodes_of(u64::from(nodes))))
    }

    /// The fewest nodes that must be added to a pool, found by bisection.
    fn nodes_to_add(&mut self, index: usize, pool: &str) -> Search {
        let mut enough = 1;
        loop {
            match self.would_serve(index, pool, enough) {
                None => return Search::Stopped,
                Some(true) => break,
                Some(false) if enough >= MAX_ADDED => return Search::None,
                Some(false) => enough *= 2,
            }
        }
        let mut too_few = enough / 2;
        while enough - too_few > 1 {
            let middle = too_few + (enough - too_few) / 2;
            match self.would_serve(index, pool, middle) {
                None => return Search::Stopped,
                Some(true) => enough = middle,
                Some(false) => too_few = middle,
            }
        }
        Search::Found(enough)
    }

    /// Whether all of the demand would be served, and of the others as much as now, with so many nodes
    /// more; `None` if that is not worked out any more.
    fn would_serve(&mut self, index: usize, pool: &str, nodes: u32) -> Option<bool> {
        if self.work_left == 0 || self.options.budget.remaining().is_zero() {
            return None;
        }
        let mut problem = self.compiled.problem.clone();
        for (i, demand) in problem.demands.iter_mut().enumerate().filter(|(i, _)| *i != index) {
            demand.count = self.served[i];
        }
        let grown = problem.fleet.pools.iter_mut().find(|p| p.name == pool)?;
        let names = NodeNames::Numbered { prefix: String::new(), first: 0, count: nodes };
        grown.nodes.push(NodeGroup::idle(names));
        let compiled = Compiled::new(&problem, self.compiled.decisions);
        let cells = Cell::pooled(&compiled, &mut Capabilities::default(), &[]);
        let asked = compiled.asked();
        let fleet = FleetProgram::new(&compiled, &cells, self.options.formulation, &asked);
        self.work_left = self.work_left.saturating_sub(fleet.program.len());
        let mut all = Sum::new();
        (0..compiled.levels.len()).for_each(|level| all += &fleet.served_at(level));
        let solver = Solver { backend: self.options.backend, budget: self.options.budget, nodes: NODES };
        let wanted: i64 = asked.iter().flatten().sum();
        let outcome = solver.maximise(&fleet.program, &all, None);
        let value = outcome.values.map_or(0, |values| i64::try_from(all.value(&values)).unwrap_or(0));
        let is_stopped = value < wanted && self.options.budget.remaining().is_zero();
        (!is_stopped).then_some(value == wanted)
    }
}

/// What a search for a number of nodes came to.
enum Search {
    Found(u32),
    /// No number is enough.
    None,
    /// Time or work was up.
    Stopped,
}

fn no_pool(demand: &Demand, pools: &[(&Pool, &PoolShape)], gives: &dyn Fn(&PoolShape) -> bool) -> Explanation {
    let refusals = pools.iter().filter(|(_, shape)| gives(shape));
    let mut refusals: Vec<(&Pool, Ineligible)> =
        refusals.filter_map(|(pool, _)| Some((*pool, demand.eligible.admits(pool).err()?))).collect();
    if !refusals.is_empty() && !refusals.iter().any(|(pool, _)| unit_fits(demand, pool)) {
        let giving: Vec<(&Pool, &PoolShape)> = pools.iter().filter(|(_, shape)| gives(shape)).copied().collect();
        return too_large(demand, &giving);
    }
    // A pool that could serve it, and what would let it: leaving out the pools it does not name, if it names some.
    refusals.retain(|(pool, _)| unit_fits(demand, pool));
    refusals.sort_by_key(|(_, why)| matches!(why, Ineligible::Pool));
    let strategies: Vec<&(&Pool, Ineligible)> =
        refusals.iter().filter(|(_, why)| matches!(why, Ineligible::Strategy(_))).collect();
    if let Some((pool, Ineligible::Strategy(needed))) = strategies.first() {
        let reason =
            format!("it needs MIG strategy {needed}, but the pools it may use otherwise have {}", pool.strategy);
        return (UnservedCode::WrongStrategy, reason, Some(format!("MIG strategy {needed} in pool {}", pool.name)));
    }
    let (reason, remedy) = match refusals.first() {
        Some((pool, Ineligible::Taint(taint))) => (
            format!("it does not tolerate taint {taint} of pool {}", pool.name),
            Some(format!("a toleration for {taint}")),
        ),
        Some((pool, Ineligible::Pool)) => {
            ("none of the pools it names could give it".to_owned(), Some(format!("pool {} among its pools", pool.name)))
        }
        Some((pool, _)) => (
            "no pool has the labels it selects".to_owned(),
            Some(format!("a selector that accepts pool {}, or its labels on those nodes", pool.name)),
        ),
        None => (format!("no pool may be used, and none could give {}", what(demand)), None),
    };
    (UnservedCode::NoEligiblePool, reason, remedy)
}

fn no_profile(
    demand: &Demand,
    admitted: &[(&Pool, &PoolShape)],
    pools: &[(&Pool, &PoolShape)],
    gives: &dyn Fn(&PoolShape) -> bool,
) -> Explanation {
    let mut models: Vec<&str> =
        admitted.iter().flat_map(|(_, shape)| shape.boards.iter().map(|board| board.model.id.as_str())).collect();
    models.sort_unstable();
    models.dedup();
    let reason = format!("{} does not exist on {}", what(demand), models.join(", "));
    let elsewhere = pools.iter().find(|(_, shape)| gives(shape));
    if let Some((pool, Ineligible::Strategy(needed))) =
        elsewhere.and_then(|(pool, _)| Some((pool, demand.eligible.admits(pool).err()?)))
    {
        let reason = format!("{reason}, and pool {} has another strategy than {needed}, which it needs", pool.name);
        return (UnservedCode::WrongStrategy, reason, Some(format!("MIG strategy {needed} in pool {}", pool.name)));
    }
    let remedy = elsewhere.map(|(pool, _)| format!("let it use pool {} as well, which has it", pool.name));
    (UnservedCode::NoSuchProfile, reason, remedy)
}

fn too_large(demand: &Demand, pools: &[(&Pool, &PoolShape)]) -> Explanation {
    let mixed = |pool: &Pool| Pool { strategy: Strategy::Mixed, ..pool.clone() };
    let single = pools.iter().filter(|(pool, _)| pool.strategy == Strategy::Single);
    if let Some((pool, _)) = single.into_iter().find(|(pool, _)| unit_fits(demand, &mixed(pool))) {
        let reason = format!("{} cannot be on one node of strategy single in {}", what(demand), names(pools));
        return (UnservedCode::WrongStrategy, reason, Some(format!("MIG strategy mixed in pool {}", pool.name)));
    }
    let on_gpu = matches!(
        demand.request,
        Request::Profiles { together: Together::Gpu, .. } | Request::AtLeast { together: Together::Gpu, .. }
    );
    if on_gpu {
        let reason = format!("{} together do not fit on one GPU of {}", what(demand), names(pools));
        let remedy = "without sameGpu they could share a node instead";
        return (UnservedCode::TooLargeForGpu, reason, Some(remedy.to_owned()));
    }
    let most = pools.iter().map(|(pool, _)| pool.gpus_per_node()).max().unwrap_or(0);
    let reason =
        format!("one unit needs {} on one node, more than any node of {} can have", what(demand), names(pools));
    let remedy = match demand.request {
        Request::WholeGpus { .. } => format!("units of at most {most} GPUs, or nodes with more GPUs"),
        _ => "fewer instances in one unit, or nodes with more GPUs".to_owned(),
    };
    (UnservedCode::TooLargeForNode, reason, Some(remedy))
}

/// Whether an idle node of the pool could serve one unit, were it allowed there.
fn unit_fits(demand: &Demand, pool: &Pool) -> bool {
    let names = NodeNames::Numbered { prefix: String::new(), first: 0, count: 1 };
    let nodes = vec![NodeGroup::idle(names)];
    let one = Demand { count: 1, eligible: Eligibility::default(), ..demand.clone() };
    let pool = Pool { nodes, taints: Vec::new(), cost_per_gpu: None, ..pool.clone() };
    let problem = Problem { fleet: Fleet { pools: vec![pool] }, demands: vec![one], ..Problem::default() };
    let decisions = Decisions::default();
    let compiled = Compiled::new(&problem, &decisions);
    let node = Template { members: vec![(0, 0, 1)], strategy: problem.fleet.pools[0].strategy };
    let cell = Cell::identical(&compiled, &node.members, node.strategy, &mut Capabilities::default());
    let fleet = FleetProgram::new(&compiled, &[cell], Formulation::default(), &compiled.asked());
    let solver = Solver { backend: Backend::default(), budget: &Unlimited, nodes: NODES };
    let outcome = solver.maximise(&fleet.program, &fleet.served_at(0), None);
    outcome.values.is_some_and(|values| fleet.served_at(0).value(&values) > 0)
}

/// What one unit asks for, in words.
fn what(demand: &Demand) -> String {
    match &demand.request {
        Request::Profiles { instances, .. } => {
            let parts =
                instances.iter().map(|(name, n)| if *n == 1 { name.to_string() } else { format!("{n} x {name}") });
            parts.collect::<Vec<_>>().join(" + ")
        }
        Request::AtLeast { memory_mib, compute_slices, instances, .. } => {
            let times = if *instances == 1 { String::new() } else { format!("{instances} x ") };
            format!("{times}a slice with {memory_mib} MiB and {compute_slices} compute slices")
        }
        Request::WholeGpus { gpus: 1 } => "a whole GPU".to_owned(),
        Request::WholeGpus { gpus } => format!("{gpus} whole GPUs"),
    }
}

fn units_of_others(count: u64) -> String {
    if count == 1 { "1 unit of another demand".to_owned() } else { format!("{count} units of other demands") }
}

fn nodes_of(count: u64) -> String {
    if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") }
}

/// The pools by name, the first few of many.
fn names(pools: &[(&Pool, &PoolShape)]) -> String {
    let shown: Vec<&str> = pools.iter().take(4).map(|(pool, _)| pool.name.as_str()).collect();
    let more = pools.len().saturating_sub(4);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("pool{} {}{rest}", if pools.len() == 1 { "" } else { "s" }, shown.join(", "))
}
