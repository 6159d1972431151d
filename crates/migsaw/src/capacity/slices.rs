//! What the memory slices of each pool are at, while all that runs stays where it is.

use std::collections::BTreeSet;
use std::ops::{AddAssign, Mul};

use crate::fleet::{GpuState, NodeGroup, Pool, Strategy};
use crate::geometry::{Layout, Model, Placement};
use crate::present::{Present, RecutUnit};
use crate::problem::Problem;

/// The placement units of a pool (memory slices, on most models) by what can be done with them. The five add up to
/// all there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Slices {
    /// Held by what runs, pinned or taken.
    pub held: u64,
    /// Free instances beside something that runs, which must not be cut otherwise before that is gone.
    pub offered: u64,
    /// Free on nodes or GPUs on which nothing runs: they may be cut in any way. Under strategy `single`, which cuts a
    /// node as one, that is nodes.
    pub idle: u64,
    /// Beside something that runs and in no free instance: nobody can have them before that is gone.
    pub stranded: u64,
    /// On nodes of which it is not known how they are cut.
    pub unknown: u64,
}

/// The slices of each pool, in the order of the pools. Where a driver makes instances one by one, what it still can
/// make beside those that are held counts as idle.
///
/// ```
/// use migsaw::capacity::{Slices, slices};
/// use migsaw::document::scenario;
/// use migsaw::geometry::Catalog;
/// let text = "
/// apiVersion: migsaw.io/v1alpha1
/// kind: Scenario
/// fleet: [{pool: a, model: H100-80GB, nodes: [gpu-0], gpusPerNode: 2}]
/// demand: [{name: llm, profile: 3g.40gb, count: 1}]
/// state:
/// - node: gpu-0
///   recut: gpu
///   gpus: ['3g.40gb=1', '7g.80gb=1']
///   pods: [{demand: llm, on: [{gpu: 0, profile: 3g.40gb, start: 4}]}]";
/// let problem = scenario::parse(text, &Catalog::builtin()).unwrap();
/// // Four of the first GPU run, and the other four are not cut; the second GPU is idle.
/// assert_eq!(slices(&problem), [Slices { held: 4, idle: 8, stranded: 4, ..Slices::default() }]);
/// ```
pub fn slices(problem: &Problem) -> Vec<Slices> {
    problem.fleet.pools.iter().map(of_pool).collect()
}

fn of_pool(pool: &Pool) -> Slices {
    let models: Vec<&Model> = pool.gpu_models().map(AsRef::as_ref).collect();
    let mut all = Slices::default();
    for group in &pool.nodes {
        let nodes = u64::from(group.names.count());
        for (gpu, model) in models.iter().enumerate() {
            all += of_gpu(group, gpu, model, pool.strategy) * nodes;
        }
    }
    all
}

fn of_gpu(group: &NodeGroup, gpu: usize, model: &Model, strategy: Strategy) -> Slices {
    let units = u64::from(model.units);
    let unit = |present: &Present| if strategy == Strategy::Single { RecutUnit::Node } else { present.unit };
    match (group.state(gpu), &group.present) {
        (GpuState::Taken, _) => Slices { held: units, ..Slices::default() },
        (GpuState::Pinned(layout), None) => beside(layout, model),
        (GpuState::Idle, None) => Slices { unknown: units, ..Slices::default() },
        (GpuState::Pinned(layout), Some(present)) => beside_running((present, unit(present)), gpu, model, layout),
        (GpuState::Idle, Some(present)) => beside_running((present, unit(present)), gpu, model, &Layout::empty()),
    }
}

