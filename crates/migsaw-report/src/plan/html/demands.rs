//! What is asked for, what of it is served and where; and what is not, and why.

use maud::{Markup, html};
use migsaw::demand::Demand;
use migsaw::plan::Plan;
use migsaw::problem::Problem;

use super::super::demands::{asks, place_names, places};
use super::super::unserved::reasons;
use crate::clean::clean;
use crate::html::{Column, Row, Table};
use crate::number::{grouped, percent};
use crate::style::Style;

/// The table of demands.
pub(super) fn show(problem: &Problem, plan: &Plan) -> Markup {
    let served = plan.served(problem.demands.len());
    let places = places(problem, plan);
    let mut columns = vec![Column::text("demand"), Column::text("one unit asks for")];
    columns.extend(["priority", "asked", "served", "short", "served, %"].map(Column::number));
    columns.push(Column::text("where"));
    let mut table = Table::list("Demand", columns);
    for (at, demand) in problem.demands.iter().enumerate() {
        let short = demand.count.saturating_sub(served[at]);
        let missing = if short > 0 { grouped(short) } else { "–".to_owned() };
        let cells = [
            asks(demand, Style::plain()),
            demand.priority.to_string(),
            grouped(demand.count),
            grouped(served[at]),
            missing,
            percent(served[at].into(), demand.count.into()),
            place_names(problem, demand, places.get(&at), usize::MAX),
        ];
        let name = html! {
            (clean(&demand.full_name()))
            @if short > 0 { " " span class="tag" { "short" } }
        };
        let row = Row { id: Some(id(demand)), looks: if short > 0 { "is-short" } else { "" } };
        table.add(row, name, cells.iter().map(|cell| html! { (cell) }).collect());
    }
    if problem.demands.len() > 1 {
        let (all, asked) = (served.iter().sum::<u64>(), problem.demands.iter().map(|demand| demand.count).sum::<u64>());
        let short = asked.saturating_sub(all);
        let mut cells = vec![String::new(), String::new(), grouped(asked), grouped(all)];
        cells.push(if short > 0 { grouped(short) } else { "–".to_owned() });
        cells.extend([percent(all.into(), asked.into()), String::new()]);
        table.sum("all", cells);
    }
    table.show()
}

/// Names a demand in links: `demand=team/chat`.
fn id(demand: &Demand) -> String {
    format!("demand={}", demand.full_name())
}

/// A paragraph for each reason, with what is short for it and what would help.
pub(super) fn unserved(problem: &Problem, plan: &Plan) -> Markup {
    html! {
        @for (first, all) in reasons(plan) {
            @let short: u64 = all.iter().map(|unserved| unserved.count).sum();
            @let asked: u64 = all.iter().map(|unserved| problem.demands[unserved.demand].count).sum();
            article class="unserved" data-find="" {
                h3 {
                    @for (at, unserved) in all.iter().enumerate() {
                        @if at > 0 { ", " }
                        (clean(&problem.demands[unserved.demand].full_name()))
                    }
                    " – " (grouped(short)) " of " (grouped(asked)) " not served"
                }
                dl class="meanings" {
                    dt { "because" } dd { (clean(&first.reason)) }
                    @if let Some(remedy) = &first.remedy { dt { "try" } dd { (clean(remedy)) } }
                    dt { "code" } dd { code { (first.code.as_str()) } }
                }
            }
        }
    }
}
