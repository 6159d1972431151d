//! What came of a simulation, as a page.

use std::collections::BTreeSet;

use maud::{Markup, html as markup};
use migsaw::document::simulation::{PolicyForm, ShareForm, SimulationDocument};

use super::charts::{by_profile, courses, over_time, slices_placed};
use super::grid::time;
use super::grid::{Column as Said, columns};
use super::{BOUND, answer, estimated, from_shown, is_bound, never_placed, placed, points, ranked, setting, share};
use crate::clean::clean;
use crate::html::{Column, Frame, Origin, Section, Table, details, facts};
use crate::number::grouped;

/// Rows of a table over time.
const MOMENTS: usize = 13;

/// The comparison as one HTML file that needs no network: who places most, each policy with its figures,
/// pictures, and tables by profile, priority and namespace. It has the document in it, for programs.
pub fn html(simulation: &SimulationDocument, origin: &Origin) -> String {
    let none = markup! {};
    let table_and_picture = markup! {
        (policies(simulation))
        (details("What the columns mean", &meanings(simulation)))
        @if let Some(figure) = slices_placed(simulation) { (figure.show(&none)) }
    };
    let mut sections = vec![Section::new("policies", "Policies", table_and_picture)];
    if let Some(figure) = by_profile(simulation) {
        let figures = details("In figures", &shares(simulation, "profile", |policy| &policy.by_profile));
        sections.push(Section::new("profiles", "By profile", figure.show(&figures)));
    }
    for (title, what, of) in PARTS {
        if simulation.policies.iter().any(|policy| of(policy).len() > 1) {
            sections.push(Section::new(&format!("{what}-table"), title, shares(simulation, what, of)));
        }
    }
    if !courses(simulation).is_empty() {
        let courses = over_time(simulation).flatten().zip(courses(simulation)).map(|(figure, course)| {
            figure.show(&details("In figures", &moments(simulation, course.title, |moment| course.figure(moment))))
        });
        sections.push(Section::new("over-time", "Over time", markup! { @for course in courses { (course) } }));
    }
    let frame = Frame {
        command: "migsaw simulate",
        answer: &answer(simulation),
        setting: &format!("{}.", setting(simulation)),
        origin,
        document: [&simulation.api_version, &simulation.kind],
    };
    frame.page(&facts(&most_important(simulation)), &sections, simulation)
}

type Shares = fn(&PolicyForm) -> &[ShareForm];

/// Tables without a picture.
const PARTS: [(&str, &str, Shares); 2] = [
    ("By priority", "priority", |policy| &policy.by_priority),
    ("By namespace", "namespace", |policy| &policy.by_namespace),
];

/// What to remember: how much the best places, by how much it leads, and what is left to gain; or how long pods wait.
fn most_important(simulation: &SimulationDocument) -> Vec<(String, String)> {
    let ranked = ranked(simulation);
    let bound = simulation.policies.iter().find(|policy| is_bound(policy));
    let mut found = Vec::new();
    let Some(best) = ranked.first() else { return found };
    if simulation.queue.is_some() {
        if never_placed(best) > 0 {
            let never = share(from_shown(never_placed(best)));
            found.push((never, format!("of what is asked for never placed under {}", best.name)));
        }
        found.push((time(best.mean_wait.mean), format!("wait on average under {}", best.name)));
        found.push((time(best.p95_wait.mean), "that 95 of 100 pods do not pass".to_owned()));
        found.push((time(best.longest_wait.mean), "that no pod passes".to_owned()));
        return found;
    }
    found.push((estimated(&best.placed_units), format!("of the slices asked for placed by {}", best.name)));
    if let Some(second) = ranked.get(1) {
        let lead = points(best.placed_units.mean - second.placed_units.mean);
        found.push((lead, format!("more than {}, the next best", second.name)));
    }
    if let Some(left) = bound.map(|bound| bound.placed_units.mean - best.placed_units.mean).filter(|left| *left > 0.0) {
        found.push((points(left), format!("left to gain, at most: the bound is {BOUND}")));
    }
    found
}

fn policies(simulation: &SimulationDocument) -> Markup {
    let columns = columns(simulation);
    let titles = columns.iter().map(|column| Column { title: column.title.to_owned(), is_number: column.is_number });
    let mut table = Table::list("Policies", titles.collect());
    let best = ranked(simulation).first().copied();
    for policy in &simulation.policies {
        let (looks, tag) = if is_bound(policy) {
            ("is-bound", Some("bound"))
        } else if best.is_some_and(|best| std::ptr::eq(best, policy)) {
            ("is-best", Some("best"))
        } else {
            ("", None)
        };
        let name = markup! {
            (clean(&policy.name))
            @if let Some(tag) = tag { " " span class="tag" { (tag) } }
            @if !policy.about.is_empty() { span class="about" { (clean(&policy.about)) } }
        };
        let cells: Vec<String> = columns.iter().skip(1).map(|column| (column.cell)(policy)).collect();
        table.row(name, looks, &cells);
    }
    table.show()
}

fn meanings(simulation: &SimulationDocument) -> Markup {
    let said = columns(simulation);
    markup! {
        dl class="meanings" {
            @for Said { title, means, .. } in &said { dt { (title) } dd { (means) } }
            @if simulation.runs > 1 { dt { "±" } dd { "half the width of the 95% interval of a mean over all runs" } }
        }
    }
}

/// What each policy placed, by something that pods have in common.
fn shares(simulation: &SimulationDocument, what: &str, of: impl Fn(&PolicyForm) -> &[ShareForm]) -> Markup {
    let number = |title: &str| Column::number(title);
    let policies = simulation.policies.iter().map(|policy| number(&policy.name));
    let titles = [Column::text(what), number("pods")].into_iter().chain(policies);
    let mut table = Table::new(&super::placed_by(simulation, what, &of), titles.collect());
    let Some(first) = simulation.policies.first() else { return markup! {} };
    for part in of(first) {
        let placed = simulation.policies.iter().map(|policy| {
            let same = of(policy).iter().find(|same| same.name == part.name);
            same.map_or_else(String::new, placed)
        });
        let name = markup! { (clean(&part.name)) };
        let cells: Vec<String> = std::iter::once(grouped(part.pods)).chain(placed).collect();
        table.row(name, "", &cells);
    }
    table.show()
}

/// Some moments of the first run, in figures.
fn moments(
    simulation: &SimulationDocument,
    title: &str,
    figure: impl Fn(&migsaw::document::simulation::MomentForm) -> String,
) -> Markup {
    let times: BTreeSet<u64> =
        simulation.policies.iter().flat_map(|policy| policy.series.iter().map(|moment| moment.at)).collect();
    let times: Vec<u64> = times.into_iter().collect();
    let stride = times.len().saturating_sub(1).div_ceil(MOMENTS - 1).max(1);
    let policies = simulation.policies.iter().map(|policy| Column { title: policy.name.clone(), is_number: true });
    let titles = std::iter::once(Column::text("hours")).chain(policies);
    let mut table = Table::new(&format!("{title} over time"), titles.collect());
    for time in times.iter().step_by(stride) {
        let figures = simulation
            .policies
            .iter()
            .map(|policy| policy.series.iter().find(|moment| moment.at == *time).map_or_else(String::new, &figure));
        let cells: Vec<String> = figures.collect();
        table.row(markup! { (hours(*time)) }, "", &cells);
    }
    table.show()
}

/// `12.5`.
fn hours(seconds: u64) -> String {
    format!("{}.{}", grouped(seconds / 3600), seconds % 3600 / 360)
}
