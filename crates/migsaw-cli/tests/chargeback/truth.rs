//! GPUs whose past is made up, and so known: every minute of it, what a scrape then says, and what is to be billed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use migsaw_sim::Rng;
use serde_json::json;

/// Seconds between scrapes.
pub(crate) const TICK: u64 = 60;
/// For how long a scrape holds, in ticks.
pub(crate) const HOLD: usize = 5;
/// When it begins.
pub(crate) const START: u64 = 1_790_812_800;
/// How DCGM writes that there is no value.
const BLANK: &str = "9223372036854775794";

/// A GPU over time.
pub(crate) struct Gpu {
    host: &'static str,
    index: usize,
    model: &'static str,
    product: &'static str,
    units: u64,
    /// The exporter's pod, where Prometheus adds it (with `honor_labels: false`). It is in a namespace in which pods
    /// hold instances too.
    exporter: Option<&'static str>,
    /// What each scrape finds, if there is one.
    ticks: Vec<Option<Vec<Cell>>>,
}

/// An instance at a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    /// `None` for a GPU with MIG off.
    id: Option<u32>,
    profile: &'static str,
    size: u64,
    pod: Option<(&'static str, u64)>,
    blank: bool,
}

/// What is to be billed, in seconds by model and slice, and in seconds times units by model.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) billed: BTreeMap<(String, String, String), u64>,
    pub(crate) idle: BTreeMap<(String, String), u64>,
    pub(crate) stranded: BTreeMap<String, u64>,
    pub(crate) unknown: BTreeMap<String, u64>,
    pub(crate) seen: BTreeMap<String, u64>,
}

/// Names and values.
type Labels = Vec<(&'static str, String)>;

type Cut = &'static [(&'static str, u64)];
const A100: [Cut; 5] = [
    &[("3g.20gb", 4), ("2g.10gb", 2), ("1g.5gb", 1)],
    &[("1g.5gb", 1), ("1g.5gb", 1), ("1g.5gb", 1), ("2g.10gb", 2)],
    &[("4g.20gb", 4), ("1g.10gb", 2)],
    &[("", 8)],
    &[("7g.40gb", 8)],
];
const A30: [Cut; 3] = [&[("2g.12gb", 2), ("1g.6gb", 1)], &[("1g.6gb", 1), ("1g.6gb", 1)], &[("4g.24gb", 4)]];
const NAMESPACES: [&str; 4] = ["lab", "search", "research", "web"];

