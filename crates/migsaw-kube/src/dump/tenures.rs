//! How long pods of a dump held their slices: what the API tells where there are no metrics.
//!
//! A pod holds what it asks for from when it was put on its node (condition `PodScheduled`, else `status.startTime`)
//! until its last container finished, or still. Pods that never got that far, such as those that the kubelet refused,
//! held nothing. On which GPU is not said, nor how the GPUs were cut: so nothing is known of what no pod held. Pods
//! that were deleted meanwhile are not in a dump, and devices that are given out through claims are not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use migsaw::chargeback::{GpuRecord, Held, Holder, Holding, Slice, Span};
use migsaw::geometry::{Catalog, ProfileName};

use super::collect::{Collection, described};
use super::nodes::{self, FleetNode};
use super::requests;
use super::shared::{Labels, Shared};
use super::warning::{Warning, WarningCode, Warnings};
use super::wire::{ContainerStatus, Metadata, PodSpec, Status};
use super::{DumpErrors, DumpOptions, Reader, Skipped};
use crate::names::GPU;

/// A pod that is or was on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tenure {
    namespace: Arc<str>,
    pod: Arc<str>,
    node: Arc<str>,
    from: Option<i64>,
    /// `None` if it has not ended.
    to: Option<i64>,
    resources: Arc<BTreeMap<String, u64>>,
    labels: Labels,
}

/// What pods held on the nodes of a dump.
#[derive(Debug, Clone, Default)]
pub struct Tenures {
    /// One for each node with GPUs.
    pub gpus: Vec<GpuRecord>,
    /// The label that is asked about, by namespace and name of the pods that have it.
    pub labels: BTreeMap<(String, String), String>,
    /// What was left out or assumed, sorted.
    pub warnings: Vec<Warning>,
    /// The newest time that a node or pod tells.
    pub as_of: Option<Timestamp>,
}

/// What of a dump is asked for.
#[derive(Debug, Clone, Copy)]
pub struct TenureOptions<'a> {
    /// The models there are.
    pub catalog: &'a Catalog,
    /// The period.
    pub period: Span,
    /// Nodes of which metrics tell more, which are left out.
    pub except: &'a BTreeSet<String>,
    /// The label of pods that is asked about.
    pub label: Option<&'a str>,
}

impl Tenure {
    /// Of a pod that is on a node and asks for GPUs.
    pub(super) fn of(metadata: &Metadata, spec: &PodSpec, status: &Status) -> Option<Tenure> {
        let resources = requests::of_pod(spec).ok().filter(|resources| !resources.is_empty())?;
        if spec.node_name.is_empty() || status.phase.is_none() {
            return None;
        }
        let time = |text: &String| text.parse::<Timestamp>().ok().map(Timestamp::as_second);
        let scheduled = status.conditions.iter().find(|c| c.kind == "PodScheduled" && c.status == "True");
        let from = scheduled.and_then(|condition| condition.since.as_ref()).or(status.start_time.as_ref());
        let to = match status.phase.as_deref() {
            Some("Succeeded" | "Failed") => {
                let finished =
                    |container: &ContainerStatus| container.state.terminated.finished_at.as_ref().and_then(time);
                // Without a container that ran it was refused, and held nothing.
                Some(status.container_statuses.iter().filter_map(finished).max()?)
            }
            _ => None,
        };
        let label = |(key, value): (&String, &Option<String>)| (key.clone(), value.clone().unwrap_or_default());
        Some(Tenure {
            namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
            pod: metadata.name.as_str().into(),
            node: spec.node_name.as_str().into(),
            from: from.and_then(time),
            to,
            resources: resources.into(),
            labels: Labels::of(&metadata.labels.iter().map(label).collect()),
        })
    }

    /// The same, with the one copy of what pods have alike.
    pub(super) fn sharing(self, shared: &mut Shared) -> Tenure {
        Tenure {
            namespace: shared.text(&self.namespace),
            node: shared.text(&self.node),
            resources: shared.resources(self.resources),
            labels: shared.labels(self.labels),
            ..self
        }
    }

