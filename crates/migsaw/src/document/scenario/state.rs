//! What runs today: how nodes are cut, and which units of the demands hold what.

use std::collections::BTreeMap;

use super::form::{HeldForm, PodForm, RecutForm, StateForm};
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::names::Names;
use crate::document::path::Path;
use crate::document::{code, shortened};
use crate::fleet::{NodeGroup, NodeNames, Pool};
use crate::geometry::{Counts, Layout, Model, ProfileId};
use crate::present::{Held, Present, RecutUnit, Room, Running};
use crate::problem::Problem;

/// The text for a GPU with MIG off.
pub(super) const OFF: &str = "off";

/// Adds the states to the nodes they are of. Gives the entry of each node.
pub(super) fn apply(
    states: &[(usize, &StateForm)],
    problem: &mut Problem,
    found: &mut Diagnostics,
) -> BTreeMap<String, usize> {
    let mut entries = BTreeMap::new();
    let mut present: Vec<BTreeMap<u32, Present>> = vec![BTreeMap::new(); problem.fleet.pools.len()];
    let names = Names::of(problem);
    for &(entry, form) in states {
        let path = Path::root().key("state").index(entry);
        let Some(&(pool, node)) = names.nodes.get(&form.node) else {
            let message = format!("the fleet has no node `{}`", shortened(&form.node));
            found.push(Diagnostic::new(code::UNKNOWN_NODE, path.key("node"), message));
            continue;
        };
        if entries.insert(form.node.clone(), entry).is_some() {
            let message = format!("the state of node `{}` is there twice", form.node);
            found.push(Diagnostic::new(code::DUPLICATE_NODE, path.key("node"), message));
            continue;
        }
        let models: Vec<&Model> = names.models[pool].iter().map(AsRef::as_ref).collect();
        let mut reader = Reader { problem, names: &names, models, form, path, found };
        if let Some(state) = reader.read() {
            present[pool].insert(node, state);
        }
    }
    drop(names);
    for (pool, present) in problem.fleet.pools.iter_mut().zip(present).filter(|(_, present)| !present.is_empty()) {
        split(pool, present);
    }
    entries
}

/// Makes each node with a state a group of its own.
fn split(pool: &mut Pool, mut present: BTreeMap<u32, Present>) {
    let mut groups = Vec::new();
    for (range, group) in pool.node_ranges() {
        let part = |nodes: std::ops::Range<u32>| NodeGroup {
            names: match &group.names {
                NodeNames::Numbered { prefix, first, .. } => NodeNames::Numbered {
                    prefix: prefix.clone(),
                    first: first + (nodes.start - range.start),
                    count: nodes.end - nodes.start,
                },
                NodeNames::Listed(names) => {
                    let within = |node: u32| (node - range.start) as usize;
                    NodeNames::Listed(names[within(nodes.start)..within(nodes.end)].to_vec())
                }
            },
            pinned: group.pinned.clone(),
            present: None,
        };
        let mut next = range.start;
        let here: Vec<u32> = present.range(range.clone()).map(|(&node, _)| node).collect();
        for node in here {
            if next < node {
                groups.push(part(next..node));
            }
            groups.push(NodeGroup { present: present.remove(&node), ..part(node..node + 1) });
            next = node + 1;
        }
        if next < range.end || range.is_empty() {
            groups.push(part(next..range.end));
        }
    }
    pool.nodes = groups;
}

