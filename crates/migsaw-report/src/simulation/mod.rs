//! What came of a simulation: as text, Markdown, CSV and HTML.

mod charts;
mod grid;
mod html;

use migsaw::document::simulation::{
    CutForm, EstimateForm, EvictionForm, PolicyForm, QueueForm, RecutForm, ShareForm, SimulationDocument, SourceForm,
    UnitForm,
};

use crate::clean::clean;
use crate::list::List;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::sheet::{Sheet, markdown_cell};
use crate::statement::Statement;
use crate::style::{Style, Tone};
use crate::table::Table;
use grid::{Column, columns, time};

pub use charts::{Picture, pictures};
pub use html::html;

/// The bound, which is no policy that anybody could have.
const BOUND: &str = "repacked";

/// Whether a policy is the bound, however the GPUs are cut.
fn is_bound(policy: &PolicyForm) -> bool {
    policy.name.split('/').next() == Some(BOUND)
}

/// The comparison for people: who places most, then each policy with its figures, then by profile.
pub fn text(simulation: &SimulationDocument, style: Style) -> String {
    let mut page = Page::new(style);
    page.wrapped(&style.paint(Tone::Strong, answer(simulation)), 0, 2);
    page.line("");
    page.wrapped(&setting(simulation), 2, 2);
    page.line("");
    let columns = columns(simulation);
    let titles: Vec<String> = columns.iter().map(Column::heading).collect();
    let mut table = Table::new(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    for policy in &simulation.policies {
        table.row(columns.iter().map(|column| (column.cell)(policy)).collect());
    }
    page.push(&table.print(style));
    shares(simulation, "profile", |policy| &policy.by_profile, &mut page, style);
    if simulation.eviction.is_some_and(|eviction| eviction.preempts) {
        shares(simulation, "priority", |policy| &policy.by_priority, &mut page, style);
    }
    page.finish()
}

/// The same as Markdown.
pub fn markdown(simulation: &SimulationDocument) -> String {
    let columns = columns(simulation);
    let mut sheet = Sheet::new(&columns.iter().map(|column| column.title).collect::<Vec<_>>());
    for policy in &simulation.policies {
        sheet.row(columns.iter().map(|column| (column.cell)(policy)).collect());
    }
    let numbers: Vec<bool> = columns.iter().map(|column| column.is_number).collect();
    let (answer, setting) = (markdown_cell(&answer(simulation)), markdown_cell(&setting(simulation)));
    format!("**{answer}.** {setting}\n\n{}", sheet.markdown(&numbers))
}

/// A row for each policy, as [`text`] and [`csv`] have them.
pub fn list(simulation: &SimulationDocument) -> List {
    let columns = columns(simulation);
    let row = |policy: &PolicyForm| columns.iter().map(|column| (column.cell)(policy)).collect();
    let statement = Statement {
        answer: answer(simulation),
        setting: setting(simulation),
        titles: columns.iter().map(Column::heading).collect(),
        rows: simulation.policies.iter().map(row).collect(),
        notes: Vec::new(),
    };
    List::new(statement, sheet(simulation))
}

/// Each policy in a line, with means and half widths as plain numbers.
pub fn csv(simulation: &SimulationDocument) -> String {
    sheet(simulation).csv()
}

fn sheet(simulation: &SimulationDocument) -> Sheet {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let titles = grid::FIGURES.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("{name}_half_width")]);
    let header: Vec<String> = std::iter::once("policy".to_owned()).chain(titles).collect();
    let mut sheet = Sheet::new(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for policy in &simulation.policies {
        let figures = grid::FIGURES.iter().flat_map(|(_, of)| {
            let estimate = of(policy);
            [number(estimate.map(|e| e.mean)), number(estimate.and_then(|e| e.half_width))]
        });
        sheet.row(std::iter::once(policy.name.clone()).chain(figures).collect());
    }
    sheet
}

