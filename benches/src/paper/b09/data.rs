//! The tables of `ParvaGPU`: what each DNN model reaches on each size of instance, what each scenario asks for, and the
//! plans that the authors publish.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

/// Sizes of instances, in compute slices.
pub(super) const SIZES: [u8; 5] = [1, 2, 3, 4, 7];

/// Requests in a second, in millionths.
pub(super) type Rate = u64;

/// One way to run a model in an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// The instance, by its place in [`SIZES`].
    pub(super) size: usize,
    /// Requests that are answered together.
    pub(super) batch: u64,
    /// Processes that share the instance.
    pub(super) processes: u64,
    /// What all of them serve.
    pub(super) rate: Rate,
    /// In microseconds.
    pub(super) latency: u64,
}

/// A model that is to be served.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) model: String,
    /// What it must serve.
    pub(super) rate: Rate,
    /// The ways that are fast enough, by size, batch and processes.
    pub(super) points: Vec<Point>,
}

impl Service {
    /// The way that serves most on an instance of this size.
    pub(super) fn best(&self, size: usize) -> Option<&Point> {
        // Of equally good ones the first.
        let points = self.points.iter().rev().filter(|point| point.size == size && point.rate > 0);
        points.max_by_key(|point| point.rate)
    }
}

/// An instance in use: the service, and how it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Index of the service.
    pub(super) service: usize,
    pub(super) point: Point,
}

/// Services that are to be served together.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) services: Vec<Service>,
    /// What the authors put on each GPU.
    pub(super) published: Vec<Vec<Segment>>,
}

impl Scenario {
    /// So many times the requests.
    pub(super) fn times(&self, factor: u64) -> Vec<Service> {
        let more = |service: &Service| Service { rate: service.rate * factor, ..service.clone() };
        self.services.iter().map(more).collect()
    }

    /// With no more processes in an instance than that.
    pub(super) fn with_processes(&self, most: u64) -> Scenario {
        let mut scenario = self.clone();
        for service in &mut scenario.services {
            service.points.retain(|point| point.processes <= most);
        }
        scenario
    }
}

/// The tables, in the folder as its authors publish it.
#[derive(Debug)]
pub(super) struct Tables(PathBuf);

impl Tables {
    pub(super) fn of(traces: Option<&Path>) -> anyhow::Result<Tables> {
        let whose = "the tables of ParvaGPU, a clone of github.com/MunQ-Lee/ParvaGPU_SC24";
        let Some(traces) = traces else {
            bail!("needs {whose}: put it into a folder as `parvagpu`, and say where with --traces FOLDER")
        };
        let folder = traces.join("parvagpu");
        ensure!(folder.join("prof_data").is_dir(), "needs {whose}: there is no `prof_data` in {}", folder.display());
        Ok(Tables(folder))
    }

    /// All scenarios, with at most so many processes in an instance.
    pub(super) fn scenarios(&self, processes: u64) -> anyhow::Result<Vec<Scenario>> {
        let profiles = self.profiles()?;
        let [limits, rates] = ["SLO_latency.csv", "SLO_req_rate.csv"].map(|name| {
            let text = self.first_of(&[format!("SLO/{name}"), format!("slo/{name}")]);
            text.map(|text| text.lines().map(str::to_owned).collect::<Vec<String>>())
        });
        let (limits, rates) = (limits?, rates?);
        ensure!(limits.len() == rates.len(), "as many scenarios have latencies as rates");
        let mut scenarios = Vec::new();
        for (index, (limits, rates)) in (1..).zip(limits.iter().zip(&rates)) {
            let name = format!("S{index}");
            let services = services(&profiles, limits, rates, processes).with_context(|| name.clone())?;
            let file = format!("deployment/SLO{index}/SLO{index}_ParvaGPU_deploy.csv");
            let plan = self.first_of(&[file, format!("deployment/SLO{index}.csv")])?;
            let published = published(&plan, &profiles, &services).with_context(|| name.clone())?;
            scenarios.push(Scenario { name, services, published });
        }
        Ok(scenarios)
    }

    fn first_of(&self, names: &[String]) -> anyhow::Result<String> {
        let path = names.iter().map(|name| self.0.join(name)).find(|path| path.is_file());
        let path = path.with_context(|| format!("there is no {} in {}", names.join(" or "), self.0.display()))?;
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Every way to run each model, by name.
    fn profiles(&self) -> anyhow::Result<BTreeMap<String, Vec<Point>>> {
        let mut profiles = BTreeMap::new();
        for entry in std::fs::read_dir(self.0.join("prof_data"))? {
            let path = entry?.path();
            let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|e| e == "csv")) else {
                continue;
            };
            let text = std::fs::read_to_string(&path)?;
            let points = text.lines().skip(1).filter(|line| !line.is_empty()).map(point);
            let points: anyhow::Result<Vec<Point>> = points.collect();
            let points = points.with_context(|| path.display().to_string())?;
            profiles.insert(name.to_string_lossy().into_owned(), points);
        }
        Ok(profiles)
    }
}

