//! Quotas against demand, plan and fleet, as a page.

use migsaw::document::quota::{LineForm, QuotasDocument};

use super::{answer, served, sheets, short};
use crate::chart::{Bar, Bars, Ink, Panel, ratio};
use crate::clean::clean;
use crate::html::{Figure, Frame, Origin, Section, Table, counting, facts};
use crate::number::percent;

/// Most quotas that the picture shows; the table has all.
const MOST_BARS: usize = 30;

/// The answer as one HTML file that needs no network: every quota, who is refused and why, and what of all that is
/// promised the fleet has. It has the document in it, for programs.
///
/// The same answer gives the same bytes.
pub fn html(document: &QuotasDocument, origin: &Origin) -> String {
    let mut sections = Vec::new();
    for (index, (title, sheet, right)) in sheets(document).into_iter().enumerate() {
        let table = Table::of_sheet(title, &sheet, right).show();
        let content = if index == 0 && !document.lines.is_empty() { picture(document).show(&table) } else { table };
        sections.push(Section::new(&format!("part-{}", index + 1), title, content));
    }
    let figures = [
        counting(document.refused, "pod at least can never be created", "pods at least can never be created"),
        counting(document.together.granted, "instance or GPU is promised", "instances and GPUs are promised"),
        (served(document), "served by the plan".to_owned()),
    ];
    let frame = Frame {
        command: "migsaw quota",
        answer: &answer(document),
        setting: "each quota against what is asked for, and all of them against the fleet",
        origin,
        document: [&document.api_version, &document.kind],
    };
    frame.page(&facts(&figures), &sections, document)
}

/// How much of each quota is asked for.
fn picture(document: &QuotasDocument) -> Figure<'static> {
    let bar = |line: &LineForm| Bar {
        name: format!("{} {}", short(&line.resource), clean(&line.quota)),
        ink: if line.asked > line.hard { Ink::Best } else { Ink::Other(0) },
        part: ratio(line.asked.min(line.hard), line.hard),
        half_width: 0.0,
        figure: percent(line.asked.into(), line.hard.into()),
    };
    let all = document.lines.len();
    let more = if all > MOST_BARS { format!(" The first {MOST_BARS} of {all} quotas.") } else { String::new() };
    let bars: Vec<Bar> = document.lines.iter().take(MOST_BARS).map(bar).collect();
    let said: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.name, bar.figure)).collect();
    let panels = [Panel { title: "asked for of each quota".to_owned(), note: String::new(), bars }];
    Figure {
        name: "asked",
        title: "How full quotas are",
        caption: format!("Where more is asked for than the quota has stands out.{more}"),
        description: said.join("; "),
        draw: Box::new(move |width| Bars { panels: &panels }.draw(width)),
    }
}
