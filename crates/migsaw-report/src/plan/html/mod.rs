//! A plan as a page: the answer, the fleet, what is served, what changes, and every node.

mod changes;
mod demands;
mod fleet;
mod looks;
mod nodes;
mod pools;

use maud::{Markup, html as markup};
use migsaw::document::plan::PlanDocument;
use migsaw::document::rollout::RolloutDocument;
use migsaw::fleet::Cost;
use migsaw::plan::{Plan, TierName};
use migsaw::problem::Problem;

use super::nodes::NodeIndex;
use super::usage::Usage;
use super::{answer, running};
use crate::bar::Part;
use crate::chart::Boards;
use crate::clean::clean;
use crate::html::{Frame, Origin, Section, facts};
use crate::number::{counted, grouped, percent};
use crate::rollout;

pub(super) use fleet::stacks;
pub(super) use looks::Looks;
pub(super) use nodes::{Nodes, nodes};
pub(super) use pools::classes;

/// What a page says beside a plan.
#[derive(Debug, Default)]
pub struct Beside<'a> {
    /// The way to the plan, where something runs.
    pub rollout: Option<&'a RolloutDocument>,
    /// What to do next, one step each.
    pub next: &'a [String],
    /// Where the page is from.
    pub origin: Origin,
}

/// A plan as one HTML file that needs no network: the answer, the fleet pool by pool, demand served and not
/// served, what changes and in which order, every node with its GPUs as slices, configurations, and what is
/// stranded. GPUs that look alike are drawn once, and nodes that are alike stand together. The plan's document is
/// in it, for programs.
///
/// The same plan gives the same bytes.
///
/// # Panics
/// If the plan is not one for the problem, as [`migsaw::check::check`] judges.
pub fn html(problem: &Problem, plan: &Plan, beside: &Beside<'_>) -> String {
    let index = NodeIndex::of(problem);
    let usage = Usage::of(problem, plan, &index);
    let mut looks = Looks::of(problem);
    let nodes = nodes(problem, plan, &index, &mut looks);
    let mut boards = Boards::default();
    let mut sections = Vec::new();
    if !plan.unserved.is_empty() {
        sections.push(Section::new("unserved", "Not served", demands::unserved(problem, plan)));
    }
    sections.push(Section::new("fleet", "Fleet", fleet::show(problem, &usage)));
    if !problem.demands.is_empty() {
        sections.push(Section::new("demand", "Demand", demands::show(problem, plan)));
    }
    if let Some(line) = running::line(problem, plan, &index) {
        sections.push(Section::new("changes", "What changes", changes::show(problem, &nodes, &line, &mut boards)));
    }
    if let Some(rollout) = beside.rollout.filter(|rollout| !rollout.waves.is_empty()) {
        sections.push(Section::new("rollout", "Rollout", rollout::part(rollout)));
    }
    sections.push(Section::new("pools", "Pools and nodes", pools::show(problem, &nodes, &mut boards)));
    sections.push(Section::new("configurations", "Configurations", fleet::configurations(problem, plan, &index)));
    if !usage.stranded.is_empty() {
        sections.push(Section::new("stranded", "Stranded", fleet::stranded(&usage, &mut looks, &mut boards)));
    }
    if !beside.next.is_empty() {
        sections.push(Section::new("next", "Next", steps(beside.next)));
    }
    let document = PlanDocument::streamed(problem, plan);
    let frame = Frame {
        command: "migsaw plan",
        answer: &answer::sentence(problem, plan),
        setting: &format!("{}.", answer::footing(problem, plan)),
        origin: &beside.origin,
        document: [&document.api_version, &document.kind],
    };
    let first = markup! { (boards.symbols()) (facts(&most_important(problem, plan, &usage))) (bounds(plan)) };
    frame.page(&first, &sections, &document)
}

/// How much is served, on how many GPUs, at what price, and what is lost.
fn most_important(problem: &Problem, plan: &Plan, usage: &Usage) -> Vec<(String, String)> {
    let (served, asked) = answer::totals(problem, plan);
    let gpus: u64 = problem.fleet.pools.iter().map(migsaw::fleet::Pool::gpu_count).sum();
    let used = plan.gpus_used();
    let mut found = vec![
        (
            format!("{} of {}", grouped(served), grouped(asked)),
            format!("units served ({})", percent(served.into(), asked.into())),
        ),
        (
            format!("{} of {}", grouped(used), grouped(gpus)),
            format!("GPUs in use ({})", percent(used.into(), gpus.into())),
        ),
    ];
    let sum = |is_it: fn(&TierName) -> bool| {
        let tiers = plan.tiers.iter().filter(|tier| is_it(&tier.name));
        tiers.map(|tier| tier.value).reduce(i64::saturating_add)
    };
    if let Some(micros) = sum(|name| *name == TierName::Cost) {
        found.push((Cost { micros }.to_string(), "what the GPUs in use cost".to_owned()));
    }
    if let Some(evicted) = sum(|name| matches!(name, TierName::Evicted { .. })) {
        let recut = sum(|name| *name == TierName::Recut).unwrap_or(0).unsigned_abs();
        let evicted = evicted.unsigned_abs();
        let units = if evicted == 1 { "unit" } else { "units" };
        found.push((grouped(evicted), format!("{units} evicted; {} cut anew", grouped(recut))));
    }
    let (lost, whole) = usage.pools.iter().fold((0, 0), |(lost, whole), pool| {
        (lost + pool.parts[Part::Stranded.index()], whole + pool.parts.iter().sum::<u128>())
    });
    if lost > 0 {
        let gpus = usage.stranded.values().map(|kind| kind.gpus).sum();
        found.push((percent(lost, whole), format!("of the memory slices stranded, on {}", counted(gpus, "GPU"))));
    }
    found
}

/// What is not proven.
fn bounds(plan: &Plan) -> Markup {
    let open: Vec<String> = answer::open_tiers(&plan.tiers)
        .map(|tier| format!("{} (gap {})", answer::gap(tier), answer::percent(tier)))
        .collect();
    markup! {
        @if !open.is_empty() { ul class="bounds" { @for line in open { li { (line) } } } }
    }
}

fn steps(next: &[String]) -> Markup {
    let lines: Vec<_> = next.iter().map(|step| clean(step)).collect();
    markup! { pre tabindex="0" { (lines.join("\n")) } }
}
