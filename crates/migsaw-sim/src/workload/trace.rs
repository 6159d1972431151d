//! Pods read from a CSV file.

use std::io::Read;

use migsaw::geometry::{Catalog, ProfileName};
use serde::Deserialize;

use super::{Pod, Workload};
use crate::limits::Limits;

/// Latest arrival and longest stay, in seconds: 100 years, so that a million of them can be added up.
const MOST_SECONDS: u64 = 100 * 365 * 86_400;

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// It is no CSV with the columns it needs.
    #[error("the trace needs the columns arrival,duration,profile (and may have count,priority,namespace)")]
    Form(#[source] csv::Error),
    /// A profile's name.
    #[error("line {line} of the trace: `{name}` is no MIG profile{}", suggestion(nearest))]
    Profile {
        /// Line in the file, from 1.
        line: u64,
        /// What stands there.
        name: String,
        /// Names that may have been meant.
        nearest: Vec<String>,
    },
    /// An arrival or a duration that is no whole number, negative, or too large.
    #[error(
        "line {line} of the trace: {what} `{text}` is no whole number of seconds from 0 to {MOST_SECONDS} (100 years)"
    )]
    Time {
        /// Line in the file, from 1.
        line: u64,
        /// The column.
        what: &'static str,
        /// What stands there.
        text: String,
    },
    /// A pod that takes nothing, or more than a node could hold.
    #[error("line {line} of the trace: a pod takes 1 to 255 instances, not `{count}`")]
    Count {
        /// Line in the file, from 1.
        line: u64,
        /// What stands there.
        count: String,
    },
    /// A priority that Kubernetes would not have.
    #[error("line {line} of the trace: priority `{text}` is no whole number from {} to {}", i32::MIN, i32::MAX)]
    Priority {
        /// Line in the file, from 1.
        line: u64,
        /// What stands there.
        text: String,
    },
    /// Too many different profiles or namespaces.
    #[error("line {line} of the trace: more than 65,536 different {what}")]
    TooMany {
        /// Line in the file, from 1.
        line: u64,
        /// Of what.
        what: &'static str,
    },
    /// No pod at all.
    #[error("the trace has no pods")]
    Empty,
}

impl TraceError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            TraceError::Form(_) => "trace-form",
            TraceError::Profile { .. } => "unknown-profile",
            TraceError::Time { .. } => "trace-time",
            TraceError::Count { .. } | TraceError::Priority { .. } | TraceError::TooMany { .. } => "out-of-range",
            TraceError::Empty => "trace-empty",
        }
    }
}

fn suggestion(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!(" (near: {})", nearest.join(", ")) }
}

/// What is a number is read later, so that errors can say what stands there.
#[derive(Debug, Deserialize)]
struct Row<'r> {
    arrival: &'r str,
    duration: &'r str,
    profile: &'r str,
    count: Option<&'r str>,
    priority: Option<&'r str>,
    namespace: Option<&'r str>,
}

