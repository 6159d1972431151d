//! Who used which slices, and what that costs.

mod html;

use migsaw::chargeback::{GPU_PARTS, gpu_time};
use migsaw::document::Decimal;
use migsaw::document::chargeback::{ActivityForm, AmountForm, BilledForm, ChargebackDocument, ModelForm, PeriodForm};

use crate::list::List;
use crate::number::{counted, hundredths, percent};
use crate::sheet::Sheet;
use crate::statement::Statement;
use crate::style::Style;

pub use html::html;

/// One line about the outcome.
///
/// ```text
/// 412.50 of 720.00 GPU-hours billed (57%) for 1,650.00 of 2,880.00; 20% idle, 13% stranded, 10% unknown
/// ```
pub fn answer(document: &ChargebackDocument) -> String {
    let seen = seen(document);
    let share = |of: fn(&ModelForm) -> &AmountForm| percent(gpu_time_of(document, of), seen);
    let billed = |model: &ModelForm| cost(&model.billed);
    let all = |model: &ModelForm| {
        [&model.billed, &model.idle, &model.stranded, &model.unknown].into_iter().map(cost).sum::<Option<i64>>()
    };
    let sum = |of: &dyn Fn(&ModelForm) -> Option<i64>| document.models.iter().map(of).sum::<Option<i64>>();
    let money = match (sum(&billed), sum(&all)) {
        _ if document.prices.is_empty() => String::new(),
        (Some(billed), Some(all)) => format!(" for {} of {}", money(billed), money(all)),
        (Some(billed), None) => format!(" for {}", money(billed)),
        (None, _) => " (not all of it has a price)".to_owned(),
    };
    format!(
        "{} of {} GPU-hours billed ({}){money}; {} idle, {} stranded, {} unknown",
        hours(gpu_time_of(document, |model| &model.billed)),
        hours(seen),
        share(|model| &model.billed),
        share(|model| &model.idle),
        share(|model| &model.stranded),
        share(|model| &model.unknown),
    )
}

/// From when to when, of how many GPUs, and who is billed.
fn footing(document: &ChargebackDocument) -> String {
    let gpus: u64 = document.models.iter().map(|model| model.gpus).sum();
    let unseen: u64 = document.models.iter().map(|model| model.unseen_seconds).sum();
    let unseen = match unseen {
        0 => String::new(),
        unseen => format!("; {} more GPU-hours in which they were not seen", hours(u128::from(unseen) * GPU_PARTS)),
    };
    let held = match document.hold_seconds {
        Some(seconds) => format!(", a sample holds for {}", counted(seconds.into(), "second")),
        None => String::new(),
    };
    format!("{}, {}, by {}{held}{unseen}", span(&document.period), counted(gpus, "GPU"), document.by)
}

/// A period, in words.
pub(crate) fn span(period: &PeriodForm) -> String {
    format!("{} to {}", period.start, period.end)
}

fn gpu_time_of(document: &ChargebackDocument, of: impl Fn(&ModelForm) -> &AmountForm) -> u128 {
    document.models.iter().map(|model| gpu_time(of(model).unit_seconds, model.units)).sum()
}

fn seen(document: &ChargebackDocument) -> u128 {
    document.models.iter().map(|model| u128::from(model.gpu_seconds) * GPU_PARTS).sum()
}

/// Parts of seconds as hours.
pub(crate) fn hours(parts: u128) -> String {
    hundredths((parts * 100 + GPU_PARTS * 1800) / (GPU_PARTS * 3600))
}

fn slice_hours(seconds: u64) -> String {
    hours(u128::from(seconds) * GPU_PARTS)
}

/// Millionths, to the hundredth.
pub(crate) fn money(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{}", hundredths((u128::from(micros.unsigned_abs()) + 5000) / 10_000))
}

pub(crate) fn cost(amount: &AmountForm) -> Option<i64> {
    amount.cost.as_ref().and_then(Decimal::to_micros)
}

fn money_or_dash(cost: Option<i64>) -> String {
    cost.map_or_else(|| "-".to_owned(), money)
}

/// What a slice was seen to do; multiprocessors say more than time with anything at all.
fn active(slice: &BilledForm) -> String {
    let share =
        |activity: &ActivityForm| percent(u128::from(activity.mean.to_micros().unwrap_or(0).unsigned_abs()), 1_000_000);
    let shown = match (&slice.sm_active, &slice.engine_active) {
        (Some(sm), _) => format!("SM {}", share(sm)),
        (None, Some(engine)) => format!("any {}", share(engine)),
        (None, None) => return "-".to_owned(),
    };
    let clamped = if slice.clamped_samples == 0 { "" } else { " (!)" };
    format!("{shown}{clamped}")
}