/// Beside what runs on a node, of which `unit` is what is cut as one.
fn beside_running((present, unit): (&Present, RecutUnit), gpu: usize, model: &Model, pinned: &Layout) -> Slices {
    let units = u64::from(model.units);
    let here = present.running.iter().flat_map(|unit| &unit.holds).filter(|held| usize::from(held.gpu) == gpu);
    let held: BTreeSet<Option<Placement>> = here.map(|held| held.instance).collect();
    if held.contains(&None) {
        return Slices { held: units, ..Slices::default() };
    }
    let is_busy = match unit {
        RecutUnit::Node => !present.running.is_empty(),
        RecutUnit::Gpu => !held.is_empty(),
        RecutUnit::Instance => false,
    };
    let pins = pinned.placements().iter().copied();
    let instances: BTreeSet<Placement> = held.into_iter().flatten().chain(pins).collect();
    if !is_busy {
        return beside(&Layout::claimed(instances), model);
    }
    let held = instances.iter().map(|instance| size(*instance, model)).sum();
    let offered = match present.layout(gpu).filter(|layout| !layout.is_empty()) {
        // Whole, as one that has MIG off.
        None => units.saturating_sub(held),
        Some(layout) => {
            let free = layout.placements().iter().filter(|instance| !instances.contains(instance));
            free.map(|instance| size(*instance, model)).sum()
        }
    };
    Slices { held, offered, stranded: units.saturating_sub(held + offered), ..Slices::default() }
}

/// Beside instances that stay, where others can be added.
fn beside(layout: &Layout, model: &Model) -> Slices {
    let held = layout.placements().iter().map(|instance| size(*instance, model)).sum();
    let lost = model.stranded(layout).map_or(0, |stranded| u64::from(stranded.memory_units()));
    let free = u64::from(model.units).saturating_sub(held);
    Slices { held, idle: free.saturating_sub(lost), stranded: free.min(lost), ..Slices::default() }
}

fn size(instance: Placement, model: &Model) -> u64 {
    u64::from(model.get(instance.profile).size)
}

impl Slices {
    /// All there are.
    pub fn all(&self) -> u64 {
        self.held + self.offered + self.idle + self.stranded + self.unknown
    }
}

impl AddAssign for Slices {
    fn add_assign(&mut self, other: Slices) {
        self.held += other.held;
        self.offered += other.offered;
        self.idle += other.idle;
        self.stranded += other.stranded;
        self.unknown += other.unknown;
    }
}

/// Those of so many GPUs that are all alike.
impl Mul<u64> for Slices {
    type Output = Slices;

    fn mul(self, gpus: u64) -> Slices {
        Slices {
            held: self.held * gpus,
            offered: self.offered * gpus,
            idle: self.idle * gpus,
            stranded: self.stranded * gpus,
            unknown: self.unknown * gpus,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::scenario;
    use crate::geometry::Catalog;

    #[test]
    fn beside_what_runs_a_node_of_strategy_single_is_not_idle() {
        let text = |strategy: &str, runs: &str| {
            format!(
                "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\n\
                 fleet: [{{pool: a, model: H100-80GB, nodes: [gpu-0], gpusPerNode: 2, strategy: {strategy}}}]\n\
                 demand: [{{name: llm, profile: 1g.10gb, count: 1, strategy: {strategy}}}]\n\
                 state: [{{node: gpu-0, recut: gpu, gpus: ['1g.10gb=7', '1g.10gb=7'], pods: [{runs}]}}]\n"
            )
        };
        let runs = "{demand: llm, on: [{gpu: 0, profile: 1g.10gb, start: 0}]}";
        for (strategy, runs, expected) in [
            ("single", runs, Slices { held: 1, offered: 13, stranded: 2, ..Slices::default() }),
            ("mixed", runs, Slices { held: 1, offered: 6, stranded: 1, idle: 8, ..Slices::default() }),
            ("single", "", Slices { idle: 16, ..Slices::default() }),
        ] {
            let problem = scenario::parse(&text(strategy, runs), &Catalog::builtin());
            let problem = problem.map_err(|found| format!("{found:?}")).unwrap();
            assert_eq!(slices(&problem), [expected], "{strategy} {runs}");
        }
    }
}
