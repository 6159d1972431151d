//! A plan as text, as a page, and as a picture: the answer in line one, then what is behind it.

mod answer;
mod by_node;
mod configurations;
mod curve;
mod demands;
mod html;
mod nodes;
mod pools;
mod running;
mod stranded;
mod svg;
mod unserved;
mod usage;

use migsaw::plan::{CurvePoint, Plan};
use migsaw::problem::Problem;

use crate::list::List;
use crate::page::Page;
use crate::style::Style;
pub use html::{Beside, html};
use nodes::NodeIndex;
pub use svg::svg;
use usage::Usage;

/// A plan for people.
///
/// ```text
/// 162 of 162 served on 31 of 64 GPUs, proven optimal
///
/// Demand …          what is asked for, how much is served, and where
/// Not served …      what is not, why, and what would help
/// Running …         what runs today: how much of it stays, and what is evicted where
/// Pools …           each pool as a bar: serving, running already, spare, idle, stranded
/// Configurations …  what nodes become, in the notation of layouts
/// Stranded …        what no cut can use any more, and why
/// Next …            `next`, one step a line
/// ```
///
/// The same plan gives the same bytes.
///
/// # Panics
/// If the plan is not one for the problem, as [`migsaw::check::check`] judges.
pub fn text(problem: &Problem, plan: &Plan, next: &[String], style: Style) -> String {
    let index = NodeIndex::of(problem);
    let usage = Usage::of(problem, plan, &index);
    let mut page = Page::new(style);
    page.push(&answer::text(problem, plan, style));
    let sections = [
        demands::text(problem, plan, style),
        unserved::text(problem, plan, style),
        running::text(problem, plan, &index, style),
        pools::text(problem, &usage, style),
        configurations::text(problem, plan, &index, style),
        stranded::text(&usage, style),
        steps(next, style),
    ];
    for section in sections.into_iter().filter(|section| !section.is_empty()) {
        page.line("");
        page.push(&section);
    }
    page.finish()
}

/// The nodes, a row each: what they become, what they serve, and what changes there.
///
/// # Panics
/// If the plan is not one for the problem, as [`migsaw::check::check`] judges.
pub fn list(problem: &Problem, plan: &Plan) -> List {
    by_node::list(problem, plan)
}

/// What more evictions gain, as a table. `asked` is the number of units asked for.
pub fn curve(points: &[CurvePoint], asked: u64, style: Style) -> String {
    curve::text(points, asked, style)
}

/// One line about the outcome, as [`text`] begins with it: without newline.
pub fn answer(problem: &Problem, plan: &Plan) -> String {
    answer::sentence(problem, plan)
}

fn steps(next: &[String], style: Style) -> String {
    if next.is_empty() {
        return String::new();
    }
    let mut page = Page::titled("Next", style);
    for step in next {
        page.line(format!("  {step}"));
    }
    page.finish()
}
