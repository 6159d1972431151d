//! `migsaw whatif`.

use clap::{ArgMatches, Args, FromArgMatches, error::ErrorKind};
use migsaw::fleet::Strategy;
use migsaw::whatif::Change;

use super::asking::AskingArgs;
use super::{Format, SelectionArgs};

#[derive(Debug, Args)]
#[command(after_help = WHATIF_EXAMPLES)]
pub(crate) struct WhatIfArgs {
    #[command(flatten)]
    pub(crate) asking: AskingArgs,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// How to print the answer
    #[arg(short = 'o', long, value_parser = Format::among(Format::REPORT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

const WHATIF_EXAMPLES: &str = "\
Examples:
  migsaw whatif examples/inference.yaml --scale all=+50%
  migsaw whatif examples/inference.yaml --scale llm-7b=+20% --remove-nodes inference=2
  migsaw whatif examples/running.yaml --remove-node gpu-2
  migsaw whatif --live --strategy inference=single

Changes are made in the order given. New nodes are idle and like the others of their pool; what
runs on nodes that go is asked for elsewhere; a pool that changes its strategy is drained.
Exit codes: 0 everything is served after the changes, 1 something is not, 2 failure.";

/// Changes, in the order in which they are given.
#[derive(Debug)]
pub(crate) struct Changes(pub(crate) Vec<Change>);

const FLAGS: [(&str, &str, &str); 5] = [
    ("add-nodes", "POOL=N", "Add so many idle nodes to a pool"),
    ("remove-node", "NODE", "Take a node away"),
    ("remove-nodes", "POOL=N", "Take so many nodes of a pool away, those on which least runs"),
    ("scale", "DEMAND=CHANGE", "Change a demand, or `all`: `+20%`, `-12.5%` (rounded up), `+5`, `-5`, or a number"),
    ("strategy", "POOL=STRATEGY", "Give a pool another MIG strategy: mixed or single"),
];

impl Args for Changes {
    fn augment_args(command: clap::Command) -> clap::Command {
        FLAGS.iter().fold(command, |command, (flag, value, help)| {
            command.arg(
                clap::Arg::new(*flag)
                    .long(*flag)
                    .value_name(*value)
                    .help(*help)
                    .help_heading("Changes (each may be repeated)")
                    .action(clap::ArgAction::Append),
            )
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Changes::augment_args(command)
    }
}

impl FromArgMatches for Changes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Changes, clap::Error> {
        let mut given: Vec<(usize, Change)> = Vec::new();
        for (flag, _, _) in FLAGS {
            let values = matches.get_many::<String>(flag).into_iter().flatten();
            for (index, value) in matches.indices_of(flag).into_iter().flatten().zip(values) {
                let wrong = |message: String| {
                    let message = format!("invalid value '{value}' for '--{flag}': {message}\n");
                    clap::Error::raw(ErrorKind::ValueValidation, message)
                };
                given.push((index, change(flag, value).map_err(wrong)?));
            }
        }
        given.sort_by_key(|(index, _)| *index);
        Ok(Changes(given.into_iter().map(|(_, change)| change).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Changes::from_arg_matches(matches)?;
        Ok(())
    }
}

fn change(flag: &str, value: &str) -> Result<Change, String> {
    if flag == "remove-node" {
        return Ok(Change::RemoveNode { node: value.to_owned() });
    }
    // Names may have an equals sign, what follows has none.
    let (name, value) = value.rsplit_once('=').ok_or_else(|| "expected NAME=VALUE".to_owned())?;
    let name = name.to_owned();
    let count = || value.parse::<u32>().map_err(|_| format!("`{value}` is no number of nodes"));
    Ok(match flag {
        "add-nodes" => Change::AddNodes { pool: name, count: count()? },
        "remove-nodes" => Change::RemoveNodes { pool: name, count: count()? },
        "scale" => {
            let by = value.parse().map_err(|error: migsaw::whatif::InvalidScaling| error.to_string())?;
            Change::Scale { demand: (name != "all").then_some(name), by }
        }
        _ => {
            let strategy = match value {
                "mixed" => Strategy::Mixed,
                "single" => Strategy::Single,
                _ => return Err(format!("`{value}` is no strategy (expected mixed or single)")),
            };
            Change::Strategy { pool: name, strategy }
        }
    })
}