/// A row of the table.
struct Row {
    who: String,
    slice: String,
    hours: String,
    gpu_time: u128,
    cost: Option<i64>,
    stranded: String,
    active: String,
}

fn rows(document: &ChargebackDocument) -> Vec<Row> {
    let one_model = document.models.len() == 1;
    let units = |name: &str| document.models.iter().find(|model| model.model == name).map_or(1, |model| model.units);
    let named = |model: &str, slice: &str| if one_model { slice.to_owned() } else { format!("{slice} of {model}") };
    let mut rows = Vec::new();
    for line in &document.lines {
        for slice in &line.slices {
            rows.push(Row {
                who: line.who.clone(),
                slice: named(&slice.model, &slice.slice),
                hours: slice_hours(slice.seconds),
                gpu_time: gpu_time(slice.amount.unit_seconds, units(&slice.model)),
                cost: cost(&slice.amount),
                stranded: money_or_dash(cost(&slice.stranded)),
                active: active(slice),
            });
        }
    }
    for slice in &document.idle {
        rows.push(Row {
            who: "(idle)".to_owned(),
            slice: named(&slice.model, &slice.slice),
            hours: slice_hours(slice.seconds),
            gpu_time: gpu_time(slice.amount.unit_seconds, units(&slice.model)),
            cost: cost(&slice.amount),
            stranded: String::new(),
            active: String::new(),
        });
    }
    for (who, of) in [
        ("(stranded)", (|model: &ModelForm| &model.stranded) as fn(&ModelForm) -> &AmountForm),
        ("(unknown)", |model| &model.unknown),
    ] {
        let parts = document.models.iter().filter(|model| of(model).unit_seconds > 0);
        for model in parts {
            rows.push(Row {
                who: who.to_owned(),
                slice: if one_model { String::new() } else { model.model.clone() },
                hours: String::new(),
                gpu_time: gpu_time(of(model).unit_seconds, model.units),
                cost: cost(of(model)),
                stranded: String::new(),
                active: String::new(),
            });
        }
    }
    rows
}

/// Titles of columns, `>` for those set flush right, and the cells below.
fn cells(document: &ChargebackDocument) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let priced = !document.prices.is_empty();
    let who = match document.by.as_str() {
        "pod" => "|Pod",
        "label" => "|Label",
        "tenant" => "|Tenant",
        _ => "|Namespace",
    };
    let all = seen(document);
    let line = |row: Row| {
        let mut cells = vec![row.who, row.slice, row.hours, hours(row.gpu_time), percent(row.gpu_time, all)];
        if priced {
            cells.extend([money_or_dash(row.cost), row.stranded]);
        }
        cells.push(row.active);
        cells
    };
    let rows = rows(document);
    let total = Row {
        who: "(all)".to_owned(),
        slice: String::new(),
        hours: String::new(),
        gpu_time: rows.iter().map(|row| row.gpu_time).sum(),
        cost: rows.iter().map(|row| row.cost).sum(),
        stranded: String::new(),
        active: String::new(),
    };
    let mut header = vec![who, "|slice", ">slice-hours", ">GPU-hours", ">%"];
    if priced {
        header.extend([">cost", ">of stranded"]);
    }
    header.push("active");
    (header, rows.into_iter().chain([total]).map(line).collect())
}

/// The same rows, with each who only in the first of their rows.
fn folded(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut last = None;
    let fold = |mut row: Vec<String>| {
        let who = row[0].clone();
        if last.as_ref() == Some(&who) {
            row[0].clear();
        }
        last = Some(who);
        row
    };
    rows.into_iter().map(fold).collect()
}

fn statement(document: &ChargebackDocument) -> Statement {
    let (titles, rows) = cells(document);
    stated(document, titles, folded(rows))
}

fn stated(document: &ChargebackDocument, titles: Vec<&'static str>, rows: Vec<Vec<String>>) -> Statement {
    let (answer, setting) = (answer(document), footing(document));
    let titles = titles.into_iter().map(str::to_owned).collect();
    Statement { answer, setting, titles, rows, notes: notes(document) }
}

/// The rows of the table, and of [`csv`].
pub fn list(document: &ChargebackDocument) -> List {
    let (titles, rows) = cells(document);
    List::new(stated(document, titles, rows), sheet(document)).with_total()
}

