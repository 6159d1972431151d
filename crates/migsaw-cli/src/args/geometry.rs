//! `migsaw geometry`.

use clap::{Args, Subcommand};

use super::Format;
use super::problem::GeometryArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum GeometryCommand {
    /// List the GPU models, and those known by name only
    List {
        #[command(flatten)]
        geometry: GeometryArgs,
        /// How to print the list
        #[arg(short = 'o', long, value_parser = Format::among(Format::DOCUMENT), default_value = "text", value_name = "FORMAT")]
        format: Format,
    },
    /// Show everything about a model, with sources
    Show {
        #[command(flatten)]
        of: ModelArgs,
    },
    /// List every way to cut a model
    Layouts {
        #[command(flatten)]
        of: ModelArgs,
        /// Only those to which nothing can be added
        #[arg(long)]
        maximal: bool,
        /// Without starts: how many of each profile
        #[arg(long)]
        counts: bool,
    },
    /// Tell whether instances fit on one GPU, where, and in which order to create them
    Fits {
        #[command(flatten)]
        of: ModelArgs,
        /// The instances, like 1g.10gb=2,3g.40gb=1
        #[arg(value_name = "COUNTS")]
        wanted: String,
        /// Instances that stay, like 1g.10gb@3,2g.20gb@4
        #[arg(long, value_name = "LAYOUT", default_value = "empty", hide_default_value = true)]
        pinned: String,
    },
}

pub(super) const GEOMETRY_EXAMPLES: &str = "\
Examples:
  migsaw geometry list
  migsaw geometry show RTX-PRO-6000
  migsaw geometry layouts A100-40GB --maximal
  migsaw geometry fits H100-80GB 2g.20gb=1,3g.40gb=1 --pinned 1g.10gb@3";

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// The GPU model: a name, the beginning of one, or a product label (H100-80GB, A30,
    /// NVIDIA-H200)
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) geometry: GeometryArgs,
    /// How to print the answer
    #[arg(short = 'o', long, value_parser = Format::among(Format::DOCUMENT), default_value = "text", value_name = "FORMAT")]
    pub(crate) format: Format,
}
