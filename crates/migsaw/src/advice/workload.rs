//! Which workloads belong on MIG: rules on what a demand says.
//!
//! What MIG is not for, from NVIDIA's Multi-Instance GPU User Guide (sections "Deployment Considerations" and "CUDA
//! Device Enumeration"): no GPU-to-GPU peer access, neither over `PCIe` nor over `NVLink`, from or to an instance; and a
//! process sees one instance only. So what spans GPUs through NCCL loses its transport, and several instances in one
//! pod need a process for each. Memory bandwidth comes with memory slices, so what takes nearly all of the memory takes
//! the whole GPU, and MIG gains nothing.

use std::fmt;

use super::compare::gives;
use crate::demand::{Demand, Request, memory};
use crate::fleet::Pool;
use crate::geometry::{Model, Profile};
use crate::problem::Problem;

/// Kinds whose pods are one job and talk to each other.
const GANGS: [&str; 12] = [
    "JAXJob",
    "JobSet",
    "LeaderWorkerSet",
    "MPIJob",
    "MXJob",
    "PaddleJob",
    "PyTorchJob",
    "RayCluster",
    "RayJob",
    "TFJob",
    "TrainJob",
    "XGBoostJob",
];
/// Kinds of which a person uses each pod.
const INTERACTIVE: [&str; 1] = ["Notebook"];
/// Kinds whose pods end.
const BATCH: [&str; 2] = ["CronJob", "Job"];
/// Kinds whose pods do the same beside each other.
const REPLICATED: [&str; 5] = ["Deployment", "InferenceService", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// Whether a workload belongs on MIG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Belongs {
    /// On slices.
    Mig,
    /// On GPUs with MIG off.
    Off,
    /// That depends on something the demand does not say.
    Depends,
    /// On nothing that the fleet has.
    Nowhere,
}

impl Belongs {
    /// The word as programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Belongs::Mig => "mig",
            Belongs::Off => "mig-off",
            Belongs::Depends => "depends",
            Belongs::Nowhere => "nowhere",
        }
    }
}

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WorkloadCode {
    /// It asks for a slice.
    SliceRequested,
    /// What it needs at least, a slice gives.
    SliceSuffices,
    /// A person uses it.
    Notebook,
    /// A pod spans several GPUs.
    SeveralGpus,
    /// Its pods are one job.
    Gang,
    /// It asks for a profile that is the whole GPU.
    WholeProfile,
    /// What it needs at least, only a whole GPU gives.
    NearlyWholeGpu,
    /// A pod asks for several slices.
    SeveralInstances,
    /// A Job of several pods at once, which may talk to each other or not.
    ParallelJob,
    /// A Job on one GPU, of which nobody says how much memory it needs.
    JobUnmeasured,
    /// Replicas with a GPU each, of which nobody says how much memory they need.
    ReplicasUnmeasured,
    /// A GPU, of which nobody says how much memory is needed.
    GpuUnmeasured,
    /// No GPU that it may use gives what it asks for.
    NoGpu,
}

impl WorkloadCode {
    /// Every code.
    pub const ALL: [WorkloadCode; 13] = [
        WorkloadCode::SliceRequested,
        WorkloadCode::SliceSuffices,
        WorkloadCode::Notebook,
        WorkloadCode::SeveralGpus,
        WorkloadCode::Gang,
        WorkloadCode::WholeProfile,
        WorkloadCode::NearlyWholeGpu,
        WorkloadCode::SeveralInstances,
        WorkloadCode::ParallelJob,
        WorkloadCode::JobUnmeasured,
        WorkloadCode::ReplicasUnmeasured,
        WorkloadCode::GpuUnmeasured,
        WorkloadCode::NoGpu,
    ];