/// `Mig instance,Batch size,Workload Number,Throughput,Latency`, throughput of one process.
fn point(line: &str) -> anyhow::Result<Point> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [size, batch, processes, throughput, latency] = fields[..] else { bail!("`{line}` has not five fields") };
    let processes: u64 = processes.parse()?;
    let (rate, latency) = (millionths(throughput)? * processes, millionths(latency)?);
    Ok(Point { size: index(size)?, batch: batch.parse()?, processes, rate, latency })
}

/// The place of a size among [`SIZES`].
fn index(size: &str) -> anyhow::Result<usize> {
    let size: u8 = size.parse()?;
    SIZES.iter().position(|&known| known == size).with_context(|| format!("no instance has {size} slices"))
}

/// A decimal number, exactly.
fn millionths(text: &str) -> anyhow::Result<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    ensure!(part.len() <= 6 && !whole.is_empty(), "`{text}` is no decimal number with at most six places");
    let part: u64 = if part.is_empty() { 0 } else { format!("{part:0<6}").parse()? };
    Ok(whole.parse::<u64>()? * 1_000_000 + part)
}

/// One service for each column of two lines that is not `N/A`; the columns are the models by name.
fn services(
    profiles: &BTreeMap<String, Vec<Point>>,
    limits: &str,
    rates: &str,
    processes: u64,
) -> anyhow::Result<Vec<Service>> {
    let [limits, rates]: [Vec<&str>; 2] = [limits, rates].map(|line| line.split(',').map(str::trim).collect());
    ensure!(limits.len() == profiles.len() && rates.len() == profiles.len(), "a column for each model");
    let mut services = Vec::new();
    for ((model, points), (limit, rate)) in profiles.iter().zip(limits.into_iter().zip(rates)) {
        if limit != "N/A" {
            // Milliseconds in millionths, and seconds in millionths: nanoseconds and microseconds.
            let limit = millionths(limit)?;
            let is_fast = |point: &&Point| point.latency * 1_000 * 100 < limit * 45 && point.processes <= processes;
            let points = points.iter().filter(is_fast).copied().collect();
            services.push(Service { model: model.clone(), rate: millionths(rate)?, points });
        }
    }
    Ok(services)
}

/// `Num instance,Num GPU,Model,Placement,Instance size,Batch size,Num proc`; the first is the node.
fn published(
    text: &str,
    profiles: &BTreeMap<String, Vec<Point>>,
    services: &[Service],
) -> anyhow::Result<Vec<Vec<Segment>>> {
    let mut gpus: BTreeMap<(u32, u32), Vec<Segment>> = BTreeMap::new();
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [node, gpu, model, _, size, batch, processes] = fields[..] else { bail!("`{line}` has not seven fields") };
        let service = services.iter().position(|service| service.model == model);
        let service = service.with_context(|| format!("{model} is not asked for"))?;
        let (size, batch, processes) = (index(size)?, batch.parse::<u64>()?, processes.parse::<u64>()?);
        let is_it = |p: &&Point| (p.size, p.batch, p.processes) == (size, batch, processes);
        let points = profiles.get(model).context("every model has a profile")?;
        let point = points.iter().find(is_it).with_context(|| format!("`{line}` is not in the profile"))?;
        gpus.entry((node.parse()?, gpu.parse()?)).or_default().push(Segment { service, point: *point });
    }
    Ok(gpus.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, value) in [("0.013", 13_000), ("74.408", 74_408_000), ("19", 19_000_000), ("418.5", 418_500_000)] {
            assert_eq!(millionths(text).unwrap(), value);
        }
        for text in ["", "N/A", "1.2345678", "-1", ".5"] {
            assert!(millionths(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_way_must_take_less_than_45_percent_of_the_latency_asked_for() {
        let line = |latency| point(&format!("2,8,3,10.5,{latency}")).unwrap();
        let profiles = BTreeMap::from([("a".to_owned(), vec![line("0.009"), line("0.008999")])]);
        let services = services(&profiles, "20", "100", 3).unwrap();
        assert_eq!(services[0].points, vec![line("0.008999")]);
        assert_eq!((services[0].rate, services[0].points[0].rate), (100_000_000, 31_500_000));
        assert!(super::services(&profiles, "N/A", "N/A", 3).unwrap().is_empty());
        assert!(super::services(&profiles, "20", "100", 2).unwrap()[0].points.is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Tables::of(Some(Path::new("/nowhere"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/parvagpu") && error.contains("ParvaGPU_SC24"), "{error}");
    }
}
