//! B9: DNN models, each with a rate and a latency, on the fewest GPUs.

mod authors;
mod data;
mod program;
mod verify;

use std::time::Instant;

use anyhow::{Context, ensure};
use data::{Scenario, Tables};

use super::Settings;
use super::table::{Column, Row, Table};
use crate::figures::milliseconds;

/// Most processes in an instance, as in the published plans; the last row has fewer.
const PROCESSES: u64 = 5;
const FEWER_PROCESSES: u64 = 3;

/// What is known of a scenario.
struct Known {
    /// So many times the requests.
    factor: u64,
    scenario: &'static str,
    /// GPUs of the published plan.
    published: Option<usize>,
    /// GPUs for the published method's segments, packed optimally.
    segments: Option<u64>,
    /// Fewest GPUs.
    fewest: u64,
    /// The relaxation's optimum, rounded.
    relaxation: Option<&'static str>,
}

#[rustfmt::skip]
const KNOWN: [Known; 18] = [
    Known { factor: 1, scenario: "S1", published: Some(2), segments: None, fewest: 2, relaxation: Some("0.83") },
    Known { factor: 1, scenario: "S2", published: Some(3), segments: None, fewest: 3, relaxation: Some("1.70") },
    Known { factor: 1, scenario: "S3", published: Some(5), segments: None, fewest: 5, relaxation: Some("3.55") },
    Known { factor: 1, scenario: "S4", published: Some(7), segments: None, fewest: 7, relaxation: Some("5.33") },
    Known { factor: 1, scenario: "S5", published: Some(13), segments: None, fewest: 12, relaxation: Some("11.16") },
    Known { factor: 1, scenario: "S6", published: Some(16), segments: None, fewest: 15, relaxation: Some("14.46") },
    Known { factor: 10, scenario: "S1", published: None, segments: Some(10), fewest: 9, relaxation: None },
    Known { factor: 10, scenario: "S2", published: None, segments: Some(20), fewest: 18, relaxation: None },
    Known { factor: 10, scenario: "S3", published: None, segments: Some(41), fewest: 36, relaxation: None },
    Known { factor: 10, scenario: "S4", published: None, segments: Some(61), fewest: 54, relaxation: Some("53.3") },
    Known { factor: 10, scenario: "S5", published: None, segments: Some(122), fewest: 113, relaxation: Some("111.6") },
    Known { factor: 10, scenario: "S6", published: None, segments: Some(156), fewest: 145, relaxation: Some("144.6") },
    Known { factor: 50, scenario: "S1", published: None, segments: Some(46), fewest: 43, relaxation: None },
    Known { factor: 50, scenario: "S2", published: None, segments: Some(94), fewest: 86, relaxation: None },
    Known { factor: 50, scenario: "S3", published: None, segments: Some(201), fewest: 179, relaxation: None },
    Known { factor: 50, scenario: "S4", published: None, segments: Some(301), fewest: 267, relaxation: Some("266.4") },
    Known { factor: 50, scenario: "S5", published: None, segments: Some(604), fewest: 559, relaxation: Some("557.9") },
    Known { factor: 50, scenario: "S6", published: None, segments: Some(777), fewest: 724, relaxation: Some("722.8") },
];
/// Fewest GPUs of S6 with [`FEWER_PROCESSES`].
const FEWER: Known = Known { factor: 1, scenario: "S6", published: None, segments: None, fewest: 16, relaxation: None };

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let scenarios = Tables::of(settings.traces.as_deref())?.scenarios(PROCESSES)?;
    let mut table = Table::new(
        "ParvaGPU's six scenarios, at 1, 10 and 50 times the requests",
        format!(
            "Instances of 1, 2, 3, 4 and 7 slices for each model, so that together they serve its rate, each answers \
             within 45 % of its latency and has at most {PROCESSES} processes; fewest A100-80GB. Profiles, rates, \
             latencies and plans are those of ParvaGPU (Lee et al., SC'24). The fewest GPUs must be proven and equal \
             to the reference (an integer program on another solver), and so must the GPUs for the segments of \
             ParvaGPU's first stage when they are packed optimally. Every plan is packed by the planner, checked, and \
             judged again: starts are tried out GPU by GPU, rates added up."
        ),
        &[
            Column::Value("requests"),
            Column::Value("scenario"),
            Column::Value("published plan"),
            Column::Value("its method, ours"),
            Column::Value("its segments packed best: reference"),
            Column::Value("ours"),
            Column::Value("fewest GPUs: reference"),
            Column::Value("ours"),
            Column::Value("bound"),
            Column::Value("relaxation: reference"),
            Column::Value("ours"),
            Column::Value("fewer than its method"),
            Column::Time("ms"),
        ],
    );
    for known in KNOWN.iter().filter(|known| !settings.quick || known.factor == 1) {
        table.rows.push(row(&scenarios, known, known.scenario)?);
    }
    let fewer: Vec<Scenario> = scenarios.iter().map(|scenario| scenario.with_processes(FEWER_PROCESSES)).collect();
    table.rows.push(row(&fewer, &FEWER, &format!("{}, at most {FEWER_PROCESSES} processes", FEWER.scenario))?);
    table.note.push_str(
        "The method of ParvaGPU is written anew from the paper and the artifact, its splitting of almost empty GPUs \
         included; at the published rates it must take as many GPUs as the published plan.",
    );
    Ok(vec![table])
}

fn row(scenarios: &[Scenario], known: &Known, name: &str) -> anyhow::Result<Row> {
    let scenario = scenarios.iter().find(|scenario| scenario.name == known.scenario);
    let scenario = scenario.with_context(|| format!("there is no scenario {}", known.scenario))?;
    let what = || format!("{name} at {} times the requests", known.factor);
    let services = scenario.times(known.factor);

    let began = Instant::now();
    let found = program::fewest(&services).with_context(what)?;
    let took = began.elapsed();
    verify::packed(&services, &found.instances, found.gpus).with_context(what)?;

    let method = authors::plan(&services);
    verify::stands_up(&services, &method).with_context(|| format!("the method of ParvaGPU on {}", what()))?;
    let segments = authors::segments(&services);
    ensure!(program::serves(&services, &segments), "segments on {} serve too little", what());
    let packed = program::gpus_for(&segments);
    verify::packed(&services, &segments, packed).with_context(|| format!("segments on {}", what()))?;

    let mut met = found.gpus == known.fewest && found.bound == found.gpus;
    met &= known.segments.is_none_or(|segments| segments == packed);
    if let Some(known) = known.relaxation {
        // It is rounded.
        met &= (known.parse::<f64>()? - found.relaxation).abs() < 0.1;
    }
    if let Some(published) = known.published {
        verify::stands_up(&services, &scenario.published).with_context(|| format!("the plan of {}", what()))?;
        met &= scenario.published.len() == published && method.len() == published;
    }
    let shown = |n: Option<String>| n.unwrap_or_default();
    let fewer = (method.len() as u64).saturating_sub(found.gpus) * 1000 / method.len() as u64;
    let row = Row::of(&[
        &format!("x {}", known.factor),
        &name,
        &shown(known.published.map(|n| n.to_string())),
        &method.len(),
        &shown(known.segments.map(|n| n.to_string())),
        &packed,
        &known.fewest,
        &found.gpus,
        &found.bound,
        &known.relaxation.unwrap_or_default(),
        &format!("{:.2}", found.relaxation),
        &format!("{}.{} %", fewer / 10, fewer % 10),
        &milliseconds(took),
    ]);
    Ok(row.value(met))
}
