//! The document of advice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::advice::{Advice, PoolAdvice, Side, Uniform, Workload};
use crate::document::API_VERSION;
use crate::problem::Problem;

/// What `kind` says in advice.
pub const KIND: &str = "Advice";

/// What strategies cost, and which workloads belong on MIG: the output of `migsaw advise`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Advice")]
pub struct AdviceDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Advice`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// Units asked for.
    pub asked: u64,
    /// GPUs of the fleet.
    pub gpus: u64,
    /// With every pool `mixed`, on the fleet as if nothing ran.
    pub mixed: StrategySideForm,
    /// With every pool `single`: each node all of one profile, or MIG off.
    pub single: StrategySideForm,
    /// Each pool alone.
    pub pools: Vec<PoolAdviceForm>,
    /// Each demand.
    pub workloads: Vec<WorkloadForm>,
}

/// What comes of one strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "StrategySide")]
pub struct StrategySideForm {
    /// Units served.
    pub served: RangeForm,
    /// Fewest GPUs in use that serve as much.
    pub gpus: RangeForm,
    /// Compute slices on those GPUs that nothing can use any more.
    pub stranded_compute: u64,
    /// Memory on those GPUs that nothing can use any more, in placement units.
    pub stranded_memory: u64,
    /// Fewest nodes more in every pool with which all is served, 0 if it is; left out if no number was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_nodes: Option<RangeForm>,
}

/// A number and how well it is known; it is exact if both ends are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Range")]
pub struct RangeForm {
    /// It is no less.
    pub least: u64,
    /// It is no more.
    pub most: u64,
}

/// A pool alone, with what of the demand may go there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PoolAdvice")]
pub struct PoolAdviceForm {
    /// The pool's name.
    pub pool: String,
    /// Units that may go there.
    pub asked: u64,
    /// Most that it serves with strategy `mixed`.
    pub mixed: RangeForm,
    /// What it serves if all of it carries one profile, best first.
    pub uniform: Vec<UniformForm>,
}

/// A pool that is all of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Uniform")]
pub struct UniformForm {
    /// The profile; left out for MIG off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Units served.
    pub served: RangeForm,
    /// Fewest GPUs that serve as much.
    pub gpus: RangeForm,
}

/// Whether a demand belongs on MIG.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "WorkloadAdvice")]
pub struct WorkloadForm {
    /// The demand, with its namespace.
    pub demand: String,
    /// Units asked for.
    pub count: u64,
    /// `mig`, `mig-off`, `depends`, or `nowhere`.
    pub belongs: String,
    /// The rule that decided.
    pub code: String,
    /// The fact of the demand that decided.
    pub fact: String,
    /// Why that decides, a sentence.
    pub reason: String,
    /// Metrics of DCGM that would have to be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl AdviceDocument {
    /// The document of advice.
    ///
    /// # Panics
    /// If it belongs to another problem.
    pub fn new(problem: &Problem, advice: &Advice) -> AdviceDocument {
        AdviceDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            asked: advice.asked,
            gpus: advice.gpus,
            mixed: side(&advice.mixed),
            single: side(&advice.single),
            pools: advice.pools.iter().map(|of| pool(problem, of)).collect(),
            workloads: advice.workloads.iter().map(|of| workload(problem, of)).collect(),
        }
    }
}

impl From<crate::capacity::Bounded> for RangeForm {
    fn from(of: crate::capacity::Bounded) -> RangeForm {
        RangeForm { least: of.least, most: of.most }
    }
}

fn side(side: &Side) -> StrategySideForm {
    StrategySideForm {
        served: side.served.into(),
        gpus: side.gpus.into(),
        stranded_compute: side.stranded_compute,
        stranded_memory: side.stranded_memory,
        more_nodes: side.more_nodes.map(Into::into),
    }
}

fn pool(problem: &Problem, of: &PoolAdvice) -> PoolAdviceForm {
    let uniform = |uniform: &Uniform| UniformForm {
        profile: uniform.profile.as_ref().map(ToString::to_string),
        served: uniform.served.into(),
        gpus: uniform.gpus.into(),
    };
    PoolAdviceForm {
        pool: problem.fleet.pools[of.pool].name.clone(),
        asked: of.asked,
        mixed: of.mixed.into(),
        uniform: of.uniform.iter().map(uniform).collect(),
    }
}

fn workload(problem: &Problem, of: &Workload) -> WorkloadForm {
    let demand = &problem.demands[of.demand];
    WorkloadForm {
        demand: demand.full_name(),
        count: demand.count,
        belongs: of.belongs.as_str().to_owned(),
        code: of.code.as_str().to_owned(),
        fact: of.fact.clone(),
        reason: of.reason.clone(),
        missing: of.missing.iter().map(|&name| name.to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::advise;
    use crate::document::scenario;
    use crate::geometry::Catalog;
    use crate::plan::Options;

    #[test]
    fn what_is_written_reads_back() {
        let text = "apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet:
- {pool: p, model: A30, nodes: 2, gpusPerNode: 1}
demand:
- {name: small, profile: 1g.6gb, count: 2}
- {name: half, profile: 2g.12gb, count: 3}
- {name: train, wholeGpus: 1, count: 1, priority: -1}
";
        let problem = scenario::parse(text, &Catalog::builtin()).map_err(|found| format!("{found:?}")).unwrap();
        let advice = advise(&problem, &Options::default()).unwrap();
        let document = AdviceDocument::new(&problem, &advice);
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<AdviceDocument>(&json).unwrap(), document);
        let exactly = |n| RangeForm { least: n, most: n };
        assert_eq!((document.mixed.served, document.single.served), (exactly(5), exactly(4)));
        // One more for the GPU that is asked for; and with `single` another for the third half.
        assert_eq!((document.mixed.more_nodes, document.single.more_nodes), (Some(exactly(1)), Some(exactly(2))));
        let best = &document.pools[0].uniform[0];
        assert_eq!((best.profile.as_deref(), best.served, best.gpus), (Some("2g.12gb"), exactly(3), exactly(2)));
        assert!(serde_json::from_str::<AdviceDocument>(&json.replacen("\"mixed\"", "\"mix\"", 1)).is_err());
    }
}