    /// The code as programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            WorkloadCode::SliceRequested => "slice-requested",
            WorkloadCode::SliceSuffices => "slice-suffices",
            WorkloadCode::Notebook => "notebook",
            WorkloadCode::SeveralGpus => "several-gpus",
            WorkloadCode::Gang => "gang",
            WorkloadCode::WholeProfile => "whole-profile",
            WorkloadCode::NearlyWholeGpu => "nearly-whole-gpu",
            WorkloadCode::SeveralInstances => "several-instances",
            WorkloadCode::ParallelJob => "parallel-job",
            WorkloadCode::JobUnmeasured => "job-unmeasured",
            WorkloadCode::ReplicasUnmeasured => "replicas-unmeasured",
            WorkloadCode::GpuUnmeasured => "gpu-unmeasured",
            WorkloadCode::NoGpu => "no-gpu",
        }
    }

    fn belongs(self) -> Belongs {
        match self {
            WorkloadCode::SliceRequested | WorkloadCode::SliceSuffices | WorkloadCode::Notebook => Belongs::Mig,
            WorkloadCode::SeveralGpus
            | WorkloadCode::Gang
            | WorkloadCode::WholeProfile
            | WorkloadCode::NearlyWholeGpu => Belongs::Off,
            WorkloadCode::SeveralInstances
            | WorkloadCode::ParallelJob
            | WorkloadCode::JobUnmeasured
            | WorkloadCode::ReplicasUnmeasured
            | WorkloadCode::GpuUnmeasured => Belongs::Depends,
            WorkloadCode::NoGpu => Belongs::Nowhere,
        }
    }

    /// What would have to be known to decide: metrics of DCGM, and what else.
    fn missing(self) -> &'static [&'static str] {
        const MEASURED: &[&str] = &["DCGM_FI_DEV_FB_USED", "DCGM_FI_PROF_DRAM_ACTIVE", "DCGM_FI_PROF_SM_ACTIVE"];
        match self {
            WorkloadCode::ParallelJob => &[
                "DCGM_FI_DEV_FB_USED",
                "DCGM_FI_PROF_DRAM_ACTIVE",
                "DCGM_FI_PROF_SM_ACTIVE",
                "DCGM_FI_PROF_NVLINK_TX_BYTES",
                "DCGM_FI_PROF_PCIE_TX_BYTES",
            ],
            code if code.belongs() == Belongs::Depends && code != WorkloadCode::SeveralInstances => MEASURED,
            _ => &[],
        }
    }
}

impl fmt::Display for WorkloadCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What becomes of one demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Index of the demand.
    pub demand: usize,
    /// Whether it belongs on MIG.
    pub belongs: Belongs,
    /// The rule that decided.
    pub code: WorkloadCode,
    /// The fact of the demand that decided.
    pub fact: String,
    /// Why that decides, a sentence.
    pub reason: String,
    /// What would have to be known.
    pub missing: Vec<&'static str>,
}

/// Every demand.
pub(super) fn workloads(problem: &Problem) -> Vec<Workload> {
    let judge = |(index, demand)| {
        let (code, fact, reason) = judged(problem, demand);
        Workload { demand: index, belongs: code.belongs(), code, fact, reason, missing: code.missing().to_vec() }
    };
    problem.demands.iter().enumerate().map(judge).collect()
}

