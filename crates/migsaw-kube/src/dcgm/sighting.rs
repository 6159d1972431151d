//! What the labels of one series say.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::ProfileName;

/// A GPU, or an instance on one, as a series names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) host: String,
    /// Index of the GPU in its node.
    pub(super) gpu: u16,
    pub(super) uuid: Option<String>,
    /// GPU instance id and profile.
    pub(super) instance: Option<(u32, ProfileName)>,
    pub(super) pod: Option<PodName>,
    /// The exporter's own pod, where the series names one beside the pod it is about.
    pub(super) exporter: Option<PodName>,
}

/// A pod as a series names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PodName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The workloads whose pods are exporters, which hold no GPU.
///
/// Prometheus adds the pod it scraped to every series, as `pod` and `namespace`; where the series has such labels, it
/// keeps them with `exported_` before (or, with `honor_labels`, in place of its own). A series of an instance that
/// nobody holds has none, so there its `pod` is the exporter's and looks like a holder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Exporters(BTreeSet<PodName>);

/// How the workload of an exporter is called where nobody says otherwise, or how its name ends.
const EXPORTER: &str = "dcgm-exporter";

impl Exporters {
    /// Takes in a pod that some series names beside the one it is about.
    pub(super) fn learn(&mut self, pod: &PodName) {
        self.0.insert(workload(pod));
    }

    pub(super) fn absorb(&mut self, other: Exporters) {
        self.0.extend(other.0);
    }

    /// Whether a pod is one of theirs: others of the same workload are, on whatever node.
    pub(super) fn has(&self, pod: &PodName) -> bool {
        let workload = workload(pod);
        workload.name.ends_with(EXPORTER) || self.0.contains(&workload)
    }
}

/// The workload of a pod: the name up to the last hyphen, behind which pods of a `DaemonSet` are told apart.
fn workload(pod: &PodName) -> PodName {
    let name = pod.name.rsplit_once('-').map_or(pod.name.as_str(), |(name, _)| name);
    PodName { namespace: pod.namespace.clone(), name: name.to_owned() }
}

/// What is wrong with the labels of a series of a GPU.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(super) enum LabelProblem {
    #[error("does not say which node its GPU is in (expected a label Hostname or hostname): it was left out")]
    NoHost,
    #[error("gpu is `{found}` (expected the GPU's index in its node, like 0): it was left out")]
    Index { found: String },
    #[error("GPU_I_ID is `{found}` (expected the GPU instance's id, like 7): it was left out")]
    Id { found: String },
    #[error("GPU_I_PROFILE is `{found}` (expected a MIG profile, like 1g.10gb): it was left out")]
    Profile { found: String },
}

/// Where a series says its node. The exporter's own spelling changed; a Prometheus that keeps its own labels puts
/// `exported_` before the exporter's.
const HOST: [&str; 4] = ["exported_Hostname", "exported_hostname", "Hostname", "hostname"];
/// Where it says its pod. A plain `pod` behind another of these is the exporter's own, which Prometheus added.
const POD: [(&str, &str); 4] = [
    ("exported_pod", "exported_namespace"),
    ("exported_pod_name", "exported_pod_namespace"),
    ("pod_name", "pod_namespace"),
    ("pod", "namespace"),
];

