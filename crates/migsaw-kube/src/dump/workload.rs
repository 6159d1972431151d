//! Deployments, Jobs and the like, given as manifests or found in a dump.

use super::collect::{Collection, Owner, Problem, Workload, pin};
use super::constraints;
use super::object::WorkloadKind;
use super::quantity::{MOST, Scalar, whole};
use super::warning::WarningCode;
use super::wire::{Metadata, PodTemplate, Status, WorkloadSpec};

/// Pods of one kind that a workload makes.
struct Part {
    name: String,
    template: PodTemplate,
    pods: u64,
}

impl Collection {
    pub(super) fn add_workload(
        &mut self,
        kind: WorkloadKind,
        metadata: &Metadata,
        spec: WorkloadSpec,
        status: &Status,
    ) {
        let namespace = metadata.namespace.clone().filter(|n| !n.is_empty()).unwrap_or_else(|| "default".to_owned());
        let owner = Owner { name: metadata.name.clone(), kind: kind.as_str().to_owned(), part: String::new() };
        if let Some(above) = counted_by(kind, metadata) {
            self.owners.insert((owner.kind, namespace, owner.name), above);
            return;
        }
        if is_over(kind, metadata, status) {
            self.skipped.workloads_finished += 1;
            return;
        }
        let object = format!("{} {namespace}/{}", kind.as_str().to_lowercase(), metadata.name);
        let suspended = spec.suspend == Some(true);
        let mut without_gpu = true;
        for mut part in self.parts(kind, &object, spec, status) {
            let Some(resources) = self.resources(&object, &part.template.spec) else { continue };
            if resources.is_empty() {
                continue;
            }
            without_gpu = false;
            if kind == WorkloadKind::DaemonSet {
                let message = "a DaemonSet counts by its pods, not by its manifest, which was left out";
                self.warnings.add(WarningCode::DaemonSet, &object, message);
                continue;
            }
            if suspended {
                self.warnings.add(WarningCode::Suspended, &object, "is suspended and was left out");
                continue;
            }
            let spec = &part.template.spec;
            let mut constraints = constraints::of_pod(spec, &namespace, &part.template.metadata.take_labels());
            if !spec.node_name.is_empty() {
                pin(&mut constraints, &spec.node_name);
            }
            let owner = Owner { part: part.name, ..owner.clone() };
            let asking = self.asking(&object, namespace.clone(), owner, resources, constraints, spec);
            self.workloads.push(Workload { asking, replicas: part.pods });
        }
        if without_gpu {
            self.skipped.workloads_without_gpu += 1;
        }
    }

    fn parts(&mut self, kind: WorkloadKind, object: &str, spec: WorkloadSpec, status: &Status) -> Vec<Part> {
        let one = |template, pods| vec![Part { name: String::new(), template, pods }];
        match kind {
            WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::ReplicaSet => {
                let replicas = self.number(object, "replicas", spec.replicas.as_ref(), 1);
                one(spec.template, replicas)
            }
            WorkloadKind::DaemonSet => one(spec.template, 0),
            WorkloadKind::Job => {
                let done = self.number(object, "succeeded", status.succeeded.as_ref(), 0);
                let pods = self.at_once(object, &spec, done);
                one(spec.template, pods)
            }
            // One run of it.
            WorkloadKind::CronJob => spec.job_template.map_or_else(Vec::new, |job| {
                let pods = self.at_once(object, &job.spec, 0);
                one(job.spec.template, pods)
            }),
            WorkloadKind::JobSet => {
                let replicated = spec.replicated_jobs.into_iter().map(|job| {
                    let replicas = self.number(object, "replicas", job.replicas.as_ref(), 1);
                    let pods = replicas.saturating_mul(self.at_once(object, &job.template.spec, 0));
                    Part { name: job.name, template: job.template.spec.template, pods }
                });
                replicated.collect()
            }
        }
    }

    /// Pods of a Job that run at once, when so many have succeeded.
    fn at_once(&mut self, object: &str, job: &WorkloadSpec, done: u64) -> u64 {
        let parallelism = self.number(object, "parallelism", job.parallelism.as_ref(), 1);
        let completions = self.number(object, "completions", job.completions.as_ref(), u64::MAX);
        parallelism.min(completions.saturating_sub(done))
    }

    fn number(&mut self, object: &str, field: &'static str, scalar: Option<&Scalar>, default: u64) -> u64 {
        let Some(scalar) = scalar else { return default };
        whole(&scalar.0).unwrap_or_else(|| {
            self.problems.push(Problem::Number {
                object: object.to_owned(),
                field,
                text: scalar.0.chars().take(80).collect(),
                least: 0,
                most: MOST.cast_signed(),
            });
            default
        })
    }
}

/// The controller that counts for this one too. What other controllers own counts for itself.
fn counted_by(kind: WorkloadKind, metadata: &Metadata) -> Option<Owner> {
    let above = metadata.controller()?;
    let counts = matches!(
        (kind, above.kind.as_str()),
        (WorkloadKind::ReplicaSet, "Deployment") | (WorkloadKind::Job, "CronJob" | "JobSet")
    );
    counts.then(|| Owner { name: above.name.clone(), kind: above.kind.clone(), part: String::new() })
}

fn is_over(kind: WorkloadKind, metadata: &Metadata, status: &Status) -> bool {
    let ended = |condition| status.condition(condition) == Some("True");
    metadata.deletion_timestamp.is_some()
        || status.terminal_state.as_deref().is_some_and(|state| !state.is_empty())
        || (kind == WorkloadKind::Job && (ended("Complete") || ended("Failed")))
}