struct Reader<'a> {
    problem: &'a Problem,
    names: &'a Names<'a>,
    /// By GPU index.
    models: Vec<&'a Model>,
    form: &'a StateForm,
    path: Path,
    found: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn add(&mut self, code: &'static str, path: Path, message: String) {
        self.found.push(Diagnostic::new(code, path, message));
    }

    /// The state, if nothing is wrong with it.
    fn read(&mut self) -> Option<Present> {
        let before = self.found.len();
        let unit = match self.form.recut {
            RecutForm::Node => RecutUnit::Node,
            RecutForm::Gpu => RecutUnit::Gpu,
            RecutForm::Instance => RecutUnit::Instance,
        };
        if self.form.gpus.len() > self.models.len() {
            let message = format!("{} GPUs are given of a node of {}", self.form.gpus.len(), self.models.len());
            self.add(code::STATE_TOO_MANY, self.path.key("gpus"), message);
            return None;
        }
        let gpus = (0..self.form.gpus.len()).map(|gpu| self.layout(gpu)).collect();
        let mut present = Present { unit, gpus, in_any_order: false, running: Vec::new() };
        if self.found.len() > before {
            return None;
        }
        let mut room = Room::of(&present, self.models.len());
        let pods: Vec<(usize, &PodForm)> = self.form.pods.iter().enumerate().collect();
        // Pods of which nobody knows where they are take what the others leave.
        let mut units: Vec<(usize, Running)> = Vec::new();
        for with_place in [true, false] {
            for &(index, pod) in pods.iter().filter(|(_, pod)| pod.on.is_empty() != with_place) {
                let path = self.path.key("pods").index(index);
                units.extend(self.units(pod, unit, &mut room, &path).into_iter().map(|unit| (index, unit)));
            }
        }
        units.sort_by_key(|(index, _)| *index);
        present.running = units.into_iter().map(|(_, unit)| unit).collect();
        (self.found.len() == before).then_some(present)
    }

    fn layout(&mut self, gpu: usize) -> Option<Layout> {
        let model = self.models[gpu];
        let text = self.form.gpus[gpu].trim();
        if text == OFF {
            return None;
        }
        let layout = if text.contains('@') {
            Layout::parse(model, text)
        } else {
            Counts::parse(model, text).and_then(|counts| {
                // Counts that do not fit are reported as the layout they cannot be.
                model.place(&counts, &Layout::empty()).map(|found| found.unwrap_or_else(Layout::empty))
            })
        };
        match layout {
            Ok(layout) if layout.is_empty() => {
                let message = format!("`{}` is no way to cut a {} (`{OFF}` if MIG is off)", shortened(text), model.id);
                self.add(code::UNKNOWN_VALUE, self.path.key("gpus").index(gpu), message);
                None
            }
            Ok(layout) => Some(layout),
            Err(error) => {
                self.add(error.code(), self.path.key("gpus").index(gpu), error.to_string());
                None
            }
        }
    }

    /// The units an entry stands for.
    fn units(&mut self, pod: &PodForm, unit: RecutUnit, room: &mut Room, path: &Path) -> Vec<Running> {
        let demand = match self.names.demand(self.problem, &pod.demand, pod.namespace.as_deref()) {
            Ok(demand) => demand,
            Err((code, message)) => {
                self.add(code, path.key("demand"), message);
                return Vec::new();
            }
        };
        let running = |holds| Running { name: pod.name.clone(), demand, holds, stays: pod.stays };
        if !pod.on.is_empty() {
            if pod.count != 1 {
                self.add(code::EXCLUSIVE_FIELDS, path.key("count"), "`on` says what one pod holds".to_owned());
            }
            let held = pod.on.iter().enumerate();
            let held: Vec<Held> =
                held.filter_map(|(i, held)| self.held(held, room, &path.key("on").index(i))).collect();
            return vec![running(held)];
        }
        if unit != RecutUnit::Node {
            let message = "`on` is missing: where nodes are not what is cut anew, it matters which GPU holds a pod";
            self.add(code::MISSING_FIELD, path.clone(), message.to_owned());
            return Vec::new();
        }
        let mut units = Vec::new();
        for _ in 0..pod.count {
            let Some(held) = room.take(&self.problem.demands[demand].request, &self.models) else {
                let name = self.problem.demands[demand].full_name();
                let message = format!("node `{}` has nothing left that a unit of `{name}` could hold", self.form.node);
                self.add(code::RUNNING_NOT_THERE, path.clone(), message);
                return units;
            };
            units.push(running(held));
        }
        units
    }

    /// One thing a pod holds, which is not free any more.
    fn held(&mut self, form: &HeldForm, room: &mut Room, path: &Path) -> Option<Held> {
        let gpu = usize::from(form.gpu);
        let Some(&model) = self.models.get(gpu) else {
            let message = format!("there is no GPU {gpu}; the node has {}, counted from 0", self.models.len());
            self.add(code::UNKNOWN_GPU, path.key("gpu"), message);
            return None;
        };
        let profile: Option<ProfileId> = match &form.profile {
            None => None,
            Some(text) => {
                let known = text.parse().ok().and_then(|name| model.profile(&name));
                if known.is_none() {
                    let nearest = model.nearest_profiles(text).join(", ");
                    let message = format!("{} has no profile `{}` (nearest: {nearest})", model.id, shortened(text));
                    self.add(code::UNKNOWN_PROFILE, path.key("profile"), message);
                    return None;
                }
                known
            }
        };
        let is_it = |held: &Held| {
            let instance = held.instance;
            held.gpu == form.gpu
                && instance.map(|instance| instance.profile) == profile
                && form.start.is_none_or(|start| instance.is_some_and(|instance| instance.start == start))
        };
        if let Some(held) = room.take_first(is_it) {
            return Some(held);
        }

        let what = match (&form.profile, form.start) {
            (None, _) => "a whole GPU with MIG off".to_owned(),
            (Some(profile), None) => format!("a {}", shortened(profile)),
            (Some(profile), Some(start)) => format!("{}@{start}", shortened(profile)),
        };
        let message = format!("GPU {gpu} of node `{}` has no {what}, or another pod holds it", self.form.node);
        self.add(code::RUNNING_NOT_THERE, path.clone(), message);
        None
    }
}

/// The states of a problem's nodes.
pub(super) fn forms(problem: &Problem) -> Vec<StateForm> {
    let mut forms = Vec::new();
    for pool in &problem.fleet.pools {
        let models: Vec<&Model> = pool.gpu_models().map(AsRef::as_ref).collect();
        for group in &pool.nodes {
            let Some(present) = &group.present else { continue };
            let form = form(problem, present, &models);
            forms.extend((0..group.names.count()).map(|i| StateForm { node: group.names.get(i), ..form.clone() }));
        }
    }
    forms
}

fn form(problem: &Problem, present: &Present, models: &[&Model]) -> StateForm {
    let layout = |(layout, model): (&Option<Layout>, &&Model)| match layout {
        Some(layout) if !layout.is_empty() => layout.display(model).to_string(),
        _ => OFF.to_owned(),
    };
    let held = |held: &Held| HeldForm {
        gpu: held.gpu,
        profile: held.instance.map(|i| models[usize::from(held.gpu)].get(i.profile).name.to_string()),
        start: held.instance.map(|instance| instance.start),
    };
    let pod = |unit: &Running| {
        let demand = &problem.demands[unit.demand];
        PodForm {
            demand: demand.name.clone(),
            namespace: demand.namespace.clone(),
            name: unit.name.clone(),
            count: 1,
            on: unit.holds.iter().map(held).collect(),
            stays: unit.stays,
        }
    };
    StateForm {
        node: String::new(),
        recut: match present.unit {
            RecutUnit::Node => RecutForm::Node,
            RecutUnit::Gpu => RecutForm::Gpu,
            RecutUnit::Instance => RecutForm::Instance,
        },
        gpus: present.gpus.iter().zip(models).map(layout).collect(),
        pods: present.running.iter().map(pod).collect(),
    }
}
