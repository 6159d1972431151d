//! What DCGM exporter says: which instances each GPU has, and which pods are on them.
//!
//! A dump of a cluster does not tell on which of a node's GPUs a pod runs; DCGM exporter's metrics do. Only their
//! labels matter: `Hostname` (or `hostname`), `gpu` (the index by which mig-parted addresses the GPU), `UUID`,
//! `GPU_I_ID` and `GPU_I_PROFILE` (blank where MIG is off), and `pod` with `namespace` in all spellings there have
//! been. Any metric that is reported per instance will do; a series without data counts for nothing (a value of at
//! least 2^63 − 16, which is how DCGM writes "blank", or none at all).
//!
//! [`Metrics`] is one moment, [`history`] a time.
//!
//! Read are a scrape ([`text`]) and what Prometheus' HTTP API answers to an instant query, as
//! `curl -G …/api/v1/query --data-urlencode 'query={__name__=~"DCGM_.*"}'` saves it. Both may be packed with gzip.
//!
//! Sources: DCGM exporter's issues 512 (labels of a MIG instance), 655 (`hostname`) and its
//! `internal/pkg/transformation/kubernetes.go` (labels of pods); Prometheus' "HTTP API", section "Instant queries".
//!
//! What is not here: fetching anything. [`Metrics::read`] takes bytes, wherever they are from.

mod api;
mod frame;
pub mod history;
mod packed;
mod sighting;
pub mod text;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::ProfileName;

use api::Series;
pub(crate) use sighting::PodName;
use sighting::{Exporters, LabelProblem, Sighting};

use crate::text::Unpack;

/// What some scrapes say of the GPUs of each host.
///
/// ```
/// use migsaw_kube::dcgm::Metrics;
/// let mut metrics = Metrics::default();
/// let scrape = br#"# TYPE DCGM_FI_DEV_FB_USED gauge
/// DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-1",Hostname="n1",GPU_I_PROFILE="1g.6gb",GPU_I_ID="3",namespace="team",pod="web"} 12
/// "#;
/// metrics.read("scrape.txt", scrape)?;
/// let answer = br#"{"status": "success", "data": {"resultType": "vector", "result": [
///     {"metric": {"gpu": "1", "UUID": "GPU-2", "hostname": "n1"}, "value": [1700000000, "34"]}]}}"#;
/// metrics.read("answer.json", answer)?;
/// assert_eq!(metrics.hosts().collect::<Vec<_>>(), [("n1", 2)]);
/// assert!(metrics.read("other.txt", b"go_threads 9\n").is_err());
/// # Ok::<(), migsaw_kube::dcgm::MetricsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    hosts: BTreeMap<String, BTreeMap<u16, Gpu>>,
    exporters: Exporters,
    /// What was not understood, and where.
    unread: BTreeMap<String, BTreeSet<String>>,
}

/// What is seen of a GPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gpu {
    pub(crate) uuids: BTreeSet<String>,
    /// Pods on the GPU as a whole.
    pub(crate) pods: BTreeSet<PodName>,
    /// By GPU instance id.
    pub(crate) instances: BTreeMap<u32, Instance>,
}

/// What is seen of an instance. Ids are used again after a GPU is cut anew, so scrapes of different times can
/// disagree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) profiles: BTreeSet<ProfileName>,
    pub(crate) pods: BTreeSet<PodName>,
}

/// Why metrics could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// It looks like gzip but cannot be unpacked.
    #[error("cannot be unpacked as gzip: {reason}")]
    Gzip {
        /// What the unpacker says.
        reason: String,
    },
    /// It is larger than metrics can be when unpacked.
    #[error("larger than {most} bytes when unpacked")]
    TooLarge {
        /// The limit.
        most: u64,
    },
    /// It is not text.
    #[error("not UTF-8 text at byte {offset} (line {line})")]
    NotUtf8 {
        /// The first byte that is wrong, from 0.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// It is JSON, but not an answer to an instant query.
    #[error("{reason}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1; 0 if unknown.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// Prometheus answered with an error.
    #[error("Prometheus answered: {error_type}: {error}")]
    Answer {
        /// The kind of error, like `bad_data`.
        error_type: String,
        /// What it says.
        error: String,
    },
    /// The answer is not one to an instant query.
    #[error("the answer is of type `{found}` (expected `vector`, that of an instant query)")]
    ResultType {
        /// The answer's type.
        found: String,
    },
    /// The answer has no samples over time.
    #[error("the answer is of type `{found}` (expected `matrix`, that of a query over a range, or `vector`)")]
    NoSamples {
        /// The answer's type.
        found: String,
    },
    /// A scrape does not say when it was made.
    #[error("line {line} has no timestamp, and nobody says when the scrape was made")]
    NoTime {
        /// The first such line of a GPU, from 1.
        line: u64,
    },
    /// No series of a GPU is in it.
    #[error("no series of a GPU in it (expected labels gpu, UUID and Hostname, as DCGM exporter writes them){}", first.as_ref().map(|first| format!("; the first problem: {first}")).unwrap_or_default())]
    NoSeries {
        /// The first thing that was not understood, with its place.
        first: Option<String>,
    },
}

