//! The document of how much more fits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capacity::{Beside, Bounded, Capacity, Copies, Fit, Freedom, Lack, Wanted};
use crate::document::API_VERSION;
use crate::fleet::{Pool, Strategy};
use crate::problem::Problem;

/// What `kind` says in an answer about capacity.
pub const KIND: &str = "Capacity";

/// How much more fits: the output of `migsaw capacity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Capacity")]
pub struct CapacityDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Capacity`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// What comes first and goes on being served.
    pub beside: BesideForm,
    /// Units of that.
    pub units: u64,
    /// Nodes of which it is not known how they are cut; nothing is counted on them as long as nothing is cut.
    pub unknown_nodes: u64,
    /// The fleet.
    pub pools: Vec<PoolForm>,
    /// How many more of each profile fit, each alone.
    pub profiles: Vec<ProfileForm>,
    /// How many more copies of a mix fit; left out if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<MixForm>,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Beside")]
pub enum BesideForm {
    /// What runs.
    Running,
    /// All that is asked for.
    Demand,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Pool")]
pub struct PoolForm {
    /// Its name.
    pub name: String,
    /// The models of its GPUs.
    pub models: Vec<String>,
    /// How many nodes.
    pub nodes: u32,
    /// How many GPUs.
    pub gpus: u64,
    /// How the device plugin advertises the slices: `mixed` or `single`.
    pub strategy: String,
    /// Taints that keep pods away which do not tolerate them. What is added is taken to tolerate them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<String>,
}

/// How many more of a profile fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Profile")]
pub struct ProfileForm {
    /// The profile; left out for whole GPUs with MIG off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How many the fleet would hold if it were empty.
    pub empty: u64,
    /// In the whole fleet, from the least that may be done to the most.
    pub fits: Vec<FitForm>,
    /// In each pool alone.
    pub pools: Vec<PoolFitsForm>,
}

/// How many more of a profile fit in one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PoolFits")]
pub struct PoolFitsForm {
    /// The pool's name.
    pub pool: String,
    /// How many it would hold if it were empty.
    pub empty: u64,
    /// From the least that may be done to the most.
    pub fits: Vec<FitForm>,
}

/// What may be done to make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Freedom")]
pub enum FreedomForm {
    /// Nothing: GPUs stay as they are cut.
    AsCut,
    /// What is idle may be cut anew.
    CutIdle,
    /// So many pods may be evicted besides.
    Evict,
    /// All may be moved that need not stay.
    MoveAll,
}

/// How many more fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Fit")]
pub struct FitForm {
    /// What may be done.
    pub freedom: FreedomForm,
    /// Most pods that may be evicted, where that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_evictions: Option<u64>,
    /// So many fit.
    pub least: u64,
    /// More than this do not, proven. The number is exact if both are the same.
    pub most: u64,
    /// GPUs by what keeps them from taking one more.
    pub limits: BTreeMap<String, u64>,
}

/// How many more copies of a mix fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Mix")]
pub struct MixForm {
    /// What one copy is.
    pub copy: Vec<CopyForm>,
    /// In the whole fleet, from the least that may be done to the most.
    pub fits: Vec<CopiesForm>,
    /// In each pool alone, for a mix of profiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolCopiesForm>,
}

/// Part of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Copy")]
pub struct CopyForm {
    /// The demand, with its namespace, or the profile.
    pub demand: String,
    /// Units of it in one copy.
    pub count: u64,
}

/// How many more copies fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Copies")]
pub struct CopiesForm {
    /// What may be done.
    pub freedom: FreedomForm,
    /// Most pods that may be evicted, where that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_evictions: Option<u64>,
    /// So many fit.
    pub least: u64,
    /// More than this do not, proven. The number is exact if both are the same.
    pub most: u64,
    /// What one copy more would lack.
    pub lacks: Vec<LackForm>,
}

/// How many more copies fit in one pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PoolCopies")]
pub struct PoolCopiesForm {
    /// The pool's name.
    pub pool: String,
    /// From the least that may be done to the most.
    pub fits: Vec<CopiesForm>,
}

/// What one copy more would lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Lack")]
pub struct LackForm {
    /// The demand, with its namespace, or the profile.
    pub demand: String,
    /// Units that would not be served.
    pub count: u64,
    /// What binds, for programs: a code as in a plan's `unserved`.
    pub code: String,
    /// What binds, a sentence.
    pub reason: String,
}

impl CapacityDocument {
    /// The document of an answer.
    ///
    /// # Panics
    /// If the answer belongs to another problem.
    pub fn new(problem: &Problem, answer: &Capacity) -> CapacityDocument {
        let pools = &problem.fleet.pools;
        let name = |pool: usize| pools[pool].name.clone();
        let profiles = answer.rows.iter().map(|row| ProfileForm {
            profile: match &row.wanted {
                Wanted::Profile(name) => Some(name.to_string()),
                Wanted::WholeGpu => None,
            },
            empty: row.empty,
            fits: row.total.iter().map(fit).collect(),
            pools: row
                .pools
                .iter()
                .map(|of| PoolFitsForm {
                    pool: name(of.pool),
                    empty: of.empty,
                    fits: of.fits.iter().map(fit).collect(),
                })
                .collect(),
        });
        let mix = answer.mix.as_ref().map(|mix| MixForm {
            copy: mix.copy.iter().map(|demand| CopyForm { demand: demand.full_name(), count: demand.count }).collect(),
            fits: mix.total.iter().map(copies).collect(),
            pools: mix
                .pools
                .iter()
                .map(|(pool, fits)| PoolCopiesForm { pool: name(*pool), fits: fits.iter().map(copies).collect() })
                .collect(),
        });
        CapacityDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            beside: match answer.beside {
                Beside::Running => BesideForm::Running,
                Beside::Demand => BesideForm::Demand,
            },
            units: answer.units,
            unknown_nodes: answer.unknown_nodes,
            pools: pools.iter().map(PoolForm::new).collect(),
            profiles: profiles.collect(),
            mix,
        }
    }
}

impl PoolForm {
    pub(super) fn new(pool: &Pool) -> PoolForm {
        let mut models: Vec<String> = pool.gpus.iter().map(|group| group.model.id.clone()).collect();
        models.dedup();
        PoolForm {
            name: pool.name.clone(),
            models,
            nodes: pool.node_count(),
            gpus: pool.gpu_count(),
            strategy: match pool.strategy {
                Strategy::Mixed => "mixed",
                Strategy::Single => "single",
            }
            .to_owned(),
            taints: pool.taints.iter().filter(|taint| taint.repels()).map(ToString::to_string).collect(),
        }
    }
}

fn freedom(freedom: Freedom) -> (FreedomForm, Option<u64>) {
    match freedom {
        Freedom::AsCut => (FreedomForm::AsCut, None),
        Freedom::CutIdle => (FreedomForm::CutIdle, None),
        Freedom::Evict(most) => (FreedomForm::Evict, Some(most)),
        Freedom::MoveAll => (FreedomForm::MoveAll, None),
    }
}

fn fit(fit: &Fit) -> FitForm {
    let (freedom, max_evictions) = freedom(fit.freedom);
    let Bounded { least, most } = fit.room;
    let limits = fit.limits.iter().map(|(code, gpus)| (code.as_str().to_owned(), *gpus)).collect();
    FitForm { freedom, max_evictions, least, most, limits }
}

fn copies(copies: &Copies) -> CopiesForm {
    let (freedom, max_evictions) = freedom(copies.freedom);
    let Bounded { least, most } = copies.room;
    CopiesForm { freedom, max_evictions, least, most, lacks: copies.lacks.iter().map(LackForm::new).collect() }
}

impl LackForm {
    pub(super) fn new(lack: &Lack) -> LackForm {
        LackForm {
            demand: lack.demand.clone(),
            count: lack.count,
            code: lack.code.as_str().to_owned(),
            reason: lack.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::{Query, capacity};
    use crate::document::scenario;
    use crate::geometry::Catalog;
    use crate::plan::Options;

    #[test]
    fn what_is_written_reads_back() {
        let text = "apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet:
- {pool: p, model: A30, nodes: 2, gpusPerNode: 1, taints: [{key: gpu, effect: NoSchedule}]}
- {pool: q, model: A30, nodes: 1, gpusPerNode: 1, strategy: single}
demand:
- {name: small, profile: 1g.6gb, count: 1, tolerations: [{operator: Exists}]}
state:
- {node: p-0, gpus: ['1g.6gb=4'], pods: [{demand: small, on: [{gpu: 0, profile: 1g.6gb, start: 0}]}]}
";
        let problem = scenario::parse(text, &Catalog::builtin()).map_err(|found| format!("{found:?}")).unwrap();
        let query = Query { max_evictions: Some(0), ..Query::default() };
        let answer = capacity(&problem, &query, &Options::default()).unwrap();
        let document = CapacityDocument::new(&problem, &answer);
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<CapacityDocument>(&json).unwrap(), document);
        assert_eq!(document.pools[0].taints, ["gpu:NoSchedule"]);
        let small = &document.profiles[0];
        let least: Vec<u64> = small.fits.iter().map(|fit| fit.least).collect();
        assert_eq!((small.profile.as_deref(), small.empty, least), (Some("1g.6gb"), 12, vec![3, 11, 11, 11]));
        assert_eq!(document.unknown_nodes, 2);
        assert!(serde_json::from_str::<CapacityDocument>(&json.replacen("\"units\"", "\"unit\"", 1)).is_err());
    }
}
