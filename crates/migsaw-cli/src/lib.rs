//! The command line of migsaw: arguments, files, exit codes, wiring. No rule of the domain is here.
//!
//! [`main`] is what the binaries run. [`run`] is the same inside a process, with streams and terminal
//! given, for tests:
//!
//! ```
//! use migsaw_cli::{Io, run};
//! let (mut stdin, mut stdout, mut stderr) = (std::io::empty(), Vec::new(), Vec::new());
//! let mut io = Io::captured(&mut stdin, &mut stdout, &mut stderr);
//! let code = run(["migsaw", "geometry", "fits", "A100-80GB", "3g.40gb=2,1g.10gb=1"], &mut io);
//! assert_eq!(code, 1);
//! assert!(String::from_utf8(stdout).unwrap().starts_with("no: 1g.10gb=1,3g.40gb=2 does not fit"));
//! ```
//!
//! Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 a valid answer that is "no" (something
//! unserved, violations, does not fit), 2 failure.

mod args;
mod budget;
mod cluster;
mod commands;
mod failure;
mod fetch;
mod input;
mod io;
mod output;
mod progress;
mod publish;
mod read;
mod shell;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use io::{Io, Terminal};

/// `serve` runs for months, and musl's own allocator, as in the image, is slow where threads share it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a command found out, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Done; everything served, nothing wrong.
    Yes,
    /// A valid answer that is "no".
    No,
    /// None at last, which has been said.
    Failed,
}

impl Answer {
    fn yes_if(yes: bool) -> Answer {
        if yes { Answer::Yes } else { Answer::No }
    }
}

/// The code of arguments that are not understood.
const USAGE: &str = "usage";
/// Exit code of a failure.
const FAILURE: u8 = 2;

/// Runs with the process's arguments, streams and terminal.
pub fn main() -> ExitCode {
    let mut stdin = std::io::stdin();
    let mut stdout = std::io::BufWriter::new(std::io::stdout());
    let mut stderr = std::io::stderr();
    let mut io = Io::of_process(&mut stdin, &mut stdout, &mut stderr);
    ExitCode::from(run(std::env::args_os(), &mut io))
}

/// Runs one command and gives its exit code: 0 done, 1 a valid "no", 2 failure.
pub fn run<T: Into<OsString> + Clone>(args: impl IntoIterator<Item = T>, io: &mut Io<'_>) -> u8 {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    io.note_call(&args);
    let command = match args::from_file(args::command(args.first()), "serve", &args) {
        Ok(command) => command,
        Err(failure) => {
            failure::report(&failure.into(), io);
            return FAILURE;
        }
    };
    let matches = command.try_get_matches_from(args);
    let parsed =
        matches.and_then(|matches| Ok((args::Cli::from_arg_matches(&matches)?, args::is_for_a_page(&matches))));
    let (cli, is_for_a_page) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error, io),
    };
    io.terminal.settle(cli.color, cli.ascii);
    if is_for_a_page {
        io.note_what_is_read();
    }
    let outcome = commands::run(cli.command, io).and_then(|answer| {
        output::flush(io)?;
        Ok(answer)
    });
    match outcome {
        Ok(Answer::Yes) => 0,
        Ok(Answer::No) => 1,
        Ok(Answer::Failed) => FAILURE,
        Err(error) => {
            failure::report(&error, io);
            FAILURE
        }
    }
}

/// Help and version go to stdout with code 0, mistakes to stderr with code 2.
fn usage(error: &clap::Error, io: &mut Io<'_>) -> u8 {
    let mistake = error.use_stderr();
    let terminal = io.terminal;
    let (out, color) =
        if mistake { (&mut io.stderr, terminal.color_stderr()) } else { (&mut io.stdout, terminal.color_stdout()) };
    let text = error.render();
    let text = if color { text.ansi().to_string() } else { text.to_string() };
    let text = if mistake { text.replacen("error:", &format!("error[{USAGE}]:"), 1) } else { text };
    // Nobody is left to tell if this fails.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if mistake { FAILURE } else { 0 }
}

/// The definition of the command line, for completions and manual pages.
pub fn definition() -> clap::Command {
    args::Cli::command()
}

/// README's Rust compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