/// The policies that somebody could have, the best first: who places most, and where pods wait, of those that place as
/// much as is shown, who lets them wait least. Waits alone would tell nothing: pods that are never placed are not in them.
fn ranked(simulation: &SimulationDocument) -> Vec<&PolicyForm> {
    let mut real: Vec<&PolicyForm> = simulation.policies.iter().filter(|policy| !is_bound(policy)).collect();
    real.sort_by(|a, b| match simulation.queue {
        Some(_) => never_placed(a).cmp(&never_placed(b)).then(a.mean_wait.mean.total_cmp(&b.mean_wait.mean)),
        None => b.placed_units.mean.total_cmp(&a.placed_units.mean),
    });
    real
}

/// Who is best.
fn answer(simulation: &SimulationDocument) -> String {
    let ranked = ranked(simulation);
    if let (Some(_), [best, others @ ..]) = (&simulation.queue, &ranked[..]) {
        return waited(best, others.first().copied());
    }
    match ranked[..] {
        [] => "nobody can place more than the bound".to_owned(),
        [best] => format!("{} places {} of what is asked for", best.name, share(best.placed_units.mean)),
        [best, second, ..] => {
            let more = best.placed_units.mean - second.placed_units.mean;
            let lead = if more < 5e-5 { "as much as".to_owned() } else { format!("{} more than", points(more)) };
            format!(
                "{} places {} of what is asked for, {lead} {}",
                best.name,
                share(best.placed_units.mean),
                second.name
            )
        }
    }
}

/// Who leaves least behind, and lets pods wait least.
fn waited(best: &PolicyForm, second: Option<&PolicyForm>) -> String {
    let (ours, theirs) = (never_placed(best), second.map(|second| (never_placed(second), second)));
    let mean = best.mean_wait.mean;
    let longer = match theirs {
        Some((never, second)) if never == ours => match second.mean_wait.mean - mean {
            less if less < 1.0 => format!(", as long as under {}", second.name),
            less => format!(", {} less than under {}", time(less), second.name),
        },
        _ => String::new(),
    };
    match (ours, theirs) {
        (0, Some((never, second))) if never > 0 => format!(
            "all that is asked for is placed under {}, while {} never is under {}; pods wait {} on average",
            best.name,
            share(from_shown(never)),
            second.name,
            time(mean)
        ),
        (0, _) => format!("pods wait {} on average under {}{longer}", time(mean), best.name),
        (_, theirs) => {
            let lead = theirs.map_or_else(String::new, |(never, second)| match never - ours {
                0 => format!(", as much as under {}", second.name),
                more => format!(", {} less than under {}", points(from_shown(more)), second.name),
            });
            format!(
                "{} of what is asked for is never placed under {}{lead}; the other pods wait {} on average{longer}",
                share(from_shown(ours)),
                best.name,
                time(mean)
            )
        }
    }
}

/// Of what is asked for, in tenths of a percent, as it is shown: less is no reason to prefer a policy.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of one")]
fn never_placed(policy: &PolicyForm) -> u32 {
    ((1.0 - policy.placed_units.mean) * 1000.0).round() as u32
}

/// The part that so many tenths of a percent are.
fn from_shown(tenths: u32) -> f64 {
    f64::from(tenths) / 1000.0
}

