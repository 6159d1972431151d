//! A scenario before and after changes, as a page.

use maud::{Markup, html as markup};
use migsaw::document::plan::UnservedForm;
use migsaw::document::whatif::{RoomForm, SideForm, WhatIfDocument};

use super::{Line, answer, demands, full_name, lines, name, rooms};
use crate::capacity::range;
use crate::chart::{Bar, Bars, Ink, Panel, ratio};
use crate::clean::clean;
use crate::html::{Column, Figure, Frame, Origin, Row, Section, Table, facts};
use crate::number::{counted, grouped};

/// The comparison as one HTML file that needs no network: both sides in pictures and tables, and what is not
/// served and why. It has the document in it, for programs.
///
/// The same answer gives the same bytes.
pub fn html(document: &WhatIfDocument, origin: &Origin) -> String {
    let WhatIfDocument { before, after, .. } = document;
    let both = |of: fn(&SideForm) -> u64| format!("{} → {}", grouped(of(before)), grouped(of(after)));
    let figures = [
        (both(|side| side.served), "units served".to_owned()),
        (both(|side| side.asked), "units asked for".to_owned()),
        (both(|side| side.gpus_used), "GPUs in use".to_owned()),
        (both(|side| side.gpus), "GPUs there are".to_owned()),
    ];
    let fleet = picture(
        "before-and-after",
        "Before and after",
        fleet(document),
        &comparison("what", "Before and after", lines(document)),
    );
    let mut sections = vec![Section::new("comparison", "Before and after", fleet)];
    let of_demands = demands(document);
    if !of_demands.is_empty() {
        sections.push(Section::new("demand", "Demand", comparison("demand", "Served of each demand", of_demands)));
    }
    let of_rooms = rooms(document);
    if !of_rooms.is_empty() {
        let table = comparison("profile", "More that fit then", of_rooms);
        sections.push(Section::new(
            "room",
            "More that fit then",
            picture("room-left", "Room left, of an empty fleet", room(document), &table),
        ));
    }
    for (side, title, all) in
        [("after", "Not served after", &after.unserved), ("before", "Not served before", &before.unserved)]
    {
        if !all.is_empty() {
            sections.push(Section::new(&format!("unserved-{side}"), title, unserved(all)));
        }
    }
    let frame = Frame {
        command: "migsaw whatif",
        answer: &answer(document),
        setting: &format!(
            "before: {} with {}; after: {} with {}.",
            counted(before.nodes, "node"),
            counted(before.gpus, "GPU"),
            counted(after.nodes, "node"),
            counted(after.gpus, "GPU"),
        ),
        origin,
        document: [&document.api_version, &document.kind],
    };
    frame.page(&facts(&figures), &sections, document)
}

/// Two bars, before and after.
fn panel(title: &str, sides: [(String, f64); 2]) -> Panel {
    let inks = [("before", Ink::Other(0)), ("after", Ink::Best)];
    let bars = inks.into_iter().zip(sides).map(|((name, ink), (figure, part))| Bar {
        name: name.to_owned(),
        ink,
        part,
        half_width: 0.0,
        figure,
    });
    Panel { title: title.to_owned(), note: String::new(), bars: bars.collect() }
}

fn fleet(document: &WhatIfDocument) -> Vec<Panel> {
    let sides = |of: fn(&SideForm) -> (u64, u64)| {
        [&document.before, &document.after].map(|side| {
            let (part, whole) = of(side);
            (crate::number::percent(part.into(), whole.into()), ratio(part, whole))
        })
    };
    vec![
        panel("served, of what is asked for", sides(|side| (side.served, side.asked))),
        panel("GPUs in use, of all", sides(|side| (side.gpus_used, side.gpus))),
    ]
}

fn room(document: &WhatIfDocument) -> Vec<Panel> {
    let names = document.after.capacity.iter().chain(&document.before.capacity);
    let mut known: Vec<String> = Vec::new();
    for room in names {
        if !known.contains(&name(room)) {
            known.push(name(room));
        }
    }
    // What an empty fleet holds may differ between the sides, so both are parts of the larger.
    let panel_of = |wanted: &String| {
        let of =
            |side: &SideForm| -> Option<RoomForm> { side.capacity.iter().find(|room| name(room) == *wanted).cloned() };
        let sides = [of(&document.before), of(&document.after)];
        let whole = sides.iter().flatten().map(|room| room.empty).max().unwrap_or(0);
        panel(
            wanted,
            sides.map(|room| {
                let (least, most) = room.map_or((0, 0), |room| (room.least, room.most));
                (range(least, most), ratio(least, whole))
            }),
        )
    };
    known.iter().map(panel_of).collect()
}

fn picture(id: &'static str, title: &'static str, panels: Vec<Panel>, table: &Markup) -> Markup {
    let said: Vec<String> = panels
        .iter()
        .map(|panel| {
            let bars = panel.bars.iter().map(|bar| format!("{} {}", bar.name, bar.figure));
            format!("{}: {}", panel.title, bars.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let figure = Figure {
        name: id,
        title,
        caption: String::new(),
        description: said.join("; "),
        draw: Box::new(move |width| Bars { panels: &panels }.draw(width)),
    };
    figure.show(table)
}

/// Rows with both sides; what differs stands out.
fn comparison(what: &str, caption: &str, lines: Vec<Line>) -> Markup {
    let columns = vec![Column::text(what), Column::number("before"), Column::number("after")];
    let mut table = Table::list(caption, columns);
    for [what, before, after] in lines {
        let looks = if before == after { "" } else { "is-changed" };
        // What stands under each other on a terminal stands in brackets here.
        let tidy = |cell: &str| match cell.rsplit_once(' ').filter(|(_, share)| share.ends_with('%')) {
            Some((number, share)) => format!("{} ({share})", number.trim_end()),
            None => cell.to_owned(),
        };
        let cells = [&before, &after].map(|cell| markup! { (clean(&tidy(cell))) });
        table.add(Row { looks, ..Row::default() }, markup! { (what) }, cells.to_vec());
    }
    table.show()
}

/// What is not served, why, and what would help.
fn unserved(all: &[UnservedForm]) -> Markup {
    markup! {
        @for unserved in all {
            article class="unserved" data-find="" {
                h3 { (clean(&full_name(unserved))) " – " (grouped(unserved.count)) " not served" }
                dl class="meanings" {
                    dt { "because" } dd { (clean(&unserved.reason)) }
                    @if let Some(remedy) = &unserved.remedy { dt { "try" } dd { (clean(remedy)) } }
                }
            }
        }
    }
}
