//! From a plan's document, ours or hand-written, to the plan.

use std::sync::Arc;

use super::form::{NodeForm, PlanDocument, PlannedGpuForm, ServingForm, TierForm, TierNameForm};
use crate::document::diagnostic::{Diagnostic, Diagnostics, Position};
use crate::document::names::Names;
use crate::document::node::{self, MAX_TEXT, Node};
use crate::document::path::Path;
use crate::document::{API_VERSION, code, header, schema, shape, shortened};
use crate::geometry::{Layout, MAX_UNITS, Model, Placement, ProfileId};
use crate::plan::{GpuShare, GpuTarget, Plan, PlannedNodes, Serving, Tier, TierName, Unserved};
use crate::problem::Problem;

/// Reads a plan, JSON or YAML, for a problem.
///
/// # Errors
/// Everything that is wrong with the document, each with its line: syntax, form, and names that the
/// problem does not have. Whether the plan is right is for [`check`](crate::check) to say.
pub fn read(text: &str, problem: &Problem) -> Result<(PlanDocument, Plan), Diagnostics> {
    let document = PlanDocument::parse(text)?;
    match document.to_plan(problem) {
        Ok(plan) => Ok((document, plan)),
        Err(mut found) => {
            if let Ok(node) = Node::parse(text) {
                found.locate(&node);
            }
            found.into_result()?;
            unreachable!("an error holds at least one problem")
        }
    }
}

impl PlanDocument {
    /// Reads the document, JSON or YAML.
    ///
    /// # Errors
    /// Everything that is wrong with its form, each with its line.
    pub fn parse(text: &str) -> Result<PlanDocument, Diagnostics> {
        let refused = if text.trim_start().starts_with('{') {
            match serde_json::from_str::<PlanDocument>(text) {
                Ok(document) => return document.of_this_version(text),
                Err(error) => from_json(&error),
            }
        } else {
            // By way of JSON, so that the form is compiled for one format only.
            match serde_saphyr::from_str_with_options::<serde_json::Value>(text, node::options()) {
                Ok(value) => match serde_json::from_str::<PlanDocument>(&value.to_string()) {
                    Ok(document) => return document.of_this_version(text),
                    Err(error) => Diagnostic::new(code::WRONG_TYPE, Path::root(), error.to_string()),
                },
                Err(error) => node::from_yaml(&error),
            }
        };
        if text.len() > MAX_TEXT {
            return Err(refused.into());
        }
        explain(text)?;
        Err(refused.into())
    }

    fn of_this_version(self, text: &str) -> Result<PlanDocument, Diagnostics> {
        if self.kind == super::KIND && self.api_version == API_VERSION {
            return Ok(self);
        }
        explain(text)?;
        Ok(self)
    }

    /// The plan it describes. Layouts are taken as claimed: the checker judges them.
    ///
    /// # Errors
    /// Nodes, demands, GPUs and profiles that the problem does not have, nodes that are there twice or
    /// not at all, and statements that contradict each other; without places in a text.
    pub fn to_plan(&self, problem: &Problem) -> Result<Plan, Diagnostics> {
        let mut found = Diagnostics::new();
        let mut reader = Reader { names: Names::of(problem), problem, found: &mut found };
        let nodes = reader.nodes(&self.nodes);
        let tiers = reader.tiers(&self.tiers);
        let unserved = reader.unserved(self);
        found.into_result()?;
        Ok(Plan { status: self.status.into(), tiers, nodes, unserved })
    }
}

/// Everything in which the text differs from a plan's form.
fn explain(text: &str) -> Result<(), Diagnostics> {
    let node = Node::parse(text)?;
    header::check_kind(&node, super::KIND)?;
    let mut found = Diagnostics::new();
    shape::check(schema::plan(), &node, &Path::root(), &mut found);
    header::name_version(&mut found);
    found.into_result()
}

fn from_json(error: &serde_json::Error) -> Diagnostic {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let position = Position { line: number(error.line()), column: number(error.column()).max(1), span: None };
    let code = if error.is_data() { code::WRONG_TYPE } else { code::SYNTAX };
    let diagnostic = Diagnostic::new(code, Path::root(), error.to_string());
    if error.line() > 0 { diagnostic.at(position) } else { diagnostic }
}

