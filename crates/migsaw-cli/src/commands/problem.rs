//! Catalogue and problem, from what the arguments name.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use migsaw::document::{MAX_TEXT, scenario};
use migsaw::geometry::{Catalog, GeometryFile, GeometryFileError, GeometryProblem, Model, ModelError};
use migsaw::problem::{InputProblem, Problem};
use migsaw_kube::dcgm::{Metrics, MetricsError};
use migsaw_kube::dump::{self, DumpError, DumpOptions, Reader};
use migsaw_report::{Tone, clean, counted};

use crate::args::{GeometryArgs, ProblemArgs};
use crate::cluster::Connection;
use crate::failure::{Failure, Problem as Wrong};
use crate::fetch;
use crate::input::{self, Input, diagnosed, is_stdin};
use crate::io::Io;
use crate::output::say;

/// Largest scenario and geometry file.
const MOST_TEXT: u64 = MAX_TEXT as u64;
/// Largest file of a dump, packed or not.
pub(super) const MOST_DUMP: u64 = 4 << 30;
/// Largest file of metrics.
pub(crate) const MOST_METRICS: u64 = 1 << 30;
/// Most warnings said about a dump.
const MOST_WARNINGS: usize = 20;
/// Most kinds of objects said that are not read.
const MOST_KINDS: usize = 8;

/// The built-in models and those of the user's files.
pub(crate) fn catalog(args: &GeometryArgs, io: &mut Io<'_>) -> Result<Catalog> {
    let mut catalog = Catalog::builtin();
    for path in &args.files {
        let input = input::read(path, "geometry file", MOST_TEXT, io)?;
        let added = GeometryFile::parse(input.text()?).and_then(|file| catalog.add(&file));
        added.map_err(|error| wrong_geometry(&error, &input))?;
    }
    Ok(catalog)
}

fn wrong_geometry(error: &GeometryFileError, input: &Input) -> Failure {
    let problem = |problem: &GeometryProblem| {
        let code = match problem {
            GeometryProblem::Syntax(_) => "geometry-syntax",
            GeometryProblem::Schema(_) => "geometry-schema",
            _ => "geometry-model",
        };
        Wrong::new(code, problem.to_string()).in_file(&input.name)
    };
    Failure(error.problems.iter().map(problem).collect())
}

/// The model a name means.
pub(crate) fn model(catalog: &Catalog, name: &str) -> Result<Arc<Model>, Failure> {
    catalog.model(name).map_err(|error| {
        let help = match error {
            ModelError::Refused { .. } => "give its geometry with `--geometry FILE`",
            _ => "`migsaw geometry list` shows the models",
        };
        Failure::from(Wrong::new(error.code(), error.to_string()).help(help))
    })
}

/// The problem of a scenario or of a dump.
pub(crate) fn read(args: &ProblemArgs, positional: Option<&Path>, io: &mut Io<'_>) -> Result<Problem> {
    if args.from.iter().chain(&args.dcgm).filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::from(stdin_twice()).into());
    }
    let catalog = catalog(&args.geometry, io)?;
    let scenario = positional.or(args.scenario.as_deref());
    if args.cluster.is_live() && scenario.is_none() {
        return read_live(args, &catalog, io);
    }
    if scenario.is_some() || args.from.is_empty() {
        for (flag, is_given) in [("--running", args.running), ("--include-unavailable", args.include_unavailable)] {
            if is_given {
                let message = format!("{flag} is about a dump or the live cluster, and none is read");
                return Err(
                    Failure::from(Wrong::new("flag-without-dump", message).help("give --from or --live")).into()
                );
            }
        }
    }
    if !args.dcgm.is_empty() && !args.running {
        let wrong = Wrong::new("flag-without-running", "--dcgm is about what runs, and that is not looked at");
        return Err(Failure::from(wrong.help("give --running, or --live")).into());
    }
    match scenario {
        Some(_) if !args.from.is_empty() || args.cluster.is_live() => {
            let wrong = Wrong::new(
                "scenario-and-dump",
                "a scenario gives a fleet and a demand, and so do --from and --live: only one of them can be planned",
            );
            Err(Failure::from(
                wrong.help("leave one out; manifests of further pods can be given to --from beside the dump"),
            )
            .into())
        }
        Some(path) => read_scenario(path, &catalog, io),
        None if args.from.is_empty() => {
            let help = "give a scenario (`-f scenario.yaml`), what kubectl prints (`kubectl get nodes,pods -A -o json | migsaw plan --from -`), or --live to read the cluster";
            Err(Failure::from(Wrong::new("no-input", "there is neither a scenario nor a dump").help(help)).into())
        }
        None => read_dump(args, &catalog, io),
    }
}

