//! What is not quite as kubectl prints it: objects without names or owners, kinds that are not read,
//! files of something else.

use migsaw::geometry::Catalog;
use migsaw_kube::dump::{DumpOptions, Source, read_dump};

use super::{demand, error_of, read, small};

const GPU: &str = "spec: {containers: [{resources: {limits: {nvidia.com/gpu: 1}}}]}";

fn demands(extra: &str) -> Vec<String> {
    small(extra).problem.demands.iter().map(demand).collect()
}

#[test]
fn what_gets_its_name_later_is_another_each_time() {
    let pod = format!("---\nkind: Pod\nmetadata: {{generateName: run-}}\n{GPU}\n");
    let nameless = format!("---\nkind: Pod\n{GPU}\n");
    let job =
        format!("---\nkind: Job\nmetadata: {{generateName: train-}}\nspec: {{parallelism: 2, template: {{{GPU}}}}}\n");
    for (name, objects, expected) in [
        ("pods", pod.repeat(2), "default/run 2x 1 GPUs"),
        ("pods without any name", nameless.repeat(3), "default/unnamed 3x 1 GPUs"),
        ("jobs", job.repeat(2), "default/train 4x 1 GPUs"),
    ] {
        assert_eq!(demands(&objects), [expected], "{name}");
    }
    let files = [("a", pod.as_bytes()), ("b", pod.as_bytes())];
    assert_eq!(read(&files).problem.demands[0].count, 2, "files");
}

#[test]
fn what_an_absent_controller_owns_counts_for_itself() {
    let owned = |kind: &str, name: &str, owner: &str, spec: &str| {
        format!(
            "---\nkind: {kind}\nmetadata: {{name: {name}, ownerReferences: [{{kind: {owner}, name: x, controller: true}}]}}\nspec: {{{spec}, template: {{{GPU}}}}}\n"
        )
    };
    let pod = format!(
        "---\nkind: Pod\nmetadata: {{name: p, labels: {{pod-template-hash: a}}, ownerReferences: [{{kind: ReplicaSet, name: x-a, controller: true}}]}}\n{GPU}\nstatus: {{phase: Running}}\n"
    );
    let deployment =
        format!("---\nkind: Deployment\nmetadata: {{name: x, uid: u}}\nspec: {{replicas: 2, template: {{{GPU}}}}}\n");
    let sets = owned("ReplicaSet", "x-a", "Deployment", "replicas: 3")
        + &owned("ReplicaSet", "x-b", "Deployment", "replicas: 2");
    for (name, objects, expected) in [
        ("replica sets", sets.clone(), "default/x 5x 1 GPUs"),
        ("and a pod of them", sets.clone() + &pod, "default/x 5x 1 GPUs"),
        ("and the deployment", sets + &pod + &deployment, "default/x 2x 1 GPUs"),
        ("a job", owned("Job", "x-0", "JobSet", "parallelism: 4"), "default/x 4x 1 GPUs"),
    ] {
        assert_eq!(demands(&objects), [expected], "{name}");
    }
}

#[test]
fn jobs_of_a_job_set_that_are_done_do_not_count() {
    let job_set = format!(
        "---\nkind: JobSet\nmetadata: {{name: x}}\nspec: {{replicatedJobs: [{{name: w, replicas: 3, template: {{spec: {{parallelism: 2, template: {{{GPU}}}}}}}}}, {{name: d, template: {{spec: {{template: {{{GPU}}}}}}}}}]}}\n\
         status: {{replicatedJobsStatus: [{{name: w, succeeded: 2}}, {{name: d, succeeded: 1}}]}}\n"
    );
    assert_eq!(demands(&job_set), ["default/x-w 2x 1 GPUs"]);
}

#[test]
fn a_replication_controller_counts_with_its_replicas() {
    let controller = format!(
        "---\nkind: ReplicationController\napiVersion: v1\nmetadata: {{name: x}}\nspec: {{replicas: 3, template: {{{GPU}}}}}\n"
    );
    assert_eq!(demands(&controller), ["default/x 3x 1 GPUs"]);
}

#[test]
fn a_cron_job_with_suspended_runs_does_not_count() {
    let cron_job = format!(
        "---\nkind: CronJob\nmetadata: {{name: x}}\nspec: {{jobTemplate: {{spec: {{suspend: true, template: {{{GPU}}}}}}}}}\n"
    );
    assert_eq!(demands(&cron_job), [""; 0]);
}

#[test]
fn kinds_that_are_not_read_are_named_where_they_ask_for_gpus() {
    let template = format!("spec: {{template: {{{GPU}}}}}");
    let found = small(&format!(
        "---\nkind: Rollout\napiVersion: argoproj.io/v1alpha1\n{template}\n---\nkind: Deployment\napiVersion: extensions/v1beta1\n{template}\n\
         ---\n{template}\nkind: Deployment\napiVersion: extensions/v1beta1\n---\nkind: Service\nspec: {{ports: [{{port: 80}}]}}\n---\nkind: ResourceQuota\nspec: {{hard: {{requests.cpu: 8}}}}\n"
    ));
    let said: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "left out, though they ask for GPUs: 2 Deployment.extensions, 1 Rollout.argoproj.io (these kinds are not read)"
        ]
    );
    let kinds: Vec<(&str, u64)> = found.skipped.kinds.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
    assert_eq!(kinds, [("Deployment.extensions", 2), ("ResourceQuota", 1), ("Rollout.argoproj.io", 1), ("Service", 1)]);
}

#[test]
fn null_is_a_quantity_of_zero() {
    assert_eq!(
        demands("---\nkind: Pod\nspec: {containers: [{resources: {limits: {nvidia.com/gpu: null}}}]}\n"),
        [""; 0]
    );
}

#[test]
fn optional_files_may_be_something_else() {
    let read = |sources: &[Source<'_>]| read_dump(sources, &Catalog::builtin(), &DumpOptions::default());
    let source = |bytes: &'static [u8], optional| Source { name: "f", bytes, optional };
    let pod = source(b"kind: Pod\nmetadata: {name: a}\n", true);
    let values = source(b"image: {tag: x}\n", true);
    assert_eq!(read(&[pod, values, source(b"# nothing\n", true)]).unwrap().skipped.files, 2);
    assert_eq!(read(&[values]).unwrap_err().0[0].code(), "no-kubernetes-object", "one has to be a dump");
    assert_eq!(read(&[pod, Source { optional: false, ..values }]).unwrap_err().0[0].code(), "no-kubernetes-object");
    assert_eq!(read(&[pod, source(b"{", true)]).unwrap_err().0[0].code(), "truncated");
}

/// A file of something else is not read to its end.
#[test]
fn many_documents_of_something_else_are_no_dump() {
    let text = "{\"a\":1}\n".repeat(5000) + "{";
    assert_eq!(error_of(text.as_bytes()).0, "no-kubernetes-object");
}
