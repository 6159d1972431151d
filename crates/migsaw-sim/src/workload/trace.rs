//! Pods read from a CSV file.

use std::io::Read;

use migsaw::geometry::{Catalog, ProfileName};
use serde::Deserialize;

use super::{Pod, Workload};
use crate::limits::Limits;

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
    /// A pod that takes nothing, or more than a node could hold.
    #[error("line {line} of the trace: a pod takes 1 to 255 instances, not {count}")]
    Count {
        /// Line in the file, from 1.
        line: u64,
        /// What stands there.
        count: u32,
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
            TraceError::Count { .. } | TraceError::TooMany { .. } => "out-of-range",
            TraceError::Empty => "trace-empty",
        }
    }
}

fn suggestion(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!(" (near: {})", nearest.join(", ")) }
}

#[derive(Debug, Deserialize)]
struct Row {
    arrival: u64,
    duration: u64,
    profile: String,
    count: Option<u32>,
    priority: Option<i32>,
    namespace: Option<String>,
}

impl Workload {
    /// Reads `arrival,duration,profile[,count][,priority][,namespace]`, with times in whole seconds and a line for each
    /// pod, in any order. They may go anywhere.
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
            let row: Row = record.deserialize(Some(&headers)).map_err(TraceError::Form)?;
            let unknown = || TraceError::Profile {
                line,
                name: row.profile.chars().take(80).collect(),
                nearest: catalog.nearest_profiles(&row.profile),
            };
            let name: ProfileName = row.profile.parse().map_err(|_| unknown())?;
            if !catalog.models().any(|model| model.profile(&name).is_some()) {
                return Err(unknown());
            }
            let count = row.count.unwrap_or(1);
            let n = u8::try_from(count).ok().filter(|n| *n > 0).ok_or(TraceError::Count { line, count })?;
            let at = place(&mut workload.profiles, name).ok_or(TraceError::TooMany { line, what: "profiles" })?;
            let namespace = row.namespace.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned());
            let namespace =
                place(&mut workload.namespaces, namespace).ok_or(TraceError::TooMany { line, what: "namespaces" })?;
            workload.pods.push(Pod {
                arrives: row.arrival,
                stays: row.duration,
                asks: [(at, n)].into_iter().collect(),
                priority: row.priority.unwrap_or(0),
                namespace,
                limits: 0,
            });
        }
        if workload.pods.is_empty() {
            return Err(TraceError::Empty);
        }
        workload.pods.sort_by_key(|pod| pod.arrives);
        Ok(workload)
    }
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
                "line 2 of the trace: a pod takes 1 to 255 instances, not 0",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
