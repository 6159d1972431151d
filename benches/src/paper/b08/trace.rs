//! Reads the node list and the pod lists.

use std::path::Path;

use super::super::csv_file::{Csv, Row};
use super::cluster::{DemandKinds, FreeGpus, MAX_GPUS, Node};
use super::resources::{CpuMilli, GpuDemand, GpuMilli, MemoryMib, Models, PodSpec};

/// Position of a spec in [`Trace::specs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpecIndex(pub(super) usize);

/// An empty cluster, and the pods of one list in the order of their names.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) nodes: Vec<Node>,
    pub(super) specs: Vec<PodSpec>,
    pub(super) pods: Vec<SpecIndex>,
}

impl Trace {
    /// # Errors
    ///
    /// A file that cannot be read, or whose contents [`of`](Self::of) refuses.
    pub(super) fn read(folder: &Path, workload: &str) -> Result<Self, String> {
        let nodes = Csv::read(&folder.join("openb_node_list_gpu_node.csv"))?;
        let pods = Csv::read(&folder.join(format!("openb_pod_list_{workload}.csv")))?;
        Self::of(&nodes, &pods).map_err(|cause| format!("workload {workload}: {cause}"))
    }

    /// # Errors
    ///
    /// A missing column, a field that is not a number, a node or pod with more than eight GPUs, a
    /// pod that wants a share of several GPUs, or more than 32 GPU models.
    pub(super) fn of(nodes: &Csv, pods: &Csv) -> Result<Self, String> {
        let mut models = ModelNames::default();
        let nodes = parse_nodes(nodes, &mut models)?;
        let mut named = parse_pods(pods, &models)?;
        named.sort_by_key(|(name, _)| *name);
        let mut trace = Self { nodes, specs: Vec::new(), pods: Vec::new() };
        for (_, spec) in named {
            let index = trace.intern(spec);
            trace.pods.push(index);
        }
        Ok(trace)
    }

    #[cfg(test)]
    pub(super) fn parse(nodes: &str, pods: &str) -> Result<Self, String> {
        Self::of(&Csv::parse(nodes)?, &Csv::parse(pods)?)
    }

    /// GPU capacity of the cluster, in thousandths.
    pub(super) fn capacity(&self) -> u64 {
        self.nodes.iter().map(|node| u64::from(node.gpus.total().0)).sum()
    }

    pub(super) fn spec(&self, index: SpecIndex) -> &PodSpec {
        &self.specs[index.0]
    }

    fn intern(&mut self, spec: PodSpec) -> SpecIndex {
        let known = self.specs.iter().position(|other| *other == spec);
        SpecIndex(known.unwrap_or_else(|| {
            self.specs.push(spec);
            self.specs.len() - 1
        }))
    }
}

/// Gives each GPU model of the cluster its bit.
#[derive(Default)]
struct ModelNames(Vec<String>);

impl ModelNames {
    fn intern(&mut self, name: &str) -> Result<Models, String> {
        let position = self.0.iter().position(|known| known == name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        });
        u32::try_from(position)
            .ok()
            .and_then(|position| 1_u32.checked_shl(position))
            .map(Models)
            .ok_or_else(|| format!("GPU model {name} is the 33rd (at most 32 are supported)"))
    }

    /// `A|B` allows models A and B; nothing allows every model. A model the cluster lacks adds
    /// nothing.
    fn allowed(&self, list: &str) -> Models {
        let names: Vec<&str> = list.split('|').filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Models::ANY;
        }
        let known = self.0.iter().enumerate().filter(|(_, known)| names.contains(&known.as_str()));
        Models(known.fold(0, |bits, (position, _)| bits | 1 << position))
    }
}

