//! From a plan to its document.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::form::{
    DevicesForm, EvictionForm, NodeForm, PlacementForm, PlanDocument, PlannedGpuForm, ServedForm, ServedPoolForm,
    ServingForm, ShareForm, TierForm, TierNameForm, UnservedForm,
};
use crate::document::{API_VERSION, Decimal};
use crate::fleet::Pool;
use crate::geometry::{Counts, Model};
use crate::plan::{Configuration, GpuTarget, Plan, PlannedNodes, Serving, Tier, TierName, Unserved};
use crate::present::Present;
use crate::problem::Problem;

impl PlanDocument {
    /// Everything a plan says, every node by name.
    ///
    /// # Panics
    /// If the plan belongs to another problem.
    pub fn new(problem: &Problem, plan: &Plan) -> PlanDocument {
        let streamed = PlanDocument::streamed(problem, plan);
        let mut nodes = Vec::new();
        streamed
            .nodes
            .for_each(|node| {
                nodes.push(node.clone());
                Ok::<(), std::convert::Infallible>(())
            })
            .unwrap_or_else(|never| match never {});
        PlanDocument {
            api_version: streamed.api_version,
            kind: streamed.kind,
            status: streamed.status,
            tiers: streamed.tiers,
            gpus_used: streamed.gpus_used,
            nodes,
            configs: streamed.configs,
            served: streamed.served,
            unserved: streamed.unserved,
        }
    }

    /// The same, for writing only: nodes are made one by one while they are written, so that memory
    /// follows the plan's groups of nodes rather than the nodes.
    ///
    /// # Panics
    /// If the plan belongs to another problem.
    pub fn streamed<'a>(problem: &'a Problem, plan: &'a Plan) -> PlanDocument<StreamedNodes<'a>> {
        let configurations = plan.configurations(problem);
        PlanDocument {
            api_version: API_VERSION.to_owned(),
            kind: super::KIND.to_owned(),
            status: plan.status.into(),
            tiers: plan.tiers.iter().map(tier_form).collect(),
            gpus_used: Some(plan.gpus_used()),
            configs: configurations.distinct.iter().map(|c| (c.name.clone(), devices(c))).collect(),
            served: served(problem, plan),
            unserved: plan.unserved.iter().map(|unserved| unserved_form(problem, unserved)).collect(),
            nodes: StreamedNodes {
                problem,
                plan,
                configs: configurations.of_nodes.iter().map(|&i| configurations.distinct[i].name.clone()).collect(),
            },
        }
    }
}

/// The nodes of a plan, each made when it is written.
#[derive(Debug)]
pub struct StreamedNodes<'a> {
    problem: &'a Problem,
    plan: &'a Plan,
    /// The configuration's name for each entry of [`Plan::nodes`].
    configs: Vec<String>,
}

impl StreamedNodes<'_> {
    fn for_each<E>(&self, mut write: impl FnMut(&NodeForm) -> Result<(), E>) -> Result<(), E> {
        let mut names = NodeNames { pool: usize::MAX, group: 0, first: 0 };
        for (group, config) in self.plan.nodes.iter().zip(&self.configs) {
            let pool = &self.problem.fleet.pools[group.pool];
            let mut node = node_form(self.problem, pool, group, config);
            for index in group.nodes.clone() {
                node.name = names.get(self.problem, group.pool, index);
                write(&node)?;
            }
        }
        Ok(())
    }
}

impl Serialize for StreamedNodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count: usize = self.plan.nodes.iter().map(|group| group.node_count() as usize).sum();
        let mut list = serializer.serialize_seq(Some(count))?;
        self.for_each(|node| list.serialize_element(node))?;
        list.end()
    }
}

/// Where the last node was found, so that neighbours are found at once.
struct NodeNames {
    pool: usize,
    group: usize,
    /// Index of the group's first node in the pool.
    first: u32,
}

impl NodeNames {
    fn get(&mut self, problem: &Problem, pool: usize, index: u32) -> String {
        if self.pool != pool || index < self.first {
            *self = NodeNames { pool, group: 0, first: 0 };
        }
        let groups = &problem.fleet.pools[pool].nodes;
        while index - self.first >= groups[self.group].names.count() {
            self.first += groups[self.group].names.count();
            self.group += 1;
        }
        groups[self.group].names.get(index - self.first)
    }
}

fn node_form(problem: &Problem, pool: &Pool, group: &PlannedNodes, config: &str) -> NodeForm {
    let models: Vec<&Arc<Model>> = pool.gpu_models().collect();
    let gpu = |(index, (model, target)): (u16, (&&Arc<Model>, &GpuTarget))| PlannedGpuForm {
        index,
        model: Some(model.id.clone()),
        mig_enabled: Some(*target != GpuTarget::MigOff),
        left: matches!(target, GpuTarget::Left(_)),
        layout: match target {
            GpuTarget::MigOff => Vec::new(),
            GpuTarget::Mig(layout) | GpuTarget::Left(layout) => {
                let placements = layout.placements().iter();
                placements.map(|p| PlacementForm { profile: profile_name(model, p.profile), start: p.start }).collect()
            }
        },
    };
    NodeForm {
        name: String::new(),
        pool: Some(pool.name.clone()),
        config: Some(config.to_owned()),
        gpus: (0u16..).zip(models.iter().zip(&group.gpus)).map(gpu).collect(),
        serves: group.serves.iter().map(|serving| serving_form(problem, &models, serving)).collect(),
        evicts: evictions(problem, pool, group),
    }
}

