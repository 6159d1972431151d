//! Quotas against demand, plan and fleet.

mod html;

use std::fmt::Write as _;

use migsaw::document::quota::{GrantForm, HonouredForm, LineForm, QuotasDocument, TogetherForm};

use crate::capacity::range;
use crate::clean::clean;
use crate::list::List;
use crate::number::{counted, grouped, hundredths};
use crate::page::Page;
use crate::sheet::{Sheet, markdown_cell};
use crate::style::{Style, Tone};
use crate::table::Table;

pub use html::html;

/// Most rows shown of a table, and most entries of a list.
const MOST: usize = 40;

/// One line about the outcome.
///
/// ```text
/// at least 21 pods can never be created; quotas promise 130, the fleet has 112 at once
/// ```
pub fn answer(document: &QuotasDocument) -> String {
    let impossible: u64 = document.impossible.iter().map(|of| of.count).sum();
    if document.lines.is_empty() {
        let never = if impossible > 0 { format!("; {} can never run", grouped(impossible)) } else { String::new() };
        return format!("no quota limits GPUs; the plan serves {}{never}", served(document));
    }
    let refused = match (document.refused, impossible) {
        (0, 0) => "every pod can be created".to_owned(),
        (0, n) => format!("quotas refuse no pod, but {} can never run on this fleet", counted(n, "pod")),
        (n, 0) => format!("at least {} can never be created", counted(n, "pod")),
        (n, m) => format!("at least {} can never be created, and {} can never run", counted(n, "pod"), grouped(m)),
    };
    format!("{refused}; {}", promise(&document.together))
}

fn served(document: &QuotasDocument) -> String {
    format!("{} of {}", grouped(document.served), grouped(document.asked))
}

/// What quotas promise together, and what of it there is.
fn promise(together: &TogetherForm) -> String {
    let granted = grouped(together.granted);
    if together.percent_least == 100 {
        return format!("the {granted} instances and GPUs that quotas promise fit on the fleet at once");
    }
    let at_once = range(together.at_once_least, together.at_once_most.max(together.at_once_least));
    // Between the least and the most there is no one factor.
    let factor = match together.at_once_least {
        n if n == 0 || n != together.at_once_most => String::new(),
        n => {
            let times = u128::from(together.granted) * 100 / u128::from(n);
            format!(" ({} times over-subscribed)", hundredths(times))
        }
    };
    let part = match together.percent_most {
        0 => "not even 1% of every quota".to_owned(),
        most => format!("{}% of every quota", range(together.percent_least, most)),
    };
    format!(
        "quotas promise {granted} instances and GPUs, the fleet has {at_once} at once{factor}: {part}, rounded up to \
         whole ones"
    )
}

/// A resource by its profile: `1g.10gb`, `gpu`.
fn short(resource: &str) -> String {
    let name = resource.strip_prefix("nvidia.com/").unwrap_or(resource);
    clean(name.strip_prefix("mig-").unwrap_or(name)).into_owned()
}

fn namespace(name: Option<&str>) -> String {
    name.map_or_else(|| "(no namespace)".to_owned(), |name| clean(name).into_owned())
}

/// What no cut of the fleet can give a namespace.
fn verdict(grant: &GrantForm) -> &'static str {
    match grant.honoured {
        HonouredForm::Yes => "yes",
        HonouredForm::Never => "never",
        HonouredForm::NotDecided => "not decided",
    }
}

/// The answer in line one; every quota; who is refused and why; what no cut can honour; what all promise together.
///
/// ```text
/// at least 20 pods can never be created; quotas promise 130 …
///
/// Quota        resource  used  asked  hard  served  refused
/// chat/slices  1g.10gb     60    120   100     120       20
/// …
/// ```
///
/// The same answer gives the same bytes.
pub fn text(document: &QuotasDocument, style: Style) -> String {
    let mut page = Page::new(style);
    let good = document.refused == 0 && document.impossible.is_empty() && document.together.percent_least == 100;
    page.wrapped(&style.paint(if good { Tone::Good } else { Tone::Warn }, answer(document)), 0, 2);
    if !document.lines.is_empty() {
        page.line(format!("the plan serves {} of what is asked for", served(document)));
        page.line("");
        let mut table = Table::new(&["Quota", "resource", ">used", ">asked", ">hard", ">served", ">refused"]);
        for line in document.lines.iter().take(MOST) {
            let LineForm { used, asked, hard, planned, refused, .. } = line;
            let refused = match refused {
                0 => String::new(),
                n => style.paint(Tone::Bad, grouped(*n)),
            };
            let open = if line.open > 0 { "+" } else { "" };
            table.row(vec![
                clean(&line.quota).into_owned(),
                short(&line.resource),
                grouped(*used),
                format!("{}{open}", grouped(*asked)),
                grouped(*hard),
                over(*planned, *hard, style),
                refused,
            ]);
        }
        page.push(&table.print(style));
        page.more(document.lines.len(), MOST, "row");
        if document.lines.iter().any(|line| line.open > 0) {
            page.line("+ and what asks for any profile that is large enough: which one, the plan says");
        }
    }
    let refused: Vec<(&str, &str)> =
        document.refusals.iter().map(|of| (of.demand.as_str(), of.reason.as_str())).collect();
    let impossible: Vec<(&str, &str)> =
        document.impossible.iter().map(|of| (of.demand.as_str(), of.reason.as_str())).collect();
    for (title, demands) in [("Refused", refused), ("Can never run", impossible)] {
        if demands.is_empty() {
            continue;
        }
        page.line("");
        page.line(style.paint(Tone::Strong, title));
        for (demand, reason) in demands.iter().take(MOST) {
            page.wrapped(&format!("{}  {}", clean(demand), clean(reason)), 2, 4);
        }
        page.more(demands.len(), MOST, "demand");
    }
    never(document, &mut page, style);
    if document.together.percent_least < 100 {
        page.line("");
        let mut table = Table::new(&["Promised", ">by quotas", ">at once"]);
        for of in &document.together.resources {
            table.row(vec![short(&of.resource), grouped(of.granted), grouped(of.at_once)]);
        }
        page.push(&table.print(style));
        page.line("at once: in a cut that has most of them, the namespaces taken together");
    }
    if !document.unlimited.is_empty() && !document.lines.is_empty() {
        page.line("");
        let names: Vec<String> = document.unlimited.iter().take(MOST).map(|name| namespace(name.as_deref())).collect();
        page.wrapped(&format!("no quota limits all that is asked for in: {}", names.join(", ")), 0, 2);
        page.more(document.unlimited.len(), MOST, "namespace");
    }
    page.finish()
}