fn parse_nodes(table: &Csv, models: &mut ModelNames) -> Result<Vec<Node>, String> {
    let mut nodes = Vec::new();
    for row in table.rows() {
        let count = row.number("gpu")?;
        nodes.push(Node {
            model: models.intern(row.field("model")?)?,
            cpu: CpuMilli(row.number("cpu_milli")?),
            memory: MemoryMib(row.number("memory_mib")?),
            gpus: FreeGpus::idle(count).ok_or_else(|| row.error(&format!("{count} GPUs (at most {MAX_GPUS})")))?,
            kinds: DemandKinds::default(),
        });
    }
    Ok(nodes)
}

fn parse_pods<'a>(table: &'a Csv, models: &ModelNames) -> Result<Vec<(&'a str, PodSpec)>, String> {
    let mut pods = Vec::new();
    for row in table.rows() {
        // Lists without constraints may lack the column.
        let models_text = row.field("gpu_spec").unwrap_or_default();
        let spec = PodSpec {
            cpu: CpuMilli(row.number("cpu_milli")?),
            memory: MemoryMib(row.number("memory_mib")?),
            gpu: parse_demand(&row)?,
            models: models.allowed(models_text),
            models_text: models_text.to_owned(),
        };
        pods.push((row.field("name")?, spec));
    }
    Ok(pods)
}

fn parse_demand(row: &Row<'_>) -> Result<GpuDemand, String> {
    let count: usize = row.number("num_gpu")?;
    let milli = GpuMilli(row.number("gpu_milli")?);
    match count {
        0 => Ok(GpuDemand::None),
        1 if milli > GpuMilli(0) && milli < GpuMilli::WHOLE => Ok(GpuDemand::Share(milli)),
        1..=MAX_GPUS if milli == GpuMilli::WHOLE => Ok(GpuDemand::Whole(count)),
        _ => Err(row.error(&format!(
            "{count} GPUs of {} thousandths (one share of 1..=999, or 1..={MAX_GPUS} of 1000)",
            milli.0
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "sn,cpu_milli,memory_mib,gpu,model\nn0,8000,1024,2,T4\nn1,8000,1024,8,G2\n";

    fn parse(pods: &str) -> Result<Trace, String> {
        Trace::parse(NODES, pods)
    }

    #[test]
    fn pods_are_sorted_by_name_and_equal_pods_share_a_spec() {
        let trace = parse(
            "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n\
             b,1000,10,1,500,\na,2000,10,1,1000,G2|A10\nc,1000,10,1,500,\n",
        )
        .unwrap();
        assert_eq!(trace.capacity(), 10_000);
        assert_eq!(trace.specs.len(), 2);
        assert_eq!(trace.pods, [SpecIndex(0), SpecIndex(1), SpecIndex(1)]);
        let first = trace.spec(SpecIndex(0));
        assert_eq!(first.gpu, GpuDemand::Whole(1));
        assert!(!first.models.allow(trace.nodes[0].model));
        assert!(first.models.allow(trace.nodes[1].model));
    }

    #[test]
    fn a_list_without_model_constraints_allows_every_model() {
        let trace = parse("name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1,1,8,1000\n").unwrap();
        assert_eq!(trace.specs[0].models, Models::ANY);
    }

    #[test]
    fn a_model_the_cluster_lacks_is_never_allowed() {
        let trace = parse("name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\na,1,1,1,10,H100\n").unwrap();
        assert!(trace.nodes.iter().all(|node| !trace.specs[0].models.allow(node.model)));
    }

    #[test]
    fn malformed_lists_are_refused_with_the_line() {
        let check = |pods: &str, expected: &str| {
            let error = parse(pods).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check("", "the table is empty");
        check("name,cpu_milli\na,1\n", "\"a,1\": no column memory_mib");
        check("name,cpu_milli\na,x\n", "cpu_milli is \"x\"");
        let header = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\n";
        check(&format!("{header}a,1,1,2,500\n"), "2 GPUs of 500 thousandths");
        check(&format!("{header}a,1,1,9,1000\n"), "9 GPUs of 1000 thousandths");
    }
}
