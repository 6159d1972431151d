//! What is to be bought, as a page.

use maud::{Markup, html as markup};
use migsaw::document::buy::{BuyDocument, OfferForm};

use super::{answer, footing, nodes, rows};
use crate::chart::{Bar, Bars, Ink, Panel, ratio};
use crate::clean::clean;
use crate::html::{Column, Figure, Frame, Origin, Row, Section, Table, counting, facts};
use crate::number::{counted, grouped};

/// The answer as one HTML file that needs no network: the models side by side, what they are for, and why it takes
/// so many. It has the document in it, for programs.
///
/// The same answer gives the same bytes.
pub fn html(document: &BuyDocument, origin: &Origin) -> String {
    let sections = [
        Section::new("models", "Models", models(document)),
        Section::new("target", "What has to be served", targets(document)),
        Section::new("why", "Why so many", markup! { @for offer in &document.offers { (why(offer)) } }),
    ];
    let best = document.best.and_then(|best| document.offers.get(best));
    let mut figures = Vec::new();
    if let Some(best) = best {
        figures.push((nodes(&best.nodes), format!("nodes with {}", clean(&best.model))));
        if let Some(cost) = &best.cost {
            figures.push((cost.as_str().to_owned(), "for all of them".to_owned()));
        }
    }
    let target = document.target.iter().map(|line| line.target).sum::<u64>();
    figures.push(counting(target, "unit has to be served", "units have to be served"));
    figures.push(counting(document.gpus, "GPU is there and counts", "GPUs are there and count"));
    let frame = Frame {
        command: "migsaw buy",
        answer: &answer(document),
        setting: &footing(document),
        origin,
        document: [&document.api_version, &document.kind],
    };
    frame.page(&facts(&figures), &sections, document)
}

/// The models as a picture and as a table.
fn models(document: &BuyDocument) -> Markup {
    let (header, rows) = rows(document);
    let mut table = Table::list("Models side by side", header.iter().map(|title| Column::marked(title)).collect());
    for row in rows {
        let [name, cells @ ..] = &row.cells[..] else { continue };
        let name = markup! { (name) @if row.is_best { " " span class="tag" { "best" } } };
        let looks = if row.is_best { "is-best" } else { "" };
        table.add(Row { looks, ..Row::default() }, name, cells.iter().map(|cell| markup! { (cell) }).collect());
    }
    if document.offers.iter().all(|offer| offer.nodes.most.is_none()) {
        return table.show();
    }
    let panels = [panel(document)];
    let said: Vec<String> = panels[0].bars.iter().map(|bar| format!("{} {}", bar.name, bar.figure)).collect();
    let figure = Figure {
        name: "models-compared",
        title: "Models side by side",
        caption: "The longest bar is the most; a model of which no number suffices has none.".to_owned(),
        description: format!("{}: {}", panels[0].title, said.join("; ")),
        draw: Box::new(move |width| Bars { panels: &panels }.draw(width)),
    };
    figure.show(&table.show())
}

/// Bars of the costs, if all are known, or of the nodes.
fn panel(document: &BuyDocument) -> Panel {
    let possible = || document.offers.iter().filter(|offer| offer.nodes.most.is_some());
    let is_priced = possible().all(|offer| offer.cost.is_some());
    let value = |offer: &OfferForm| {
        let cost = offer.cost.as_ref().and_then(migsaw::document::Decimal::to_micros);
        if is_priced { cost.map_or(0, i64::unsigned_abs) } else { offer.nodes.most.unwrap_or(0) }
    };
    let most = possible().map(value).max().unwrap_or(0);
    let bar = |(index, offer): (usize, &OfferForm)| Bar {
        name: clean(&offer.model).into_owned(),
        ink: if document.best == Some(index) { Ink::Best } else { Ink::Other(0) },
        part: ratio(value(offer), most),
        half_width: 0.0,
        figure: match (&offer.cost, offer.nodes.most) {
            (_, None) => "–".to_owned(),
            (Some(cost), _) if is_priced => cost.as_str().to_owned(),
            (_, Some(nodes)) => grouped(nodes),
        },
    };
    let title = if is_priced { "cost of the nodes it takes" } else { "nodes it takes" };
    Panel { title: title.to_owned(), note: String::new(), bars: document.offers.iter().enumerate().map(bar).collect() }
}

fn targets(document: &BuyDocument) -> Markup {
    let mut columns = vec![Column::text("demand"), Column::text("one unit asks for")];
    columns.extend(["today", "to serve"].map(Column::number));
    let mut table = Table::list("What has to be served", columns);
    for line in &document.target {
        let cells = [clean(&line.asks_for).into_owned(), grouped(line.today), grouped(line.target)];
        table.add(Row::default(), markup! { (clean(&line.demand)) }, cells.map(|cell| markup! { (cell) }).to_vec());
    }
    table.show()
}

/// What each loss takes of a model, and what one node less would lack.
fn why(offer: &OfferForm) -> Markup {
    let columns =
        vec![Column::text("lost"), Column::number("new nodes left"), Column::text("not served with one less")];
    let mut table = Table::list(&format!("What each loss takes of {}", offer.model), columns);
    for case in &offer.cases {
        let lacks = markup! {
            @for lack in &case.lacks {
                span class="line" { (grouped(lack.count)) " of " (clean(&lack.demand)) ": " (clean(&lack.reason)) }
            }
        };
        let cells = vec![markup! { (nodes(&case.nodes)) }, lacks];
        table.add(Row::default(), markup! { (clean(&case.lost)) }, cells);
    }
    let like = offer
        .like
        .as_ref()
        .map_or_else(|| "without labels and taints".to_owned(), |like| format!("like those of pool {}", clean(like)));
    markup! {
        h3 class="spaced" { (clean(&offer.model)) }
        p class="about-section" {
            @if offer.nodes.possible { (nodes(&offer.nodes)) " new nodes" } @else { "No number of nodes suffices" }
            "; each with " (counted(offer.gpus_per_node.into(), "GPU")) ", " (like)
        }
        (table.show())
    }
}
