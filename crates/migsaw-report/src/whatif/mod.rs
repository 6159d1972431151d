//! A scenario before and after changes, side by side.

mod html;

use std::fmt::Write as _;

use migsaw::document::plan::{TierNameForm, UnservedForm};
use migsaw::document::whatif::{RoomForm, SideForm, WhatIfDocument};

use crate::capacity::range;
use crate::clean::clean;
use crate::list::List;
use crate::number::{grouped, percent};
use crate::page::Page;
use crate::sheet::{Sheet, markdown_cell};
use crate::style::{Style, Tone};
use crate::table::Table;

pub use html::html;

/// Most demands shown one by one.
const MOST_DEMANDS: usize = 40;

/// One line about the outcome.
///
/// ```text
/// all demand +20%: 195 of 195 served on 49 of 64 GPUs (before 162 of 162 on 41 of 64)
/// ```
pub fn answer(document: &WhatIfDocument) -> String {
    let side = |side: &SideForm| {
        let open = if side.served_is_proven { "" } else { " (not proven to be the most)" };
        let on = format!("{} of {}", grouped(side.gpus_used), grouped(side.gpus));
        (format!("{} of {}", grouped(side.served), grouped(side.asked)), open, on)
    };
    let ((after, open, on), (before, open_before, on_before)) = (side(&document.after), side(&document.before));
    let changes: Vec<String> = document.changes.iter().map(|change| clean(change).into_owned()).collect();
    let changes = if changes.is_empty() { "nothing changed".to_owned() } else { changes.join(", ") };
    format!("{changes}: {after} served{open} on {on} GPUs (before {before}{open_before} on {on_before})")
}

/// A row of the comparison: what is counted, before, after.
type Line = [String; 3];

/// What is said of both sides in numbers.
fn lines(document: &WhatIfDocument) -> Vec<Line> {
    let WhatIfDocument { before, after, .. } = document;
    let mut lines = Vec::new();
    let mut add = |what: &str, of: &dyn Fn(&SideForm) -> String| {
        lines.push([what.to_owned(), of(before), of(after)]);
    };
    let share = |part: u64, whole: u64| {
        format!("{} of {} {:>4}", grouped(part), grouped(whole), percent(u128::from(part), u128::from(whole)))
    };
    add("served", &|side| share(side.served, side.asked));
    add("nodes", &|side| grouped(side.nodes));
    add("GPUs used", &|side| share(side.gpus_used, side.gpus));
    let tier = |side: &SideForm, name: TierNameForm| {
        let of_name = side.tiers.iter().filter(|tier| tier.name == name);
        let values: Vec<String> = of_name.map(|tier| tier.value.as_str().to_owned()).collect();
        values
    };
    let sum = |side: &SideForm, name: TierNameForm| {
        let units = tier(side, name).iter().filter_map(|value| value.parse::<u64>().ok()).sum::<u64>();
        if tier(side, name).is_empty() { String::new() } else { grouped(units) }
    };
    for (what, name) in [("evicted", TierNameForm::Evicted), ("cut anew", TierNameForm::Recut)] {
        if !tier(before, name).is_empty() || !tier(after, name).is_empty() {
            add(what, &|side| sum(side, name));
        }
    }
    if !tier(before, TierNameForm::Cost).is_empty() {
        add("cost", &|side| tier(side, TierNameForm::Cost).concat());
    }
    lines
}

fn demands(document: &WhatIfDocument) -> Vec<Line> {
    let of = |side: &SideForm, name: &str| {
        let found = side.demands.iter().find(|demand| demand.demand == name);
        found.map_or_else(String::new, |demand| format!("{} of {}", grouped(demand.served), grouped(demand.asked)))
    };
    let line = |name: &String| [clean(name).into_owned(), of(&document.before, name), of(&document.after, name)];
    document.after.demands.iter().map(|demand| line(&demand.demand)).collect()
}

fn name(room: &RoomForm) -> String {
    room.profile.as_deref().map_or_else(|| "whole GPU".to_owned(), |name| clean(name).into_owned())
}

