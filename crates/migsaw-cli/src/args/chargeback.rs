//! `migsaw chargeback` and `migsaw right-size`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use migsaw::chargeback::Prices;
use migsaw::fleet::Cost;
use migsaw::geometry::ProfileName;
use migsaw::whatif::BasisPoints;

use super::duration::duration;
use super::problem::GeometryArgs;
use super::{Format, SelectionArgs};

/// What was seen, and on what terms it is billed.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// What DCGM exporter said over time: scrapes with timestamps, or answers of Prometheus to a query over a range;
    /// files, folders of files, `-` for stdin
    #[arg(value_name = "METRICS")]
    pub(crate) metrics: Vec<PathBuf>,
    /// When the samples without a timestamp were scraped
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Input")]
    pub(crate) at: Option<i64>,
    /// Ask this Prometheus server (with --start and --end)
    #[arg(long, value_name = "URL", requires = "start", requires = "end", help_heading = "Input")]
    pub(crate) prometheus: Option<reqwest::Url>,
    /// Ask it for a sample every so often
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = whole, help_heading = "Input")]
    pub(crate) step: u32,
    /// Ask it only for series with this label, as queries have it (may be repeated): `cluster="eu"`
    #[arg(long = "match", value_name = "MATCHER", requires = "prometheus", help_heading = "Input")]
    pub(crate) matchers: Vec<String>,
    /// What `kubectl get nodes,pods -A -o json` prints: how long pods held their slices on nodes without metrics, and
    /// pod labels; files, folders of files, `-` for stdin
    #[arg(long, value_name = "DUMP", num_args = 1.., help_heading = "Input")]
    pub(crate) from: Vec<PathBuf>,
    /// The model of GPUs whose series do not say theirs
    #[arg(long, value_name = "MODEL", help_heading = "Input")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) geometry: GeometryArgs,
    /// Where the period begins, instead of the first sample: `2026-10-01`, `2026-10-01T08:00:00Z`, or seconds since
    /// 1970
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Period")]
    pub(crate) start: Option<i64>,
    /// Where it ends, instead of the last sample
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Period")]
    pub(crate) end: Option<i64>,
    /// For how long a sample holds without another; after that the time is unknown, and nobody is billed for it
    /// [default: 5m, or two steps if that is more]
    #[arg(long, value_name = "DURATION", value_parser = whole, help_heading = "Period")]
    pub(crate) hold: Option<u32>,
    /// What an hour of a GPU, or of a slice of it, costs (may be repeated), in any currency: `H100-80GB=3`,
    /// `1g.10gb=0.5`, `H100-80GB/3g.40gb=1.6`
    #[arg(long, value_name = "WHAT=PRICE", value_parser = price, help_heading = "Terms")]
    pub(crate) price: Vec<Priced>,
    /// A tenant and its namespaces (may be repeated; with --by tenant): `research=lab,nlp`
    #[arg(long, value_name = "NAME=NAMESPACES", value_parser = tenant, required_if_eq("by", "tenant"), help_heading = "Terms")]
    pub(crate) tenant: Vec<(String, Vec<String>)>,
    /// The label of pods to go by (with --by label)
    #[arg(long, value_name = "KEY", required_if_eq("by", "label"), help_heading = "Terms")]
    pub(crate) label: Option<String>,
    /// Who is looked at: namespaces, or pods for `right-size`, if nothing is said
    #[arg(long, value_enum, value_name = "WHO", help_heading = "Terms")]
    pub(crate) by: Option<Whom>,
    /// How to print the answer
    #[arg(short = 'o', long, value_parser = Format::among(Format::REPORT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

/// Who is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Whom {
    // What they are says the word; no doc comments, which would make five lines of help out of one.
    Namespace,
    Pod,
    Label,
    Tenant,
}

#[derive(Debug, Args)]
#[command(after_help = CHARGEBACK_EXAMPLES)]
pub(crate) struct ChargebackArgs {
    #[command(flatten)]
    pub(crate) history: HistoryArgs,
}

#[derive(Debug, Args)]
#[command(after_help = RIGHT_SIZE_EXAMPLES)]
pub(crate) struct RightSizeArgs {
    #[command(flatten)]
    pub(crate) history: HistoryArgs,
    /// So much more than was used a smaller slice must have, of memory and of compute
    #[arg(long, value_name = "PERCENT", default_value = "20%", help_heading = "Terms")]
    pub(crate) headroom: BasisPoints,
}

const CHARGEBACK_EXAMPLES: &str = "\
Examples:
  migsaw chargeback examples/history.json --price A100-40GB=2.40
  migsaw chargeback --prometheus http://prometheus:9090 --start 2026-10-01 --end 2026-11-01 --step 5m \\
      --price H100-80GB=4 --by tenant --tenant research=lab,nlp -o csv
  kubectl get nodes,pods -A -o json | migsaw chargeback --from - --start 2026-10-01 --end 2026-10-02

What is billed is the slice, for as long as a pod holds it; activity is for information. Of each GPU the
memory slices are shared out: billed, idle, stranded (no instance covers them) and unknown add up to all
of its time.";

const RIGHT_SIZE_EXAMPLES: &str = "\
Examples:
  migsaw right-size examples/history.json --price A100-40GB=2.40
  migsaw right-size --prometheus http://prometheus:9090 --start 2026-10-01 --end 2026-11-01 --step 5m --by namespace