struct Reader<'a> {
    problem: &'a Problem,
    names: Names<'a>,
    found: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn add(&mut self, code: &'static str, path: Path, message: String) {
        self.found.push(Diagnostic::new(code, path, message));
    }

    /// The nodes by pool and index, neighbours that become and serve the same together.
    fn nodes(&mut self, forms: &[NodeForm]) -> Vec<PlannedNodes> {
        let mut read: Vec<PlannedNodes> = Vec::with_capacity(forms.len());
        let mut seen: Vec<Vec<bool>> =
            self.problem.fleet.pools.iter().map(|pool| vec![false; pool.node_count() as usize]).collect();
        for (i, form) in forms.iter().enumerate() {
            let path = Path::root().key("nodes").index(i);
            let Some(&(pool, index)) = self.names.nodes.get(&form.name) else {
                let message = format!("the fleet has no node `{}`", shortened(&form.name));
                self.add(code::UNKNOWN_NODE, path.key("name"), message);
                continue;
            };
            if std::mem::replace(&mut seen[pool][index as usize], true) {
                self.add(code::DUPLICATE_NODE, path.key("name"), format!("node `{}` is there twice", form.name));
                continue;
            }
            let name = &self.problem.fleet.pools[pool].name;
            if let Some(claimed) = form.pool.as_ref().filter(|claimed| *claimed != name) {
                let message = format!("node `{}` is in pool `{name}`, not `{}`", form.name, shortened(claimed));
                self.add(code::PLAN_MISMATCH, path.key("pool"), message);
            }
            let gpus = self.gpus(form, pool, &path);
            let serves = self.serves(&form.serves, pool, &path);
            let evicts = form.evicts.iter().map(|eviction| eviction.index).collect();
            read.push(PlannedNodes { pool, nodes: index..index + 1, gpus, serves, evicts });
        }
        self.report_missing(&seen);
        read.sort_by_key(|node| (node.pool, node.nodes.start));
        let mut merged: Vec<PlannedNodes> = Vec::new();
        for node in read {
            match merged.last_mut() {
                Some(last) if last.is_continued_by(&node) => last.nodes.end = node.nodes.end,
                _ => merged.push(node),
            }
        }
        merged
    }

    fn report_missing(&mut self, seen: &[Vec<bool>]) {
        for (pool, seen) in self.problem.fleet.pools.iter().zip(seen) {
            let missing = || (0u32..).zip(seen).filter(|(_, seen)| !**seen).map(|(index, _)| index);
            let count = missing().count();
            if count > 0 {
                let names: Vec<String> =
                    missing().take(3).map(|index| format!("`{}`", pool.node_name(index))).collect();
                let more =
                    if count > names.len() { format!(" and {} more", count - names.len()) } else { String::new() };
                let message = format!("the plan leaves out {}{more} of pool `{}`", names.join(", "), pool.name);
                self.add(code::MISSING_NODE, Path::root().key("nodes"), message);
            }
        }
    }

    /// What each GPU becomes; those the node does not mention are MIG off.
    fn gpus(&mut self, form: &NodeForm, pool: usize, path: &Path) -> Vec<GpuTarget> {
        let count = self.names.models[pool].len();
        let mut gpus: Vec<Option<GpuTarget>> = vec![None; count];
        for (i, gpu) in form.gpus.iter().enumerate() {
            let path = path.key("gpus").index(i);
            let Some(model) = self.model_of(gpu.index, pool, &path) else { continue };
            let target = self.target(gpu, &model, &path);
            if gpus[usize::from(gpu.index)].replace(target).is_some() {
                self.add(code::DUPLICATE_GPU, path.key("index"), format!("GPU {} is there twice", gpu.index));
            }
        }
        gpus.into_iter().map(|target| target.unwrap_or(GpuTarget::MigOff)).collect()
    }

    fn model_of(&mut self, index: u16, pool: usize, path: &Path) -> Option<Arc<Model>> {
        let models = &self.names.models[pool];
        let model = models.get(usize::from(index)).cloned();
        if model.is_none() {
            let message = format!("there is no GPU {index}; the node has {}, counted from 0", models.len());
            self.add(code::UNKNOWN_GPU, path.key("index"), message);
        }
        model
    }

    fn target(&mut self, form: &PlannedGpuForm, model: &Model, path: &Path) -> GpuTarget {
        if let Some(claimed) = form.model.as_ref().filter(|claimed| !answers_to(model, claimed)) {
            let message = format!("GPU {} is a {}, not a `{}`", form.index, model.id, shortened(claimed));
            self.add(code::PLAN_MISMATCH, path.key("model"), message);
        }
        if form.layout.len() > usize::from(MAX_UNITS) {
            let message = format!("{} instances on one GPU, at most {MAX_UNITS} are possible", form.layout.len());
            self.add(code::OUT_OF_RANGE, path.key("layout"), message);
            return GpuTarget::MigOff;
        }
        if form.mig_enabled == Some(false) && !form.layout.is_empty() {
            let message = "a GPU with MIG off has no instances (drop `migEnabled` or `layout`)".to_owned();
            self.add(code::EXCLUSIVE_FIELDS, path.key("migEnabled"), message);
        }
        let mut placements = Vec::with_capacity(form.layout.len());
        for (i, placement) in form.layout.iter().enumerate() {
            let profile = self.profile(&placement.profile, model, || path.key("layout").index(i).key("profile"));
            placements.extend(profile.map(|profile| Placement { start: placement.start, profile }));
        }
        if form.left {
            GpuTarget::Left(Layout::claimed(placements))
        } else if form.mig_enabled.unwrap_or(!form.layout.is_empty()) {
            GpuTarget::Mig(Layout::claimed(placements))
        } else {
            GpuTarget::MigOff
        }
    }

    fn profile(&mut self, text: &str, model: &Model, path: impl FnOnce() -> Path) -> Option<ProfileId> {
        let profile = text.parse().ok().and_then(|name| model.profile(&name));
        if profile.is_none() {
            let nearest = model.nearest_profiles(text).join(", ");
            let message = format!("{} has no profile `{}` (nearest: {nearest})", model.id, shortened(text));
            self.add(code::UNKNOWN_PROFILE, path(), message);
        }
        profile
    }

    fn serves(&mut self, forms: &[ServingForm], pool: usize, path: &Path) -> Vec<Serving> {
        let mut serves = Vec::with_capacity(forms.len());
        for (i, form) in forms.iter().enumerate() {
            let path = path.key("serves").index(i);
            let demand = self.demand(&form.demand, form.namespace.as_deref(), || path.key("demand"));
            let mut shares = Vec::with_capacity(form.gpus.len());
            for (j, share) in form.gpus.iter().enumerate() {
                let path = path.key("gpus").index(j);
                let Some(model) = self.model_of(share.index, pool, &path) else { continue };
                let profile = match &share.profile {
                    None => None,
                    Some(text) => match self.profile(text, &model, || path.key("profile")) {
                        Some(profile) => Some(profile),
                        None => continue,
                    },
                };
                shares.push(GpuShare { gpu: share.index, profile, instances: share.instances });
            }
            serves.extend(demand.map(|demand| Serving { demand, units: form.count, shares }));
        }
        serves
    }

    fn demand(&mut self, name: &str, namespace: Option<&str>, path: impl FnOnce() -> Path) -> Option<usize> {
        let found = self.names.demand(self.problem, name, namespace);
        found.map_err(|(code, message)| self.add(code, path(), message)).ok()
    }

    fn tiers(&mut self, forms: &[TierForm]) -> Vec<Tier> {
        let mut tiers = Vec::with_capacity(forms.len());
        for (i, form) in forms.iter().enumerate() {
            let path = Path::root().key("tiers").index(i);
            let name = match (form.name, form.priority) {
                (TierNameForm::Served, Some(priority)) => TierName::Served { priority },
                (TierNameForm::Evicted, Some(priority)) => TierName::Evicted { priority },
                (TierNameForm::Served | TierNameForm::Evicted, None) => {
                    let message = "the tiers `served` and `evicted` need the `priority` they count".to_owned();
                    self.add(code::MISSING_FIELD, path, message);
                    continue;
                }
                (_, Some(_)) => {
                    let message = "only the tiers `served` and `evicted` have a `priority`".to_owned();
                    self.add(code::EXCLUSIVE_FIELDS, path.key("priority"), message);
                    continue;
                }
                (TierNameForm::Recut, None) => TierName::Recut,
                (TierNameForm::Gpus, None) => TierName::Gpus,
                (TierNameForm::Cost, None) => TierName::Cost,
                (TierNameForm::Configurations, None) => TierName::Configurations,
                (TierNameForm::Leftover, None) => TierName::Leftover,
            };
            let mut number = |field: &str, decimal: &crate::document::Decimal| {
                let value = if name == TierName::Cost { decimal.to_micros() } else { decimal.to_whole() };
                if value.is_none() {
                    let message = format!("`{}` cannot be the value of this tier", shortened(decimal.as_str()));
                    self.add(code::OUT_OF_RANGE, path.key(field), message);
                }
                value
            };
            let (value, bound) = (number("value", &form.value), number("bound", &form.bound));
            tiers.extend(value.zip(bound).map(|(value, bound)| Tier { name, value, bound }));
        }
        tiers
    }

    fn unserved(&mut self, document: &PlanDocument) -> Vec<Unserved> {
        let mut unserved = Vec::with_capacity(document.unserved.len());
        for (i, form) in document.unserved.iter().enumerate() {
            let path = || Path::root().key("unserved").index(i).key("demand");
            let demand = self.demand(&form.demand, form.namespace.as_deref(), path);
            unserved.extend(demand.map(|demand| Unserved {
                demand,
                count: form.count,
                code: form.code.into(),
                reason: form.reason.clone(),
                remedy: form.remedy.clone(),
            }));
        }
        unserved
    }
}

fn answers_to(model: &Model, name: &str) -> bool {
    let mut names =
        std::iter::once(&model.id).chain(&model.aliases).chain(model.product_labels.iter().map(|label| &label.value));
    names.any(|known| known.eq_ignore_ascii_case(name))
}
