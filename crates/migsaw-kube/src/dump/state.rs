//! What runs today: how each node is cut, and which pods are on it.
//!
//! A node's cut is what MIG Manager was told, if its `nvidia.com/mig.config` names an entry that is known (of the
//! node's own ConfigMap, of another in the dump, or one that the operator ships) and what the node offers agrees.
//! Else it is what the node offers: so many instances of each profile, on GPUs that could hold them. Which GPU a
//! pod is on is not in a dump, so nodes are what must be idle to be cut anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, NodeGroup, NodeNames, Pool, Strategy};
use migsaw::geometry::{Catalog, Counts, Layout, Model, ProfileName};
use migsaw::plan::{Depth, GpuTarget, Options, plan};
use migsaw::present::{Present, RecutUnit, Room, Running};
use migsaw::problem::Problem;

use super::collect::{Collection, Node};
use super::demands::RunningPod;
use super::nodes::{CONFIG, COUNT, FleetNode, GPU};
use super::warning::{WarningCode, Warnings};
use crate::gpu_operator::standard_entries;
use crate::mig_parted::{Config, Entry};

/// Says of every node of the fleet what runs there. `running` has the pods of each demand.
pub(super) fn add(
    found: &Collection,
    fleet: &[FleetNode],
    running: &[Vec<RunningPod>],
    catalog: &Catalog,
    problem: &mut Problem,
    warnings: &mut Warnings,
) {
    let nodes: BTreeMap<&str, &Node> = found.nodes.iter().map(|node| (node.name.as_str(), node)).collect();
    let known: BTreeMap<&str, &FleetNode> = fleet.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut on_node: BTreeMap<&str, Vec<(usize, &RunningPod)>> = BTreeMap::new();
    for (demand, pods) in running.iter().enumerate() {
        for pod in pods {
            on_node.entry(&pod.node).or_default().push((demand, pod));
        }
    }
    let standard = Config { entries: standard_entries(catalog) };
    let mut cuts = Cuts { configs: &found.mig_configs, standard: &standard, split: BTreeMap::new() };
    let mut states: BTreeMap<String, Present> = BTreeMap::new();
    for pool in &problem.fleet.pools {
        for (_, group) in pool.node_ranges() {
            for name in (0..group.names.count()).map(|index| group.names.get(index)) {
                let (Some(node), Some(fleet_node)) = (nodes.get(name.as_str()), known.get(name.as_str())) else {
                    continue;
                };
                let Some(Cut { gpus, in_any_order }) = cuts.of(node, fleet_node, warnings) else { continue };
                let mut pods = on_node.remove(name.as_str()).unwrap_or_default();
                pods.sort();
                let present = Present { unit: RecutUnit::Node, gpus, in_any_order, running: Vec::new() };
                if let Some(present) = with_pods(present, &pods, pool, &problem.demands, &name, warnings) {
                    states.insert(name, present);
                }
            }
        }
    }
    for pool in &mut problem.fleet.pools {
        split(pool, &mut states);
    }
}

/// Makes each node with a state a group of its own.
fn split(pool: &mut Pool, states: &mut BTreeMap<String, Present>) {
    let mut groups: Vec<NodeGroup> = Vec::new();
    let names = pool.nodes.iter().flat_map(|group| (0..group.names.count()).map(|index| group.names.get(index)));
    for name in names.collect::<Vec<String>>() {
        let present = states.remove(&name);
        groups.push(NodeGroup { present, ..NodeGroup::idle(NodeNames::Listed(vec![name])) });
    }
    pool.nodes = groups;
}

