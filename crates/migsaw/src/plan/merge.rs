//! Puts what stays back into a plan that was made around it.

use std::collections::BTreeMap;

use super::compile::Compiled;
use super::decision::{Decision, Gpu};
use super::finish::Finished;
use super::outcome::{GpuShare, GpuTarget, PlannedNodes, Serving};
use crate::fleet::Strategy;
use crate::geometry::Layout;
use crate::present::{Present, RecutUnit, Running};

/// The plan's nodes with the units that stay, and GPUs of which nothing is needed left as they are.
pub(super) fn merge(compiled: &Compiled<'_>, nodes: Vec<Finished>) -> Vec<Finished> {
    let pools = &compiled.problem.fleet.pools;
    let mut merged = Merged { nodes: Vec::new(), present: None };
    for Finished { class, nodes } in nodes {
        for (range, group) in pools[nodes.pool].node_ranges() {
            let start = range.start.max(nodes.nodes.start);
            let end = range.end.min(nodes.nodes.end);
            if start >= end {
                continue;
            }
            let Some(present) = &group.present else {
                let nodes = PlannedNodes { nodes: start..end, ..nodes.clone() };
                merged.add(Finished { class, nodes }, None);
                continue;
            };
            for node in start..end {
                let planned = PlannedNodes { nodes: node..node + 1, ..nodes.clone() };
                let decision = &compiled.decisions.nodes[&(nodes.pool, node)];
                let strategy = pools[nodes.pool].strategy;
                let nodes = beside_what_stays(planned, present, decision, strategy);
                merged.add(Finished { class, nodes }, Some(present));
            }
        }
    }
    merged.nodes
}

/// Nodes in their order, equal neighbours together.
struct Merged<'a> {
    nodes: Vec<Finished>,
    /// What runs on the last of them today.
    present: Option<&'a Present>,
}

impl<'a> Merged<'a> {
    fn add(&mut self, next: Finished, present: Option<&'a Present>) {
        let is_same = self.present == present;
        self.present = present;
        match self.nodes.last_mut() {
            Some(last) if is_same && last.class == next.class && last.nodes.is_continued_by(&next.nodes) => {
                last.nodes.nodes.end = next.nodes.nodes.end;
            }
            _ => self.nodes.push(next),
        }
    }
}

fn beside_what_stays(
    mut planned: PlannedNodes,
    present: &Present,
    decision: &Decision,
    strategy: Strategy,
) -> PlannedNodes {
    let mut serves: BTreeMap<usize, Serving> = planned.serves.into_iter().map(|s| (s.demand, s)).collect();
    for (_, unit) in decision.kept(present) {
        let new = || Serving { demand: unit.demand, units: 0, shares: Vec::new() };
        let serving = serves.entry(unit.demand).or_insert_with(new);
        serving.units += 1;
        hold(serving, unit);
    }
    planned.serves = serves.into_values().collect();
    planned.evicts.clone_from(&decision.evicts);
    let by_node = present.unit == RecutUnit::Node || strategy == Strategy::Single;
    let serving: Vec<bool> = (0..planned.gpus.len()).map(|gpu| planned.serves_on(gpu)).collect();
    let pinned: Vec<bool> = decision.pinned.iter().map(|pinned| *pinned != Gpu::Idle).collect();
    let node_is_used = serving.iter().chain(&pinned).any(|&used| used);
    let node_changes = planned.gpus.iter().enumerate().any(|(gpu, target)| {
        let today = present.layout(gpu).filter(|layout| !layout.is_empty()).map(Layout::counts);
        (*target != GpuTarget::MigOff || serving[gpu]) && target.counts() != today
    });
    for (gpu, target) in planned.gpus.iter_mut().enumerate() {
        let is_used = serving[gpu] || pinned[gpu];
        let Some(layout) = present.layout(gpu).filter(|layout| !layout.is_empty()) else { continue };
        let is_as_it_was = match target {
            // Nothing was made of it: it need not even be turned off.
            GpuTarget::MigOff => strategy == Strategy::Mixed || !node_is_used,
            GpuTarget::Mig(target) => target == layout,
            GpuTarget::Left(_) => true,
        };
        if !is_as_it_was || is_used {
            continue;
        }
        // Where nodes are what is cut, all of one that is used and does not change counts as in use.
        let is_left = !by_node || !node_is_used || node_changes && *target == GpuTarget::MigOff;
        *target = if is_left { GpuTarget::Left(layout.clone()) } else { GpuTarget::Mig(layout.clone()) };
    }
    planned
}

/// Adds what a unit holds to the shares.
fn hold(serving: &mut Serving, unit: &Running) {
    for held in &unit.holds {
        let profile = held.instance.map(|instance| instance.profile);
        let share = serving.shares.iter_mut().find(|s| s.gpu == held.gpu && s.profile == profile && profile.is_some());
        match share {
            Some(share) => share.instances += 1,
            None => serving.shares.push(GpuShare { gpu: held.gpu, profile, instances: 1 }),
        }
    }
    serving.shares.sort_unstable();
}
