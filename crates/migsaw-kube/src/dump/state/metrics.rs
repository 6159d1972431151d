//! Nodes as DCGM exporter sees them.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::{Counts, Layout, Model, Placement, ProfileId};
use migsaw::present::{Held, RecutUnit};

use super::super::collect::Node;
use super::super::constraints::HOSTNAME;
use super::super::nodes::FleetNode;
use super::super::warning::{WarningCode, Warnings};
use super::cuts::{Cuts, Gpus};
use super::sight::{self, Sight};
use crate::dcgm::{Gpu, Instance, Metrics, PodName};

const BY: &str = "DCGM exporter";

/// What the metrics say of each node.
pub(super) struct Hosts<'a>(BTreeMap<&'a str, &'a BTreeMap<u16, Gpu>>);

impl<'a> Hosts<'a> {
    /// Finds the node of each host, by its name or its host name.
    pub(super) fn new(metrics: &'a Metrics, nodes: &'a [Node], warnings: &mut Warnings) -> Hosts<'a> {
        let by_label = |node: &'a Node| Some((node.labels.get(HOSTNAME)?.as_str(), node.name.as_str()));
        let mut names: BTreeMap<&str, &str> = nodes.iter().filter_map(by_label).collect();
        names.extend(nodes.iter().map(|node| (node.name.as_str(), node.name.as_str())));
        let mut hosts = BTreeMap::new();
        for (host, gpus) in metrics.all_hosts() {
            let message = match names.get(host) {
                None => "is in the metrics, but no node of the dump is called that: it was left out",
                Some(node) if hosts.contains_key(node) => "is in the metrics under another name too: it was left out",
                Some(node) => {
                    hosts.insert(*node, gpus);
                    continue;
                }
            };
            warnings.add(WarningCode::MetricsHostUnknown, format!("host {host}"), message);
        }
        for (message, places) in metrics.unread() {
            for place in places {
                warnings.add(WarningCode::MetricsUnread, place, message);
            }
        }
        Hosts(hosts)
    }

    /// What is seen of a node; `None` if that is not enough to tell how all of its GPUs are cut, with a warning.
    pub(super) fn of(
        &self,
        node: &Node,
        fleet_node: &FleetNode,
        cuts: &mut Cuts,
        warnings: &mut Warnings,
    ) -> Option<Sight> {
        let object = format!("node {}", node.name);
        let Some(gpus) = self.0.get(node.name.as_str()) else {
            let message = "is not in the metrics: it is what is cut anew, whatever GPUs its pods are on";
            warnings.add(WarningCode::MetricsMissing, object, message);
            return None;
        };
        let seen = sight(gpus, &fleet_node.model, fleet_node.gpus)
            .and_then(|sight| cuts.seen(&sight.gpus, BY, node, fleet_node, warnings).map(|()| sight));
        match seen {
            Ok(sight) => Some(sight),
            Err(why) => {
                warnings.add(WarningCode::MetricsDisagree, object, format!("{why}: its metrics were not used"));
                None
            }
        }
    }

    /// Warns if the metrics of a node are not what a better source says.
    pub(super) fn compare(&self, node: &FleetNode, better: &Sight, warnings: &mut Warnings) {
        let Some(gpus) = self.0.get(node.name.as_str()) else { return };
        // The order of GPUs can be a guess of the better source.
        let cut = |sight: &Sight| {
            let mut counts: Vec<Counts> = sight.gpus.iter().flatten().map(Layout::counts).collect();
            counts.sort_unstable();
            counts
        };
        let why = match sight(gpus, &node.model, node.gpus) {
            Ok(seen) if cut(&seen) == cut(better) => return,
            Ok(_) => format!("{BY} sees other instances than {}", better.by),
            Err(why) => why,
        };
        let message = format!("{why}: its metrics were not used");
        warnings.add(WarningCode::MetricsDisagree, format!("node {}", node.name), message);
    }
}

/// A node by the metrics of all its GPUs; a sentence if they do not tell how it is cut.
fn sight(seen: &BTreeMap<u16, Gpu>, model: &Model, count: u32) -> Result<Sight, String> {
    let expected = || (0u16..).take(count as usize);
    if let Some(other) = seen.keys().find(|&&index| u32::from(index) >= count) {
        return Err(format!("{BY} sees a GPU {other} (expected at most {})", count.saturating_sub(1)));
    }
    if let Some(missing) = expected().find(|index| !seen.contains_key(index)) {
        return Err(format!("{BY} does not see GPU {missing} of {count}"));
    }
    let mut gpus: Gpus = Vec::new();
    let mut holds: BTreeMap<&PodName, Vec<Held>> = BTreeMap::new();
    for (&index, gpu) in seen {
        if gpu.uuids.len() > 1 {
            let uuids: Vec<&str> = gpu.uuids.iter().map(String::as_str).collect();
            return Err(format!("{BY} has GPU {index} as {} (expected one UUID)", uuids.join(" and ")));
        }
        let placed = placed(index, gpu, model)?;
        let on_instances = gpu.instances.iter().map(|(id, instance)| (&instance.pods, Some(placed[id])));
        let on_whole = placed.is_empty().then_some((&gpu.pods, None));
        for (pods, instance) in on_instances.chain(on_whole) {
            for pod in pods {
                holds.entry(pod).or_default().push(Held { gpu: index, instance });
            }
        }
        let layout = Layout::new(model, placed.into_values()).map_err(|error| format!("{BY}, GPU {index}: {error}"))?;
        gpus.push(Some(layout).filter(|layout| !layout.is_empty()));
    }
    let holds = holds.into_iter().map(|(pod, held)| ((pod.namespace.clone(), pod.name.clone()), held)).collect();
    Ok(Sight { gpus, in_any_order: false, unit: RecutUnit::Gpu, by: BY, holds })
}

/// The instances of a GPU by id.
fn placed(index: u16, gpu: &Gpu, model: &Model) -> Result<BTreeMap<u32, Placement>, String> {
    let profile = |(&id, instance): (&u32, &Instance)| {
        let known: BTreeSet<Option<ProfileId>> = instance.profiles.iter().map(|name| model.profile(name)).collect();
        match known.first() {
            Some(&Some(profile)) if known.len() == 1 => Ok((id, profile)),
            _ => {
                let names: Vec<String> = instance.profiles.iter().map(ToString::to_string).collect();
                let names = names.join(" and ");
                Err(format!("{BY} has instance {id} of GPU {index} as {names} (expected one profile of {})", model.id))
            }
        }
    };
    let instances: BTreeMap<u32, ProfileId> = gpu.instances.iter().map(profile).collect::<Result<_, String>>()?;
    sight::placed(model, &instances).ok_or_else(|| {
        let names: Vec<String> = instances.values().map(|&id| model.get(id).name.to_string()).collect();
        format!("{BY} sees {} on GPU {index}, which do not fit on one {}", names.join(", "), model.id)
    })
}
