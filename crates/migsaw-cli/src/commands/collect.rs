//! `migsaw collect`.

use std::path::Path;

use anyhow::Result;
use migsaw_kube::collect::{Collected, Collector, Names};
use migsaw_report::{clean, counted};

use super::problem::{MOST_DUMP, listed, stdin_twice, wrong_dump};
use crate::Answer;
use crate::args::CollectArgs;
use crate::cluster::Connection;
use crate::failure::{Failure, Problem as Wrong};
use crate::input::{self, is_stdin};
use crate::io::Io;
use crate::output::{self, say};
use crate::publish::publish_file;

/// What prints the same kinds as are read of a live cluster.
const KUBECTL: &str =
    "kubectl get nodes,pods,configmaps,priorityclasses,poddisruptionbudgets -A -o json > cluster.json";
/// The same of NVIDIA's DRA driver, which not every cluster knows.
const KUBECTL_DRA: &str =
    "kubectl get resourceslices,resourceclaims,resourceclaimtemplates,deviceclasses -A -o json > dra.json";

pub(super) fn run(args: &CollectArgs, io: &mut Io<'_>) -> Result<Answer> {
    if args.print {
        output::text(io, &commands())?;
        return Ok(Answer::Yes);
    }
    let mut collector = if args.from.is_empty() { from_cluster(args, io)? } else { Collector::default() };
    if args.from.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::from(stdin_twice()).into());
    }
    let files = input::files(&args.from, &input::OBJECTS)?;
    if let Some(out) = &args.out {
        is_no_input(out, files.iter().map(|file| file.path.as_path()))?;
    }
    for file in files {
        input::stream(&file.path, "dump", MOST_DUMP, |name, from| collector.read(name, from, !file.itself), io)?;
    }
    let names = match (args.hash_names, &args.key) {
        (false, _) => Names::Kept,
        (true, None) => Names::Numbered,
        (true, Some(key)) => Names::Hashed(key),
    };
    let collected = collector.finish(names).map_err(|errors| wrong_dump(&errors.0))?;
    match &args.out {
        None => output::text(io, &collected.text)?,
        Some(path) if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz")) => {
            publish_file(path, &collected.packed())?;
        }
        Some(path) => publish_file(path, collected.text.as_bytes())?,
    }
    tell(&collected, args.out.as_deref(), io);
    Ok(Answer::Yes)
}

/// Refuses to write what is kept of a dump over the dump, by whatever path.
fn is_no_input<'a>(out: &Path, mut inputs: impl Iterator<Item = &'a Path>) -> Result<()> {
    let Ok(place) = out.canonicalize() else { return Ok(()) };
    let is_same = |input: &&Path| {
        let input = if is_stdin(input) { Path::new("/dev/stdin") } else { input };
        input.canonicalize().is_ok_and(|input| input == place)
    };
    let Some(input) = inputs.find(is_same) else { return Ok(()) };
    let message = format!("`{}` is the dump `{}` itself; nothing was written", out.display(), input.display());
    Err(Failure::from(Wrong::new("output-is-input", message).help("write to another file: what is left out is lost"))
        .into())
}

/// What is in the live cluster. Where it cannot be read, what would do it elsewhere is printed.
fn from_cluster(args: &CollectArgs, io: &mut Io<'_>) -> Result<Collector> {
    let mut collector = Collector::default();
    let read = Connection::open(&args.access).and_then(|connection| {
        connection.read_into(&args.access.operator_namespace, |source| collector.add(source), io)
    });
    if let Err(error) = read {
        // Not where the dump would be.
        say(io, commands().trim_end());
        return Err(error);
    }
    Ok(collector)
}

/// What does it where only kubectl reaches the cluster.
fn commands() -> String {
    let last = "migsaw collect --from cluster.json --hash-names -o small.json.gz";
    let line = |command: &str, remark: &str| format!("{command}  # {remark}\n");
    format!("{KUBECTL}\n")
        + &line(KUBECTL_DRA, "only with NVIDIA's DRA driver; then add it: --from cluster.json dra.json")
        + &line(last, "where migsaw is; without --hash-names names stay")
}

/// Says what was kept and what was not.
fn tell(collected: &Collected, out: Option<&Path>, io: &mut Io<'_>) {
    let into = out.map_or_else(String::new, |path| format!(" in {}", clean(&path.display().to_string())));
    say(io, &format!("kept{into}: {}", clean(&listed(&collected.kinds))));
    if !collected.left_out.is_empty() {
        say(io, &format!("left out, because nothing of them is read: {}", clean(&listed(&collected.left_out))));
    }
    if !collected.names.is_empty() {
        say(io, &format!("replaced {}", counted(collected.names.len() as u64, "name")));
    }
}
