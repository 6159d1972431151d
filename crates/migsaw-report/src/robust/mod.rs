//! One layout for several scenarios: what it serves in each, and what one would serve who knew.

mod html;

use std::fmt::Write as _;

use migsaw::document::Decimal;
use migsaw::document::robust::{
    AimForm, ChoiceForm, CutForm, MeasureForm, PriorityForm, RobustDocument, RuleForm, SituationDemandForm,
    SituationForm,
};

use crate::clean::clean;
use crate::list::List;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::sheet::{Sheet, markdown_cell, marked};
use crate::style::{Style, Tone};
use crate::table::Table;

pub use html::html;

/// Most rows shown of a list that grows with the demand.
const MOST_ROWS: usize = 40;

/// One line about the outcome.
///
/// ```text
/// 148.28 of 160.57 units served on average (151.42 if one knew what comes), greatest regret 9: no layout is better
/// ```
pub fn answer(document: &RobustDocument) -> String {
    let average = |of: fn(&PriorityForm) -> u64| {
        let weight = |scenario: &SituationForm| i128::from(scenario.weight.to_micros().unwrap_or(0));
        let all = |scenario: &SituationForm| i128::from(scenario.priorities.iter().map(of).sum::<u64>());
        let sum: i128 = document.scenarios.iter().map(|scenario| weight(scenario) * all(scenario)).sum();
        let weights: i128 = document.scenarios.iter().map(weight).sum();
        hundredths(sum * 1_000_000 / weights.max(1))
    };
    let (asked, served, best) = (average(|p| p.asked), average(|p| p.served), average(|p| p.best));
    let regret = document.choices.first().and_then(|ours| ours.priorities.iter().map(|p| p.regret).max()).unwrap_or(0);
    let proof = if document.proven { "no layout is better".to_owned() } else { open(document) };
    format!(
        "{served} of {asked} units served on average ({best} if one knew what comes), greatest regret {}: {proof}",
        signed(regret)
    )
}

/// What is not known.
fn open(document: &RobustDocument) -> String {
    match document.tiers.iter().find(|tier| tier.value != tier.bound) {
        Some(tier) => {
            let at = if priorities(document) > 1 { format!(" at priority {}", tier.priority) } else { String::new() };
            match tier.measure {
                MeasureForm::Average => {
                    // Rounded up, so that none does.
                    let most = i128::from(tier.bound.to_micros().unwrap_or(i64::MAX)).div_euclid(-10_000) * -10_000;
                    format!("no layout serves more than {} on average{at}", hundredths(most))
                }
                MeasureForm::Regret => format!("no layout has a regret below {}{at}", number(&tier.bound)),
            }
        }
        None => "not proven what each scenario's own plan would serve".to_owned(),
    }
}

/// What it is for.
fn footing(document: &RobustDocument) -> String {
    let aim = match document.aim {
        AimForm::Average => "best on average",
        AimForm::Worst => "with the least greatest regret",
    };
    let (scenarios, gpus) = (document.scenarios.len() as u64, document.gpus);
    format!("one layout of {}, {aim}, for {}", counted(gpus, "GPU"), counted(scenarios, "scenario"))
}

/// Millionths with two decimals at most, rounded.
fn hundredths(micros: i128) -> String {
    let rounded = (micros + 5_000) / 10_000;
    let (whole, part) = (rounded / 100, rounded % 100);
    let whole = grouped(u64::try_from(whole).unwrap_or(0));
    match part {
        0 => whole,
        part => format!("{whole}.{part:02}").trim_end_matches('0').to_owned(),
    }
}

fn number(decimal: &Decimal) -> String {
    match decimal.to_micros() {
        Some(micros @ 0..) => hundredths(i128::from(micros)),
        _ => decimal.as_str().to_owned(),
    }
}

fn signed(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(units.unsigned_abs()))
}

/// How many priorities there are.
fn priorities(document: &RobustDocument) -> usize {
    document.scenarios.first().map_or(0, |scenario| scenario.priorities.len())
}