/// GPUs with a past of so many ticks. `faults` says whether scrapes fail and values are missing.
pub(crate) fn gpus(seed: u64, ticks: usize, faults: bool) -> Vec<Gpu> {
    let mut rng = Rng::new(seed);
    let mut past = |cuts: &[Cut]| {
        let mut found: Vec<Option<Vec<Cell>>> = Vec::new();
        let mut cells: Vec<(Cell, u64)> = Vec::new();
        let (mut left, mut down) = (0_u64, 0_u64);
        for _ in 0..ticks {
            if left == 0 {
                left = 30 + rng.below(2500);
                let cut = cuts[rng.index(cuts.len())];
                // Ids are used again, also for another profile.
                let first = u32::try_from(rng.below(3)).unwrap();
                let cell = |(number, (profile, size)): (u32, &(&'static str, u64))| Cell {
                    id: (!profile.is_empty()).then_some(first + number),
                    profile,
                    size: *size,
                    pod: None,
                    blank: false,
                };
                cells = (0..).zip(cut).map(|numbered| (cell(numbered), 0)).collect();
            }
            left -= 1;
            for (cell, rest) in &mut cells {
                if *rest == 0 {
                    *rest = 1 + rng.below(300);
                    let namespace = NAMESPACES[rng.index(NAMESPACES.len())];
                    cell.pod = (!rng.chance(1, 3)).then(|| (namespace, rng.below(20)));
                }
                *rest -= 1;
            }
            if down == 0 && faults && rng.chance(1, 300) {
                down = [1, 2, 4, 5, 6, 30, 200][rng.index(7)];
            }
            let scraped = down == 0;
            down = down.saturating_sub(1);
            let reported = cells.iter().map(|(cell, _)| {
                let blank = faults && cell.id.is_some() && rng.chance(1, 40);
                Cell { blank, ..cell.clone() }
            });
            let reported: Vec<Cell> = reported.collect();
            found.push(scraped.then_some(reported));
        }
        found
    };
    let is_added = seed.is_multiple_of(2);
    let gpu = |index, ticks| Gpu {
        host: "n1",
        index,
        model: "A100-40GB",
        product: "NVIDIA A100-SXM4-40GB",
        units: 8,
        exporter: is_added.then_some("gpu-metrics-x7k2p"),
        ticks,
    };
    let (first, second, third) = (past(&A100), past(&A100), past(&A30));
    let exporter = is_added.then_some("gpu-metrics-9dq4z");
    let a30 = Gpu { host: "n2", index: 0, model: "A30-24GB", product: "NVIDIA A30", units: 4, exporter, ticks: third };
    vec![gpu(0, first), gpu(1, second), a30]
}

/// What is to be billed, tick by tick: each time it is looked for the last scrape that says something.
pub(crate) fn tally(gpus: &[Gpu]) -> Tally {
    let mut tally = Tally::default();
    for gpu in gpus {
        let model = || gpu.model.to_owned();
        let says = |tick: usize| gpu.ticks[tick].as_ref().filter(|cells| cells.iter().any(|cell| !cell.blank));
        let Some(first) = (0..gpu.ticks.len()).find(|tick| says(*tick).is_some()) else { continue };
        let last = (0..gpu.ticks.len()).rfind(|tick| says(*tick).is_some()).unwrap();
        for tick in first..gpu.ticks.len().min(last + HOLD) {
            let frame = (first..=tick).rfind(|tick| says(*tick).is_some()).unwrap();
            *tally.seen.entry(model()).or_default() += TICK;
            if tick - frame >= HOLD {
                *tally.unknown.entry(model()).or_default() += TICK * gpu.units;
                continue;
            }
            let mut free = gpu.units;
            for cell in says(frame).unwrap() {
                free -= cell.size;
                let of_id = |tick: usize| says(tick)?.iter().find(|found| found.id == cell.id && !found.blank);
                let told = (first..=frame).rfind(|tick| of_id(*tick).is_some());
                let told = told.filter(|told| tick - told < HOLD && of_id(*told).unwrap().profile == cell.profile);
                let slice = if cell.profile.is_empty() { "whole GPU" } else { cell.profile }.to_owned();
                match told.map(|told| of_id(told).unwrap().pod) {
                    None => *tally.unknown.entry(model()).or_default() += TICK * cell.size,
                    Some(None) => *tally.idle.entry((model(), slice)).or_default() += TICK,
                    Some(Some((namespace, _))) => {
                        *tally.billed.entry((namespace.to_owned(), model(), slice)).or_default() += TICK;
                    }
                }
            }
            *tally.stranded.entry(model()).or_default() += TICK * free;
        }
    }
    tally
}

impl Gpu {
    /// The labels of a cell, as exporters wrote them before or write them now.
    fn labels(&self, cell: &Cell, new: bool) -> Labels {
        let mut labels = vec![
            ("gpu", self.index.to_string()),
            ("UUID", format!("GPU-{}-{}", self.host, self.index)),
            ("modelName", self.product.to_owned()),
            (if new { "hostname" } else { "Hostname" }, self.host.to_owned()),
        ];
        if let Some(id) = cell.id {
            labels.extend([("GPU_I_ID", id.to_string()), ("GPU_I_PROFILE", cell.profile.to_owned())]);
        }
        if let Some((namespace, pod)) = cell.pod {
            let (of_pod, of_namespace) = if new { ("pod", "namespace") } else { ("pod_name", "pod_namespace") };
            let (of_pod, of_namespace) = match (self.exporter, new) {
                (Some(_), true) => ("exported_pod", "exported_namespace"),
                _ => (of_pod, of_namespace),
            };
            labels.extend([(of_pod, format!("{namespace}-{pod}")), (of_namespace, namespace.to_owned())]);
        }
        if let Some(exporter) = self.exporter {
            let own = [("pod", exporter), ("namespace", NAMESPACES[0]), ("container", "exporter")];
            labels.extend(own.map(|(name, value)| (name, value.to_owned())));
        }
        labels
    }

    /// Metric, labels, second and value of all samples.
    fn samples(&self) -> impl Iterator<Item = (&'static str, Labels, u64, String)> + '_ {
        let half = self.ticks.len() / 2;
        self.ticks.iter().enumerate().flat_map(move |(tick, cells)| {
            cells.iter().flatten().flat_map(move |cell| {
                let labels = self.labels(cell, tick >= half);
                let at = START + tick as u64 * TICK;
                let value = if cell.blank { BLANK.to_owned() } else { (100 + tick % 900).to_string() };
                let memory = ("DCGM_FI_DEV_FB_USED", labels.clone(), at, value);
                // One of two metrics is missing now and then.
                let active = (!cell.blank && tick % 7 == 0)
                    .then(|| ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", labels, at, "0.5".to_owned()));
                [memory].into_iter().chain(active)
            })
        })
    }
}

fn in_braces(labels: &[(&'static str, String)]) -> String {
    labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect::<Vec<_>>().join(",")
}

/// All samples as scrapes, and half of them once more, as another replica scraped them in the same second.
pub(crate) fn scrapes(gpus: &[Gpu]) -> [String; 2] {
    let mut rng = Rng::new(7);
    let (mut one, mut other) = (String::new(), String::new());
    for (metric, labels, at, value) in gpus.iter().flat_map(Gpu::samples) {
        let labels = in_braces(&labels);
        writeln!(one, "{metric}{{{labels}}} {value} {at}{:03}", rng.below(1000)).unwrap();
        if rng.chance(1, 2) {
            writeln!(other, "{metric}{{{labels}}} {value} {at}{:03}", rng.below(1000)).unwrap();
        }
    }
    [one, other]
}

/// All samples, series by series.
fn series(gpus: &[Gpu]) -> BTreeMap<(&'static str, Labels), Vec<(u64, String)>> {
    let mut series: BTreeMap<_, Vec<(u64, String)>> = BTreeMap::new();
    for (metric, labels, at, value) in gpus.iter().flat_map(Gpu::samples) {
        series.entry((metric, labels)).or_default().push((at, value));
    }
    series
}

/// All samples as Prometheus answers to a query over a range.
pub(crate) fn matrix(gpus: &[Gpu]) -> String {
    let result: Vec<serde_json::Value> = series(gpus)
        .into_iter()
        .map(|((metric, labels), values)| {
            let mut labels: BTreeMap<&str, String> = labels.into_iter().collect();
            labels.insert("__name__", metric.to_owned());
            json!({"metric": labels, "values": values})
        })
        .collect();
    json!({"status": "success", "data": {"resultType": "matrix", "result": result}}).to_string()
}

/// All samples as `OpenMetrics`.
pub(crate) fn open_metrics(gpus: &[Gpu]) -> String {
    let mut text = String::new();
    let mut last = "";
    for ((metric, labels), values) in series(gpus) {
        if metric != last {
            writeln!(text, "# TYPE {metric} gauge").unwrap();
            last = metric;
        }
        for (at, value) in values {
            writeln!(text, "{metric}{{{}}} {value} {at}", in_braces(&labels)).unwrap();
        }
    }
    text + "# EOF\n"
}
