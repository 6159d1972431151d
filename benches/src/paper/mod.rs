//! Published problems: what is known about each, and what we reach.
//!
//! Each problem has a module with a function from [`Settings`] to tables, and a line in [`PROBLEMS`]. A [`Table`]
//! has the reference beside our figure, and says where the bar is missed. Nothing is random but for seeds, so
//! only times differ between two runs.
//!
//! Whatever is planned goes through `planned`, and with that through the checker.

mod b01;
mod b02;
mod b03;
mod b04;
mod b05;
mod b06;
mod b07;
mod b08;
mod b09;
mod b10;
mod b11;
mod b12;
mod csv_file;
mod into;
pub mod online;
mod patterns;
mod planned;
mod sequence;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Context;

pub use into::{BEGIN, END, spliced};
pub use table::{Bar, Column, Row, Table};

/// How a problem is to be run.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How many random cases, where that is not part of the problem.
    pub seeds: Option<u64>,
    /// Small, and done in seconds: whether it still runs.
    pub quick: bool,
    /// Where data of others are.
    pub traces: Option<PathBuf>,
}

impl Settings {
    /// Where data of others are.
    fn traces(&self, what: &str) -> anyhow::Result<&Path> {
        let help = || format!("needs {what}: put them into a folder, and say where with --traces FOLDER");
        self.traces.as_deref().with_context(help)
    }

    /// So many, unless told otherwise.
    fn seeds(&self, usual: u64, quick: u64) -> u64 {
        self.seeds.unwrap_or(if self.quick { quick } else { usual })
    }
}

/// A published problem.
#[derive(Debug, Clone, Copy)]
pub struct Problem {
    /// What it is called on the command line.
    pub id: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// Whether it needs data of others.
    pub needs_traces: bool,
    /// Runs it.
    pub run: fn(&Settings) -> anyhow::Result<Vec<Table>>,
}

/// All problems, in the order in which they are reported.
pub const PROBLEMS: &[Problem] = &[
    Problem { id: "b1", title: "Static mix on identical GPUs", needs_traces: false, run: b01::run },
    Problem { id: "b2", title: "Initial deployment", needs_traces: false, run: b02::run },
    Problem { id: "b3", title: "Compaction of a fragmented fleet", needs_traces: false, run: b03::run },
    Problem { id: "b4", title: "Arrivals on a used fleet", needs_traces: false, run: b04::run },
    Problem { id: "b5", title: "Pods that come and go", needs_traces: false, run: b05::run },
    Problem { id: "b6", title: "A production trace, inflated", needs_traces: true, run: b06::run },
    Problem { id: "b7", title: "A production trace, replayed", needs_traces: true, run: b07::run },
    Problem { id: "b8", title: "Fragmentation gradient descent, as published", needs_traces: true, run: b08::run },
    Problem { id: "b9", title: "Serving plans for DNN models", needs_traces: true, run: b09::run },
    Problem { id: "b10", title: "Jobs that wait", needs_traces: false, run: b10::run },
    Problem { id: "b11", title: "Scale", needs_traces: false, run: b11::run },
    Problem { id: "b12", title: "Adversarial sequences", needs_traces: false, run: b12::run },
];

impl Problem {
    /// The problem with this name.
    pub fn named(id: &str) -> Option<&'static Problem> {
        PROBLEMS.iter().find(|problem| problem.id == id)
    }

    /// Its heading.
    pub fn heading(&self) -> String {
        format!("### {}: {}\n", self.id.to_uppercase(), self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_still_runs_and_meets_its_bars() {
        let settings = Settings { quick: true, ..Settings::default() };
        for problem in PROBLEMS.iter().filter(|problem| !problem.needs_traces) {
            let tables = (problem.run)(&settings).unwrap();
            let text: String = tables.iter().map(|table| table.markdown(false)).collect();
            assert!(tables.iter().all(|table| table.missed(false) == 0), "{text}");
            assert!(!tables.is_empty() && tables.iter().all(|table| !table.rows.is_empty()), "{text}");
        }
    }

    #[test]
    fn what_needs_traces_says_so_without_them() {
        for problem in PROBLEMS.iter().filter(|problem| problem.needs_traces) {
            let error = (problem.run)(&Settings::default()).unwrap_err().to_string();
            assert!(error.contains("--traces"), "{}: {error}", problem.id);
        }
    }
}