/// A table: its columns, those flush right marked with `>`, and its rows.
type Rows = (Vec<&'static str>, Vec<Vec<String>>);

/// A row for each scenario and priority.
fn scenarios(document: &RobustDocument) -> Rows {
    let several = priorities(document) > 1;
    let mut header = vec!["Scenario", ">weight", ">asked", ">served", ">if known", ">regret"];
    if several {
        header.insert(2, ">priority");
    }
    let mut rows = Vec::new();
    for scenario in &document.scenarios {
        for p in &scenario.priorities {
            let mut row = vec![clean(&scenario.name).into_owned(), number(&scenario.weight)];
            if several {
                row.push(p.priority.to_string());
            }
            row.extend([grouped(p.asked), grouped(p.served), grouped(p.best), signed(p.regret)]);
            rows.push(row);
        }
    }
    (header, rows)
}

/// A row for each layout and priority.
fn choices(document: &RobustDocument) -> Rows {
    let several = priorities(document) > 1;
    let mut header = vec!["Layout", ">average", ">greatest regret"];
    if several {
        header.insert(1, ">priority");
    }
    let mut rows = Vec::new();
    for choice in &document.choices {
        for p in &choice.priorities {
            let mut row = vec![name(choice)];
            if several {
                row.push(p.priority.to_string());
            }
            row.extend([number(&p.average), signed(p.regret)]);
            rows.push(row);
        }
    }
    (header, rows)
}

fn name(choice: &ChoiceForm) -> String {
    match choice.rule {
        RuleForm::Robust => "this one".to_owned(),
        RuleForm::Mean => "planned for the mean".to_owned(),
        RuleForm::Peak => "planned for the peak".to_owned(),
        RuleForm::Likely => format!("planned for {}", clean(choice.scenario.as_deref().unwrap_or_default())),
    }
}

/// The demands of which not all is served, or not what the scenario's own plan serves.
fn short(document: &RobustDocument) -> Rows {
    let all =
        document.scenarios.iter().flat_map(|scenario| scenario.demands.iter().map(move |demand| (scenario, demand)));
    let short = all.filter(|(_, demand)| demand.served < demand.asked || demand.served != demand.best);
    let row = |(scenario, demand): (&SituationForm, &SituationDemandForm)| {
        let names = [clean(&demand.demand).into_owned(), clean(&scenario.name).into_owned()];
        names.into_iter().chain([demand.asked, demand.served, demand.best].map(grouped)).collect()
    };
    (vec!["Not all served", "in", ">asked", ">served", ">if known"], short.map(row).collect())
}

/// How many GPUs are cut into what.
fn layout(document: &RobustDocument) -> Rows {
    let row = |cut: &CutForm| {
        let into = if cut.cut == "off" { "MIG off".to_owned() } else { clean(&cut.cut).replace(',', ", ") };
        vec![clean(&cut.pool).into_owned(), clean(&cut.model).into_owned(), grouped(cut.gpus), into]
    };
    (vec!["Cut in", "model", ">GPUs", "into"], document.layout.iter().map(row).collect())
}

/// The answer in line one, the scenarios, the layout beside others, what is not served, and how GPUs are cut.
///
/// The same answer gives the same bytes.
pub fn text(document: &RobustDocument, style: Style) -> String {
    let mut page = Page::new(style);
    let tone = if document.proven { Tone::Good } else { Tone::Warn };
    page.wrapped(&style.paint(tone, answer(document)), 0, 2);
    page.wrapped(&style.paint(Tone::Faint, footing(document)), 0, 2);
    for (rows, what) in
        [(scenarios(document), "row"), (choices(document), "row"), (short(document), "row"), (layout(document), "way")]
    {
        let (header, rows) = rows;
        if rows.is_empty() {
            continue;
        }
        page.line("");
        let mut table = Table::new(&header);
        let all = rows.len();
        rows.into_iter().take(MOST_ROWS).for_each(|row| table.row(row));
        page.push(&table.print(style));
        page.more(all, MOST_ROWS, what);
    }
    page.finish()
}

/// A row for each demand of each scenario, as [`csv`] has them.
pub fn list(document: &RobustDocument) -> List {
    let right = [false, true, false, true, true, true, true, true];
    List::of_sheet(answer(document), footing(document), sheet(document), &right)
}

/// One row for each demand of each scenario.
pub fn csv(document: &RobustDocument) -> String {
    sheet(document).csv()
}

fn sheet(document: &RobustDocument) -> Sheet {
    let mut sheet = Sheet::new(&["scenario", "weight", "demand", "priority", "asked", "served", "best", "regret"]);
    for scenario in &document.scenarios {
        for demand in &scenario.demands {
            let regret = i128::from(demand.best) - i128::from(demand.served);
            sheet.row(vec![
                scenario.name.clone(),
                scenario.weight.as_str().to_owned(),
                demand.demand.clone(),
                demand.priority.to_string(),
                demand.asked.to_string(),
                demand.served.to_string(),
                demand.best.to_string(),
                regret.to_string(),
            ]);
        }
    }
    sheet
}

/// The answer, the scenarios, and the layout beside others.
pub fn markdown(document: &RobustDocument) -> String {
    let mut text = format!("**{}**\n\n{}\n", markdown_cell(&answer(document)), markdown_cell(&footing(document)));
    for (header, rows) in [scenarios(document), choices(document)] {
        write!(text, "\n{}", marked(&header, rows)).expect("a string grows");
    }
    text
}