impl MetricsError {
    /// A stable code for programs; `docs/errors.md` lists them.
    pub fn code(&self) -> &'static str {
        match self {
            MetricsError::Gzip { .. } => "gzip",
            MetricsError::TooLarge { .. } => "too-large",
            MetricsError::NotUtf8 { .. } => "not-utf8",
            MetricsError::Syntax { .. } => "metrics-syntax",
            MetricsError::Answer { .. } => "prometheus-error",
            MetricsError::ResultType { .. } => "not-instant",
            MetricsError::NoSamples { .. } => "no-samples",
            MetricsError::NoTime { .. } => "no-timestamp",
            MetricsError::NoSeries { .. } => "no-gpu-series",
        }
    }
}

/// A value of at least this is DCGM's way to say that there is none: 2^63 − 16, which as a float is 2^63.
const BLANK: f64 = 9_223_372_036_854_775_808.0;

impl Metrics {
    /// Reads a scrape or an answer of Prometheus' HTTP API. `name` is what it is called in warnings.
    ///
    /// Lines and series that are not understood do not count, and the dump that is read with the metrics warns
    /// of each. If there is an error, nothing of this file counts.
    ///
    /// # Errors
    /// [`MetricsError`] if it is neither, or no series of a GPU is in it.
    pub fn read(&mut self, name: &str, bytes: &[u8]) -> Result<(), MetricsError> {
        let content = content(bytes)?;
        let text = content.as_ref();
        let mut found = Metrics::default();
        let first = if is_json(text) { found.read_answer(name, text)? } else { found.read_scrape(name, text) };
        if found.hosts.is_empty() {
            return Err(MetricsError::NoSeries { first });
        }
        self.absorb(found);
        self.drop_exporters();
        Ok(())
    }

