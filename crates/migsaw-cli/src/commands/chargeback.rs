//! `migsaw chargeback` and `migsaw right-size`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use jiff::Timestamp;
use migsaw::chargeback::{By, Ledger, LedgerError, Span, Terms, right_size, statement};
use migsaw::document::chargeback::ChargebackDocument;
use migsaw::document::right_size::RightSizeDocument;
use migsaw::geometry::Catalog;
use migsaw_kube::dcgm::MetricsError;
use migsaw_kube::dcgm::history::{History, HistoryOptions, Recorded};
use migsaw_kube::dump::TenureOptions;
use migsaw_report::counted;

use super::asking::{self, Report};
use super::problem;
use crate::Answer;
use crate::args::{ChargebackArgs, HistoryArgs, Priced, RightSizeArgs, Whom};
use crate::failure::{Failure, Problem as Wrong};
use crate::fetch::{self, Range};
use crate::input::{self, Input, is_stdin};
use crate::io::Io;
use crate::output::say;

/// For how long a sample holds, in seconds, if nothing is said: as long as Prometheus looks back.
const HOLD: u32 = 300;

pub(super) fn chargeback(args: &ChargebackArgs, io: &mut Io<'_>) -> Result<Answer> {
    let selection = asking::selection(&args.history.selection, args.history.format)?;
    let (ledger, terms, hold) = read(&args.history, By::Namespace, io)?;
    let statement = statement(&ledger, &terms).map_err(|error| refused(&error))?;
    let document = ChargebackDocument::new(&statement, &terms, hold);
    let report = Report {
        document: &document,
        text: &|style| migsaw_report::chargeback::text(&document, style),
        csv: &|| migsaw_report::chargeback::csv(&document),
        markdown: &|| migsaw_report::chargeback::markdown(&document),
        html: &|origin| migsaw_report::chargeback::html(&document, origin),
        list: &|| migsaw_report::chargeback::list(&document),
    };
    report.print(args.history.format, selection.as_ref(), io)?;
    Ok(Answer::Yes)
}

pub(super) fn right_sized(args: &RightSizeArgs, io: &mut Io<'_>) -> Result<Answer> {
    let selection = asking::selection(&args.history.selection, args.history.format)?;
    let (ledger, terms, _) = read(&args.history, By::Pod, io)?;
    let found = right_size(&ledger, &terms, args.headroom).map_err(|error| refused(&error))?;
    let document = RightSizeDocument::new(&found, ledger.period, &terms);
    let report = Report {
        document: &document,
        text: &|style| migsaw_report::right_size::text(&document, style),
        csv: &|| migsaw_report::right_size::csv(&document),
        markdown: &|| migsaw_report::right_size::markdown(&document),
        html: &|origin| migsaw_report::right_size::html(&document, origin),
        list: &|| migsaw_report::right_size::list(&document),
    };
    report.print(args.history.format, selection.as_ref(), io)?;
    Ok(Answer::yes_if(found.advice.iter().all(|advice| advice.smaller.is_none())))
}

fn refused(error: &LedgerError) -> anyhow::Error {
    let mut wrong = Wrong::new(error.code(), error.to_string());
    if let LedgerError::EmptyPeriod { from, to } = error {
        let (from, to) = (shown(*from), shown(*to));
        wrong = Wrong::new(error.code(), format!("the period has no second: it ends at {to}, and begins at {from}"));
        wrong = wrong.help("give --start and --end; without them the period is from the first sample to the last");
    }
    Failure::from(wrong).into()
}

/// A second since 1970 as people write it.
fn shown(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |at| at.to_string())
}

/// What was seen, the terms, and for how long a sample holds, if there are any. `whom` is looked at if nothing is said.
fn read(args: &HistoryArgs, whom: By, io: &mut Io<'_>) -> Result<(Ledger, Terms, Option<u32>)> {
    if args.metrics.iter().chain(&args.from).filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::from(problem::stdin_twice()).into());
    }
    if args.metrics.is_empty() && args.prometheus.is_none() && args.from.is_empty() {
        let help = "give files of metrics, --prometheus URL, or what kubectl prints (--from)";
        return Err(Failure::from(Wrong::new("no-input", "there is nothing to read").help(help)).into());
    }
    let catalog = problem::catalog(&args.geometry, io)?;
    let prices = Priced::all(&args.price, |name| Ok::<_, Failure>(problem::model(&catalog, name)?.id.clone()))?;
    priced_profiles_exist(&args.price, &catalog)?;
    let terms = Terms { prices, by: by(args, whom)? };
    let history = read_metrics(args, io)?;
    let extent = history.extent();
    let bound = |given: Option<i64>, of: fn(Span) -> i64| given.or(extent.map(of));
    let (Some(from), Some(to)) = (bound(args.start, |span| span.from), bound(args.end, |span| span.to)) else {
        let wrong = Wrong::new("period-missing", "a dump does not say from when to when pods are billed");
        return Err(Failure::from(wrong.help("give --start and --end")).into());
    };
    let period = Span::new(from, to);
    let model = args.model.as_deref().map(|name| problem::model(&catalog, name)).transpose()?;
    let step = if args.prometheus.is_some() { args.step } else { 0 };
    let hold = args.hold.unwrap_or(HOLD.max(step.saturating_mul(2)));
    let Recorded { mut ledger, nodes, warnings } =
        history.record(&HistoryOptions { catalog: &catalog, model, hold, period });
    problem::warn(warnings.iter().map(|warning| (warning.code(), warning.to_string())), warnings.len(), io);
    if let Some(samples) = extent.filter(|samples| samples.to + i64::from(hold) <= from || samples.from >= to) {
        let [from, to, first, last] = [from, to, samples.from, samples.to].map(shown);
        let message = format!("no sample lies in the period from {from} to {to}: they are from {first} to {last}");
        problem::warn([("period-unseen", message)].into_iter(), 1, io);
    }
    add_tenures(args, &catalog, &nodes, &mut ledger, io)?;
    Ok((ledger, terms, extent.map(|_| hold)))
}

