//! What could be smaller.

mod html;

use migsaw::chargeback::gpu_time;
use migsaw::document::Decimal;
use migsaw::document::right_size::{AdviceForm, GapForm, RightSizeDocument};

use crate::chargeback::{cost, hours, money, span};
use crate::list::List;
use crate::number::{grouped, percent};
use crate::sheet::Sheet;
use crate::statement::Statement;
use crate::style::Style;

pub use html::html;

/// One line about the outcome.
///
/// ```text
/// smaller profiles would do for 3 of 7: they free 14.20 of 50.00 GPU-hours held (28%), 56.80 of 200.00
/// ```
pub fn answer(document: &RightSizeDocument) -> String {
    let advice = &document.advice;
    let time =
        |of: fn(&AdviceForm) -> u64| advice.iter().map(|advice| gpu_time(of(advice), advice.units)).sum::<u128>();
    let (freed, held) = (time(|advice| advice.frees.unit_seconds), time(|advice| advice.held.unit_seconds));
    let sum = |of: fn(&AdviceForm) -> Option<i64>| advice.iter().map(of).sum::<Option<i64>>();
    let money = match (sum(|advice| cost(&advice.frees)), sum(|advice| cost(&advice.held))) {
        (Some(freed), Some(held)) if !document.prices.is_empty() => format!(", {} of {}", money(freed), money(held)),
        _ => String::new(),
    };
    let smaller = advice.iter().filter(|advice| advice.smaller.is_some()).count() as u64;
    if smaller == 0 {
        return format!("nothing could be smaller: {} GPU-hours were held as they have to be", hours(held));
    }
    format!(
        "smaller profiles would do for {} of {}: they free {} of {} GPU-hours held ({}){money}",
        grouped(smaller),
        grouped(advice.len() as u64),
        hours(freed),
        hours(held),
        percent(freed, held),
    )
}

fn footing(document: &RightSizeDocument) -> String {
    format!(
        "{}, by {}; asked for are the most memory and 99% of compute that were used, and {} of headroom",
        span(&document.period),
        document.by,
        document.headroom
    )
}

fn mib(n: Option<u32>) -> String {
    n.map_or_else(|| "-".to_owned(), |n| grouped(n.into()))
}

fn share(share: &Decimal) -> String {
    percent(u128::from(share.to_micros().unwrap_or(0).unsigned_abs()), 1_000_000)
}

/// What compute was used, at 99 of 100 samples.
fn active(advice: &AdviceForm) -> String {
    let Some(active) = &advice.compute.active else { return "-".to_owned() };
    let what = if advice.compute.metric.as_deref() == Some("SM_ACTIVE") { "SM" } else { "any" };
    let clamped = if advice.compute.clamped_samples > 0 { " (!)" } else { "" };
    format!("{what} {}{clamped}", share(&active.p99))
}

fn gaps(advice: &AdviceForm) -> String {
    let gap = |gap: &GapForm| match gap {
        GapForm::Memory => "no FB_USED",
        GapForm::Compute => "no activity",
        GapForm::Model => "model not known",
        GapForm::Several => "several GPUs at a time",
    };
    advice.gaps.iter().map(gap).collect::<Vec<_>>().join(", ")
}

fn cells(document: &RightSizeDocument) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let who = match document.by.as_str() {
        "namespace" => "|Namespace",
        "label" => "|Label",
        "tenant" => "|Tenant",
        _ => "|Pod",
    };
    let priced = !document.prices.is_empty();
    let one_model = document.advice.windows(2).all(|pair| pair[0].model == pair[1].model);
    let row = |advice: &AdviceForm| {
        let slice = if one_model { advice.slice.clone() } else { format!("{} of {}", advice.slice, advice.model) };
        let memory = &advice.memory;
        let mut cells = vec![
            advice.who.clone(),
            slice,
            format!("{} of {}", mib(memory.max_mib), mib(memory.has_mib)),
            mib(memory.p99_mib),
            active(advice),
            advice.smaller.clone().unwrap_or_else(|| "-".to_owned()),
            hours(gpu_time(advice.frees.unit_seconds, advice.units)),
        ];
        if priced {
            cells.push(cost(&advice.frees).map_or_else(|| "-".to_owned(), money));
        }
        cells
    };
    let mut header = vec![who, "|slice", ">MiB used", ">p99", "|active", "|would do", ">frees GPU-h"];
    if priced {
        header.push(">frees");
    }
    (header, document.advice.iter().map(row).collect())
}