fn rooms(document: &WhatIfDocument) -> Vec<Line> {
    let WhatIfDocument { before, after, .. } = document;
    let mut names: Vec<String> = before.capacity.iter().map(name).collect();
    for room in &after.capacity {
        if !names.contains(&name(room)) {
            names.push(name(room));
        }
    }
    let of = |side: &SideForm, wanted: &str| {
        let found = side.capacity.iter().find(|room| name(room) == wanted);
        found.map_or_else(
            || "-".to_owned(),
            |room| {
                let share = percent(u128::from(room.least), u128::from(room.empty));
                format!("{} {share:>4}", range(room.least, room.most))
            },
        )
    };
    names.into_iter().map(|name| [of(before, &name), of(after, &name), name]).map(|[b, a, n]| [n, b, a]).collect()
}

/// The answer in line one, both sides, and what is not served and why.
///
/// ```text
/// 1 node fewer in a: 8 of 10 served on 2 of 2 GPUs (before 10 of 10 on 3 of 3)
///
///                 before         after
/// served        10 of 10      8 of 10
/// …
/// Not served …    what is not, why, and what would help: after, and before
/// ```
///
/// The same answer gives the same bytes.
pub fn text(document: &WhatIfDocument, style: Style) -> String {
    let mut page = Page::new(style);
    let is_all = document.after.served == document.after.asked;
    page.wrapped(&style.paint(if is_all { Tone::Good } else { Tone::Warn }, answer(document)), 0, 2);
    let sections =
        [("", lines(document)), ("served of demand", demands(document)), ("more that fit then", rooms(document))];
    for (title, lines) in sections {
        if lines.is_empty() {
            continue;
        }
        page.line("");
        let mut table = Table::new(&[title, ">before", ">after"]);
        let all = lines.len();
        for [what, before, after] in lines.into_iter().take(MOST_DEMANDS) {
            let changes = before != after;
            table.row(vec![what, before, if changes { style.paint(Tone::Strong, after) } else { after }]);
        }
        page.push(&table.print(style));
        page.more(all, MOST_DEMANDS, "row");
    }
    unserved("Not served after", &document.after.unserved, &mut page, style);
    unserved("Not served before", &document.before.unserved, &mut page, style);
    page.finish()
}

fn unserved(title: &str, all: &[UnservedForm], page: &mut Page, style: Style) {
    if all.is_empty() {
        return;
    }
    page.line("");
    page.line(style.paint(Tone::Strong, title));
    for unserved in all.iter().take(MOST_DEMANDS) {
        page.line(format!("  {}  {}", clean(&full_name(unserved)), style.paint(Tone::Bad, grouped(unserved.count))));
        for (mark, sentence) in [("because ", Some(&unserved.reason)), ("try     ", unserved.remedy.as_ref())] {
            let Some(sentence) = sentence else { continue };
            page.wrapped_behind(&format!("    {}", style.paint(Tone::Faint, mark)), 12, &clean(sentence), 12);
        }
    }
    page.more(all.len(), MOST_DEMANDS, "demand");
}

fn full_name(unserved: &UnservedForm) -> String {
    match &unserved.namespace {
        Some(namespace) => format!("{namespace}/{}", unserved.demand),
        None => unserved.demand.clone(),
    }
}

fn sheet(document: &WhatIfDocument) -> Sheet {
    let mut sheet = Sheet::new(&["about", "what", "before", "after"]);
    let sections =
        [("fleet", lines(document)), ("served of demand", demands(document)), ("more that fit", rooms(document))];
    for (about, lines) in sections {
        for [what, before, after] in lines {
            let tidy = |cell: String| cell.split_whitespace().collect::<Vec<_>>().join(" ");
            sheet.row(vec![about.to_owned(), what, tidy(before), tidy(after)]);
        }
    }
    for (side, all) in [("before", &document.before.unserved), ("after", &document.after.unserved)] {
        for unserved in all {
            let reason = format!("{}: {}", grouped(unserved.count), unserved.reason);
            let [before, after] = if side == "before" { [reason, String::new()] } else { [String::new(), reason] };
            sheet.row(vec!["not served".to_owned(), full_name(unserved), before, after]);
        }
    }
    sheet
}

/// A row for each number, as [`csv`] has them.
pub fn list(document: &WhatIfDocument) -> List {
    List::of_sheet(answer(document), String::new(), sheet(document), &[false, false, true, true])
}

/// One row for each number, with both sides.
pub fn csv(document: &WhatIfDocument) -> String {
    sheet(document).csv()
}

/// The answer, and a table with both sides.
pub fn markdown(document: &WhatIfDocument) -> String {
    let mut text = format!("**{}**\n", markdown_cell(&answer(document)));
    write!(text, "\n{}", sheet(document).markdown(&[false, false, true, true])).expect("a string grows");
    text
}