/// A price of a profile that its model lacks, or every model, would never be asked for.
fn priced_profiles_exist(prices: &[Priced], catalog: &Catalog) -> Result<()> {
    for priced in prices {
        let Some(profile) = &priced.profile else { continue };
        let (who, help) = match &priced.model {
            Some(name) => {
                let model = problem::model(catalog, name)?;
                if model.profile(profile).is_some() {
                    continue;
                }
                let names: Vec<String> = model.profiles.iter().map(|profile| profile.name.to_string()).collect();
                (model.id.clone(), format!("its profiles are {}", names.join(", ")))
            }
            None if catalog.models().any(|model| model.profile(profile).is_some()) => continue,
            None => {
                let nearest = catalog.nearest_profiles(&profile.to_string()).join(", ");
                ("no known model".to_owned(), format!("the nearest are {nearest}"))
            }
        };
        let has = if priced.model.is_some() { "has no profile" } else { "has the profile" };
        let wrong = Wrong::new("unknown-profile", format!("{who} {has} {profile}, which has a price"));
        return Err(Failure::from(wrong.help(help)).into());
    }
    Ok(())
}

/// The tenant of each namespace.
fn tenants(args: &HistoryArgs) -> Result<By> {
    let mut of = BTreeMap::new();
    for (name, namespace) in args.tenant.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one))) {
        if let Some(other) = of.insert(namespace.clone(), name.clone()).filter(|other| other != name) {
            let wrong = Wrong::new("tenant-twice", format!("namespace {namespace} is of tenant {other} and of {name}"));
            return Err(Failure::from(wrong.help("leave it with one of them")).into());
        }
    }
    Ok(By::Tenant(of))
}

fn by(args: &HistoryArgs, whom: By) -> Result<By> {
    Ok(match args.by {
        Some(Whom::Namespace) => By::Namespace,
        Some(Whom::Pod) => By::Pod,
        Some(Whom::Label) => By::Label,
        Some(Whom::Tenant) => tenants(args)?,
        None if !args.tenant.is_empty() => tenants(args)?,
        None if args.label.is_some() => By::Label,
        None => whom,
    })
}

/// The samples of files and of a server.
fn read_metrics(args: &HistoryArgs, io: &mut Io<'_>) -> Result<History> {
    let mut history = args.label.as_deref().map_or_else(History::default, History::with_label);
    let (mut wrong, mut foreign) = (Vec::new(), Vec::new());
    let mut take = |input: &Input, itself: bool| {
        let Err(error) = history.read(&input.name, &input.bytes, args.at) else { return };
        let problem = Wrong::new(error.code(), error.to_string()).in_file(&input.name);
        match error {
            // A folder may have other files too, and a fleet may be idle for a time.
            MetricsError::NoSeries { .. } if !itself => foreign.push(problem),
            MetricsError::Syntax { line, column, .. } => {
                let text = std::str::from_utf8(&input.bytes).unwrap_or_default();
                wrong.push(problem.at(text, line as u64, column as u64));
            }
            MetricsError::NoTime { .. } => wrong.push(problem.help("say when it was scraped with --at TIME")),
            _ => wrong.push(problem),
        }
    };
    for file in input::files(&args.metrics, &input::METRICS)? {
        take(&input::read(&file.path, "metrics", problem::MOST_METRICS, io)?, file.itself);
    }
    if let (Some(url), Some(from), Some(to)) = (&args.prometheus, args.start, args.end) {
        if let Some(read) = io.was_read() {
            read.live(Timestamp::now());
        }
        let range = Range { from, to, step: args.step, matchers: &args.matchers };
        fetch::range(url, &range, problem::MOST_METRICS, |input| take(input, false))?;
    }
    let is_asked = !args.metrics.is_empty() || args.prometheus.is_some();
    if is_asked && history.extent().is_none() {
        // Of many requests that found nothing one says it.
        foreign.truncate(1);
        wrong.append(&mut foreign);
    }
    if !wrong.is_empty() {
        return Err(Failure(wrong).into());
    }
    if !foreign.is_empty() {
        say(io, &format!("{} without a series of a GPU", counted(foreign.len() as u64, "file or answer")));
    }
    Ok(history)
}

/// What pods of a dump held on nodes of which there are no metrics, and the labels of pods.
fn add_tenures(
    args: &HistoryArgs,
    catalog: &Catalog,
    nodes: &BTreeSet<String>,
    ledger: &mut Ledger,
    io: &mut Io<'_>,
) -> Result<()> {
    if args.from.is_empty() {
        return Ok(());
    }
    let now = Timestamp::now();
    if ledger.period.to > now.as_second() {
        let wrong = Wrong::new("period-to-come", "the period ends in the future, of which a dump tells nothing");
        return Err(Failure::from(wrong.help(format!("give --end {} or before", now.as_second()))).into());
    }
    let reader = problem::read_objects(&args.from, io)?;
    let options = TenureOptions { catalog, period: ledger.period, except: nodes, label: args.label.as_deref() };
    let tenures = reader.tenures(&options).map_err(|errors| problem::wrong_dump(&errors.0))?;
    if let Some(read) = io.was_read() {
        read.as_of(tenures.as_of);
    }
    let warnings = &tenures.warnings;
    problem::warn(warnings.iter().map(|found| (found.code.as_str(), found.to_string())), warnings.len(), io);
    ledger.gpus.extend(tenures.gpus);
    ledger.add_labels(&tenures.labels);
    Ok(())
}