/// What to know about the numbers.
fn notes(document: &RightSizeDocument) -> Vec<String> {
    let with = |gap: GapForm| document.advice.iter().filter(|advice| advice.gaps.contains(&gap)).count();
    let (memory, compute, model) = (with(GapForm::Memory), with(GapForm::Compute), with(GapForm::Model));
    let mut notes = Vec::new();
    if memory + compute + model > 0 {
        notes.push(format!(
            "- what was not measured is taken to be needed as it is: {memory} without FB_USED, {compute} without \
             activity, {model} of a model that is not known"
        ));
    }
    let several = with(GapForm::Several);
    if several > 0 {
        notes.push(format!(
            "- nothing is proposed for {several} with pods that hold several GPUs at a time: a process sees one instance \
             only, and instances have no peer access"
        ));
    }
    if document.advice.iter().any(|advice| advice.compute.clamped_samples > 0) {
        notes.push("(!) samples of activity above 1 were taken for 1".to_owned());
    }
    notes
}

fn statement(document: &RightSizeDocument) -> Statement {
    let (titles, rows) = cells(document);
    let (answer, setting) = (answer(document), footing(document));
    let titles = titles.into_iter().map(str::to_owned).collect();
    Statement { answer, setting, titles, rows, notes: notes(document) }
}

/// The rows of the table, and of [`csv`].
pub fn list(document: &RightSizeDocument) -> List {
    List::new(statement(document), sheet(document))
}

/// What could be smaller, as text.
pub fn text(document: &RightSizeDocument, style: Style) -> String {
    statement(document).text(style)
}

/// One row for each holder, model and slice.
pub fn csv(document: &RightSizeDocument) -> String {
    sheet(document).csv()
}

fn sheet(document: &RightSizeDocument) -> Sheet {
    let columns = [
        "who",
        "model",
        "slice",
        "seconds",
        "unit_seconds",
        "units_per_gpu",
        "cost",
        "memory_mib",
        "used_max_mib",
        "used_p99_mib",
        "needed_mib",
        "compute_slices",
        "metric",
        "active_p99",
        "needed_slices",
        "smaller",
        "frees_unit_seconds",
        "frees_cost",
        "not_known",
    ];
    let mut sheet = Sheet::new(&columns);
    let number = |n: Option<u32>| n.map_or_else(String::new, |n| n.to_string());
    let decimal = |n: Option<&Decimal>| n.map_or_else(String::new, |n| n.as_str().to_owned());
    for advice in &document.advice {
        let (memory, compute) = (&advice.memory, &advice.compute);
        sheet.row(vec![
            advice.who.clone(),
            advice.model.clone(),
            advice.slice.clone(),
            advice.seconds.to_string(),
            advice.held.unit_seconds.to_string(),
            advice.units.to_string(),
            decimal(advice.held.cost.as_ref()),
            number(memory.has_mib),
            number(memory.max_mib),
            number(memory.p99_mib),
            number(memory.needed_mib),
            compute.slices.to_string(),
            compute.metric.clone().unwrap_or_default(),
            decimal(compute.active.as_ref().map(|active| &active.p99)),
            decimal(compute.needed_slices.as_ref()),
            advice.smaller.clone().unwrap_or_default(),
            advice.frees.unit_seconds.to_string(),
            decimal(advice.frees.cost.as_ref()),
            gaps(advice),
        ]);
    }
    sheet
}

/// The answer, and the table.
pub fn markdown(document: &RightSizeDocument) -> String {
    statement(document).markdown()
}