fn setting(simulation: &SimulationDocument) -> String {
    let cut = cuts(simulation);
    let pods = match &simulation.source {
        SourceForm::Trace(name) => format!("{} of {}", counted(simulation.pods, "pod"), clean(name)),
        SourceForm::Load(load) => {
            let runs = match simulation.runs {
                1 => "in one run".to_owned(),
                runs => format!("in each of {}", counted(u64::from(runs), "run")),
            };
            format!("{} drawn like the demand at load {load:.2} {runs}", counted(simulation.pods, "pod"))
        }
    };
    let misfits = match simulation.queue {
        None => "go away".to_owned(),
        Some(QueueForm::Backfill) => "wait, first come, first served".to_owned(),
        Some(QueueForm::Drain(how)) => format!(
            "wait, first come, first served, and up to {} drained for those that need a whole one and have waited {}",
            counted(u64::from(how.gpus), "GPU") + if how.gpus == 1 { " is" } else { " are" },
            counted(u64::from(how.after), "mean stay"),
        ),
        Some(QueueForm::Known(how)) => format!(
            "wait, and start by their known stays; after {} they go first, and up to {} drained for them",
            counted(u64::from(how.after), "mean stay"),
            counted(u64::from(how.gpus), "GPU") + if how.gpus == 1 { " is" } else { " are" },
        ),
    };
    let sure = if simulation.runs > 1 { "; ± is a 95% interval" } else { "" };
    let more: String = [
        simulation.recut.as_ref().map(recut),
        simulation.eviction.as_ref().map(eviction),
        simulation
            .learnt
            .map(|pods| format!("; what to expect is learnt from the last {}", counted(pods.into(), "pod"))),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!("{} {cut}; {pods}; pods that fit nowhere {misfits}{more}{sure}", counted(simulation.gpus, "GPU"))
}

/// In which ways the GPUs are cut.
fn cuts(simulation: &SimulationDocument) -> String {
    let mut ways: Vec<&str> = Vec::new();
    for policy in &simulation.policies {
        let way = match policy.cut {
            CutForm::AtWill => "as each pod asks",
            CutForm::Planned => "as planned, for good",
            CutForm::Recut => "as planned, and anew where pods fit nowhere",
        };
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    format!("cut {}", ways.join(", or "))
}

fn recut(how: &RecutForm) -> String {
    let unit = match how.unit {
        None => "nodes or GPUs",
        Some(UnitForm::Node) => "nodes",
        Some(UnitForm::Gpu) => "GPUs",
    };
    let (every, takes) = (seconds(how.every), seconds(how.time));
    let idle = match how.max_evictions {
        0 => "that are idle".to_owned(),
        pods => format!("that are idle, or after evicting up to {}", counted(u64::from(pods), "pod")),
    };
    format!("; the planner is asked every {every} at most, and {unit} {idle} are closed for {takes} to be cut anew")
}

fn eviction(how: &EvictionForm) -> String {
    let preempts = if how.preempts { "; pods take the place of others of lower priority" } else { "" };
    let work = if how.loses_work { "begin anew" } else { "go on where they were" };
    format!("{preempts}; evicted pods {work}, {} late", seconds(how.cost))
}

/// A whole number of seconds, as it would be given.
fn seconds(seconds: u64) -> String {
    match seconds {
        s if s > 0 && s % 3600 == 0 => format!("{}h", s / 3600),
        s if s > 0 && s % 60 == 0 => format!("{}min", s / 60),
        s => format!("{s}s"),
    }
}

/// What each policy placed of the pods that have something in common, if they have not all.
fn shares(
    simulation: &SimulationDocument,
    what: &str,
    of: fn(&PolicyForm) -> &[ShareForm],
    page: &mut Page,
    style: Style,
) {
    let Some(first) = simulation.policies.first().filter(|first| of(first).len() > 1) else { return };
    page.line("");
    page.line(style.paint(Tone::Strong, placed_by(simulation, what, &of)));
    let names: Vec<String> = simulation.policies.iter().map(|policy| format!(">{}", clean(&policy.name))).collect();
    let titles = [what, ">pods"].into_iter().chain(names.iter().map(String::as_str));
    let mut table = Table::new(&titles.collect::<Vec<_>>());
    for (at, share) in of(first).iter().enumerate() {
        let cells = simulation.policies.iter().map(|policy| of(policy).get(at).map_or_else(String::new, placed));
        table.row([clean(&share.name).into_owned(), grouped(share.pods)].into_iter().chain(cells).collect());
    }
    page.push(&table.print(style));
}

/// What a table of shares shows.
fn placed_by(simulation: &SimulationDocument, what: &str, of: &impl Fn(&PolicyForm) -> &[ShareForm]) -> String {
    let is_any_evicted = simulation.policies.iter().flat_map(of).any(|share| share.evictions.mean > 0.0);
    format!("Pods placed, by {what}{}", if is_any_evicted { ", and evictions per hundred" } else { "" })
}

/// `91.7%`, or `91.7%, 3.20` with evictions.
fn placed(part: &ShareForm) -> String {
    let evictions = part.evictions.mean;
    let placed = share(part.placed_pods.mean);
    if evictions > 0.0 { format!("{placed}, {evictions:.2}") } else { placed }
}

/// `91.7%`.
fn share(part: f64) -> String {
    format!("{:.1}%", part * 100.0)
}

/// `1.2 points`.
fn points(part: f64) -> String {
    format!("{:.2} points", part * 100.0)
}

/// `91.73 ± 0.31%`.
fn estimated(estimate: &EstimateForm) -> String {
    let width = estimate.half_width.map_or_else(String::new, |half| format!(" ± {:.2}", half * 100.0));
    format!("{:.2}{width}%", estimate.mean * 100.0)
}

#[cfg(test)]
mod tests {
    use migsaw::document::simulation::DrainingForm;

    use super::*;

    fn estimate(mean: f64) -> EstimateForm {
        EstimateForm { mean, half_width: Some(0.0031), least: mean, most: mean }
    }

    fn simulation(queue: Option<QueueForm>) -> SimulationDocument {
        let policy = |name: &str, placed: f64| PolicyForm {
            name: name.to_owned(),
            about: String::new(),
            cut: CutForm::AtWill,
            placed_units: estimate(placed),
            placed_units_more: (name != "room").then(|| estimate(placed - 0.9173)),
            placed_pods: estimate(0.96),
            mean_wait: estimate(90.0),
            p95_wait: estimate(7200.0),
            longest_wait: estimate(18_000.0),
            used: estimate(0.9),
            active_gpus: estimate(99.2),
            fragmented: estimate(0.03),
            moves: estimate(0.0),
            evictions: estimate(3.21),
            recuts: estimate(7.0),
            closed_gpu_hours: estimate(0.4),
            by_profile: Vec::new(),
            by_priority: Vec::new(),
            by_namespace: Vec::new(),
            series: Vec::new(),
        };
        SimulationDocument {
            api_version: String::new(),
            kind: String::new(),
            gpus: 100,
            units: 800,
            pods: 1824,
            source: SourceForm::Load(1.0),
            queue,
            recut: None,
            eviction: None,
            learnt: None,
            runs: 20,
            policies: vec![policy("room", 0.9173), policy("mfi", 0.902), policy("repacked", 0.95)],
        }
    }

    #[test]
    fn the_answer_comes_first() {
        let text = text(&simulation(None), Style::plain());
        assert_eq!(text.lines().next(), Some("room places 91.7% of what is asked for, 1.53 points more than mfi"));
        assert!(
            text.contains("100 GPUs cut as each pod asks; 1,824 pods drawn like the demand at load 1.00"),
            "{text}"
        );
        assert!(text.contains("91.73 ± 0.31%"), "{text}");
        assert!(!text.contains("wait 95"), "{text}");
    }

    #[test]
    fn how_pods_wait_is_said_and_how_long() {
        let how = DrainingForm { gpus: 2, after: 9 };
        for (queue, says) in [
            (QueueForm::Backfill, "pods that fit nowhere wait, first come, first served;"),
            (QueueForm::Drain(how), "up to 2 GPUs are drained for those that need a whole one and have waited 9 mean"),
            (QueueForm::Known(DrainingForm { gpus: 1, ..how }), "go first, and up to 1 GPU is drained for them"),
        ] {
            let text = text(&simulation(Some(queue)), Style::plain());
            let words: Vec<&str> = text.split_whitespace().collect();
            assert!(words.join(" ").contains(says), "{text}");
            assert!(text.contains("2h") && text.contains("5h"), "{text}");
        }
    }

    #[test]
    fn what_is_never_placed_comes_before_how_long_the_others_wait() {
        for (placed, waits, says) in [
            (
                [0.35, 0.352],
                [0.0, 60.0],
                "64.8% of what is asked for is never placed under mfi, 0.20 points less than under room; the other pods wait 60s on average",
            ),
            (
                [0.35, 0.35],
                [7.0, 0.0],
                "65.0% of what is asked for is never placed under mfi, as much as under room; the other pods wait 0s on average, 7s less than under room",
            ),
            (
                [0.9, 1.0],
                [0.0, 90.0],
                "all that is asked for is placed under mfi, while 10.0% never is under room; pods wait 90s on average",
            ),
            ([1.0, 1.0], [90.0, 90.2], "pods wait 90s on average under room, as long as under mfi"),
        ] {
            let mut simulation = simulation(Some(QueueForm::Backfill));
            for (policy, (placed, wait)) in simulation.policies.iter_mut().zip(placed.into_iter().zip(waits)) {
                (policy.placed_units, policy.mean_wait) = (estimate(placed), estimate(wait));
            }
            assert_eq!(answer(&simulation), says);
        }
        let mut simulation = simulation(Some(QueueForm::Backfill));
        simulation.policies.truncate(1);
        simulation.policies[0].placed_units = estimate(0.5);
        let says = "50.0% of what is asked for is never placed under room; the other pods wait 90s on average";
        assert_eq!(answer(&simulation), says);
    }

    #[test]
    fn what_is_cut_anew_and_who_is_evicted_is_said() {
        let mut simulation = simulation(None);
        let plain = text(&simulation, Style::plain());
        assert!(!plain.contains("evict") && !plain.contains("closed"), "{plain}");
        simulation.policies[1].cut = CutForm::Recut;
        simulation.recut = Some(RecutForm { every: 3600, time: 60, unit: Some(UnitForm::Gpu), max_evictions: 4 });
        simulation.eviction = Some(EvictionForm { preempts: true, cost: 30, loses_work: false });
        simulation.learnt = Some(1000);
        let share = |name: &str, evictions| ShareForm {
            name: name.to_owned(),
            pods: 10,
            placed_pods: estimate(0.5),
            evictions: estimate(evictions),
        };
        for policy in &mut simulation.policies {
            policy.by_priority = vec![share("0", 1.25), share("5", 0.0)];
        }
        let text = text(&simulation, Style::plain());
        let words: Vec<&str> = text.split_whitespace().collect();
        let words = words.join(" ");
        for says in [
            "100 GPUs cut as each pod asks, or as planned, and anew where pods fit nowhere;",
            "asked every 1h at most, and GPUs that are idle, or after evicting up to 4 pods are closed for 1min",
            "pods take the place of others of lower priority; evicted pods go on where they were, 30s late;",
            "what to expect is learnt from the last 1,000 pods",
            // The headings are broken, since the table would be wider than a line.
            "evictions/100 GPUs GPU-h",
            "re-cut closed",
            "3.21 7.0 0.4",
            "Pods placed, by priority, and evictions per hundred",
            "0 10 50.0%, 1.25",
            "5 10 50.0% 50.0%",
        ] {
            assert!(words.contains(says), "{says}: {text}");
        }
    }

    #[test]
    fn tables_have_a_cell_for_each_column() {
        let markdown = markdown(&simulation(Some(QueueForm::Backfill)));
        let rows: Vec<usize> =
            markdown.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert!(rows.len() == 5 && rows.windows(2).all(|pair| pair[0] == pair[1]), "{markdown}");
        let csv = csv(&simulation(None));
        let rows: Vec<usize> = csv.lines().map(|line| line.matches(',').count()).collect();
        assert!(rows.len() == 4 && rows.windows(2).all(|pair| pair[0] == pair[1]), "{csv}");
    }
}