pub(crate) fn stdin_twice() -> Wrong {
    Wrong::new("stdin-twice", "`-` is given twice, but there is one stdin")
}

fn read_scenario(path: &Path, catalog: &Catalog, io: &mut Io<'_>) -> Result<Problem> {
    let input = input::read(path, "scenario", MOST_TEXT, io)?;
    let text = input.text()?;
    scenario::parse(text, catalog).map_err(|found| {
        let mut failure = diagnosed(&found, &input.name, text);
        if looks_like_kubectl(text) {
            failure.0.insert(
                0,
                Wrong::new("looks-like-a-dump", "this looks like what kubectl prints, not like a scenario")
                    .in_file(&input.name)
                    .help("read it with --from"),
            );
            failure.0.truncate(1);
        }
        failure.into()
    })
}

/// Whether a text that is no scenario has a list of Kubernetes objects at its beginning.
fn looks_like_kubectl(text: &str) -> bool {
    let head: String = text.chars().take(2000).filter(|c| !c.is_whitespace() && *c != '"').collect();
    !head.contains("migsaw.io/")
        && head.contains("apiVersion:v1")
        && (head.contains("kind:List") || head.contains("items:["))
}

fn read_dump(args: &ProblemArgs, catalog: &Catalog, io: &mut Io<'_>) -> Result<Problem> {
    let reader = read_objects(&args.from, io)?;
    finish(reader, args, catalog, io)
}

/// What the cluster has, and manifests beside it.
fn read_live(args: &ProblemArgs, catalog: &Catalog, io: &mut Io<'_>) -> Result<Problem> {
    let access = &args.cluster.access;
    let mut reader = Connection::open(access)?.read(&access.operator_namespace, io)?;
    add_files(&args.from, &mut reader, io)?;
    finish(reader, args, catalog, io)
}

/// The objects of files.
pub(crate) fn read_objects(paths: &[PathBuf], io: &mut Io<'_>) -> Result<Reader> {
    let mut reader = Reader::default();
    add_files(paths, &mut reader, io)?;
    Ok(reader)
}

/// Puts the files of --from into a reader.
fn add_files(paths: &[PathBuf], reader: &mut Reader, io: &mut Io<'_>) -> Result<()> {
    for file in input::files(paths, &input::OBJECTS)? {
        input::stream(&file.path, "dump", MOST_DUMP, |name, from| reader.read(name, from, !file.itself), io)?;
    }
    Ok(())
}

fn finish(reader: Reader, args: &ProblemArgs, catalog: &Catalog, io: &mut Io<'_>) -> Result<Problem> {
    let metrics = if args.dcgm.is_empty() { None } else { Some(read_metrics(&args.dcgm, io)?) };
    let options = DumpOptions {
        metrics: metrics.as_ref(),
        include_unavailable: args.include_unavailable,
        namespace: args.namespace.as_deref(),
        running: args.running || args.cluster.is_live(),
        ..DumpOptions::default()
    };
    let dump = reader.finish(catalog, &options).map_err(|errors| wrong_dump(&errors.0))?;
    if let Some(read) = io.was_read() {
        read.as_of(dump.as_of);
    }
    tell(&dump, io);
    let wrong = dump.problem.validate();
    if !wrong.is_empty() {
        let problem = |(_, found): &(_, InputProblem)| match found {
            InputProblem::EmptyFleet => Wrong::new(found.code(), "no node that can be planned is in the dump").help(
                "it takes nodes too, with the labels of GPU feature discovery: kubectl get nodes,pods -A -o json",
            ),
            found => Wrong::new(found.code(), found.to_string()),
        };
        return Err(Failure(wrong.iter().map(problem).collect()).into());
    }
    Ok(dump.problem)
}

