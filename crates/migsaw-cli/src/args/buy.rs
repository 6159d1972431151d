//! `migsaw buy`.

use clap::Args;
use migsaw::fleet::Cost;
use migsaw::whatif::BasisPoints;

use super::asking::AskingArgs;
use super::{Format, SelectionArgs};

#[derive(Debug, Args)]
#[command(after_help = BUY_EXAMPLES)]
pub(crate) struct BuyArgs {
    #[command(flatten)]
    pub(crate) asking: AskingArgs,
    /// A model that can be bought (may be repeated); those of the fleet if none is given
    #[arg(long, value_name = "MODEL", value_delimiter = ',', help_heading = "Offers")]
    pub(crate) model: Vec<String>,
    /// The price of a node with GPUs of a model (may be repeated), in any currency
    #[arg(long, value_name = "MODEL=PRICE", value_parser = price, help_heading = "Offers")]
    pub(crate) price: Vec<(String, Cost)>,
    /// GPUs of a new node, instead of as many as the pool has which it is like
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64), help_heading = "Offers")]
    pub(crate) gpus_per_node: Option<u32>,
    /// The pool whose labels, taints and strategy new nodes have, instead of one with the same model
    #[arg(long, value_name = "POOL", help_heading = "Offers")]
    pub(crate) like: Option<String>,
    /// How much the demand grows, or one demand (may be repeated): `20%`, `llm-7b=50%`
    #[arg(long, value_name = "[DEMAND=]PERCENT", value_parser = growth, help_heading = "Target")]
    pub(crate) growth: Vec<(Option<String>, BasisPoints)>,
    /// So much more than that of every demand
    #[arg(long, value_name = "PERCENT", default_value = "0%", help_heading = "Target")]
    pub(crate) headroom: BasisPoints,
    /// What may be lost with all still served: `node` for any one node, or a label for all nodes with any one value
    /// of it, with further values new nodes may have: `zone`, `zone=a,b,c`
    #[arg(long, value_name = "node|LABEL[=VALUES]", help_heading = "Target")]
    pub(crate) survive: Option<String>,
    /// Buy everything new: the fleet there is does not count
    #[arg(long, help_heading = "Target")]
    pub(crate) from_scratch: bool,
    /// Take profiles for as much memory and compute, so that other models may give them
    #[arg(long, help_heading = "Target")]
    pub(crate) by_size: bool,
    /// How to print the answer
    #[arg(short = 'o', long, value_parser = Format::among(Format::REPORT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

const BUY_EXAMPLES: &str = "\
Examples:
  migsaw buy examples/inference.yaml --growth 60%
  migsaw buy examples/inference.yaml --growth llm-7b=150% --headroom 10% --survive node
  migsaw buy examples/inference.yaml --from-scratch --by-size --model A100-80GB,H100-80GB,H200,B200
  migsaw buy --live --growth 30% --survive topology.kubernetes.io/zone \\
      --price H100-80GB=250000 --price H200=320000

One model is bought at a time. What runs today may move; what is pinned stays.
Exit codes: 0 some number of nodes suffices, 1 none does or none was found, 2 failure.";

fn price(text: &str) -> Result<(String, Cost), String> {
    let (model, price) = text.rsplit_once('=').ok_or_else(|| "expected like H100-80GB=250000".to_owned())?;
    let price = price.parse().map_err(|error: migsaw::fleet::InvalidCost| error.to_string())?;
    Ok((model.to_owned(), price))
}

fn growth(text: &str) -> Result<(Option<String>, BasisPoints), String> {
    let (name, percent) = match text.rsplit_once('=') {
        Some((name, percent)) => (Some(name.to_owned()).filter(|name| name != "all"), percent),
        None => (None, text),
    };
    let percent = percent.strip_prefix('+').unwrap_or(percent);
    percent.parse().map(|points| (name, points)).map_err(|error: migsaw::whatif::InvalidPercentage| error.to_string())
}
