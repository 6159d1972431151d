//! One file for each command.

mod abort;
mod acting;
mod advise;
mod apply;
mod asking;
mod buy;
mod capacity;
mod chargeback;
mod check;
mod collect;
mod completions;
mod diff;
mod doctor;
mod geometry;
mod plan;
mod problem;
mod quota;
mod robust;
mod rollout;
mod schema;
mod serve;
mod simulate;
mod validate;
mod watching;
mod whatif;

use anyhow::Result;

use crate::Answer;
use crate::args::Command;
use crate::io::Io;

/// Runs a command.
pub(crate) fn run(command: Command, io: &mut Io<'_>) -> Result<Answer> {
    match command {
        Command::Plan(args) => plan::run(&args, io),
        Command::Diff(args) => diff::run(&args, io),
        Command::Rollout(args) => rollout::run(&args, io),
        Command::Capacity(args) => capacity::run(*args, io),
        Command::WhatIf(args) => whatif::run(*args, io),
        Command::Buy(args) => buy::run(*args, io),
        Command::Robust(args) => robust::run(*args, io),
        Command::Chargeback(args) => chargeback::chargeback(&args, io),
        Command::RightSize(args) => chargeback::right_sized(&args, io),
        Command::Advise(args) => advise::run(*args, io),
        Command::Quota(args) => quota::run(*args, io),
        Command::Apply(args) => apply::run(args, io),
        Command::Abort(args) => abort::run(&args, io),
        Command::Serve(args) => serve::run(&args, io),
        Command::Doctor(args) => doctor::run(&args, io),
        Command::Simulate(args) => simulate::run(&args, io),
        Command::Collect(args) => collect::run(&args, io),
        Command::Check(args) => check::run(args, io),
        Command::Geometry(command) => geometry::run(&command, io),
        Command::Validate(args) => validate::run(args, io),
        Command::Schema { document } => schema::run(document, io),
        Command::Completions { shell } => completions::run(shell, io),
    }
}