/// The GPU or instance a series is about; `None` if it is about neither.
pub(super) fn of(labels: &BTreeMap<String, String>) -> Result<Option<Sighting>, LabelProblem> {
    let label = |name: &str| labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let shortened = |text: Option<&str>| text.unwrap_or_default().chars().take(80).collect::<String>();
    let (uuid, index, id) = (label("UUID"), label("gpu"), label("GPU_I_ID"));
    // CPUs, switches and links have neither.
    if uuid.is_none() && id.is_none() {
        return Ok(None);
    }
    let host = HOST.iter().find_map(|name| label(name)).ok_or(LabelProblem::NoHost)?;
    let gpu =
        index.and_then(|index| index.parse().ok()).ok_or_else(|| LabelProblem::Index { found: shortened(index) })?;
    let profile = label("GPU_I_PROFILE");
    let instance = if id.is_some() || profile.is_some() {
        let id = id.and_then(|id| id.parse().ok()).ok_or_else(|| LabelProblem::Id { found: shortened(id) })?;
        let named = profile.and_then(ProfileName::from_label_form).map(|profile| profile.gpu_instance());
        Some((id, named.ok_or_else(|| LabelProblem::Profile { found: shortened(profile) })?))
    } else {
        None
    };
    let mut pods = POD.iter().filter_map(|(name, namespace)| {
        Some(PodName { name: label(name)?.to_owned(), namespace: label(namespace)?.to_owned() })
    });
    let pod = pods.next();
    // Relabelling may copy one to the other, and then both are the pod that it is about.
    let exporter = pods.next_back().filter(|exporter| Some(exporter) != pod.as_ref());
    Ok(Some(Sighting { host: host.to_owned(), gpu, uuid: uuid.map(str::to_owned), instance, pod, exporter }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(labels: &[(&str, &str)]) -> String {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match of(&labels) {
            Ok(None) => "no GPU".to_owned(),
            Ok(Some(sighting)) => {
                let instance = sighting.instance.map_or(String::new(), |(id, profile)| format!(" {profile}#{id}"));
                let pod = sighting.pod.map_or(String::new(), |pod| format!(" {}/{}", pod.namespace, pod.name));
                format!("{} {}{instance}{pod}", sighting.host, sighting.gpu)
            }
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn a_pod_that_is_named_twice_is_no_exporter() {
        let exporter = |pod: &str| {
            let labels = [("gpu", "0"), ("UUID", "GPU-a"), ("Hostname", "n"), ("namespace", "s"), ("pod", pod)];
            let labels = labels.into_iter().chain([("exported_namespace", "s"), ("exported_pod", "web-0")]);
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            of(&labels).unwrap().unwrap().exporter.map(|exporter| exporter.name)
        };
        assert_eq!(exporter("web-0"), None);
        assert_eq!(exporter("dcgm-1"), Some("dcgm-1".to_owned()));
    }

    #[test]
    fn labels_in_all_spellings() {
        let gpu = [("gpu", "1"), ("UUID", "GPU-a"), ("Hostname", "n")];
        let mig = [("GPU_I_ID", "7"), ("GPU_I_PROFILE", "1g.10gb")];
        for (name, labels, expected) in [
            ("a GPU", vec![], "n 1"),
            ("an instance", mig.to_vec(), "n 1 1g.10gb#7"),
            ("blank labels", vec![("GPU_I_ID", ""), ("GPU_I_PROFILE", ""), ("pod", "")], "n 1"),
            ("a pod", vec![("pod", "p"), ("namespace", "s"), ("container", "c")], "n 1 s/p"),
            ("an older exporter", vec![("pod_name", "p"), ("pod_namespace", "s")], "n 1 s/p"),
            (
                "scraped by a Prometheus with labels of its own",
                vec![("pod", "dcgm-1"), ("namespace", "gpu"), ("exported_pod", "p"), ("exported_namespace", "s")],
                "n 1 s/p",
            ),
            ("a pod without a namespace", vec![("pod", "p")], "n 1"),
            ("the newer host label", vec![("Hostname", ""), ("hostname", "m")], "m 1"),
            ("media engines", vec![("GPU_I_ID", "9"), ("GPU_I_PROFILE", "1g.10gb+me")], "n 1 1g.10gb+me#9"),
            ("a switch", vec![("UUID", ""), ("nvswitch", "0")], "no GPU"),
            (
                "an id without a profile",
                vec![("GPU_I_ID", "7")],
                "GPU_I_PROFILE is `` (expected a MIG profile, like 1g.10gb): it was left out",
            ),
            (
                "a profile without an id",
                vec![("GPU_I_PROFILE", "1g.10gb")],
                "GPU_I_ID is `` (expected the GPU instance's id, like 7): it was left out",
            ),
            (
                "an odd id",
                vec![("GPU_I_ID", "x"), mig[1]],
                "GPU_I_ID is `x` (expected the GPU instance's id, like 7): it was left out",
            ),
            (
                "an odd profile",
                vec![mig[0], ("GPU_I_PROFILE", "big")],
                "GPU_I_PROFILE is `big` (expected a MIG profile, like 1g.10gb): it was left out",
            ),
            (
                "an odd index",
                vec![("gpu", "nvidia0")],
                "gpu is `nvidia0` (expected the GPU's index in its node, like 0): it was left out",
            ),
            (
                "no host",
                vec![("Hostname", "")],
                "does not say which node its GPU is in (expected a label Hostname or hostname): it was left out",
            ),
        ] {
            let mut all = BTreeMap::from(gpu);
            all.extend(labels);
            assert_eq!(shown(&all.into_iter().collect::<Vec<_>>()), expected, "{name}");
        }
    }
}