    /// The hosts with the number of GPUs seen of each, in alphabetical order.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, usize)> {
        self.hosts.iter().map(|(host, gpus)| (host.as_str(), gpus.len()))
    }

    /// Whether every line and series was understood.
    pub fn is_understood(&self) -> bool {
        self.unread.is_empty()
    }

    /// The hosts with what is seen of their GPUs, by index.
    pub(crate) fn all_hosts(&self) -> impl Iterator<Item = (&str, &BTreeMap<u16, Gpu>)> {
        self.hosts.iter().map(|(host, gpus)| (host.as_str(), gpus))
    }

    /// What was not understood: a sentence, and the places it is about.
    pub(crate) fn unread(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.unread.iter().map(|(message, places)| (message.as_str(), places))
    }

    /// Reads an answer; gives the first problem.
    fn read_answer(&mut self, name: &str, text: &str) -> Result<Option<String>, MetricsError> {
        let data = api::read::<Series>(text, &["vector"])?;
        for doubt in data.doubts {
            self.unread.entry(doubt).or_default().insert(name.to_owned());
        }
        let mut first = None;
        for (number, series) in (1u64..).zip(data.result) {
            let place = || format!("{name} series {number}");
            self.add(series.sighting, series.value.unwrap_or(f64::NAN), &place, &mut first);
        }
        Ok(first)
    }

    /// Reads a scrape; gives the first problem.
    fn read_scrape(&mut self, name: &str, text: &str) -> Option<String> {
        let mut first = None;
        for (number, sample) in text::samples(text) {
            let place = || format!("{name}:{number}");
            match sample {
                Ok(sample) => self.add(sighting::of(&sample.labels), sample.value, &place, &mut first),
                Err(reason) => {
                    first.get_or_insert_with(|| format!("line {number}: {reason}"));
                    self.unread.entry(format!("{reason}: the line was left out")).or_default().insert(place());
                }
            }
        }
        first
    }

    fn add(
        &mut self,
        sighting: Result<Option<Sighting>, LabelProblem>,
        value: f64,
        place: &dyn Fn() -> String,
        first: &mut Option<String>,
    ) {
        match sighting {
            Ok(Some(sighting)) if value < BLANK => self.add_sighting(sighting),
            Ok(_) => {}
            Err(problem) => {
                first.get_or_insert_with(|| format!("{}: {problem}", place()));
                self.unread.entry(problem.to_string()).or_default().insert(place());
            }
        }
    }

    fn add_sighting(&mut self, sighting: Sighting) {
        if let Some(exporter) = &sighting.exporter {
            self.exporters.learn(exporter);
        }
        let gpu = self.hosts.entry(sighting.host).or_default().entry(sighting.gpu).or_default();
        gpu.uuids.extend(sighting.uuid);
        let pods = match sighting.instance {
            Some((id, profile)) => {
                let instance = gpu.instances.entry(id).or_default();
                instance.profiles.insert(profile);
                &mut instance.pods
            }
            None => &mut gpu.pods,
        };
        pods.extend(sighting.pod);
    }

    /// Drops pods that hold nothing: what is read later may tell of some.
    fn drop_exporters(&mut self) {
        for gpu in self.hosts.values_mut().flat_map(BTreeMap::values_mut) {
            let instances = gpu.instances.values_mut().map(|instance| &mut instance.pods);
            instances.chain([&mut gpu.pods]).for_each(|pods| pods.retain(|pod| !self.exporters.has(pod)));
        }
    }

    fn absorb(&mut self, other: Metrics) {
        self.exporters.absorb(other.exporters);
        for (host, gpus) in other.hosts {
            let known = self.hosts.entry(host).or_default();
            for (index, gpu) in gpus {
                let known = known.entry(index).or_default();
                known.uuids.extend(gpu.uuids);
                known.pods.extend(gpu.pods);
                for (id, instance) in gpu.instances {
                    let known = known.instances.entry(id).or_default();
                    known.profiles.extend(instance.profiles);
                    known.pods.extend(instance.pods);
                }
            }
        }
        for (message, places) in other.unread {
            self.unread.entry(message).or_default().extend(places);
        }
    }
}

/// A mark that some programs begin a file with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of a file that may be packed.
fn content(bytes: &[u8]) -> Result<Cow<'_, str>, MetricsError> {
    let bytes = if crate::text::is_packed(bytes) {
        Cow::Owned(crate::text::unpacked(bytes, MOST_BYTES).map_err(|problem| match problem {
            Unpack::Gzip(reason) => MetricsError::Gzip { reason },
            Unpack::TooLarge => MetricsError::TooLarge { most: MOST_BYTES },
        })?)
    } else {
        Cow::Borrowed(bytes)
    };
    let not_utf8 = |error: std::str::Utf8Error, bytes: &[u8]| {
        let offset = error.valid_up_to();
        MetricsError::NotUtf8 { offset, line: 1 + crate::text::line_breaks(&bytes[..offset]) }
    };
    match bytes {
        Cow::Borrowed(bytes) => {
            let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
            std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| not_utf8(error, bytes))
        }
        Cow::Owned(mut bytes) => {
            if bytes.starts_with(MARK) {
                bytes.drain(..MARK.len());
            }
            let text = String::from_utf8(bytes);
            text.map(Cow::Owned).map_err(|error| not_utf8(error.utf8_error(), error.as_bytes()))
        }
    }
}

/// Most bytes of a file, unpacked.
const MOST_BYTES: u64 = 1 << 30;

