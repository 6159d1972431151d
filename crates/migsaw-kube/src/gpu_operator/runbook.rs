//! A rollout as plain `kubectl` commands.

use migsaw::document::plan::EvictionForm;
use migsaw::document::rollout::{RolloutDocument, StepForm, WaveForm};

use super::labels::shell;
use crate::names::ROLLOUT_MARK;

/// What the commands are made of.
const FUNCTIONS: &str = include_str!("runbook.sh");

/// The commands that take a rollout's steps, wave by wave, as a shell script. It stops at the first that fails
/// and says which nodes are cordoned then.
///
/// Nodes of later waves are tainted from the beginning, so that evicted pods prefer others; those that come there all
/// the same are evicted when it is their turn. Pods without a namespace are taken to be in `default`. For pods that
/// the state does not name the script stops and asks for them to be evicted by hand.
pub fn runbook(rollout: &RolloutDocument) -> String {
    let mut lines: Vec<String> = Vec::new();
    let later = names(rollout.waves.iter().skip(1).flat_map(|wave| &wave.steps));
    if !later.is_empty() {
        lines.push(String::new());
        lines.push("# Evicted pods go elsewhere if they can, so that they are not evicted again.".to_owned());
        lines.push(format!("kubectl taint node --overwrite {later} {ROLLOUT_MARK}=later:PreferNoSchedule"));
        lines.push(format!("reserved={}", quoted(&later)));
    }
    for (wave, number) in rollout.waves.iter().zip(1..) {
        let nodes = names(&wave.steps);
        lines.push(String::new());
        lines.push(format!("echo 'wave {number} of {}'", rollout.waves.len()));
        lines.extend(remarks(wave));
        lines.push(format!("cordoned={}", quoted(&nodes)));
        lines.push(format!("kubectl cordon {nodes}"));
        lines.extend(wave.steps.iter().flat_map(evictions));
        let recut = || wave.steps.iter().filter_map(|step| Some((shell(&step.node), shell(step.config.as_deref()?))));
        lines.extend(recut().map(|(node, config)| format!("cut {node} {config}")));
        lines.extend(recut().map(|(node, _)| format!("is_cut {node}")));
        if number > 1 {
            lines.push(format!("kubectl taint node {nodes} {ROLLOUT_MARK}-"));
        }
        lines.push(format!("kubectl uncordon {nodes}"));
        lines.push("cordoned=".to_owned());
    }
    if !later.is_empty() {
        lines.push("reserved=".to_owned());
    }
    format!("{FUNCTIONS}{}\n", lines.join("\n"))
}

fn names<'a>(steps: impl IntoIterator<Item = &'a StepForm>) -> String {
    steps.into_iter().map(|step| shell(&step.node)).collect::<Vec<String>>().join(" ")
}

/// What to know of a wave before it begins, as comments.
fn remarks(wave: &WaveForm) -> Vec<String> {
    let again = |step: &StepForm| step.again.iter().filter(|pod| pod.homeless).count();
    let homeless: usize = wave.steps.iter().map(|step| step.homeless.len() + again(step)).sum();
    let mut remarks = Vec::new();
    if homeless > 0 {
        remarks.push(format!("# {homeless} of the pods evicted here have nowhere to go yet"));
    }
    for hop in wave.steps.iter().flat_map(|step| &step.hops) {
        let (pod, node) = (comment(&called(&hop.pod)), comment(&hop.waits_on));
        remarks.push(format!("# {pod} can wait on {node} until its own slice is there"));
    }
    for over in wave.steps.iter().flat_map(|step| &step.over_budget) {
        let namespace = over.namespace.as_deref().map_or(String::new(), |name| format!("{name}/"));
        let budget = comment(&format!("{namespace}{}", over.name));
        let (pods, allowed) = (over.pods, over.allowed);
        remarks.push(format!(
            "# {pods} of the pods evicted here are more than disruption budget {budget} allows ({allowed}): they go"
        ));
        remarks.push("# one after the other, as the pods that replace them become ready".to_owned());
    }
    remarks
}

/// Commands that evict the pods of a node, and those that have come since, and wait until they are gone.
fn evictions(step: &StepForm) -> Vec<String> {
    let name = |eviction: &EvictionForm| {
        let namespace = shell(eviction.namespace.as_deref().unwrap_or("default"));
        Some(format!("{namespace} {}", shell(eviction.pod.as_deref()?)))
    };
    let evict = |eviction: &EvictionForm| match name(eviction) {
        Some(name) => format!("evict {name}"),
        None => format!("by_hand {}", quoted(&format!("{} on {}", called(eviction), step.node))),
    };
    let mut commands: Vec<String> = step.evicts.iter().map(evict).collect();
    if !commands.is_empty() {
        commands.push("gone".to_owned());
    }
    if step.config.is_some() || !step.again.is_empty() {
        commands.push(format!("empty {}", shell(&step.node)));
    }
    commands
}

/// A pod by its name, or as one of its demand.
fn called(eviction: &EvictionForm) -> String {
    let namespace = eviction.namespace.as_deref().map_or(String::new(), |name| format!("{name}/"));
    match (&eviction.pod, &eviction.demand) {
        (Some(pod), _) => format!("{namespace}{pod}"),
        (None, demand) => format!("a pod of {namespace}{}", demand.as_deref().unwrap_or_default()),
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
