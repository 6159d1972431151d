//! Who used which slices, as a page.

use migsaw::chargeback::gpu_time;
use migsaw::document::chargeback::{ChargebackDocument, ModelForm};

use super::{answer, cells, footing, gpu_time_of, hours, notes, seen};
use crate::chart::{Bar, Bars, Ink, Panel, ratio};
use crate::clean::clean;
use crate::html::{Figure, Frame, Origin, Section, Table, facts, paragraphs};
use crate::number::percent;

/// Most of those who are billed that the picture shows; the table has all.
const MOST_BARS: usize = 30;

/// The statement as one HTML file that needs no network: who had how much of all GPU time, what was idle, stranded or
/// not known, slice by slice and model by model. It has the document in it, for programs.
///
/// The same statement gives the same bytes.
pub fn html(document: &ChargebackDocument, origin: &Origin) -> String {
    let (header, mut rows) = cells(document);
    let total = rows.pop();
    let mut by_slice = Table::of("Who had which slices", &header, &rows);
    if let Some([all, cells @ ..]) = total.as_deref() {
        by_slice.sum(all, cells.to_vec());
    }
    let sections = [
        Section::new("who", "Who had what", picture(document).show(&by_slice.show())),
        Section::new("models", "GPUs by model", models(document).show()),
    ];
    let all = seen(document);
    let fact = |what: &str, of: fn(&ModelForm) -> &_| {
        let time = gpu_time_of(document, of);
        (percent(time, all), format!("{what}: {} GPU-hours", hours(time)))
    };
    let figures = [
        fact("billed", |model| &model.billed),
        fact("idle", |model| &model.idle),
        fact("stranded", |model| &model.stranded),
        fact("unknown", |model| &model.unknown),
    ];
    let frame = Frame {
        command: "migsaw chargeback",
        answer: &answer(document),
        setting: &footing(document),
        origin,
        document: [&document.api_version, &document.kind],
    };
    let first = maud::html! { (facts(&figures)) (paragraphs(&notes(document))) };
    frame.page(&first, &sections, document)
}

/// A bar for each who is billed, the longest first, and one each for what nobody had.
fn picture(document: &ChargebackDocument) -> Figure<'static> {
    let all = seen(document);
    let units = |name: &str| document.models.iter().find(|model| model.model == name).map_or(1, |model| model.units);
    let billed = document.lines.iter().map(|line| {
        let slices = line.slices.iter().map(|slice| gpu_time(slice.amount.unit_seconds, units(&slice.model)));
        (clean(&line.who).into_owned(), slices.sum::<u128>())
    });
    let mut billed: Vec<(String, u128)> = billed.collect();
    billed.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let left = billed.split_off(billed.len().min(MOST_BARS));
    if !left.is_empty() {
        billed.push((format!("({} more)", left.len()), left.iter().map(|(_, time)| time).sum()));
    }
    let nobody = [
        ("(idle)", gpu_time_of(document, |model| &model.idle)),
        ("(stranded)", gpu_time_of(document, |model| &model.stranded)),
        ("(unknown)", gpu_time_of(document, |model| &model.unknown)),
    ];
    let bar = |name: String, time: u128, ink| Bar {
        name,
        ink,
        part: ratio(u64::try_from(time).unwrap_or(u64::MAX), u64::try_from(all).unwrap_or(u64::MAX)),
        half_width: 0.0,
        figure: percent(time, all),
    };
    let mut bars: Vec<Bar> = billed.into_iter().map(|(name, time)| bar(name, time, Ink::Best)).collect();
    bars.extend(nobody.into_iter().map(|(name, time)| bar(name.to_owned(), time, Ink::Other(0))));
    let said: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.name, bar.figure)).collect();
    let panels = [Panel { title: "share of all GPU-hours".to_owned(), note: String::new(), bars }];
    Figure {
        name: "shares",
        title: "Shares of all GPU time",
        caption: "By memory slices: a 1g of seven has an eighth of its GPU. Names in brackets are nobody's.".to_owned(),
        description: said.join("; "),
        draw: Box::new(move |width| Bars { panels: &panels }.draw(width)),
    }
}

fn models(document: &ChargebackDocument) -> Table {
    let header = ["Model", ">GPUs", ">GPU-hours", ">billed", ">idle", ">stranded", ">unknown", ">not seen"];
    let rows = document.models.iter().map(|model| {
        let of = |amount: &migsaw::document::chargeback::AmountForm| hours(gpu_time(amount.unit_seconds, model.units));
        vec![
            model.model.clone(),
            model.gpus.to_string(),
            hours(gpu_time(model.gpu_seconds, 1)),
            of(&model.billed),
            of(&model.idle),
            of(&model.stranded),
            of(&model.unknown),
            hours(gpu_time(model.unseen_seconds, 1)),
        ]
    });
    Table::of("GPU-hours by model", &header, &rows.collect::<Vec<_>>())
}
