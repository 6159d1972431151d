//! What a plan's document says about itself, held against its own nodes.

use std::collections::BTreeMap;

use super::form::{DevicesForm, NodeForm, PlanDocument, ServedForm};
use crate::document::code;
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::path::Path;
use crate::plan::Plan;
use crate::problem::Problem;

impl PlanDocument {
    /// Where the document's summary (`gpusUsed`, `configs`, `served`) contradicts its nodes; empty if it
    /// does not. What it leaves out is no contradiction.
    ///
    /// `plan` is what [`PlanDocument::to_plan`] made of it. None of this says whether the plan is right.
    pub fn contradictions(&self, problem: &Problem, plan: &Plan) -> Diagnostics {
        let mut found = Diagnostics::new();
        let truth = PlanDocument::streamed(problem, plan);
        if let Some((claimed, counted)) = self.gpus_used.zip(truth.gpus_used).filter(|(a, b)| a != b) {
            let message = format!("the plan says {claimed} GPUs are used, its nodes use {counted}");
            found.push(Diagnostic::new(code::PLAN_MISMATCH, Path::root().key("gpusUsed"), message));
        }
        self.compare_served(&truth.served, &mut found);
        self.compare_configs(problem, &mut found);
        found
    }

    fn compare_served(&self, truth: &[ServedForm], found: &mut Diagnostics) {
        let counted: BTreeMap<(Option<&str>, &str), u64> =
            truth.iter().map(|served| ((served.namespace.as_deref(), served.demand.as_str()), served.count)).collect();
        for (i, claimed) in self.served.iter().enumerate() {
            let path = Path::root().key("served").index(i);
            let key = (claimed.namespace.as_deref(), claimed.demand.as_str());
            match counted.get(&key) {
                None => {
                    let message = format!("the scenario has no demand `{}`", claimed.demand);
                    found.push(Diagnostic::new(code::UNKNOWN_DEMAND, path.key("demand"), message));
                }
                Some(&count) if count != claimed.count => {
                    let message = format!(
                        "the plan says {} of `{}` are served, its nodes serve {count}",
                        claimed.count, claimed.demand
                    );
                    found.push(Diagnostic::new(code::PLAN_MISMATCH, path.key("count"), message));
                }
                Some(_) => {}
            }
        }
    }

    fn compare_configs(&self, problem: &Problem, found: &mut Diagnostics) {
        let models: BTreeMap<String, Vec<String>> = problem
            .fleet
            .pools
            .iter()
            .map(|pool| (pool.name.clone(), pool.gpu_models().map(|model| model.id.clone()).collect()))
            .collect();
        for (i, node) in self.nodes.iter().enumerate() {
            let Some(name) = node.config.as_ref().filter(|_| !self.configs.is_empty()) else { continue };
            let path = Path::root().key("nodes").index(i).key("config");
            let Some(config) = self.configs.get(name) else {
                let message = format!("node `{}` has configuration `{name}`, which is not in `configs`", node.name);
                found.push(Diagnostic::new(code::PLAN_MISMATCH, path, message));
                continue;
            };
            let Some(models) = node.pool.as_ref().and_then(|pool| models.get(pool)) else { continue };
            if content_of(config, models.len()) != content_of_node(node, models.len()) {
                let message =
                    format!("the GPUs of node `{}` become something else than configuration `{name}` says", node.name);
                found.push(Diagnostic::new(code::PLAN_MISMATCH, path, message));
            }
        }
    }
}

/// Per GPU the instances by profile; `None` for MIG off.
type Content = Vec<Option<BTreeMap<String, u32>>>;

fn content_of(config: &[DevicesForm], gpus: usize) -> Content {
    let mut content = vec![None; gpus];
    for devices in config {
        for &index in &devices.devices {
            if let Some(gpu) = content.get_mut(usize::from(index)) {
                *gpu = devices.mig_enabled.then(|| devices.counts.clone());
            }
        }
    }
    content
}

fn content_of_node(node: &NodeForm, gpus: usize) -> Content {
    let mut content = vec![None; gpus];
    for gpu in &node.gpus {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for placement in &gpu.layout {
            *counts.entry(placement.profile.clone()).or_default() += 1;
        }
        let on = gpu.mig_enabled.unwrap_or(!gpu.layout.is_empty());
        if let Some(target) = content.get_mut(usize::from(gpu.index)) {
            *target = on.then_some(counts);
        }
    }
    content
}
