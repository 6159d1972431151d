//! A rollout as text, and as a page.

mod html;

use std::fmt::Write as _;

use migsaw::document::plan::EvictionForm;
use migsaw::document::rollout::{AgainForm, RolloutDocument, StepForm};

use crate::clean::clean;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::style::{Style, Tone};

pub use html::html;
pub(crate) use html::part;

/// The runbook for people: a sentence, then each wave with its nodes and what happens to them.
pub fn text(rollout: &RolloutDocument, style: Style) -> String {
    let mut page = Page::new(style);
    page.line(answer(rollout));
    for note in notes(rollout) {
        page.wrapped(&note, 2, 2);
    }
    for (wave, number) in rollout.waves.iter().zip(1..) {
        page.line("");
        page.line(style.paint(Tone::Strong, format!("Wave {number}")));
        for step in &wave.steps {
            self::step(step, &mut page, style);
        }
    }
    page.finish()
}

/// One line about the whole of it: without newline.
///
/// ```text
/// 3 nodes in 2 waves, 4 pods evicted, about 5 min
/// ```
pub fn answer(rollout: &RolloutDocument) -> String {
    let steps = || rollout.waves.iter().flat_map(|wave| &wave.steps);
    let nodes = steps().count() as u64;
    if nodes == 0 {
        return "nothing is to be done".to_owned();
    }
    let evicted: u64 = steps().map(|step| step.evicts.len() as u64).sum();
    format!(
        "{} in {}, {} evicted, about {}",
        counted(nodes, "node"),
        counted(rollout.waves.len() as u64, "wave"),
        counted(evicted, "pod"),
        duration(rollout.seconds),
    )
}

/// How kind it is to pods, and how short.
fn notes(rollout: &RolloutDocument) -> Vec<String> {
    let steps = || rollout.waves.iter().flat_map(|wave| &wave.steps);
    if steps().next().is_none() {
        return Vec::new();
    }
    let again = |is_it: fn(&AgainForm) -> bool| {
        steps().map(|step| step.again.iter().filter(|pod| is_it(pod)).count() as u64).sum::<u64>()
    };
    let homeless = steps().map(|step| step.homeless.len() as u64).sum::<u64>() + again(|pod| pod.homeless);
    let hops = steps().map(|step| step.hops.len() as u64).sum::<u64>() + again(|pod| pod.waits_on.is_some());
    let fewest = if rollout.waves.len() == rollout.fewest_waves {
        "no order has fewer waves".to_owned()
    } else {
        format!("no order has fewer than {}", counted(rollout.fewest_waves as u64, "wave"))
    };
    let mut places = match (homeless, rollout.kindest) {
        (0, _) => "every evicted pod has a free slice to go to before it is evicted".to_owned(),
        (n, true) => format!("{} nowhere to go when evicted, and no order leaves fewer", have(n)),
        (n, false) => format!("{} nowhere to go when evicted", have(n)),
    };
    match hops {
        0 => {}
        1 => places.push_str(", for 1 pod not the one it is planned on"),
        n => write!(places, ", for {} pods not the one they are planned on", grouped(n)).expect("a string grows"),
    }
    let mut notes = vec![format!("{places}; {fewest}")];
    if steps().any(|step| !step.over_budget.is_empty()) {
        let reason = "where a step goes beyond a disruption budget, its pods can be evicted only one after the other, \
                      as those that replace the ones before become ready";
        notes.push(reason.to_owned());
    }
    notes
}

fn have(n: u64) -> String {
    if n == 1 { "1 pod has".to_owned() } else { format!("{} pods have", grouped(n)) }
}

fn step(step: &StepForm, page: &mut Page, style: Style) {
    page.line(format!("  {}", clean(&step.node)));
    if !step.evicts.is_empty() {
        page.wrapped_behind("    evict  ", 11, &pods(&step.evicts), 11);
    }
    if !step.homeless.is_empty() {
        let head = format!("    {}  ", style.paint(Tone::Bad, "nowhere to go yet:"));
        page.wrapped_behind(&head, 24, &pods(&step.homeless), 11);
    }
    for hop in &step.hops {
        let text = format!("{} on {}", pods(std::slice::from_ref(&hop.pod)), clean(&hop.waits_on));
        page.wrapped_behind("    can wait  ", 14, &text, 14);
    }
    for again in &step.again {
        let pod = pods(std::slice::from_ref(&again.pod));
        let next = match (&again.waits_on, again.homeless) {
            (Some(node), _) => format!("which can wait on {}", clean(node)),
            (None, true) => "which has nowhere to go yet".to_owned(),
            (None, false) => "which goes where it is planned".to_owned(),
        };
        page.wrapped_behind("    evict again  ", 17, &format!("{pod} from {}, {next}", clean(&again.from)), 17);
    }
    for over in &step.over_budget {
        let namespace = over.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
        let budget = clean(&format!("{namespace}{}", over.name)).into_owned();
        let head = format!("    {}  ", style.paint(Tone::Bad, "over budget:"));
        let text = format!("{} more than {budget} allows ({})", counted(over.pods, "pod"), grouped(over.allowed));
        page.wrapped_behind(&head, 18, &text, 11);
    }
    if let Some(config) = &step.config {
        page.line(format!("    label  nvidia.com/mig.config={}", clean(config)));
    }
}

/// Pods by name, those without one by their demand.
fn pods(evictions: &[EvictionForm]) -> String {
    let name = |eviction: &EvictionForm| {
        let namespace = eviction.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
        match (&eviction.pod, &eviction.demand) {
            (Some(pod), _) => format!("{namespace}{pod}"),
            (None, Some(demand)) => format!("one of {namespace}{demand}"),
            (None, None) => format!("number {}", eviction.index),
        }
    };
    let names: Vec<String> = evictions.iter().map(|eviction| clean(&name(eviction)).into_owned()).collect();
    names.join(", ")
}

/// `1 h 5 min`, `12 min`, `90 s`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