/// The state with the pods on it; none if they hold more than there is.
fn with_pods(
    mut present: Present,
    pods: &[(usize, &RunningPod)],
    pool: &Pool,
    demands: &[Demand],
    node: &str,
    warnings: &mut Warnings,
) -> Option<Present> {
    let models: Vec<&Model> = pool.gpu_models().map(AsRef::as_ref).collect();
    let mut room = Room::of(&present, models.len());
    let mut here: BTreeMap<usize, u32> = BTreeMap::new();
    for &(index, pod) in pods {
        let demand = &demands[index];
        let on_node = here.entry(index).or_insert(0);
        let is_crowded = demand.max_per_node.is_some_and(|most| *on_node >= most);
        if is_crowded || demand.eligible.admits(pool).is_err() {
            let message = "runs where it could not be placed again (a taint, a label or a limit per node): planned as if it did not run";
            warnings.add(WarningCode::RunningMisplaced, format!("pod {}", pod.name), message);
            continue;
        }
        let Some(holds) = room.take(&demand.request, &models) else {
            let message =
                "runs pods that hold more than it offers: how it is cut cannot be told, so it counts as empty";
            warnings.add(WarningCode::StateUnknown, format!("node {node}"), message);
            return None;
        };
        *on_node += 1;
        let name = Some(pod.name.clone()).filter(|name| !name.is_empty());
        present.running.push(Running { name, demand: index, holds, stays: pod.stays });
    }
    Some(present)
}

/// What is known about how nodes can be cut.
struct Cuts<'a> {
    configs: &'a BTreeMap<String, Config>,
    standard: &'a Config,
    /// Layouts by model, GPUs and instances, found once.
    split: BTreeMap<(String, u32, Instances), Option<Vec<Layout>>>,
}

/// How many of each profile.
type Instances = BTreeMap<ProfileName, u64>;

/// How a node's GPUs are cut, by index.
type Gpus = Vec<Option<Layout>>;

struct Cut {
    gpus: Gpus,
    /// Whether the indices are guessed.
    in_any_order: bool,
}

impl Cuts<'_> {
    /// How the node's GPUs are cut; `None` if that cannot be told.
    fn of(&mut self, node: &Node, fleet_node: &FleetNode, warnings: &mut Warnings) -> Option<Cut> {
        let object = format!("node {}", node.name);
        let offered = self.offered(node, fleet_node);
        let told = self.told(node, fleet_node);
        match (told, offered) {
            (Some(told), offered) if agrees(&told, offered.as_ref(), node, fleet_node) => {
                Some(Cut { gpus: told, in_any_order: false })
            }
            (told, Some(offered)) => {
                if told.is_some() {
                    let message = format!("offers other instances than its {CONFIG} says: what it offers was taken");
                    warnings.add(WarningCode::StateAssumed, &object, message);
                }
                let in_any_order = offered.windows(2).any(|pair| pair[0] != pair[1]);
                Some(Cut { gpus: offered, in_any_order })
            }
            (_, None) => {
                let message = "its labels do not tell how it is cut today: it counts as empty";
                warnings.add(WarningCode::StateUnknown, &object, message);
                None
            }
        }
    }

    /// How the node is cut by what it was told; `None` if that is not known.
    fn told(&self, node: &Node, fleet_node: &FleetNode) -> Option<Gpus> {
        let name = node.labels.get(CONFIG)?;
        let own = self.configs.get(&format!("{}-mig-config", node.name));
        let mut others = self.configs.iter().filter(|(config, _)| !config.ends_with("-mig-config")).map(|(_, c)| c);
        let entry = own
            .and_then(|config| config.entry(name))
            .or_else(|| others.find_map(|config| config.entry(name)))
            .or_else(|| self.standard.entry(name))?;
        cut_by(entry, &fleet_node.model, fleet_node.gpus)
    }

    /// How the node could be cut by what it offers.
    fn offered(&mut self, node: &Node, fleet_node: &FleetNode) -> Option<Gpus> {
        let gpus = fleet_node.gpus;
        let off = || vec![None; gpus as usize];
        let model = &fleet_node.model;
        match (fleet_node.strategy, &fleet_node.cut) {
            (Strategy::Single, None) => Some(off()),
            (Strategy::Single, Some(profile)) => {
                let devices: u64 = node.labels.get(COUNT)?.parse().ok()?;
                let each = devices.is_multiple_of(u64::from(gpus)).then(|| devices / u64::from(gpus))?;
                let counts = Counts::from_iter([(model.profile(profile)?, u8::try_from(each).ok()?)]);
                let layout = model.place(&counts, &Layout::empty()).ok()??;
                Some(vec![Some(layout); gpus as usize])
            }
            (Strategy::Mixed, _) => {
                let mut totals = Instances::new();
                for (resource, &n) in node.capacity.iter().filter(|(_, n)| **n > 0) {
                    if let Some(profile) = ProfileName::from_resource(resource) {
                        *totals.entry(profile).or_insert(0) += n;
                    }
                }
                if totals.is_empty() {
                    return Some(off());
                }
                let whole = node.capacity.get(GPU).copied().unwrap_or(0);
                let cut = gpus.checked_sub(u32::try_from(whole).ok()?).filter(|&cut| cut > 0)?;
                let layouts = self.split(model, cut, totals)?;
                let mut all: Gpus = layouts.into_iter().map(Some).collect();
                all.resize(gpus as usize, None);
                Some(all)
            }
        }
    }

    /// Layouts of at most so many GPUs with these instances in all.
    fn split(&mut self, model: &Arc<Model>, gpus: u32, totals: Instances) -> Option<Vec<Layout>> {
        let key = (model.id.clone(), gpus, totals);
        if let Some(known) = self.split.get(&key) {
            return known.clone();
        }
        let layouts = layouts(model, gpus, &key.2);
        self.split.insert(key, layouts.clone());
        layouts
    }
}

