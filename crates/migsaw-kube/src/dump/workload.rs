//! Deployments, Jobs and the like, given as manifests or found in a dump.

use super::collect::{Collection, Origin, Owner, Problem, Workload, described, pin};
use super::constraints;
use super::dra;
use super::object::WorkloadKind;
use super::quantity::{MOST, Scalar, whole};
use super::warning::WarningCode;
use super::wire::{Metadata, PodTemplate, Status, WorkloadSpec};

/// Pods of one kind that a workload makes.
struct Part {
    name: String,
    template: PodTemplate,
    /// `None` if the workload does not say.
    pods: Option<u64>,
}

impl Collection {
    pub(super) fn add_workload(
        &mut self,
        kind: WorkloadKind,
        metadata: &Metadata,
        spec: WorkloadSpec,
        status: &Status,
    ) {
        let namespace = metadata.namespace.clone().unwrap_or_default();
        let owner =
            Owner { name: metadata.name_or_prefix().to_owned(), kind: kind.as_str().to_owned(), part: String::new() };
        let object = described(kind.as_str(), &namespace, &owner.name);
        let origin = origin(metadata, status);
        if origin != Origin::Nameless {
            self.met.insert((namespace.clone(), owner.kind.clone(), owner.name.clone()));
        }
        let above = counted_by(kind, metadata);
        if let Some(above) = &above {
            self.owners.insert((namespace.clone(), owner.kind.clone(), owner.name.clone()), above.clone());
        }
        if is_over(kind, metadata, status) {
            self.skipped.workloads_finished += u64::from(above.is_none());
            return;
        }
        let suspended = is_suspended(&spec);
        let mut without_gpu = true;
        for mut part in self.parts(kind, &object, spec, status) {
            let Some(resources) = self.resources(&object, &part.template.spec) else { continue };
            let claims = dra::uses(&part.template.spec, &Status::default());
            let asks = !resources.is_empty() || !claims.is_empty();
            without_gpu &= !asks;
            if kind == WorkloadKind::DaemonSet {
                if asks {
                    let message = "a DaemonSet counts by its pods, not by its manifest, which was left out";
                    self.warnings.add(WarningCode::DaemonSet, &object, message);
                }
                continue;
            }
            if suspended && asks && above.is_none() {
                self.warnings.add(WarningCode::Suspended, &object, "is suspended and was left out");
            }
            let counts = asks && !suspended;
            // A manifest ends the pods there are, even if it makes none. But a CronJob's run goes on.
            let ends = matches!(origin, Origin::Manifest { .. }) && kind != WorkloadKind::CronJob;
            if !counts && !ends {
                continue;
            }
            let replicas = if counts { part.pods } else { Some(0) };
            let spec = &part.template.spec;
            let mut constraints = constraints::of_pod(spec, &namespace, &part.template.metadata.take_labels());
            if !spec.node_name.is_empty() {
                pin(&mut constraints, &spec.node_name);
            }
            let owner = Owner { part: part.name, ..owner.clone() };
            let asks = (resources, part.template.metadata.is_together());
            let asking = self.asking(&object, namespace.clone(), owner, asks, constraints, spec);
            let claims = if counts { claims } else { Vec::new() };
            self.workloads.push(Workload { asking, claims, replicas, origin, above: above.clone() });
        }
        if without_gpu && above.is_none() {
            self.skipped.workloads_without_gpu += 1;
        }
    }

    fn parts(&mut self, kind: WorkloadKind, object: &str, spec: WorkloadSpec, status: &Status) -> Vec<Part> {
        let one = |template, pods| vec![Part { name: String::new(), template, pods }];
        match kind {
            WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::ReplicaSet
            | WorkloadKind::ReplicationController => {
                let replicas = self.number(object, "replicas", spec.replicas.as_ref());
                one(spec.template, replicas)
            }
            WorkloadKind::DaemonSet => one(spec.template, None),
            WorkloadKind::Job => {
                let done = self.number(object, "succeeded", status.succeeded.as_ref()).unwrap_or(0);
                let pods = self.at_once(object, &spec, done);
                one(spec.template, Some(pods))
            }
            // One run of it.
            WorkloadKind::CronJob => spec.job_template.map_or_else(Vec::new, |job| {
                let pods = self.at_once(object, &job.spec, 0);
                one(job.spec.template, Some(pods))
            }),
            WorkloadKind::JobSet => {
                let replicated = spec.replicated_jobs.into_iter().map(|job| {
                    let status = status.replicated_jobs.iter().find(|status| status.name == job.name);
                    let done = status.and_then(|status| status.succeeded.as_ref());
                    let done = self.number(object, "succeeded", done).unwrap_or(0);
                    let jobs = self.number(object, "replicas", job.replicas.as_ref()).unwrap_or(1);
                    let each = self.at_once(object, &job.template.spec, 0);
                    let pods = Some(jobs.saturating_sub(done).saturating_mul(each));
                    Part { name: job.name, template: job.template.spec.template, pods }
                });
                replicated.collect()
            }
        }
    }

    /// Pods of a Job that run at once, when so many have succeeded.
    fn at_once(&mut self, object: &str, job: &WorkloadSpec, done: u64) -> u64 {
        let parallelism = self.number(object, "parallelism", job.parallelism.as_ref()).unwrap_or(1);
        let completions = self.number(object, "completions", job.completions.as_ref()).unwrap_or(u64::MAX);
        parallelism.min(completions.saturating_sub(done))
    }

    fn number(&mut self, object: &str, field: &'static str, scalar: Option<&Scalar>) -> Option<u64> {
        let text = &scalar?.0;
        let number = whole(text);
        if number.is_none() {
            self.problems.push(Problem::Number {
                object: object.to_owned(),
                field,
                text: text.chars().take(80).collect(),
                least: 0,
                most: MOST.cast_signed(),
            });
        }
        number
    }
}

/// What the API server or a controller has written is from the cluster.
fn origin(metadata: &Metadata, status: &Status) -> Origin {
    if metadata.name.is_empty() {
        Origin::Nameless
    } else if metadata.is_stored() || metadata.controller().is_some() || status.is_reported() {
        Origin::Live
    } else {
        Origin::Manifest { namespace_given: metadata.namespace.as_ref().is_some_and(|n| !n.is_empty()) }
    }
}

/// The controller that counts for this one too. What other controllers own counts for itself.
fn counted_by(kind: WorkloadKind, metadata: &Metadata) -> Option<Owner> {
    let above = metadata.controller()?;
    let counts = matches!(
        (kind, above.kind.as_str()),
        (WorkloadKind::ReplicaSet, "Deployment") | (WorkloadKind::Job, "CronJob" | "JobSet")
    );
    let part = metadata.label("jobset.sigs.k8s.io/replicatedjob-name").filter(|_| above.kind == "JobSet");
    let part = part.unwrap_or_default().to_owned();
    counts.then(|| Owner { name: above.name.clone(), kind: above.kind.clone(), part })
}

fn is_suspended(spec: &WorkloadSpec) -> bool {
    let of_runs = spec.job_template.as_ref().is_some_and(|job| job.spec.suspend == Some(true));
    spec.suspend == Some(true) || of_runs
}

fn is_over(kind: WorkloadKind, metadata: &Metadata, status: &Status) -> bool {
    let ended = |condition| status.condition(condition) == Some("True");
    metadata.deletion_timestamp.is_some()
        || status.terminal_state.as_deref().is_some_and(|state| !state.is_empty())
        || (kind == WorkloadKind::Job && (ended("Complete") || ended("Failed")))
}