    /// The pod's name.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.pod)
    }

    fn object(&self) -> String {
        described("Pod", &self.namespace, &self.pod)
    }

    /// What it holds on its node.
    fn slices(&self, node: &FleetNode, warnings: &mut Warnings) -> Vec<Slice> {
        let mut slices = Vec::new();
        for (resource, count) in &*self.resources {
            let profile = match &node.cut {
                Some(cut) if resource == GPU => Some(cut.clone()),
                _ => ProfileName::from_resource(resource),
            };
            let slice = match profile.map(|name| node.model.profile(&name.gpu_instance())) {
                None if resource == GPU => Slice::WholeGpu,
                Some(Some(id)) => Slice::Profile(node.model.get(id).name.clone()),
                _ => {
                    let message = format!("holds {resource}, which {} has not: that was left out", node.model.id);
                    warnings.add(WarningCode::TenureUnknown, self.object(), message);
                    continue;
                }
            };
            slices.extend((0..*count).map(|_| slice.clone()));
        }
        slices
    }
}

impl Reader {
    /// How long the pods of the files held their slices.
    ///
    /// # Errors
    /// [`DumpErrors`], as [`Reader::finish`] does.
    pub fn tenures(mut self, options: &TenureOptions<'_>) -> Result<Tenures, DumpErrors> {
        self.settle_errors();
        if !self.errors.is_empty() {
            return Err(DumpErrors(self.errors));
        }
        Ok(of_collection(self.found, options))
    }
}

fn of_collection(mut found: Collection, options: &TenureOptions<'_>) -> Tenures {
    let told: BTreeSet<Tenure> = std::mem::take(&mut found.tenures).into_iter().collect();
    let label = |tenure: &Tenure| {
        let value = tenure.labels.to_map().remove(options.label?)?;
        Some(((tenure.namespace.to_string(), tenure.pod.to_string()), value))
    };
    let labels: BTreeMap<(String, String), String> = told.iter().filter_map(label).collect();
    found.keep_one_of_each();
    let published = found.slices.published();
    let mut warnings = std::mem::take(&mut found.warnings);
    let judging = DumpOptions { include_unavailable: true, ..DumpOptions::default() };
    let known = (options.catalog, &published);
    let nodes = nodes::judge(&found.nodes, known, judging, &mut warnings, &mut Skipped::default());
    // The same pod may be in several dumps; the one that knows its end says more.
    let mut latest: BTreeMap<(&str, &str, Option<i64>), &Tenure> = BTreeMap::new();
    for tenure in &told {
        let of_pod = latest.entry((&tenure.namespace, &tenure.pod, tenure.from)).or_insert(tenure);
        if tenure.to.is_some() {
            *of_pod = tenure;
        }
    }
    let mut told: Vec<Tenure> = latest.into_values().cloned().collect();
    end_where_the_next_begins(&mut told);
    let mut on_node: BTreeMap<&str, Vec<&Tenure>> = BTreeMap::new();
    for tenure in &told {
        on_node.entry(&tenure.node).or_default().push(tenure);
    }
    let as_of = found.as_of.map_or(options.period.to, Timestamp::as_second);
    let mut is_cut_short = false;
    let mut gpus = Vec::new();
    for node in nodes.fleet.iter().filter(|node| !options.except.contains(&node.name)) {
        let mut tenures = on_node.remove(node.name.as_str()).unwrap_or_default();
        tenures.sort_by_key(|tenure| tenure.from);
        is_cut_short |= as_of < options.period.to && tenures.iter().any(|tenure| tenure.to.is_none());
        gpus.push(record(node, &tenures, (options, as_of), &labels, &mut warnings));
    }
    if let Some(as_of) = found.as_of.filter(|_| is_cut_short) {
        let message = format!(
            "the newest time of the dump is {as_of}, before the end of the period: what pods held from then on is unknown"
        );
        warnings.add_general(WarningCode::TenureOpen, message);
    }
    on_node.retain(|node, _| !options.except.contains(*node));
    for tenure in on_node.into_values().flatten() {
        let message = format!("is on node {}, whose GPUs the dump does not tell: it was left out", tenure.node);
        warnings.add(WarningCode::TenureUnknown, tenure.object(), message);
    }
    Tenures { gpus, labels, warnings: warnings.into_sorted(), as_of: found.as_of }
}

/// Two pods of one name are never there at once: the one before ends at the latest where the next begins. They are in
/// the order of their names, and then of their begin.
fn end_where_the_next_begins(tenures: &mut [Tenure]) {
    for index in 1..tenures.len() {
        let (before, next) = tenures.split_at_mut(index);
        let (before, next) = (&mut before[index - 1], &next[0]);
        if (&before.namespace, &before.pod) == (&next.namespace, &next.pod) && before.from.is_some() {
            before.to = before.to.into_iter().chain(next.from).min();
        }
    }
}

