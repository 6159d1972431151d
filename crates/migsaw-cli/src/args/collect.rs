//! `migsaw collect`.

use std::path::PathBuf;

use clap::Args;

use super::AccessArgs;

/// Write what is read of a cluster or a dump, and nothing else.
#[derive(Debug, Args)]
#[command(after_help = COLLECT_EXAMPLES)]
pub(crate) struct CollectArgs {
    /// Files of a dump, instead of the live cluster: files, folders of files, `-` for stdin
    #[arg(long, value_name = "DUMP", num_args = 1.., help_heading = "Input")]
    pub(crate) from: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    /// Replace names of namespaces, nodes, pods and workloads, and the values of labels; their order stays
    #[arg(long, help_heading = "Names")]
    pub(crate) hash_names: bool,
    /// Add a keyed hash to each new name, by which you find it again in another dump; without a key names are only
    /// numbered
    #[arg(
        long,
        env = "MIGSAW_COLLECT_KEY",
        hide_env_values = true,
        requires = "hash_names",
        value_name = "KEY",
        help_heading = "Names"
    )]
    pub(crate) key: Option<String>,
    /// Write to this file, packed if it ends in .gz, instead of stdout
    #[arg(short = 'o', long, value_name = "FILE", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,
    /// Only print the kubectl command that prints what is read here
    #[arg(long, conflicts_with_all = ["from", "hash_names", "out"], help_heading = "Output")]
    pub(crate) print: bool,
}

const COLLECT_EXAMPLES: &str = "\
Examples:
  migsaw collect -o cluster.json.gz
  migsaw collect --hash-names -o cluster.json.gz
  migsaw collect --from cluster.json --hash-names -o small.json && migsaw plan --from small.json --running
  migsaw collect --print

Kept are the objects and fields that migsaw reads: no environment variables, commands, images or
other annotations. Planning from it gives the same plan, with --hash-names up to the names. These
stay readable: profiles and resources, keys of labels and taints, numbers, the names of priority
and device classes, mig-parted files, and all labels of nvidia.com.";