/// The statement as text.
pub fn text(document: &ChargebackDocument, style: Style) -> String {
    statement(document).text(style)
}

/// What to know about the numbers.
fn notes(document: &ChargebackDocument) -> Vec<String> {
    let slices = || document.lines.iter().flat_map(|line| &line.slices);
    let mut notes = Vec::new();
    let clamped: u64 = slices().map(|slice| slice.clamped_samples).sum();
    if clamped > 0 {
        notes.push(format!("(!) {} of activity above 1 taken for 1", counted(clamped, "sample")));
    }
    let shared: u64 = slices().map(|slice| slice.shared_seconds).sum();
    if shared > 0 {
        notes.push(format!("{} slice-hours of these were shared by time, in equal parts", slice_hours(shared)));
    }
    if slices().any(|slice| slice.sm_active.is_some() || slice.engine_active.is_some()) {
        notes.push(
            "activity is for information: what is billed is the slice, and it does not compare across profiles"
                .to_owned(),
        );
    }
    notes
}

/// One row for each slice of each who is billed, and for what is idle, stranded and unknown.
pub fn csv(document: &ChargebackDocument) -> String {
    sheet(document).csv()
}

fn sheet(document: &ChargebackDocument) -> Sheet {
    let columns = [
        "kind",
        "who",
        "model",
        "slice",
        "seconds",
        "unit_seconds",
        "units_per_gpu",
        "cost",
        "stranded_unit_seconds",
        "stranded_cost",
        "shared_seconds",
        "engine_active_mean",
        "sm_active_mean",
        "clamped_samples",
    ];
    let mut sheet = Sheet::new(&columns);
    let price = |amount: &AmountForm| amount.cost.as_ref().map_or_else(String::new, |cost| cost.as_str().to_owned());
    let units = |name: &str| {
        document
            .models
            .iter()
            .find(|model| model.model == name)
            .map_or_else(String::new, |model| model.units.to_string())
    };
    let mean = |activity: &Option<ActivityForm>| {
        activity.as_ref().map_or_else(String::new, |activity| activity.mean.as_str().to_owned())
    };
    let padded = |mut cells: Vec<String>| {
        cells.resize(columns.len(), String::new());
        cells
    };
    for line in &document.lines {
        for slice in &line.slices {
            sheet.row(vec![
                "billed".to_owned(),
                line.who.clone(),
                slice.model.clone(),
                slice.slice.clone(),
                slice.seconds.to_string(),
                slice.amount.unit_seconds.to_string(),
                units(&slice.model),
                price(&slice.amount),
                slice.stranded.unit_seconds.to_string(),
                price(&slice.stranded),
                slice.shared_seconds.to_string(),
                mean(&slice.engine_active),
                mean(&slice.sm_active),
                slice.clamped_samples.to_string(),
            ]);
        }
    }
    for slice in &document.idle {
        sheet.row(padded(vec![
            "idle".to_owned(),
            String::new(),
            slice.model.clone(),
            slice.slice.clone(),
            slice.seconds.to_string(),
            slice.amount.unit_seconds.to_string(),
            units(&slice.model),
            price(&slice.amount),
        ]));
    }
    for model in &document.models {
        for (kind, amount) in [("stranded", &model.stranded), ("unknown", &model.unknown)] {
            sheet.row(padded(vec![
                kind.to_owned(),
                String::new(),
                model.model.clone(),
                String::new(),
                String::new(),
                amount.unit_seconds.to_string(),
                model.units.to_string(),
                price(amount),
            ]));
        }
    }
    sheet
}

/// The answer, and the table.
pub fn markdown(document: &ChargebackDocument) -> String {
    statement(document).markdown()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_money_are_rounded_to_hundredths() {
        for (seconds, text) in [(0, "0.00"), (18, "0.01"), (17, "0.00"), (3600, "1.00"), (3_600_000, "1,000.00")] {
            assert_eq!(slice_hours(seconds), text, "{seconds}");
        }
        for (micros, text) in
            [(0, "0.00"), (4_999, "0.00"), (5_000, "0.01"), (1_234_567_890, "1,234.57"), (-10_000, "-0.01")]
        {
            assert_eq!(money(micros), text, "{micros}");
        }
        // A twelfth of a GPU for twelve hours.
        assert_eq!(hours(gpu_time(12 * 3600, 12)), "1.00");
    }
}
