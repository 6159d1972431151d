//! Advice, as a page.

use migsaw::document::advice::AdviceDocument;

use super::{answer, of, sheets};
use crate::chart::{Bar, Bars, Ink, Panel, ratio};
use crate::html::{Figure, Frame, Origin, Section, Table, counting, facts};
use crate::number::{counted, grouped};

/// The advice as one HTML file that needs no network: both strategies side by side, pools that are all of one profile,
/// and each workload with the fact that decides. It has the document in it, for programs.
///
/// The same advice gives the same bytes.
pub fn html(document: &AdviceDocument, origin: &Origin) -> String {
    let mut sections = Vec::new();
    for (index, (title, sheet, right)) in sheets(document).into_iter().enumerate() {
        let table = Table::of_sheet(title, &sheet, right).show();
        let content = if index == 0 { picture(document).show(&table) } else { table };
        sections.push(Section::new(&format!("part-{}", index + 1), title, content));
    }
    let belonging = |word: &str| document.workloads.iter().filter(|workload| workload.belongs == word).count() as u64;
    let figures = [
        counting(belonging("mig"), "demand belongs on MIG", "demands belong on MIG"),
        counting(belonging("mig-off"), "does not", "do not"),
        counting(belonging("depends"), "depends on what is not said", "depend on what is not said"),
    ];
    let frame = Frame {
        command: "migsaw advise",
        answer: &answer(document),
        setting: &format!("on {}, as if nothing ran", counted(document.gpus, "GPU")),
        origin,
        document: [&document.api_version, &document.kind],
    };
    frame.page(&facts(&figures), &sections, document)
}

/// What each strategy serves.
fn picture(document: &AdviceDocument) -> Figure<'static> {
    let bar = |(name, side): (&str, &migsaw::document::advice::StrategySideForm), ink| Bar {
        name: name.to_owned(),
        ink,
        part: ratio(side.served.least, document.asked),
        half_width: 0.0,
        figure: of(side.served),
    };
    let bars = vec![bar(("mixed", &document.mixed), Ink::Best), bar(("single", &document.single), Ink::Other(0))];
    let said: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.name, bar.figure)).collect();
    let note = format!("of {}", grouped(document.asked));
    let panels = [Panel { title: "units served".to_owned(), note, bars }];
    Figure {
        name: "strategies",
        title: "What each strategy serves",
        caption: "In parts of what is asked for.".to_owned(),
        description: said.join("; "),
        draw: Box::new(move |width| Bars { panels: &panels }.draw(width)),
    }
}
