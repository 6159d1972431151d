//! One layout for several scenarios, as a page.

use migsaw::document::robust::{RobustDocument, SituationForm};

use super::{Rows, answer, choices, footing, layout, scenarios, short};
use crate::chart::{Bar, Bars, Ink, Panel, ratio};
use crate::clean::clean;
use crate::html::{Figure, Frame, Origin, Section, Table, facts};
use crate::number::grouped;

/// The answer as one HTML file that needs no network: what the layout serves in each scenario beside what one would
/// serve who knew, the layouts that one might choose without asking, what is not served, and how GPUs are cut. It has
/// the document in it, for programs.
///
/// The same answer gives the same bytes.
pub fn html(document: &RobustDocument, origin: &Origin) -> String {
    let table = |caption: &str, (header, rows): Rows| Table::of(caption, &header, &rows).show();
    let mut sections = vec![
        Section::new("scenarios", "Scenarios", picture(document).show(&table("Scenarios", scenarios(document)))),
        Section::new("layouts", "This layout and others", table("Layouts side by side", choices(document))),
    ];
    let unserved = short(document);
    if !unserved.1.is_empty() {
        sections.push(Section::new("short", "Not all served", table("Not all served", unserved)));
    }
    sections.push(Section::new("cut", "How GPUs are cut", table("How GPUs are cut", layout(document))));
    let frame = Frame {
        command: "migsaw robust",
        answer: &answer(document),
        setting: &footing(document),
        origin,
        document: [&document.api_version, &document.kind],
    };
    let figures = [
        (grouped(document.scenarios.len() as u64), "scenarios".to_owned()),
        (grouped(document.gpus), "GPUs".to_owned()),
    ];
    frame.page(&facts(&figures), &sections, document)
}

/// What is served of each scenario by this layout, and by one of its own.
fn picture(document: &RobustDocument) -> Figure<'static> {
    let units = |scenario: &SituationForm| {
        let sum = |of: fn(&migsaw::document::robust::PriorityForm) -> u64| scenario.priorities.iter().map(of).sum();
        let (asked, served, best): (u64, u64, u64) = (sum(|p| p.asked), sum(|p| p.served), sum(|p| p.best));
        (asked, served, best)
    };
    let panel = |scenario: &SituationForm| {
        let (asked, served, best) = units(scenario);
        let bar = |name: &str, n, ink| Bar {
            name: name.to_owned(),
            ink,
            part: ratio(n, asked),
            half_width: 0.0,
            figure: grouped(n),
        };
        Panel {
            title: clean(&scenario.name).into_owned(),
            note: format!("of {}", grouped(asked)),
            bars: vec![bar("this layout", served, Ink::Best), bar("if known", best, Ink::Other(0))],
        }
    };
    let panels: Vec<Panel> = document.scenarios.iter().map(panel).collect();
    let said = document.scenarios.iter().map(|scenario| {
        let (asked, served, best) = units(scenario);
        format!("{}: {served} of {asked}, {best} if known", clean(&scenario.name))
    });
    Figure {
        name: "served",
        title: "Units served in each scenario",
        caption: "In parts of what is asked for, by the one layout and by the best one for that scenario alone."
            .to_owned(),
        description: said.collect::<Vec<_>>().join("; "),
        draw: Box::new(move |width| Bars { panels: &panels }.draw(width)),
    }
}