/// The rule, its fact and its reason.
fn judged<'p>(problem: &'p Problem, demand: &Demand) -> (WorkloadCode, String, String) {
    let kind = demand.workload.as_deref().unwrap_or_default();
    let pods = demand.count;
    let pools = pools(problem, demand);
    if !pools.iter().any(|pool| is_offered(pool, demand)) {
        let reason = match demand.request {
            Request::WholeGpus { .. } => "no node that it may use has so many",
            _ => "no GPU that it may use gives that",
        };
        return (WorkloadCode::NoGpu, asked(demand), reason.to_owned());
    }
    let models = models(&pools);
    if let Request::WholeGpus { gpus: 2.. } = demand.request {
        let reason = "a pod that spans GPUs needs peer access between them, which no MIG instance has";
        return (WorkloadCode::SeveralGpus, asked(demand), reason.to_owned());
    }
    if GANGS.contains(&kind) && pods > 1 {
        let reason = "pods that are one job talk through NCCL, which does not work across MIG instances";
        return (WorkloadCode::Gang, format!("kind {kind}, {pods} pods"), reason.to_owned());
    }
    match &demand.request {
        Request::WholeGpus { .. } => whole_gpu(kind, pods, &models),
        Request::Profiles { instances, .. } => {
            let fact = asked(demand);
            if instances.values().map(|&n| u64::from(n)).sum::<u64>() > 1 {
                return several_instances(fact);
            }
            let of = |model: &&'p Model| {
                let name = instances.keys().next()?;
                Some((*model, model.get(model.profile(name)?)))
            };
            match models.iter().find_map(of) {
                Some((model, profile)) if is_whole(model, profile) => {
                    let reason = format!(
                        "{} is all of {}: with MIG off the same pod has peer access too",
                        profile.name, model.id
                    );
                    (WorkloadCode::WholeProfile, fact, reason)
                }
                _ => {
                    (WorkloadCode::SliceRequested, fact, "it asks for a slice, and a slice is what it gets".to_owned())
                }
            }
        }
        Request::AtLeast { instances, .. } => {
            let fact = asked(demand);
            if *instances > 1 {
                return several_instances(fact);
            }
            let enough = models.iter().flat_map(|model| model.profiles.iter().map(move |profile| (*model, profile)));
            let enough: Vec<(&Model, &Profile)> = enough.filter(|(_, profile)| gives(profile, demand)).collect();
            let slice = enough.iter().filter(|(model, profile)| !is_whole(model, profile));
            let smallest = slice.min_by_key(|(model, profile)| {
                (profile.memory_slices, profile.compute_slices, &profile.name, &model.id)
            });
            match (smallest, enough.first()) {
                (Some((model, profile)), _) => {
                    let reason = format!("{} of {} is enough", profile.name, model.id);
                    (WorkloadCode::SliceSuffices, fact, reason)
                }
                (None, whole) => {
                    let (model, profile) = whole.expect("some GPU gives it");
                    let reason = format!("only {} gives that, which is all of {}", profile.name, model.id);
                    (WorkloadCode::NearlyWholeGpu, fact, reason)
                }
            }
        }
    }
}

/// What one pod asks for.
fn asked(demand: &Demand) -> String {
    match &demand.request {
        Request::WholeGpus { gpus: 1 } => "1 GPU per pod".to_owned(),
        Request::WholeGpus { gpus } => format!("{gpus} GPUs per pod"),
        Request::Profiles { instances, .. } => {
            let asks: Vec<String> = instances.iter().map(|(name, n)| format!("{n} {name}")).collect();
            format!("{} per pod", asks.join(" and "))
        }
        Request::AtLeast { memory_mib, compute_slices, instances, .. } => {
            let slices = if *compute_slices == 1 { "compute slice" } else { "compute slices" };
            let each = format!("at least {} and {compute_slices} {slices}", memory(*memory_mib));
            if *instances == 1 { each } else { format!("{instances} instances of {each} per pod") }
        }
    }
}

/// Whether the GPUs of the pool's nodes are of the kind that a pod asks for, and those of one node as many, if it asks
/// for whole ones.
fn is_offered(pool: &Pool, demand: &Demand) -> bool {
    let mut models = pool.gpus.iter().filter(|group| group.count > 0).map(|group| &group.model);
    match &demand.request {
        Request::WholeGpus { gpus } => pool.gpus_per_node() >= *gpus,
        Request::Profiles { instances, .. } => {
            instances.keys().all(|name| models.clone().any(|model| model.profile(name).is_some()))
        }
        Request::AtLeast { .. } => models.any(|model| model.profiles.iter().any(|profile| gives(profile, demand))),
    }
}

