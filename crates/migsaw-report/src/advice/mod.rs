//! Advice: what strategies cost and what belongs on MIG.

mod html;

use std::fmt::Write as _;

use migsaw::document::advice::{AdviceDocument, RangeForm, StrategySideForm, UniformForm, WorkloadForm};

use crate::capacity::range;
use crate::clean::clean;
use crate::list::List;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::sheet::{Sheet, markdown_cell};
use crate::style::{Style, Tone};
use crate::table::Table;

pub use html::html;

/// Most workloads, and most pools, shown one by one.
const MOST: usize = 40;
/// Most profiles shown of a pool.
const MOST_UNIFORM: usize = 4;

/// One line about the outcome.
///
/// ```text
/// mixed serves 5 of 5 on 2 GPUs, single 4 on 2
/// ```
pub fn answer(document: &AdviceDocument) -> String {
    let (mixed, single) = (&document.mixed, &document.single);
    let on = |side: &StrategySideForm| format!("{} on {} GPUs", of(side.served), of(side.gpus));
    let asked = grouped(document.asked);
    let less = mixed.served.least.checked_sub(single.served.most).filter(|&n| n > 0);
    let more = single.gpus.least.checked_sub(mixed.gpus.most).filter(|&n| n > 0);
    let cost = match (less, more) {
        (Some(n), _) => format!("it costs {}", counted(n, "unit")),
        (None, Some(n)) if mixed.served == single.served => format!("it costs {}", counted(n, "GPU")),
        _ if mixed.served == single.served && mixed.gpus == single.gpus => "it costs nothing".to_owned(),
        _ => "what it costs is not proven".to_owned(),
    };
    let (mixed, single) = (on(mixed), on(single));
    format!("of {asked} units, strategy mixed serves {mixed}, single {single}: {cost}")
}

fn of(range_of: RangeForm) -> String {
    range(range_of.least, range_of.most)
}

fn profile(uniform: &UniformForm) -> String {
    uniform.profile.as_deref().map_or_else(|| "MIG off".to_owned(), |name| clean(name).into_owned())
}

/// A row of the comparison: what is counted, mixed, single.
fn lines(document: &AdviceDocument) -> Vec<[String; 3]> {
    let more = |side: &StrategySideForm| side.more_nodes.map_or_else(|| "none found".to_owned(), of);
    let line = |what: &str, tell: &dyn Fn(&StrategySideForm) -> String| {
        [what.to_owned(), tell(&document.mixed), tell(&document.single)]
    };
    vec![
        line("served", &|side| of(side.served)),
        line("GPUs in use", &|side| of(side.gpus)),
        line("stranded compute slices", &|side| grouped(side.stranded_compute)),
        line("stranded memory units", &|side| grouped(side.stranded_memory)),
        line("nodes more per pool to serve all", &more),
    ]
}

/// The answer in line one, both strategies, what each pool is worth if it is all of one profile, and each workload with
/// the fact that decides.
///
/// The same answer gives the same bytes.
pub fn text(document: &AdviceDocument, style: Style) -> String {
    let mut page = Page::new(style);
    page.wrapped(&style.paint(Tone::Strong, answer(document)), 0, 2);
    page.line(format!("on {}, as if nothing ran", counted(document.gpus, "GPU")));
    page.line("");
    let mut table = Table::new(&["", ">mixed", ">single"]);
    for line in lines(document) {
        table.row(line.to_vec());
    }
    page.push(&table.print(style));
    if document.pools.iter().any(|pool| !pool.uniform.is_empty()) {
        page.line("");
        let mut table = Table::new(&["Pool alone", "all of", ">serves", ">on GPUs", ">mixed serves", ">may go there"]);
        for pool in document.pools.iter().take(MOST) {
            for (index, uniform) in pool.uniform.iter().take(MOST_UNIFORM).enumerate() {
                let first = |text: String| if index == 0 { text } else { String::new() };
                table.row(vec![
                    first(clean(&pool.pool).into_owned()),
                    profile(uniform),
                    of(uniform.served),
                    of(uniform.gpus),
                    first(of(pool.mixed)),
                    first(grouped(pool.asked)),
                ]);
            }
        }
        page.push(&table.print(style));
        page.more(document.pools.len(), MOST, "pool");
    }
    let sections = [
        ("mig", "Belongs on MIG"),
        ("depends", "Depends on what the demand does not say"),
        ("mig-off", "Does not belong on MIG"),
        ("nowhere", "Fits on nothing here"),
    ];
    for (word, title) in sections {
        let of: Vec<&WorkloadForm> = document.workloads.iter().filter(|workload| workload.belongs == word).collect();
        if of.is_empty() {
            continue;
        }
        page.line("");
        page.line(style.paint(Tone::Strong, title));
        for workload in of.iter().take(MOST) {
            let (name, fact) = (clean(&workload.demand), clean(&workload.fact));
            let code = style.paint(Tone::Faint, format!("[{}]", workload.code));
            page.wrapped(&format!("{name} {code} {fact}: {}", clean(&workload.reason)), 2, 4);
        }
        let mut missing: Vec<&str> = of.iter().flat_map(|workload| &workload.missing).map(String::as_str).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            page.wrapped(&format!("measure, at its peak: {}", missing.join(", ")), 2, 4);
        }
        page.more(of.len(), MOST, "demand");
    }
    page.finish()
}

fn workloads(document: &AdviceDocument) -> Sheet {
    let mut sheet = Sheet::new(&["demand", "units", "belongs", "code", "fact", "reason", "missing"]);
    for workload in &document.workloads {
        let WorkloadForm { demand, count, belongs, code, fact, reason, missing } = workload.clone();
        sheet.row(vec![demand, count.to_string(), belongs, code, fact, reason, missing.join(" ")]);
    }
    sheet
}

/// A row for each workload, as [`csv`] has them.
pub fn list(document: &AdviceDocument) -> List {
    let setting = format!("on {}, as if nothing ran", counted(document.gpus, "GPU"));
    List::of_sheet(answer(document), setting, workloads(document), &[false, true])
}

/// One row for each workload.
pub fn csv(document: &AdviceDocument) -> String {
    workloads(document).csv()
}

/// Both strategies, pools that are all of one profile, and the workloads, each with its title and the columns that hold
/// numbers.
fn sheets(document: &AdviceDocument) -> [(&'static str, Sheet, &'static [bool]); 3] {
    let mut strategies = Sheet::new(&["counted", "mixed", "single"]);
    for line in lines(document) {
        strategies.row(line.to_vec());
    }
    let mut pools = Sheet::new(&["pool", "all of", "serves", "on GPUs", "mixed serves", "may go there"]);
    for pool in &document.pools {
        for uniform in &pool.uniform {
            let (served, gpus) = (of(uniform.served), of(uniform.gpus));
            pools.row(vec![pool.pool.clone(), profile(uniform), served, gpus, of(pool.mixed), grouped(pool.asked)]);
        }
    }
    [
        ("Both strategies", strategies, &[false, true, true]),
        ("Pools that are all of one profile", pools, &[false, false, true, true, true, true]),
        ("What belongs on MIG", workloads(document), &[false, true]),
    ]
}

/// The answer, both strategies, pools that are all of one profile, and the workloads.
pub fn markdown(document: &AdviceDocument) -> String {
    let mut text = format!("**{}**\n", markdown_cell(&answer(document)));
    for (_, sheet, right) in sheets(document) {
        write!(text, "\n{}", sheet.markdown(right)).expect("a string grows");
    }
    text
}