/// The units that are evicted, by name as far as they have one.
fn evictions(problem: &Problem, pool: &Pool, group: &PlannedNodes) -> Vec<EvictionForm> {
    if group.evicts.is_empty() {
        return Vec::new();
    }
    let mut ranges = pool.node_ranges();
    let present = ranges.find(|(range, _)| range.contains(&group.nodes.start)).and_then(|(_, g)| g.present.as_ref());
    group.evicts.iter().map(|&index| eviction(problem, present, index)).collect()
}

/// A running unit of a node, by name as far as it has one.
pub(in crate::document) fn eviction(problem: &Problem, present: Option<&Present>, index: usize) -> EvictionForm {
    let unit = present.and_then(|present| present.running.get(index));
    let demand = unit.map(|unit| &problem.demands[unit.demand]);
    EvictionForm {
        index,
        pod: unit.and_then(|unit| unit.name.clone()),
        demand: demand.map(|demand| demand.name.clone()),
        namespace: demand.and_then(|demand| demand.namespace.clone()),
    }
}

fn profile_name(model: &Model, profile: crate::geometry::ProfileId) -> String {
    model.get(profile).name.to_string()
}

fn serving_form(problem: &Problem, models: &[&Arc<Model>], serving: &Serving) -> ServingForm {
    let demand = &problem.demands[serving.demand];
    let share = |share: &crate::plan::GpuShare| ShareForm {
        index: share.gpu,
        profile: share.profile.map(|profile| profile_name(models[usize::from(share.gpu)], profile)),
        instances: share.instances,
    };
    ServingForm {
        demand: demand.name.clone(),
        namespace: demand.namespace.clone(),
        count: serving.units,
        gpus: serving.shares.iter().map(share).collect(),
    }
}

pub(in crate::document) fn tier_form(tier: &Tier) -> TierForm {
    let (name, priority) = match tier.name {
        TierName::Served { priority } => (TierNameForm::Served, Some(priority)),
        TierName::Evicted { priority } => (TierNameForm::Evicted, Some(priority)),
        TierName::Recut => (TierNameForm::Recut, None),
        TierName::Gpus => (TierNameForm::Gpus, None),
        TierName::Cost => (TierNameForm::Cost, None),
        TierName::Configurations => (TierNameForm::Configurations, None),
        TierName::Leftover => (TierNameForm::Leftover, None),
    };
    let number = |value: i64| match tier.name {
        TierName::Cost => Decimal::of_micros(value),
        _ => Decimal::from(value),
    };
    TierForm { name, value: number(tier.value), bound: number(tier.bound), priority }
}

/// A configuration's GPUs, those that become the same together, in the order of their first one.
fn devices(configuration: &Configuration) -> Vec<DevicesForm> {
    let mut groups: Vec<(&Arc<Model>, Option<Counts>, Vec<u16>)> = Vec::new();
    for (index, (model, counts)) in (0u16..).zip(&configuration.gpus) {
        match groups.iter_mut().find(|(m, c, _)| m.id == model.id && c == counts) {
            Some((_, _, devices)) => devices.push(index),
            None => groups.push((model, *counts, vec![index])),
        }
    }
    let form = |(model, counts, devices): (&Arc<Model>, Option<Counts>, Vec<u16>)| DevicesForm {
        devices,
        model: model.id.clone(),
        mig_enabled: counts.is_some(),
        counts: counts
            .iter()
            .flat_map(Counts::iter)
            .map(|(profile, n)| (profile_name(model, profile), u32::from(n)))
            .collect(),
    };
    groups.into_iter().map(form).collect()
}

/// What is served of each demand, by pool.
fn served(problem: &Problem, plan: &Plan) -> Vec<ServedForm> {
    let mut by_demand: Vec<BTreeMap<usize, ServedPoolForm>> = vec![BTreeMap::new(); problem.demands.len()];
    for group in &plan.nodes {
        let pool = &problem.fleet.pools[group.pool];
        let models: Vec<&Arc<Model>> = pool.gpu_models().collect();
        let nodes = u64::from(group.node_count());
        for serving in &group.serves {
            let there = by_demand[serving.demand].entry(group.pool).or_insert_with(|| ServedPoolForm {
                pool: pool.name.clone(),
                count: 0,
                instances: BTreeMap::new(),
                whole_gpus: 0,
            });
            there.count += nodes * u64::from(serving.units);
            for share in &serving.shares {
                let instances = nodes * u64::from(share.instances);
                match share.profile {
                    None => there.whole_gpus += instances,
                    Some(profile) => {
                        let name = profile_name(models[usize::from(share.gpu)], profile);
                        *there.instances.entry(name).or_default() += instances;
                    }
                }
            }
        }
    }
    let form = |(demand, pools): (&crate::demand::Demand, BTreeMap<usize, ServedPoolForm>)| ServedForm {
        demand: demand.name.clone(),
        namespace: demand.namespace.clone(),
        requested: Some(demand.count),
        count: pools.values().map(|pool| pool.count).sum(),
        pools: pools.into_values().collect(),
    };
    problem.demands.iter().zip(by_demand).map(form).collect()
}

pub(in crate::document) fn unserved_form(problem: &Problem, unserved: &Unserved) -> UnservedForm {
    let demand = &problem.demands[unserved.demand];
    UnservedForm {
        demand: demand.name.clone(),
        namespace: demand.namespace.clone(),
        count: unserved.count,
        code: unserved.code.into(),
        reason: unserved.reason.clone(),
        remedy: unserved.remedy.clone(),
    }
}
