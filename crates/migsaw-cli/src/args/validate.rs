//! `migsaw validate`.

use std::path::PathBuf;

use clap::Args;

use super::Format;
use super::problem::GeometryArgs;

#[derive(Debug, Args)]
#[command(after_help = VALIDATE_EXAMPLES)]
pub(crate) struct ValidateArgs {
    /// A mig-parted file, bare or in a ConfigMap; `-` for stdin
    #[arg(value_name = "CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Judge entries without a device filter on these models, and on no others
    #[arg(long, value_name = "MODEL", num_args = 1.., value_delimiter = ',')]
    pub(crate) model: Vec<String>,
    #[command(flatten)]
    pub(crate) geometry: GeometryArgs,
    /// How to print the verdict
    #[arg(short = 'o', long, value_parser = Format::among(Format::DOCUMENT), default_value = "text", value_name = "FORMAT")]
    pub(crate) format: Format,
}

const VALIDATE_EXAMPLES: &str = "\
Examples:
  migsaw validate config.yaml --model A100-80GB H100-80GB
  kubectl -n gpu-operator get configmap default-mig-parted-config -o yaml | migsaw validate -

Unlike `nvidia-mig-parted assert --valid-config` it tells whether the driver can create each entry.
Without --model, a rule without a device filter is judged on every model that has its profiles, and
must be creatable on one.
Exit codes: 0 every entry can be created, 1 some cannot or nothing could be judged, 2 failure.";