/// What DCGM exporter says in these files and folders.
fn read_metrics(paths: &[PathBuf], io: &mut Io<'_>) -> Result<Metrics> {
    let mut metrics = Metrics::default();
    let (mut wrong, mut foreign) = (Vec::new(), Vec::new());
    for file in input::files(paths, &input::METRICS)? {
        let input = match fetch::url_of(&file.path) {
            Some(url) => {
                if let Some(read) = io.was_read() {
                    read.live(Timestamp::now());
                }
                fetch::metrics(&url, MOST_METRICS)?
            }
            None => input::read(&file.path, "metrics", MOST_METRICS, io)?,
        };
        let Err(error) = metrics.read(&input.name, &input.bytes) else { continue };
        let problem = Wrong::new(error.code(), error.to_string()).in_file(&input.name);
        match error {
            // A folder may have other files too.
            MetricsError::NoSeries { .. } if !file.itself => foreign.push(problem),
            MetricsError::Syntax { line, column, .. } => {
                let text = std::str::from_utf8(&input.bytes).unwrap_or_default();
                wrong.push(problem.at(text, line as u64, column as u64));
            }
            _ => wrong.push(problem),
        }
    }
    if metrics.hosts().next().is_none() {
        wrong.append(&mut foreign);
    }
    if !wrong.is_empty() {
        return Err(Failure(wrong).into());
    }
    if !foreign.is_empty() {
        say(io, &format!("skipped {} without a series of a GPU", counted(foreign.len() as u64, "file")));
    }
    Ok(metrics)
}

pub(crate) fn wrong_dump(errors: &[DumpError]) -> Failure {
    let problem = |error: &DumpError| {
        let file = error.file();
        // The message begins with the place, which is shown apart.
        let message = error.to_string();
        let message = message.strip_prefix(file).unwrap_or(&message);
        let message = message.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit()).trim_start();
        let wrong = Wrong::new(error.code(), message).in_file(file);
        match error {
            DumpError::Truncated { line, column, excerpt, .. } | DumpError::Syntax { line, column, excerpt, .. } => {
                wrong.at_excerpt(excerpt, *line, *column)
            }
            _ => wrong,
        }
    };
    Failure(errors.iter().map(problem).collect())
}

/// Says so many warnings, each with its code.
pub(crate) fn warn<'a>(warnings: impl Iterator<Item = (&'a str, String)>, count: usize, io: &mut Io<'_>) {
    let style = migsaw_report::Style { color: io.terminal.color_stderr(), ..io.style() };
    for (code, message) in warnings.take(MOST_WARNINGS) {
        let label = style.paint(Tone::Warn, format!("warning[{code}]"));
        say(io, &format!("{label}: {}", clean(&message)));
    }
    if count > MOST_WARNINGS {
        say(io, &format!("and {}", counted((count - MOST_WARNINGS) as u64, "more warning")));
    }
}

/// Says what was read, left out and assumed.
fn tell(dump: &dump::Dump, io: &mut Io<'_>) {
    let warnings = dump.warnings.iter().map(|warning| (warning.code.as_str(), warning.to_string()));
    warn(warnings, dump.warnings.len(), io);
    let skipped = &dump.skipped;
    if skipped.files > 0 {
        say(io, &format!("skipped {} without a Kubernetes object", counted(skipped.files, "file")));
    }
    if !skipped.kinds.is_empty() {
        say(io, &format!("skipped objects that are not read: {}", clean(&listed(&skipped.kinds))));
    }
    let fleet = &dump.problem.fleet;
    let nodes: u64 = fleet.pools.iter().map(|pool| u64::from(pool.node_count())).sum();
    let gpus: u64 = fleet.pools.iter().map(migsaw::fleet::Pool::gpu_count).sum();
    let asked: u64 = dump.problem.demands.iter().map(|demand| demand.count).sum();
    let (pools, demands) =
        (counted(fleet.pools.len() as u64, "pool"), counted(dump.problem.demands.len() as u64, "demand"));
    say(
        io,
        &format!(
            "read {} with {} in {pools}, {} in {demands}",
            counted(nodes, "node"),
            counted(gpus, "GPU"),
            counted(asked, "pod")
        ),
    );
}

/// The most frequent kinds, with their numbers.
pub(super) fn listed(kinds: &BTreeMap<String, u64>) -> String {
    let mut kinds: Vec<(&String, u64)> = kinds.iter().map(|(kind, &count)| (kind, count)).collect();
    kinds.sort_by_key(|&(_, count)| Reverse(count));
    let mut parts: Vec<String> = kinds.iter().take(MOST_KINDS).map(|(kind, count)| format!("{count} {kind}")).collect();
    if kinds.len() > MOST_KINDS {
        parts
            .push(format!("and {} of other kinds", kinds.iter().skip(MOST_KINDS).map(|(_, count)| count).sum::<u64>()));
    }
    parts.join(", ")
}
