//! `migsaw robust`.

use std::path::PathBuf;

use clap::Args;
use migsaw::robust::Scenario;

use super::asking::AskingArgs;
use super::{Format, SelectionArgs};

#[derive(Debug, Args)]
#[command(after_help = ROBUST_EXAMPLES)]
pub(crate) struct RobustArgs {
    #[command(flatten)]
    pub(crate) asking: AskingArgs,
    /// What may be asked for (may be repeated; besides those of the file): a name, how much it counts, and the
    /// demands that differ, or `all`: `+20%`, `-50%`, `+5`, `-5`, or a number
    #[arg(
        long = "scenario",
        value_name = "NAME[=WEIGHT][:DEMAND=CHANGE,...]",
        value_parser = scenario,
        help_heading = "Scenarios"
    )]
    pub(crate) scenarios: Vec<Scenario>,
    /// Make the greatest regret least, instead of the average greatest
    #[arg(long, help_heading = "Scenarios")]
    pub(crate) worst: bool,
    /// How to print the answer
    #[arg(short = 'o', long, value_parser = Format::among(Format::REPORT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Also write ConfigMap, node labels and plan of the layout into this folder, all of them or none
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,
}

const ROBUST_EXAMPLES: &str = "\
Examples:
  migsaw robust examples/mixes.yaml
  migsaw robust examples/mixes.yaml --worst --out plan/
  migsaw robust examples/inference.yaml --scenario weekday=5 --scenario weekend=2:llm-7b=-50%,finetune=+3
  migsaw robust examples/inference.yaml --scenario p50 --scenario p90:all=+40% --scenario p99:all=+90%

In a scenario file:
  scenarios:
  - {name: weekday, weight: 5}
  - {name: weekend, weight: 2, counts: {llm-7b: -50%, finetune: 5}}

The layout is decided once; in each scenario the instances that are there serve what they can. The
regret is what the scenario's own best plan would serve besides. Scenarios p50, p90 and so on
without weights count for what is nearer to each than to the others.
Exit codes: 0 all is served in every scenario, 1 something is not, 2 failure.";

fn scenario(text: &str) -> Result<Scenario, String> {
    let (head, changes) = text.split_once(':').unwrap_or((text, ""));
    let (name, weight) = match head.rsplit_once('=') {
        Some((name, weight)) => {
            (name, Some(weight.parse().map_err(|error: migsaw::robust::InvalidWeight| error.to_string())?))
        }
        None => (head, None),
    };
    let count = |change: &str| {
        // Names may have an equals sign, what follows has none.
        let (demand, by) = change.rsplit_once('=').ok_or_else(|| format!("`{change}` is not like llm-7b=-50%"))?;
        let by = by.parse().map_err(|error: migsaw::whatif::InvalidScaling| error.to_string())?;
        Ok((Some(demand.trim().to_owned()).filter(|demand| demand != "all"), by))
    };
    let counts = changes.split(',').filter(|change| !change.trim().is_empty()).map(count);
    let mut counts = counts.collect::<Result<Vec<_>, String>>()?;
    // `all` comes first, as in a file.
    counts.sort_by_key(|(demand, _)| demand.is_some());
    Ok(Scenario { name: name.to_owned(), weight, counts })
}