/// One GPU per pod, of which it is not said how much of it is needed.
fn whole_gpu(kind: &str, pods: u64, models: &[&Model]) -> (WorkloadCode, String, String) {
    let fact =
        |kind: &str| if pods == 1 { format!("{kind}, 1 GPU") } else { format!("{kind}, {pods} pods with 1 GPU each") };
    let largest = models.iter().flat_map(|model| model.profiles.iter().map(move |profile| (*model, profile)));
    let slices = largest.filter(|(model, profile)| !is_whole(model, profile));
    let Some((model, profile)) = slices.max_by_key(|(model, profile)| (profile.memory_mib.value, &model.id)) else {
        let model = models.first().expect("some pool has GPUs");
        let reason = format!("{} has no slice smaller than itself", model.id);
        return (WorkloadCode::NearlyWholeGpu, fact("no kind"), reason);
    };
    let memory = profile.memory_mib.value.map_or_else(String::new, |mib| format!(", {mib} MiB"));
    let fits = format!("the largest slice is {} of {}{memory}", profile.name, model.id);
    let named = if kind.is_empty() { "no kind is said".to_owned() } else { format!("kind {kind}") };
    if INTERACTIVE.contains(&kind) {
        let reason = format!("a person uses it, so that a GPU is idle most of the time; {fits}");
        return (WorkloadCode::Notebook, fact(&named), reason);
    }
    let (code, reason) = match (BATCH.contains(&kind), REPLICATED.contains(&kind)) {
        (true, _) if pods > 1 => (
            WorkloadCode::ParallelJob,
            "on MIG if its pods work each for itself and what each needs fits a slice; not if they talk through NCCL",
        ),
        (true, _) => (WorkloadCode::JobUnmeasured, "on MIG if it needs no more memory and bandwidth than a slice has"),
        (_, true) => (
            WorkloadCode::ReplicasUnmeasured,
            "on MIG if each replica needs no more memory and bandwidth than a slice has",
        ),
        _ => (WorkloadCode::GpuUnmeasured, "on MIG if it needs no more memory and bandwidth than a slice has"),
    };
    (code, fact(&named), format!("{reason}: how much it needs is not said; {fits}"))
}

fn several_instances(fact: String) -> (WorkloadCode, String, String) {
    let reason =
        "a process sees one MIG instance only: on MIG if the pod runs a process for each, and they need no NCCL";
    (WorkloadCode::SeveralInstances, fact, reason.to_owned())
}

/// The pools that a demand may use, whatever their strategy.
fn pools<'p>(problem: &'p Problem, demand: &Demand) -> Vec<&'p Pool> {
    let mut eligible = demand.eligible.clone();
    eligible.strategy = None;
    problem.fleet.pools.iter().filter(|pool| pool.gpu_count() > 0 && eligible.admits(pool).is_ok()).collect()
}

fn models<'p>(pools: &[&'p Pool]) -> Vec<&'p Model> {
    let mut models: Vec<&Model> = pools.iter().flat_map(|pool| &pool.gpus).map(|group| group.model.as_ref()).collect();
    models.sort_by(|a, b| a.id.cmp(&b.id));
    models.dedup_by(|a, b| a.id == b.id);
    models
}

