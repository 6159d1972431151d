//! Problems that others have published figures for, each with the reference beside what we reach.
//!
//!     cargo run --release -p migsaw-benches --bin paper -- b3
//!     cargo run --release -p migsaw-benches --bin paper -- all --traces FOLDER --into BENCHMARKS.md
//!
//! What comes out is Markdown. Exit code 1 says that a bar is missed, 2 that something could not be run.
#![expect(clippy::print_stdout, reason = "the tables are what it is for")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use migsaw_benches::paper::{PROBLEMS, Problem, Settings, spliced};

/// Runs published problems and prints a table for each question
#[derive(Debug, Parser)]
struct Args {
    /// Which problem
    #[arg(value_parser = PossibleValuesParser::new(PROBLEMS.iter().map(|problem| problem.id).chain(["all"])))]
    problem: String,
    /// Folder with data of others. `parvagpu` in it is a clone of github.com/MunQ-Lee/ParvaGPU_SC24
    #[arg(long, value_name = "FOLDER")]
    traces: Option<PathBuf>,
    /// How many random cases, where that is not part of the problem
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// Small, and done in seconds: whether it still runs
    #[arg(long)]
    quick: bool,
    /// Without times, and so the same on every machine
    #[arg(long)]
    no_times: bool,
    /// Puts the tables into this file, between its marks
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            eprintln!("{missed} rows miss their bar");
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// How many rows miss their bar.
fn run(args: &Args) -> anyhow::Result<usize> {
    let times = !args.no_times;
    let settings = Settings { seeds: args.seeds, quick: args.quick, traces: args.traces.clone() };
    let problems: Vec<&Problem> = match Problem::named(&args.problem) {
        Some(problem) => vec![problem],
        None => PROBLEMS.iter().collect(),
    };
    let alone = problems.len() == 1;
    let (mut text, mut missed) = (String::new(), 0);
    if times && !alone {
        writeln!(text, "On {}{}.\n", machine(), if args.quick { ", small" } else { "" })?;
    }
    for problem in problems {
        writeln!(text, "{}", problem.heading())?;
        if problem.needs_traces && settings.traces.is_none() && !alone {
            eprintln!("{}: not run, since it needs data of others (--traces FOLDER)", problem.id);
            writeln!(text, "Not run: it needs data of others (`--traces FOLDER`).\n")?;
            continue;
        }
        let began = Instant::now();
        let tables = (problem.run)(&settings).with_context(|| problem.id.to_owned())?;
        eprintln!("{}: {:.1} s", problem.id, began.elapsed().as_secs_f64());
        for table in &tables {
            writeln!(text, "{}", table.markdown(times))?;
            missed += table.missed(times);
        }
    }
    match &args.into {
        None => print!("{text}"),
        Some(path) => {
            let old = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let new = spliced(&old, &text).with_context(|| path.display().to_string())?;
            std::fs::write(path, new).with_context(|| path.display().to_string())?;
        }
    }
    Ok(missed)
}

/// What it runs on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor that does not say its name", |(_, name)| name);
    let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    format!("{cores} cores of {model}, {build}")
}
