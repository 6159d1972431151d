//! What is to be bought, model by model.

mod html;

use std::fmt::Write as _;

use migsaw::document::buy::{BuyDocument, CaseForm, CriterionForm, NeedForm, OfferForm};

use crate::capacity::range;
use crate::clean::clean;
use crate::list::List;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::sheet::{Sheet, markdown_cell, marked};
use crate::statement::Statement;
use crate::style::{Style, Tone};
use crate::table::Table;

pub use html::html;

/// Most demands shown one by one.
const MOST_DEMANDS: usize = 40;

/// One line about the outcome.
///
/// ```text
/// buy 3 nodes with H100-80GB (24 GPUs) for 90000, the cheapest of 3 models
/// ```
pub fn answer(document: &BuyDocument) -> String {
    let word = match document.criterion {
        CriterionForm::Cost => "cheapest",
        CriterionForm::Nodes => "fewest nodes",
    };
    let among = match document.offers.len() {
        1 => String::new(),
        models => format!(", the {word} of {models} models"),
    };
    match document.best.and_then(|best| document.offers.get(best)) {
        Some(best) if best.nodes.most == Some(0) => "nothing has to be bought: all of it is served".to_owned(),
        Some(best) => {
            let (least, most) = (best.nodes.least.unwrap_or(0), best.nodes.most.unwrap_or(0));
            let nodes = if most == 1 && least == 1 { "node" } else { "nodes" };
            let gpus = range(gpus(best, least), gpus(best, most));
            let cost = best.cost.as_ref().map_or_else(String::new, |cost| format!(" for {}", cost.as_str()));
            format!("buy {} {nodes} with {} ({gpus} GPUs){cost}{among}", range(least, most), clean(&best.model))
        }
        None if document.offers.iter().all(|offer| !offer.nodes.possible) => {
            "no number of nodes suffices, proven".to_owned()
        }
        None => "not decided which is best: the time limit came first".to_owned(),
    }
}

fn gpus(offer: &OfferForm, nodes: u64) -> u64 {
    nodes.saturating_mul(u64::from(offer.gpus_per_node))
}

/// What it is for.
fn footing(document: &BuyDocument) -> String {
    let sum = |of: fn(&migsaw::document::buy::TargetForm) -> u64| document.target.iter().map(of).sum::<u64>();
    let (today, target) = (sum(|line| line.today), sum(|line| line.target));
    let units = counted(target, "unit");
    let grown = if today == target { String::new() } else { format!(" (today {})", grouped(today)) };
    let headroom =
        if document.headroom == "0%" { String::new() } else { format!(", {} of headroom included", document.headroom) };
    let survive = match document.survive.as_str() {
        "nothing" => String::new(),
        "node" => ", also with any one node lost".to_owned(),
        label => format!(", also with any one {} lost", clean(label)),
    };
    let beside = match document.nodes {
        0 => ", from scratch".to_owned(),
        nodes => format!(", beside {} with {}", counted(nodes, "node"), counted(document.gpus, "GPU")),
    };
    format!("for {units}{grown}{headroom}{survive}{beside}")
}

fn nodes(need: &NeedForm) -> String {
    match (need.possible, need.least, need.most) {
        (false, ..) => "none suffices".to_owned(),
        (true, least, Some(most)) => range(least.unwrap_or(0), most),
        (true, least, None) => format!("{} or more", grouped(least.unwrap_or(0))),
    }
}

/// The loss that takes most.
fn binding(offer: &OfferForm) -> Option<&CaseForm> {
    let weight = |case: &CaseForm| (!case.nodes.possible, case.nodes.most.is_none(), case.nodes.least.unwrap_or(0));
    let largest = offer.cases.iter().map(weight).max()?;
    offer.cases.iter().find(|case| weight(case) == largest)
}

/// What one node less would lack, or what no number of nodes gives.
fn lack(case: &CaseForm) -> String {
    let lost = if case.lost == "nothing" { String::new() } else { format!(" with {} lost", clean(&case.lost)) };
    match case.lacks.first() {
        None => String::new(),
        Some(lack) => {
            let more = case.lacks.len() - 1;
            let others =
                if more > 0 { format!(", and {}", counted(more as u64, "more demand")) } else { String::new() };
            format!("{} of {}{others}{lost}", grouped(lack.count), clean(&lack.demand))
        }
    }
}

struct Row {
    cells: Vec<String>,
    is_best: bool,
}

const COLUMNS: [&str; 5] = ["Model", ">GPUs each", ">nodes", ">GPUs", "one less lacks"];

fn rows(document: &BuyDocument) -> (Vec<&'static str>, Vec<Row>) {
    let priced = document.offers.iter().any(|offer| offer.price.is_some());
    let mut header = COLUMNS.to_vec();
    if priced {
        header.splice(4..4, [">per node", ">cost"]);
    }
    let row = |(index, offer): (usize, &OfferForm)| {
        let all = match (offer.nodes.least, offer.nodes.most) {
            (Some(least), Some(most)) => range(gpus(offer, least), gpus(offer, most)),
            _ => String::new(),
        };
        let mut cells =
            vec![clean(&offer.model).into_owned(), grouped(u64::from(offer.gpus_per_node)), nodes(&offer.nodes), all];
        if priced {
            let text =
                |number: &Option<migsaw::document::Decimal>| number.as_ref().map_or("", |n| n.as_str()).to_owned();
            cells.extend([text(&offer.price), text(&offer.cost)]);
        }
        cells.push(binding(offer).map(lack).unwrap_or_default());
        Row { cells, is_best: document.best == Some(index) }
    };
    (header, document.offers.iter().enumerate().map(row).collect())
}