A smaller slice must have the most memory that was ever in use, and compute for 99 of 100 samples, both with
headroom. What was not measured is taken to be needed as it is.
Exit codes: 0 nothing could be smaller, 1 something could, 2 failure.";

/// What a price is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Priced {
    /// `None` for slices of any model.
    pub(crate) model: Option<String>,
    pub(crate) profile: Option<ProfileName>,
    pub(crate) price: Cost,
}

impl Priced {
    /// All prices, models by the names they have in the catalogue.
    pub(crate) fn all<E>(given: &[Priced], id: impl Fn(&str) -> Result<String, E>) -> Result<Prices, E> {
        let mut prices = Prices::default();
        for Priced { model, profile, price } in given {
            let model = model.as_deref().map(&id).transpose()?;
            match (model, profile) {
                (Some(model), None) => drop(prices.gpu_hour.insert(model, *price)),
                (model, Some(profile)) => drop(prices.slice_hour.insert((model, profile.clone()), *price)),
                (None, None) => {}
            }
        }
        Ok(prices)
    }
}

fn price(text: &str) -> Result<Priced, String> {
    let (what, price) = text.rsplit_once('=').ok_or_else(|| "expected like H100-80GB=3 or 1g.10gb=0.5".to_owned())?;
    let price = price.parse().map_err(|error: migsaw::fleet::InvalidCost| error.to_string())?;
    let (model, profile) = match what.split_once('/') {
        Some((model, profile)) => {
            let profile = profile.parse::<ProfileName>().map_err(|error| error.to_string())?;
            (Some(model.to_owned()), Some(profile))
        }
        None => match what.parse::<ProfileName>() {
            Ok(profile) => (None, Some(profile)),
            Err(_) => (Some(what.to_owned()), None),
        },
    };
    Ok(Priced { model, profile, price })
}

fn tenant(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, namespaces) = text.split_once('=').ok_or_else(|| "expected like research=lab,nlp".to_owned())?;
    let namespaces: Vec<String> = namespaces.split(',').map(|name| name.trim().to_owned()).collect();
    if name.is_empty() || namespaces.iter().any(String::is_empty) {
        return Err("expected like research=lab,nlp".to_owned());
    }
    Ok((name.to_owned(), namespaces))
}

/// A duration in whole seconds, at least one.
fn whole(text: &str) -> Result<u32, String> {
    let found: Duration = duration(text)?;
    let seconds = u32::try_from(found.as_secs()).ok().filter(|seconds| *seconds > 0 && found.subsec_nanos() == 0);
    seconds.ok_or_else(|| format!("`{text}` is no number of whole seconds, from 1 (expected like 30s or 5m)"))
}

/// A point in time, as seconds since 1970: a day, a time with its zone, or such a number.
fn time(text: &str) -> Result<i64, String> {
    if let Some(timestamp) = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()) {
        return Ok(timestamp.as_second());
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp.as_second());
    }
    let day = text.parse::<Date>().ok().filter(|_| text.len() == "2026-10-01".len());
    let Some(day) = day else {
        return Err(format!(
            "`{text}` is no time (expected like 2026-10-01, 2026-10-01T08:00:00Z, or seconds since 1970, until {})",
            Timestamp::MAX
        ));
    };
    match day.to_zoned(TimeZone::UTC) {
        Ok(midnight) => Ok(midnight.timestamp().as_second()),
        Err(_) => Err(format!("`{text}` is out of range (expected a time until {})", Timestamp::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_timestamps_or_seconds() {
        for (text, seconds) in [
            ("1700000000", Some(1_700_000_000)),
            ("2023-11-14", Some(1_699_920_000)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000)),
            ("2023-11-14T23:13:20+01:00", Some(1_700_000_000)),
            ("2023-11-14T22:13:20", None),
            ("2023-02-30", None),
            ("1000000000000000", None),
            ("yesterday", None),
        ] {
            assert_eq!(time(text).ok(), seconds, "{text}");
        }
    }

    #[test]
    fn a_time_that_is_too_late_is_told_the_limit() {
        assert_eq!(
            time("9999-12-31").unwrap_err(),
            "`9999-12-31` is out of range (expected a time until 9999-12-30T22:00:00.999999999Z)"
        );
        assert_eq!(time("9999-12-30").unwrap(), 253_402_128_000);
    }

    #[test]
    fn prices_are_of_gpus_or_slices() {
        let shown = |text: &str| {
            let Priced { model, profile, price } = price(text)?;
            let profile = profile.map_or("-".to_owned(), |profile| profile.to_string());
            Ok::<String, String>(format!("{} {profile} {price}", model.unwrap_or("-".to_owned())))
        };
        assert_eq!(shown("H100-80GB=3").unwrap(), "H100-80GB - 3");
        assert_eq!(shown("1g.10gb+me=0.5").unwrap(), "- 1g.10gb+me 0.5");
        assert_eq!(shown("H100/3g.40gb=1.6").unwrap(), "H100 3g.40gb 1.6");
        for text in ["3", "H100=", "H100=-1", "H100/x=1"] {
            assert!(shown(text).is_err(), "{text}");
        }
    }
}