fn over(planned: u64, hard: u64, style: Style) -> String {
    if planned > hard { style.paint(Tone::Warn, grouped(planned)) } else { grouped(planned) }
}

fn never(document: &QuotasDocument, page: &mut Page, style: Style) {
    let open: Vec<&GrantForm> = document.grants.iter().filter(|grant| grant.honoured != HonouredForm::Yes).collect();
    if open.is_empty() {
        return;
    }
    page.line("");
    page.line(style.paint(Tone::Strong, "More than the fleet has, if nobody else were there"));
    for grant in open.iter().take(MOST) {
        let name = namespace(grant.namespace.as_deref());
        if grant.honoured == HonouredForm::NotDecided {
            page.line(format!("  {name}  not decided in the time there was"));
        }
        for lack in &grant.lacks {
            let text =
                format!("{name}  lacks {} of {}: {}", grouped(lack.count), short(&lack.demand), clean(&lack.reason));
            page.wrapped(&text, 2, 4);
        }
    }
    page.more(open.len(), MOST, "namespace");
}

/// The rows of quotas and resources.
fn sheet(document: &QuotasDocument) -> Sheet {
    let columns = ["quota", "resource", "used", "asked", "decided_by_plan", "hard", "served", "refused"];
    let mut sheet = Sheet::new(&columns);
    for line in &document.lines {
        let LineForm { used, asked, open, hard, planned, refused, .. } = line;
        let numbers = [used, asked, open, hard, planned, refused].map(u64::to_string);
        let mut row = vec![line.quota.clone(), line.resource.clone()];
        row.extend(numbers);
        sheet.row(row);
    }
    sheet
}

/// Which of its columns hold numbers.
const NUMBERS: [bool; 8] = [false, false, true, true, true, true, true, true];

/// A row for each quota and resource, as [`csv`] has them.
pub fn list(document: &QuotasDocument) -> List {
    let setting = format!("the plan serves {} of what is asked for", served(document));
    List::of_sheet(answer(document), setting, sheet(document), &NUMBERS)
}

/// One row for each quota and resource.
pub fn csv(document: &QuotasDocument) -> String {
    sheet(document).csv()
}

/// Tables under a title, with the columns that hold numbers.
type Sheets = Vec<(&'static str, Sheet, &'static [bool])>;

/// The quotas, what is refused, and what the fleet has of each namespace's and of all.
fn sheets(document: &QuotasDocument) -> Sheets {
    let mut sheets: Sheets = vec![("Quotas", sheet(document), &NUMBERS)];
    if !document.refusals.is_empty() {
        let mut refused = Sheet::new(&["demand", "quota", "code", "because"]);
        for of in &document.refusals {
            refused.row(vec![of.demand.clone(), of.quota.clone(), of.code.clone(), of.reason.clone()]);
        }
        sheets.push(("Refused", refused, &[]));
    }
    if !document.impossible.is_empty() {
        let mut never = Sheet::new(&["demand", "pods", "code", "because"]);
        for of in &document.impossible {
            never.row(vec![of.demand.clone(), grouped(of.count), of.code.clone(), of.reason.clone()]);
        }
        sheets.push(("Can never run", never, &[false, true, false, false]));
    }
    if !document.grants.is_empty() {
        let mut grants = Sheet::new(&["namespace", "may ask for", "the fleet has it", "lacks"]);
        for grant in &document.grants {
            let hard: Vec<String> = grant.hard.iter().map(|(name, n)| format!("{n} {}", short(name))).collect();
            let lacks: Vec<String> = grant
                .lacks
                .iter()
                .map(|lack| format!("{} of {}: {}", lack.count, short(&lack.demand), lack.reason))
                .collect();
            grants.row(vec![
                namespace(grant.namespace.as_deref()),
                hard.join(", "),
                verdict(grant).to_owned(),
                lacks.join("; "),
            ]);
        }
        sheets.push(("What each namespace may ask for", grants, &[]));
        let mut together = Sheet::new(&["resource", "promised", "at once"]);
        for of in &document.together.resources {
            together.row(vec![short(&of.resource), grouped(of.granted), grouped(of.at_once)]);
        }
        sheets.push(("What all quotas promise", together, &[false, true, true]));
    }
    sheets
}

/// The answer, the quotas, what is refused, and what the fleet has of each namespace's and of all.
pub fn markdown(document: &QuotasDocument) -> String {
    let mut text = format!("**{}**\n", markdown_cell(&answer(document)));
    for (_, sheet, right) in sheets(document) {
        write!(text, "\n{}", sheet.markdown(right)).expect("a string grows");
    }
    text
}