/// Whether an instance of the profile leaves no memory for another.
fn is_whole(model: &Model, profile: &Profile) -> bool {
    profile.memory_slices >= model.memory_slices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::scenario;
    use crate::geometry::Catalog;

    fn check(demand: &str, expected: WorkloadCode, said: &str) {
        let text = format!(
            "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\nfleet:\n- {{pool: h, model: H100-80GB, nodes: 1, gpusPerNode: 8}}\n- {{pool: a, model: A30, nodes: 1, gpusPerNode: 4}}\ndemand:\n- {{name: x, {demand}}}\n"
        );
        let problem = scenario::parse(&text, &Catalog::builtin()).map_err(|found| format!("{found:?}")).unwrap();
        let found = &workloads(&problem)[0];
        assert_eq!(found.code, expected, "{demand}: {found:?}");
        assert!(format!("{}: {}", found.fact, found.reason).contains(said), "{demand}: {found:?}");
        let is_open = found.belongs == Belongs::Depends && found.code != WorkloadCode::SeveralInstances;
        assert_eq!(!found.missing.is_empty(), is_open, "{demand}: {found:?}");
    }

    #[test]
    fn what_the_demand_says_decides() {
        use WorkloadCode as Code;
        for (demand, expected, said) in [
            ("wholeGpus: 8, count: 1, workload: Deployment", Code::SeveralGpus, "8 GPUs per pod"),
            ("wholeGpus: 1, count: 4, workload: PyTorchJob", Code::Gang, "kind PyTorchJob, 4 pods"),
            ("profile: 1g.10gb, count: 4, workload: JobSet", Code::Gang, "NCCL"),
            ("profile: 1g.10gb, count: 1, workload: JobSet", Code::SliceRequested, "1 1g.10gb per pod"),
            ("profile: 7g.80gb, count: 3", Code::WholeProfile, "all of H100-80GB"),
            ("profile: 4g.24gb, count: 3", Code::WholeProfile, "all of A30-24GB"),
            ("profile: 1g.10gb, instances: 2, count: 3", Code::SeveralInstances, "one MIG instance only"),
            ("profiles: {1g.10gb: 1, 2g.20gb: 1}, count: 3", Code::SeveralInstances, "1 1g.10gb and 1 2g.20gb"),
            ("atLeast: {memory: 5Gi}, count: 3", Code::SliceSuffices, "1g.6gb of A30-24GB is enough"),
            ("atLeast: {memory: 30Gi}, count: 3", Code::SliceSuffices, "3g.40gb of H100-80GB"),
            ("atLeast: {memory: 60Gi}, count: 3", Code::NearlyWholeGpu, "only 7g.80gb gives that"),
            ("atLeast: {memory: 60Gi}, pools: [a], count: 3", Code::NoGpu, "no GPU that it may use"),
            ("profile: 1g.10gb, pools: [a], count: 3", Code::NoGpu, "no GPU that it may use"),
            ("wholeGpus: 16, count: 1", Code::NoGpu, "16 GPUs per pod: no node that it may use has so many"),
            ("wholeGpus: 8, pools: [a], count: 1", Code::NoGpu, "has so many"),
            ("wholeGpus: 4, pools: [a], count: 1", Code::SeveralGpus, "4 GPUs per pod"),
            ("profile: 1g.20gb, pools: [a], count: 4, workload: JobSet", Code::NoGpu, "1 1g.20gb per pod"),
            ("profile: 1g.18gb, instances: 2, count: 3", Code::NoGpu, "2 1g.18gb per pod"),
            (
                "atLeast: {memory: 90Gi}, instances: 2, count: 3",
                Code::NoGpu,
                "2 instances of at least 90 GiB and 1 compute slice per pod",
            ),
            ("wholeGpus: 1, count: 3, workload: Notebook", Code::Notebook, "kind Notebook, 3 pods with 1 GPU each"),
            ("wholeGpus: 1, count: 3, workload: Job", Code::ParallelJob, "talk through NCCL"),
            ("wholeGpus: 1, count: 1, workload: Job", Code::JobUnmeasured, "kind Job, 1 GPU"),
            ("wholeGpus: 1, count: 3, workload: Deployment", Code::ReplicasUnmeasured, "the largest slice is "),
            ("wholeGpus: 1, count: 3", Code::GpuUnmeasured, "no kind is said"),
        ] {
            check(demand, expected, said);
        }
    }

    #[test]
    fn codes_differ() {
        let codes: std::collections::BTreeSet<&str> = WorkloadCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), WorkloadCode::ALL.len());
    }
}