/// What the pods of a node held, of those that have not ended up to the time of the dump.
fn record(
    node: &FleetNode,
    tenures: &[&Tenure],
    (options, as_of): (&TenureOptions<'_>, i64),
    labels: &BTreeMap<(String, String), String>,
    warnings: &mut Warnings,
) -> GpuRecord {
    let mut record = GpuRecord {
        name: format!("node {}", node.name),
        model: Some(node.model.clone()),
        count: node.gpus,
        seen: vec![options.period],
        known: Vec::new(),
        holdings: Vec::new(),
    };
    let size = |slice: &Slice| match slice {
        Slice::Profile(name) => node.model.profile(name).map_or(0, |id| u64::from(node.model.get(id).size)),
        Slice::WholeGpu => u64::from(node.model.units),
    };
    let most = u64::from(node.gpus) * u64::from(node.model.units);
    for tenure in tenures {
        let Some(from) = tenure.from else {
            let message = "does not say since when it is on its node (status.startTime): it was left out";
            warnings.add(WarningCode::TenureUnknown, tenure.object(), message);
            continue;
        };
        let span = Span::new(from, tenure.to.unwrap_or(as_of));
        let Some(span) = span.within(options.period) else { continue };
        let slices = tenure.slices(node, warnings);
        // In the order of their begin: what is held when this one begins is the most there is while it lasts.
        let taken = |holdings: &[Holding]| {
            let there = holdings.iter().filter(|h| h.span.from <= span.from && span.from < h.span.to);
            there.map(|holding| size(&holding.slice)).sum::<u64>()
        };
        if taken(&record.holdings) + slices.iter().map(size).sum::<u64>() > most {
            let message = format!("holds more than is left of node {}: it was left out", node.name);
            warnings.add(WarningCode::TenureOverfull, tenure.object(), message);
            continue;
        }
        let holder = Holder {
            namespace: tenure.namespace.to_string(),
            pod: tenure.pod.to_string(),
            label: labels.get(&(tenure.namespace.to_string(), tenure.pod.to_string())).cloned(),
        };
        let holding = |slice| Holding { slice, span, held: Held::By([holder.clone()].into()) };
        record.holdings.extend(slices.into_iter().map(holding));
    }
    record
}

#[cfg(test)]
mod tests {
    use migsaw::chargeback::{Ledger, Terms, statement};

    use super::*;
    use crate::dump::Source;

    const NODE: &str = "kind: Node
metadata: {name: n1, labels: {nvidia.com/gpu.product: NVIDIA-A30, nvidia.com/gpu.count: '2', nvidia.com/mig.strategy: mixed}}
status: {conditions: [{type: Ready, status: 'True', lastHeartbeatTime: '2023-11-14T23:13:20Z'}]}
";

    fn pod(name: &str, resource: &str, status: &str) -> String {
        format!(
            "---\nkind: Pod\nmetadata: {{name: {name}, namespace: a, labels: {{team: {name}}}}}\n\
             spec: {{nodeName: n1, containers: [{{resources: {{limits: {{{resource}: 1}}}}}}]}}\nstatus: {{{status}}}\n"
        )
    }

    fn told(pods: &str) -> (String, Vec<Warning>) {
        told_by(NODE, pods)
    }

    fn told_by(node: &str, pods: &str) -> (String, Vec<Warning>) {
        let mut reader = Reader::default();
        let text = format!("{node}{pods}");
        reader.add(&Source { name: "dump.yaml", bytes: text.as_bytes(), optional: false });
        let period = Span::new(1_700_000_000, 1_700_003_600);
        let options =
            TenureOptions { catalog: &Catalog::builtin(), period, except: &BTreeSet::new(), label: Some("team") };
        let tenures = reader.tenures(&options).unwrap();
        let ledger = Ledger { period, gpus: tenures.gpus, uses: Vec::new() };
        let terms = Terms { by: migsaw::chargeback::By::Label, ..Terms::default() };
        let statement = statement(&ledger, &terms).unwrap();
        let lines = statement.lines.iter().map(|line| {
            let slices = line.slices.iter().map(|s| format!("{} {}", s.account.slice, s.account.seconds));
            format!("{}: {}", line.who, slices.collect::<Vec<_>>().join(", "))
        });
        let total = &statement.models[0];
        assert_eq!(total.billed.unit_seconds + total.unknown.unit_seconds, 2 * 4 * 3600);
        (lines.collect::<Vec<_>>().join("; "), tenures.warnings)
    }

    #[test]
    fn pods_hold_from_when_they_are_placed_until_they_end() {
        let finished = |at: &str| {
            format!(
                "containerStatuses: [{{state: {{terminated: {{finishedAt: '{at}'}}}}}}], startTime: '2023-11-14T22:20:00Z'"
            )
        };
        let slice = "nvidia.com/mig-2g.12gb";
        for (name, pods, expected) in [
            ("still there", pod("p", slice, "phase: Running, startTime: '2023-11-14T22:13:30Z'"), "p: 2g.12gb 3590"),
            (
                "ended",
                pod("p", slice, &format!("phase: Succeeded, {}", finished("2023-11-14T22:30:00Z"))),
                "p: 2g.12gb 600",
            ),
            (
                "placed before the kubelet saw it",
                pod(
                    "p",
                    "nvidia.com/gpu",
                    "phase: Running, startTime: '2023-11-14T22:14:00Z', conditions: [{type: PodScheduled, status: 'True', lastTransitionTime: '2023-11-14T22:13:40Z'}]",
                ),
                "p: whole GPU 3580",
            ),
            ("refused", pod("p", slice, "phase: Failed, startTime: '2023-11-14T22:13:30Z'"), ""),
            ("waiting", pod("p", slice, "phase: Pending").replace("nodeName: n1, ", ""), ""),
        ] {
            let (lines, warnings) = told(&pods);
            assert_eq!((lines.as_str(), warnings.len()), (expected, 0), "{name}: {warnings:?}");
        }
    }

    #[test]
    fn nothing_is_known_of_the_time_after_the_dump() {
        let ended = "phase: Succeeded, startTime: '2023-11-14T22:13:20Z', \
                     containerStatuses: [{state: {terminated: {finishedAt: '2023-11-14T22:23:20Z'}}}]";
        let running = "phase: Running, startTime: '2023-11-14T22:13:20Z'";
        let both = format!("{}{}", pod("p", "nvidia.com/gpu", ended), pod("q", "nvidia.com/gpu", running));
        let (lines, warnings) = told_by(&NODE.replace("23:13:20Z", "22:43:20Z"), &both);
        assert_eq!(lines, "q: whole GPU 1800; p: whole GPU 600");
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            ["the newest time of the dump is 2023-11-14T22:43:20Z, before the end of the period: what pods held from \
              then on is unknown"]
        );
    }

    #[test]
    fn a_pod_ends_where_the_next_of_its_name_begins() {
        let slice = "nvidia.com/mig-2g.12gb";
        let since = |time: &str| pod("p", slice, &format!("phase: Running, startTime: '2023-11-14T{time}Z'"));
        let (lines, _) = told(&format!("{}{}", since("22:13:30"), since("22:23:30")));
        assert_eq!(lines, "p: 2g.12gb 3590");
    }

    #[test]
    fn what_cannot_be_is_left_out_and_said() {
        let running = "phase: Running, startTime: '2023-11-14T22:13:20Z'";
        let many: String = (0..3).map(|n| pod(&format!("p{n}"), "nvidia.com/gpu", running)).collect();
        let (lines, warnings) = told(&many);
        assert_eq!(lines, "p0: whole GPU 3600; p1: whole GPU 3600");
        assert_eq!(warnings[0].to_string(), "pod a/p2: holds more than is left of node n1: it was left out");
        for (pod, expected) in [
            (pod("p", "nvidia.com/mig-1g.10gb", running), "holds nvidia.com/mig-1g.10gb, which A30-24GB has not"),
            (pod("p", "nvidia.com/gpu", "phase: Running"), "does not say since when"),
            (pod("p", "nvidia.com/gpu", running).replace("n1", "n2"), "is on node n2, whose GPUs the dump does not"),
        ] {
            let (_, warnings) = told(&pod);
            assert!(warnings.iter().any(|w| w.to_string().contains(expected)), "{expected}: {warnings:?}");
        }
    }
}
