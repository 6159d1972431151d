//! A rollout as plain `kubectl` commands.

use std::fmt::Write as _;

use migsaw::document::plan::EvictionForm;
use migsaw::document::rollout::{RolloutDocument, StepForm};

use super::labels::{LABEL, shell};

/// How long a command may wait for pods to go, and for MIG Manager.
const GONE: &str = "10m";
const CUT: &str = "15m";

/// The commands that take a rollout's steps, wave by wave, as a shell script. It stops at the first that fails
/// and says which nodes are cordoned then.
///
/// Pods without a namespace are taken to be in `default`. For pods that the state does not name the script stops
/// and asks for them to be evicted by hand.
pub fn runbook(rollout: &RolloutDocument) -> String {
    let mut text = String::from(
        "#!/bin/sh
# Takes the steps of a rollout, wave by wave, and stops at the first command that fails.
# The ConfigMap with the configurations must be in place: kubectl apply -f mig-config.yaml
set -eu

cordoned=
trap '[ -z \"$cordoned\" ] || echo \"stopped; still cordoned: $cordoned\" >&2' EXIT

# A disruption budget refuses until the pods that replace those evicted before are ready, so it tries for 10 minutes.
evict() {
  tries=60
  until said=$(printf '{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"}}' \"$2\" \"$1\" |
    kubectl create --raw \"/api/v1/namespaces/$1/pods/$2/eviction\" -f - 2>&1); do
    echo \"$1/$2: $said\" >&2
    case $said in *TooManyRequests*) ;; *) return 1 ;; esac
    tries=$((tries - 1))
    [ \"$tries\" -gt 0 ] || return 1
    sleep 10
  done
}

by_hand() {
  printf '%s: evict it by hand, then press Enter ' \"$1\"
  read -r _
}
",
    );
    let waves = rollout.waves.len();
    for (wave, number) in rollout.waves.iter().zip(1..) {
        let nodes: Vec<String> = wave.steps.iter().map(|step| shell(&step.node)).collect();
        let nodes = nodes.join(" ");
        let again = |step: &StepForm| step.again.iter().filter(|pod| pod.homeless).count();
        let homeless: usize = wave.steps.iter().map(|step| step.homeless.len() + again(step)).sum();
        write!(text, "\necho 'wave {number} of {waves}'\n").expect("writing to a string succeeds");
        if homeless > 0 {
            writeln!(text, "# {homeless} of the pods evicted here have nowhere to go yet")
                .expect("writing to a string succeeds");
        }
        for hop in wave.steps.iter().flat_map(|step| &step.hops) {
            let (pod, node) = (comment(&called(&hop.pod)), comment(&hop.waits_on));
            writeln!(text, "# {pod} can wait on {node} until its own slice is there")
                .expect("writing to a string succeeds");
        }
        for over in wave.steps.iter().flat_map(|step| &step.over_budget) {
            let namespace = over.namespace.as_deref().map_or(String::new(), |name| format!("{name}/"));
            let budget = comment(&format!("{namespace}{}", over.name));
            writeln!(
                text,
                "# {} of the pods evicted here are more than disruption budget {budget} allows ({}): they go one after the\n\
                 # other, as the pods that replace them become ready",
                over.pods, over.allowed
            )
            .expect("writing to a string succeeds");
        }
        writeln!(text, "cordoned={}\nkubectl cordon {nodes}", quoted(&nodes)).expect("writing to a string succeeds");
        wave.steps.iter().for_each(|step| write_evictions(&mut text, step));
        wave.steps.iter().for_each(|step| write_labels(&mut text, step));
        for step in wave.steps.iter().filter(|step| step.config.is_some()) {
            let node = shell(&step.node);
            writeln!(
                text,
                "kubectl wait node {node} --timeout={CUT} --for=jsonpath='{{.metadata.labels.nvidia\\.com/mig\\.config\\.state}}'=success"
            )
            .expect("writing to a string succeeds");
        }
        writeln!(text, "kubectl uncordon {nodes}\ncordoned=").expect("writing to a string succeeds");
    }
    text
}

fn write_evictions(text: &mut String, step: &StepForm) {
    let name = |eviction: &EvictionForm| {
        Some((shell(eviction.namespace.as_deref().unwrap_or("default")), shell(eviction.pod.as_deref()?)))
    };
    for eviction in &step.evicts {
        let command = if let Some((namespace, pod)) = name(eviction) {
            format!("evict {namespace} {pod}")
        } else {
            format!("by_hand {}", quoted(&format!("{} on {}", called(eviction), step.node)))
        };
        writeln!(text, "{command}").expect("writing to a string succeeds");
    }
    // What replaced a pod has another name, and it was the scheduler that chose where it waits.
    for again in &step.again {
        let who = format!("what replaced {} of {}, if it is on {}", called(&again.pod), again.from, step.node);
        writeln!(text, "by_hand {}", quoted(&who)).expect("writing to a string succeeds");
    }
    for (namespace, pod) in step.evicts.iter().filter_map(name) {
        writeln!(text, "kubectl wait pod {pod} --namespace {namespace} --for=delete --timeout={GONE}")
            .expect("writing to a string succeeds");
    }
}

/// A pod by its name, or as one of its demand.
fn called(eviction: &EvictionForm) -> String {
    let namespace = eviction.namespace.as_deref().map_or(String::new(), |name| format!("{name}/"));
    match (&eviction.pod, &eviction.demand) {
        (Some(pod), _) => format!("{namespace}{pod}"),
        (None, demand) => format!("a pod of {namespace}{}", demand.as_deref().unwrap_or_default()),
    }
}

/// The state goes first: that of the last change would be taken for the next one's.
fn write_labels(text: &mut String, step: &StepForm) {
    if let Some(config) = &step.config {
        let (node, config) = (shell(&step.node), shell(config));
        write!(
            text,
            "kubectl label node {node} {LABEL}.state-\nkubectl label --overwrite node {node} {LABEL}={config}\n"
        )
        .expect("writing to a string succeeds");
    }
}

/// A text within a comment, which ends with its line.
fn comment(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A text as one word of a shell command, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", comment(text).replace('\'', "'\\''"))
}
