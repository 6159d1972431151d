//! A rollout as a page.

use maud::{Markup, html as markup};
use migsaw::document::rollout::{RolloutDocument, StepForm};

use super::{answer, duration, notes, pods};
use crate::chart::{Waves, WavesRow};
use crate::clean::clean;
use crate::html::{Column, Figure, Frame, Origin, Row, Section, Table, counting, facts};
use crate::number::{counted, grouped};

/// Most nodes in the picture; the table has them all.
const MOST_ROWS: usize = 60;

/// The way to a plan as one HTML file that needs no network: how long it takes and whom it disturbs, and each wave
/// with its nodes. It has the document in it, for programs.
///
/// The same rollout gives the same bytes.
pub fn html(rollout: &RolloutDocument, origin: &Origin) -> String {
    let steps = || rollout.waves.iter().flat_map(|wave| &wave.steps);
    let nodes = steps().count() as u64;
    let evicted = steps().map(|step| step.evicts.len() as u64).sum();
    let homeless = steps().map(homeless).sum::<u64>();
    let figures = [
        counting(nodes, "node is changed", "nodes are changed"),
        counting(rollout.waves.len() as u64, "wave", "waves, one after the other"),
        counting(evicted, "pod evicted", "pods evicted"),
        counting(homeless, "pod with nowhere to go meanwhile", "pods with nowhere to go meanwhile"),
        (duration(rollout.seconds), "about, for all of it".to_owned()),
    ];
    let frame = Frame {
        command: "migsaw rollout",
        answer: &answer(rollout),
        setting: &notes(rollout).iter().map(|note| format!("{note}.")).collect::<Vec<_>>().join(" "),
        origin,
        document: [&rollout.api_version, &rollout.kind],
    };
    let sections: &[Section] = if nodes == 0 { &[] } else { &[Section::new("rollout", "Waves", content(rollout))] };
    frame.page(&facts(&figures), sections, rollout)
}

/// The rollout as a part of another page.
pub(crate) fn part(rollout: &RolloutDocument) -> Markup {
    markup! {
        p class="about-section" { (answer(rollout)) "." }
        @for note in notes(rollout) { p class="about-section" { (note) "." } }
        (content(rollout))
    }
}

/// The waves as a picture and as a table.
fn content(rollout: &RolloutDocument) -> Markup {
    let steps = rollout.waves.iter().enumerate().flat_map(|(wave, of)| of.steps.iter().map(move |step| (wave, step)));
    let rows: Vec<WavesRow> = steps
        .clone()
        .take(MOST_ROWS)
        .map(|(wave, step)| WavesRow {
            name: clean(&step.node).into_owned(),
            wave,
            what: what(step),
            is_bad: homeless(step) > 0,
        })
        .collect();
    let all = steps.clone().count();
    let waves = rows.last().map_or(0, |row| row.wave + 1);
    let first = if all > MOST_ROWS {
        format!(" The first {MOST_ROWS} of {} nodes.", grouped(all as u64))
    } else {
        String::new()
    };
    let each: Vec<String> =
        rows.iter().map(|row| format!("{} in wave {}: {}", row.name, row.wave + 1, row.what)).collect();
    let figure = Figure {
        name: "waves",
        title: "Which node when",
        caption: format!(
            "Each wave is cordoned, drained, cut and uncordoned before the next begins. A dashed box has pods with \
             nowhere to go meanwhile.{first}"
        ),
        description: each.join("; "),
        draw: Box::new(move |width| Waves { rows: &rows, waves }.draw(width)),
    };
    let columns = vec![
        Column::text("node"),
        Column::number("wave"),
        Column::text("evicts"),
        Column::text("meanwhile"),
        Column::text("becomes"),
    ];
    let mut table = Table::list("Nodes by wave", columns);
    for (wave, step) in steps {
        let evicts = if step.evicts.is_empty() { "nobody".to_owned() } else { pods(&step.evicts) };
        let config = step.config.as_deref().map(clean);
        let cells = vec![
            markup! { (wave + 1) },
            markup! { (evicts) },
            markup! { @for line in meanwhile(step) { span class="line" { (line) } } },
            markup! { @if let Some(config) = config { code { (config) } } @else { "cut as it is" } },
        ];
        let looks = if homeless(step) > 0 { "is-short" } else { "" };
        let name = markup! { span data-names="" { (clean(&step.node)) } };
        table.add(Row { looks, ..Row::default() }, name, cells);
    }
    figure.show(&table.show())
}

/// `evict 2, cut`.
fn what(step: &StepForm) -> String {
    let evicts = step.evicts.len() + step.again.len();
    let parts = [
        (evicts > 0).then(|| format!("evict {}", grouped(evicts as u64))),
        step.config.is_some().then(|| "cut".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing to cut".to_owned() } else { parts.join(", ") }
}

/// Pods that have nowhere to go.
fn homeless(step: &StepForm) -> u64 {
    (step.homeless.len() + step.again.iter().filter(|again| again.homeless).count()) as u64
}

/// What becomes of the pods until their slices are there, one line each.
fn meanwhile(step: &StepForm) -> Vec<String> {
    let mut lines = Vec::new();
    if !step.homeless.is_empty() {
        lines.push(format!("nowhere to go yet: {}", pods(&step.homeless)));
    }
    for hop in &step.hops {
        lines.push(format!("{} can wait on {}", pods(std::slice::from_ref(&hop.pod)), clean(&hop.waits_on)));
    }
    for again in &step.again {
        let next = match (&again.waits_on, again.homeless) {
            (Some(node), _) => format!("can wait on {}", clean(node)),
            (None, true) => "has nowhere to go yet".to_owned(),
            (None, false) => "goes where it is planned".to_owned(),
        };
        let pod = pods(std::slice::from_ref(&again.pod));
        lines.push(format!("{pod} from {} is evicted again and {next}", clean(&again.from)));
    }
    for over in &step.over_budget {
        let namespace = over.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
        let budget = clean(&format!("{namespace}{}", over.name)).into_owned();
        let more = counted(over.pods, "pod");
        lines.push(format!("over budget: {more} more than {budget} allows ({})", grouped(over.allowed)));
    }
    lines
}