/// The answer in line one, the models side by side, and why it takes so many.
///
/// ```text
/// buy 2 nodes with A30-24GB (4 GPUs)
/// for 12 units (today 10), also with any one node lost, beside 1 node with 2 GPUs
///
/// Model …     nodes, GPUs and cost of each, and what would not be served with one node less
/// Target …    what has to be served
/// Why …       the reasons, and what each loss takes
/// ```
///
/// The same answer gives the same bytes.
pub fn text(document: &BuyDocument, style: Style) -> String {
    let mut page = Page::new(style);
    let tone = if document.best.is_some() { Tone::Good } else { Tone::Warn };
    page.wrapped(&style.paint(tone, answer(document)), 0, 2);
    page.wrapped(&style.paint(Tone::Faint, footing(document)), 0, 2);
    page.line("");
    let (header, rows) = rows(document);
    let mut table = Table::new(&header);
    for Row { mut cells, is_best } in rows {
        if is_best {
            cells[0] = style.paint(Tone::Strong, &cells[0]);
        }
        table.row(cells);
    }
    page.push(&table.print(style));
    targets(document, &mut page, style);
    document.offers.iter().for_each(|offer| why(offer, &mut page, style));
    page.finish()
}

fn targets(document: &BuyDocument, page: &mut Page, style: Style) {
    page.line("");
    let mut table = Table::new(&["Target", "asks for", ">today", ">to serve"]);
    for line in document.target.iter().take(MOST_DEMANDS) {
        let asks_for = clean(&line.asks_for).replace('≥', style.pick("≥", ">=")).replace('×', style.times());
        let cells = [clean(&line.demand).into_owned(), asks_for];
        table.row(cells.into_iter().chain([grouped(line.today), grouped(line.target)]).collect());
    }
    page.push(&table.print(style));
    page.more(document.target.len(), MOST_DEMANDS, "demand");
}

/// The reasons of a model's number, and what each loss takes.
fn why(offer: &OfferForm, page: &mut Page, style: Style) {
    let Some(binding) = binding(offer) else { return };
    page.line("");
    let like = offer
        .like
        .as_ref()
        .map_or_else(|| "without labels and taints".to_owned(), |like| format!("like those of pool {}", clean(like)));
    page.line(format!("{}  new nodes {like}", style.paint(Tone::Strong, clean(&offer.model))));
    let too_few = match (binding.nodes.possible, binding.nodes.most) {
        (false, _) => "no number of nodes serves".to_owned(),
        (true, Some(most)) if offer.cases.len() > 1 || binding.nodes.most != offer.nodes.most => {
            format!("with {} left it would not serve", counted(most.saturating_sub(1), "new node"))
        }
        (true, Some(most)) => format!("{} would not serve", counted(most.saturating_sub(1), "node")),
        (true, None) => "not decided in time".to_owned(),
    };
    if binding.nodes.most == Some(0) {
        page.line("  all of it is served without");
    }
    for lack in binding.lacks.iter().take(3) {
        let sentence = format!("{too_few} {} of {}: {}", grouped(lack.count), clean(&lack.demand), clean(&lack.reason));
        page.wrapped(&sentence, 2, 4);
    }
    for case in offer.cases.iter().filter(|case| offer.cases.len() > 1 && case.nodes.possible).take(MOST_DEMANDS) {
        page.line(format!("  {:>5} new left with {} lost", nodes(&case.nodes), clean(&case.lost)));
    }
}

/// A row for each model, as [`text`] and [`csv`] have them.
pub fn list(document: &BuyDocument) -> List {
    let (titles, rows) = rows(document);
    let statement = Statement {
        answer: answer(document),
        setting: footing(document),
        titles: titles.into_iter().map(str::to_owned).collect(),
        rows: rows.into_iter().map(|row| row.cells).collect(),
        notes: Vec::new(),
    };
    List::new(statement, sheet(document))
}

/// One row for each model.
pub fn csv(document: &BuyDocument) -> String {
    sheet(document).csv()
}

fn sheet(document: &BuyDocument) -> Sheet {
    let columns =
        ["model", "gpus_per_node", "possible", "least_nodes", "most_nodes", "price", "cost", "best", "one_less_lacks"];
    let mut sheet = Sheet::new(&columns);
    for (index, offer) in document.offers.iter().enumerate() {
        let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
        let price =
            |price: &Option<migsaw::document::Decimal>| price.as_ref().map_or("", |price| price.as_str()).to_owned();
        sheet.row(vec![
            offer.model.clone(),
            offer.gpus_per_node.to_string(),
            offer.nodes.possible.to_string(),
            number(offer.nodes.least),
            number(offer.nodes.most),
            price(&offer.price),
            price(&offer.cost),
            (document.best == Some(index)).to_string(),
            binding(offer).map(lack).unwrap_or_default(),
        ]);
    }
    sheet
}

/// The answer, and a table with the models.
pub fn markdown(document: &BuyDocument) -> String {
    let mut text = format!("**{}**\n\n{}\n", markdown_cell(&answer(document)), markdown_cell(&footing(document)));
    let (header, rows) = rows(document);
    let rows = rows.into_iter().map(|row| row.cells).collect();
    write!(text, "\n{}", marked(&header, rows)).expect("a string grows");
    text
}
