//! `migsaw serve` itself, in a process of its own, under what it should survive: load for hours, more load than it
//! admits, clients that are slow, certificates that change, an API server that is away, and replicas that are rolled.
//!
//! What it watches is [`ApiServer`](super::api_server::ApiServer), and who asks is a made-up scheduler. That keeps books
//! of its own of what every node has to give, so that it would see a slice that is given twice. Where an answer is
//! missing or wrong the trial has failed; times that miss their goal are said, since they are the machine's as well.

mod away;
mod overload;
mod roll;
mod rotate;
mod site;
mod slow_clients;
mod soak;

use std::fmt;
use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::figures::Table;

/// What it goes through.
#[derive(Debug, Clone, Subcommand)]
pub enum Trial {
    /// Pods come and go all the time
    Soak(soak::Soak),
    /// Far more requests at once than are admitted
    Overload(overload::Overload),
    /// Connections on which nothing comes, or very slowly
    SlowClients(slow_clients::SlowClients),
    /// A new certificate every second, under load
    Rotate(rotate::Rotate),
    /// The API server is away, under load
    Away(away::Away),
    /// Two replicas are stopped and started in turn, under load
    Roll(roll::Roll),
}

/// What all of them take.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Nodes
    #[arg(long, default_value_t = 1_000)]
    nodes: u32,
    /// From what the fleet is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The program; else the one beside this one
    #[arg(long)]
    migsaw: Option<PathBuf>,
    /// The cores on which the program runs, as `taskset --cpu-list` takes them; else all. Start the trial itself with
    /// taskset on others, and who asks takes no time from who answers, as where they are on machines of their own
    #[arg(long, value_name = "CORES")]
    serve_on: Option<String>,
}

/// What a trial found.
#[derive(Debug)]
pub struct Found {
    table: Table,
    wrong: Vec<String>,
}

impl Trial {
    /// Goes through it.
    ///
    /// # Errors
    /// If it cannot be gone through.
    pub fn run(self) -> io::Result<Found> {
        let mut found = Found { table: Table::new(&["what", "found", "goal"]), wrong: Vec::new() };
        match self {
            Trial::Soak(trial) => trial.run(&mut found),
            Trial::Overload(trial) => trial.run(&mut found),
            Trial::SlowClients(trial) => trial.run(&mut found),
            Trial::Rotate(trial) => trial.run(&mut found),
            Trial::Away(trial) => trial.run(&mut found),
            Trial::Roll(trial) => trial.run(&mut found),
        }?;
        Ok(found)
    }
}

impl Found {
    /// Whether nothing went wrong.
    pub fn is_well(&self) -> bool {
        self.wrong.is_empty()
    }

    /// A figure that has no goal.
    fn shows(&mut self, what: &str, value: impl fmt::Display) {
        self.table.row([what.to_owned(), value.to_string(), String::new()]);
    }

    /// A figure, and whether it is as good as it should be.
    fn measures(&mut self, what: &str, value: impl fmt::Display, goal: &str, is_met: bool) {
        let goal = format!("{goal}: {}", if is_met { "met" } else { "missed" });
        self.table.row([what.to_owned(), value.to_string(), goal]);
    }

    /// What has to be: else the trial has failed.
    fn must(&mut self, what: &str, value: impl fmt::Display, goal: &str, holds: bool) {
        if !holds {
            self.wrong.push(format!("{what}: {value}, and not {goal}"));
        }
        self.measures(what, value, goal, holds);
    }

    /// Nothing of this may be.
    fn none(&mut self, what: &str, n: usize) {
        self.must(what, n, "0", n == 0);
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table)?;
        self.wrong.iter().try_for_each(|wrong| write!(f, "\nWRONG: {wrong}"))
    }
}