impl Workload {
    /// Reads `arrival,duration,profile[,count][,priority][,namespace]`, with times in whole seconds, up to 100 years, and
    /// a line for each pod, in any order. They may go anywhere.
    ///
    /// # Errors
    /// [`TraceError`] with the line that is not what it should be.
    pub fn read(trace: impl Read, catalog: &Catalog) -> Result<Workload, TraceError> {
        let mut workload = Workload { limits: vec![Limits::default()], ..Workload::default() };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(trace);
        let headers = reader.headers().map_err(TraceError::Form)?.clone();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(TraceError::Form)? {
            let line = record.position().map_or(0, csv::Position::line);
            let row: Row<'_> = record.deserialize(Some(&headers)).map_err(TraceError::Form)?;
            let time = |what, text: &str| {
                let known = text.parse().ok().filter(|seconds| *seconds <= MOST_SECONDS);
                known.ok_or_else(|| TraceError::Time { line, what, text: start(text) })
            };
            let (arrives, stays) = (time("arrival", row.arrival)?, time("duration", row.duration)?);
            let nearest = || catalog.nearest_profiles(row.profile);
            let unknown = || TraceError::Profile { line, name: start(row.profile), nearest: nearest() };
            let name: ProfileName = row.profile.parse().map_err(|_| unknown())?;
            if !catalog.models().any(|model| model.profile(&name).is_some()) {
                return Err(unknown());
            }
            let count = row.count.unwrap_or("1");
            let n = count.parse().ok().filter(|n| *n > 0);
            let n: u8 = n.ok_or_else(|| TraceError::Count { line, count: start(count) })?;
            let priority = row.priority.unwrap_or("0");
            let priority = priority.parse().map_err(|_| TraceError::Priority { line, text: start(priority) })?;
            let at = place(&mut workload.profiles, name).ok_or(TraceError::TooMany { line, what: "profiles" })?;
            let namespace = row.namespace.filter(|name| !name.is_empty()).unwrap_or("default").to_owned();
            let namespace =
                place(&mut workload.namespaces, namespace).ok_or(TraceError::TooMany { line, what: "namespaces" })?;
            let asks = [(at, n)].into_iter().collect();
            workload.pods.push(Pod { arrives, stays, asks, priority, namespace, limits: 0 });
        }
        if workload.pods.is_empty() {
            return Err(TraceError::Empty);
        }
        workload.pods.sort_by_key(|pod| pod.arrives);
        Ok(workload)
    }
}

/// As much of a text as a message shows.
fn start(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Where something is in a list, at the end if it was not there.
fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> Option<u16> {
    let at = list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    });
    u16::try_from(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Workload, String> {
        Workload::read(text.as_bytes(), &Catalog::builtin()).map_err(|error| error.to_string())
    }

    #[test]
    fn pods_are_read_in_the_order_of_their_arrival() {
        let workload = read("arrival,profile,duration,count,namespace\n7,3g.40gb,9,,b\n0, 1g.10gb ,5,2,\n").unwrap();
        assert_eq!(workload.namespaces, ["b", "default"]);
        let [first, second] = &workload.pods[..] else { panic!("two pods") };
        assert_eq!((first.arrives, first.stays, first.asks.as_slice(), first.namespace), (0, 5, &[(1, 2)][..], 1));
        assert_eq!((second.arrives, second.asks.as_slice(), second.priority), (7, &[(0, 1)][..], 0));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, says) in [
            ("", "the trace has no pods"),
            ("arrival,duration\n1,2\n", "needs the columns"),
            ("arrival,duration,profile\n", "the trace has no pods"),
            (
                "arrival,duration,profile\n1,2,3g.41gb\n",
                "line 2 of the trace: `3g.41gb` is no MIG profile (near: 3g.40gb",
            ),
            (
                "arrival,duration,profile,count\n1,2,3g.40gb,0\n",
                "line 2 of the trace: a pod takes 1 to 255 instances, not `0`",
            ),
            (
                "arrival,duration,profile,count\n1,2,3g.40gb,two\n",
                "line 2 of the trace: a pod takes 1 to 255 instances, not `two`",
            ),
            (
                "arrival,duration,profile,priority\n1,2,3g.40gb,\n1,2,3g.40gb,high\n",
                "line 3 of the trace: priority `high` is no whole number from -2147483648 to 2147483647",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn times_are_whole_seconds_of_a_century() {
        for text in
            ["1.5", "-5", "nan", "inf", "1e18", "3153600001", "18446744073709551615", "18446744073709551616", ""]
        {
            for (row, what) in [(format!("{text},9"), "arrival"), (format!("9,{text}"), "duration")] {
                let csv = format!("arrival,duration,profile\n0,1,1g.10gb\n{row},1g.10gb\n");
                let error = Workload::read(csv.as_bytes(), &Catalog::builtin()).unwrap_err();
                assert_eq!(error.code(), "trace-time", "{error}");
                let says =
                    format!("line 3 of the trace: {what} `{text}` is no whole number of seconds from 0 to 3153600000");
                assert!(error.to_string().starts_with(&says), "{error}");
            }
        }
        let pods = read("arrival,duration,profile\n3153600000,3153600000,1g.10gb\n").unwrap().pods;
        assert_eq!((pods[0].arrives, pods[0].stays), (3_153_600_000, 3_153_600_000));
    }
}