/// Whether a text is an object of JSON: a scrape can begin with a brace too, but then with a metric's name.
fn is_json(text: &str) -> bool {
    let Some(inside) = text.trim_start().strip_prefix('{') else { return false };
    let inside = inside.trim_start();
    let key = inside.strip_prefix('"').and_then(|rest| Some(rest.split_once('"')?.1.trim_start().starts_with(':')));
    inside.is_empty() || inside.starts_with('}') || key.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPU: &str = r#"gpu="0",UUID="GPU-1",Hostname="n""#;

    fn shown(metrics: &Metrics) -> String {
        let pods = |pods: &BTreeSet<PodName>| {
            pods.iter().map(|pod| format!(" {}/{}", pod.namespace, pod.name)).collect::<Vec<_>>().concat()
        };
        let mut lines = Vec::new();
        for (host, gpus) in &metrics.hosts {
            for (index, gpu) in gpus {
                lines.push(format!("{host} {index}{}", pods(&gpu.pods)));
                for (id, instance) in &gpu.instances {
                    let profiles: Vec<String> = instance.profiles.iter().map(ToString::to_string).collect();
                    lines.push(format!("{host} {index}#{id} {}{}", profiles.join("|"), pods(&instance.pods)));
                }
            }
        }
        for (message, places) in &metrics.unread {
            lines.push(format!("{}: {message}", places.iter().cloned().collect::<Vec<_>>().join(" ")));
        }
        lines.join("\n")
    }

    fn read(text: &str) -> Result<String, MetricsError> {
        let mut metrics = Metrics::default();
        metrics.read("f", text.as_bytes())?;
        Ok(shown(&metrics))
    }

    #[test]
    fn an_exporter_holds_nothing() {
        let instance = |id: u32, pods: &str| format!("a{{{GPU},GPU_I_PROFILE=\"1g.6gb\",GPU_I_ID=\"{id}\"{pods}}} 1\n");
        let own = r#",namespace="s",pod="metrics-x7k2p",container="c""#;
        let other = r#",namespace="s",pod="metrics-9dq4z""#;
        let busy = format!(r#"{own},exported_namespace="s",exported_pod="p""#);
        let older = format!(r#"{own},pod_namespace="s",pod_name="p""#);
        for (name, series, expected) in [
            ("nothing tells that it is one", vec![own], "n 0\nn 0#1 1g.6gb s/metrics-x7k2p"),
            ("beside a holder", vec![own, &busy], "n 0\nn 0#1 1g.6gb\nn 0#2 1g.6gb s/p"),
            ("beside a holder, as older exporters say it", vec![own, &older], "n 0\nn 0#1 1g.6gb\nn 0#2 1g.6gb s/p"),
            ("on another node", vec![&busy, other], "n 0\nn 0#1 1g.6gb s/p\nn 0#2 1g.6gb"),
            ("of the usual name", vec![r#",namespace="s",pod="nvidia-dcgm-exporter-x7k2p""#], "n 0\nn 0#1 1g.6gb"),
        ] {
            let text: String = (1..).zip(&series).map(|(id, pods)| instance(id, pods)).collect();
            assert_eq!(read(&text).unwrap(), expected, "{name}");
        }
        let mut both = Metrics::default();
        both.read("a", instance(1, own).as_bytes()).unwrap();
        both.read("b", instance(2, &busy).as_bytes()).unwrap();
        assert_eq!(shown(&both), "n 0\nn 0#1 1g.6gb\nn 0#2 1g.6gb s/p", "what is read later tells it");
    }

    #[test]
    fn scrapes() {
        let mig = r#"GPU_I_PROFILE="2g.12gb",GPU_I_ID="1""#;
        for (name, text, expected) in [
            ("a GPU and an instance", format!("a{{{GPU}}} 1\nb{{{GPU},{mig}}} 2\n# EOF\n"), "n 0\nn 0#1 2g.12gb"),
            (
                "many series of an instance",
                format!("a{{{GPU},{mig}}} 1\na{{{GPU},{mig},pod=\"p\",namespace=\"s\"}} 1\n"),
                "n 0\nn 0#1 2g.12gb s/p",
            ),
            ("no data", format!("a{{{GPU},{mig}}} 9223372036854775794\nb{{{GPU},{mig}}} NaN\nc{{{GPU}}} 1"), "n 0"),
            ("other metrics", format!("go_threads 9\na{{{GPU}}} 1"), "n 0"),
            (
                "broken lines",
                format!("a{{{GPU}}} 1\nb{{\nc{{gpu=\"0\",UUID=\"x\"}} 1\nd{{"),
                "n 0
f:3: does not say which node its GPU is in (expected a label Hostname or hostname): it was left out
f:2 f:4: ends within its labels (expected a `}`); the file seems to be cut off: the line was left out",
            ),
        ] {
            assert_eq!(read(&text).as_deref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn answers_of_prometheus() {
        let vector = |result: &str| {
            format!(r#" {{"status":"success","data":{{"resultType":"vector","result":[{result}]}},"infos":["i"]}}"#)
        };
        let metric = r#"{"__name__":"DCGM_FI_DEV_FB_USED","gpu":"3","UUID":"GPU-1","Hostname":"n","GPU_I_ID":"9","GPU_I_PROFILE":"1g.6gb"}"#;
        let syntax = |line, column, reason: &str| Err(MetricsError::Syntax { line, column, reason: reason.to_owned() });
        for (name, text, expected) in [
            ("an instance", vector(&format!(r#"{{"metric":{metric},"value":[17.5,"1"]}}"#)), Ok("n 3\nn 3#9 1g.6gb")),
            (
                "aggregated",
                vector(r#"{"metric":{"gpu":"3","UUID":"GPU-1","Hostname":"n"},"value":[17,"1"]}"#),
                Ok("n 3"),
            ),
            (
                "a series that is not understood",
                vector(
                    r#"{"metric":{"gpu":"3","UUID":"u","Hostname":"n"},"value":[17,"1"]},{"metric":{"UUID":"u","Hostname":"n"},"value":[17,"1"]}"#,
                ),
                Ok("n 3\nf series 2: gpu is `` (expected the GPU's index in its node, like 0): it was left out"),
            ),
            (
                "no data",
                vector(&format!(r#"{{"metric":{metric},"value":[17,"NaN"]}}"#)),
                Err(MetricsError::NoSeries { first: None }),
            ),
            (
                "an error",
                r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#.to_owned(),
                Err(MetricsError::Answer { error_type: "bad_data".to_owned(), error: "parse error".to_owned() }),
            ),
            (
                "a range",
                r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"]]}]}}"#
                    .to_owned(),
                Err(MetricsError::ResultType { found: "matrix".to_owned() }),
            ),
            (
                "a scalar",
                r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#.to_owned(),
                syntax(
                    1,
                    61,
                    "invalid type: integer `1`, expected a series of an instant query, like {\"metric\": {…}, \"value\": […]}",
                ),
            ),
            ("something else", "{}".to_owned(), Err(MetricsError::ResultType { found: String::new() })),
            ("cut off", r#"{"status":"#.to_owned(), syntax(1, 10, "EOF while parsing a value")),
        ] {
            assert_eq!(read(&text), expected.map(str::to_owned), "{name}");
        }
    }

    #[test]
    fn what_has_no_gpu_is_refused() {
        for (name, text, first) in [
            ("nothing", "", None),
            ("another scrape", "go_threads 9\n", None),
            (
                "a dump",
                "kind: Node\nmetadata:\n",
                Some("line 1: `Node` is no value (expected a number behind the labels)"),
            ),
            ("not a scrape", "[1]", Some("line 1: `[1]` is no metric name (expected like `DCGM_FI_DEV_FB_USED`)")),
            ("quotes only", r#"{"a"} 1"#, None),
        ] {
            let expected = MetricsError::NoSeries { first: first.map(str::to_owned) };
            assert_eq!(read(text), Err(expected), "{name}");
        }
        let mut metrics = Metrics::default();
        assert_eq!(metrics.read("f", b"a 1\n\xff"), Err(MetricsError::NotUtf8 { offset: 4, line: 2 }));
        assert_eq!(metrics.read("f", b"\x1f\x8b\x08").unwrap_err().code(), "gzip");
        assert_eq!(metrics, Metrics::default(), "nothing of it counts");
    }

    #[test]
    fn what_a_server_doubts_is_told() {
        let answer = r#"{"status":"success","isPartial":true,"warnings":["sidecar-1 is away"],"data":{"resultType":"vector",
            "result":[{"metric":{"gpu":"0","UUID":"GPU-0","Hostname":"n"},"value":[17,"1"]}]}}"#;
        let mut metrics = Metrics::default();
        metrics.read("p", answer.as_bytes()).unwrap();
        let doubts: Vec<&str> = metrics.unread().map(|(message, _)| message).collect();
        let partial = "the server says that this is a part of the answer only (isPartial)";
        assert_eq!(doubts, [partial, "the server warns: sidecar-1 is away"]);
        let refused = metrics.read("p", br#"{"status":"error","errorType":"bad_data"}"#);
        let (error_type, error) = ("bad_data".to_owned(), String::new());
        assert_eq!(refused, Err(MetricsError::Answer { error_type, error }));
    }

    #[test]
    fn files_add_up() {
        let mut both = Metrics::default();
        both.read("a", format!("a{{{GPU},GPU_I_ID=\"1\",GPU_I_PROFILE=\"2g.12gb\"}} 1").as_bytes()).unwrap();
        both.read("b", format!("a{{{GPU},GPU_I_ID=\"1\",GPU_I_PROFILE=\"1g.6gb\"}} 1\n?").as_bytes()).unwrap();
        let unread = "b:2: `?` is no metric name (expected like `DCGM_FI_DEV_FB_USED`): the line was left out";
        assert_eq!(shown(&both), format!("n 0\nn 0#1 1g.6gb|2g.12gb\n{unread}"));
    }
}