/// Whether what MIG Manager was told is what the node offers, as far as it says.
fn agrees(told: &Gpus, offered: Option<&Gpus>, node: &Node, fleet_node: &FleetNode) -> bool {
    let total = |cut: &Gpus| {
        let mut total = Instances::new();
        for (id, n) in cut.iter().flatten().flat_map(|layout| layout.counts().iter().collect::<Vec<_>>()) {
            *total.entry(fleet_node.model.get(id).name.clone()).or_insert(0) += u64::from(n);
        }
        total
    };
    // While its device plugin restarts a node offers nothing.
    let offers_nothing = node.capacity.values().all(|&n| n == 0);
    offers_nothing || offered.is_some_and(|offered| total(offered) == total(told))
}

/// What an entry makes of a node's GPUs; `None` if it leaves one open or cannot be created.
fn cut_by(entry: &Entry, model: &Arc<Model>, gpus: u32) -> Option<Gpus> {
    let models = vec![Arc::clone(model); gpus as usize];
    let mut cut = Vec::new();
    for rule in entry.on_node(&models) {
        let rule = rule?;
        let mut counts = Counts::EMPTY;
        for (profile, &n) in rule.mig_devices.iter().filter(|_| rule.mig_enabled) {
            counts[model.profile(profile)?] += u8::try_from(n).ok()?;
        }
        let layout = model.place(&counts, &Layout::empty()).ok()??;
        cut.push(Some(layout).filter(|layout| !layout.is_empty()));
    }
    Some(cut)
}

/// GPUs with these instances in all: what a node that is asked for just them is planned to be.
fn layouts(model: &Arc<Model>, gpus: u32, totals: &Instances) -> Option<Vec<Layout>> {
    let demands = totals.iter().map(|(profile, &n)| Demand::of_profile(profile.to_string(), profile.clone(), n));
    let fleet = Fleet { pools: vec![Pool::new("n", Arc::clone(model), 1, gpus)] };
    let problem = Problem { fleet, demands: demands.collect(), ..Problem::default() };
    let planned = plan(&problem, &Options { depth: Depth::ServedAndCost, ..Options::default() }).ok()?;
    let served = planned.served(problem.demands.len());
    let all_served = problem.demands.iter().zip(served).all(|(demand, served)| demand.count == served);
    let node = planned.nodes.first().filter(|_| all_served)?;
    // Only what serves is there; the rest of a layout is what else would fit.
    let mut counts = vec![Counts::EMPTY; node.gpus.len()];
    for share in node.serves.iter().flat_map(|serving| &serving.shares) {
        counts[usize::from(share.gpu)][share.profile?] += u8::try_from(share.instances).ok()?;
    }
    let cut = node.gpus.iter().zip(counts).filter(|(target, _)| matches!(target, GpuTarget::Mig(_)));
    cut.map(|(_, counts)| model.place(&counts, &Layout::empty()).ok()?).collect()
}
