//! The document of what changes would come to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::PoolForm;
use super::plan::{StatusForm, TierForm, UnservedForm, tier_form, unserved_form};
use crate::capacity::{Bounded, Row, Wanted};
use crate::document::API_VERSION;
use crate::whatif::{Change, Side, WhatIf};

/// What `kind` says in an answer about changes.
pub const KIND: &str = "WhatIf";

/// A scenario before and after changes: the output of `migsaw whatif`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "WhatIf")]
pub struct WhatIfDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `WhatIf`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// The changes, in words.
    pub changes: Vec<String>,
    /// As it is.
    pub before: SideForm,
    /// As it would be.
    pub after: SideForm,
}

/// What comes of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Side")]
pub struct SideForm {
    /// What is known about the plan's quality.
    pub status: StatusForm,
    /// Value and bound of each tier of the objective, most important first.
    pub tiers: Vec<TierForm>,
    /// Units asked for.
    pub asked: u64,
    /// Units served.
    pub served: u64,
    /// Whether no plan serves more, priority by priority.
    pub served_is_proven: bool,
    /// Nodes there are.
    pub nodes: u64,
    /// GPUs there are.
    pub gpus: u64,
    /// GPUs that are cut or serve as a whole.
    pub gpus_used: u64,
    /// The pools.
    pub pools: Vec<PoolForm>,
    /// Each demand.
    pub demands: Vec<DemandForm>,
    /// What is not served and why.
    pub unserved: Vec<UnservedForm>,
    /// How many more of each profile fit beside all that is asked for, if all may move that runs.
    pub capacity: Vec<RoomForm>,
}

/// How much of a demand is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Demand")]
pub struct DemandForm {
    /// Its name, with the namespace.
    pub demand: String,
    /// Units asked for.
    pub asked: u64,
    /// Units served.
    pub served: u64,
}

/// How many more of a profile fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Room")]
pub struct RoomForm {
    /// The profile; left out for whole GPUs with MIG off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How many the fleet would hold if it were empty.
    pub empty: u64,
    /// So many fit.
    pub least: u64,
    /// More than this do not, proven.
    pub most: u64,
}

impl WhatIfDocument {
    /// The document of an answer.
    pub fn new(changes: &[Change], answer: &WhatIf) -> WhatIfDocument {
        WhatIfDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            changes: changes.iter().map(ToString::to_string).collect(),
            before: SideForm::new(&answer.before),
            after: SideForm::new(&answer.after),
        }
    }
}

impl SideForm {
    fn new(side: &Side) -> SideForm {
        let Side { problem, plan, capacity } = side;
        let served = plan.served(problem.demands.len());
        let served_tiers = plan.tiers.iter().filter(|tier| matches!(tier.name, crate::plan::TierName::Served { .. }));
        let pools = &problem.fleet.pools;
        let demand = |(demand, &served): (&crate::demand::Demand, &u64)| DemandForm {
            demand: demand.full_name(),
            asked: demand.count,
            served,
        };
        SideForm {
            status: plan.status.into(),
            tiers: plan.tiers.iter().map(tier_form).collect(),
            asked: problem.demands.iter().map(|demand| demand.count).sum(),
            served: served.iter().sum(),
            served_is_proven: served_tiers.into_iter().all(|tier| tier.value == tier.bound),
            nodes: pools.iter().map(|pool| u64::from(pool.node_count())).sum(),
            gpus: pools.iter().map(crate::fleet::Pool::gpu_count).sum(),
            gpus_used: plan.gpus_used(),
            pools: pools.iter().map(PoolForm::new).collect(),
            demands: problem.demands.iter().zip(&served).map(demand).collect(),
            unserved: plan.unserved.iter().map(|unserved| unserved_form(problem, unserved)).collect(),
            capacity: capacity.rows.iter().map(room).collect(),
        }
    }
}

fn room(row: &Row) -> RoomForm {
    let Bounded { least, most } = row.total.last().map(|fit| fit.room).unwrap_or_default();
    let profile = match &row.wanted {
        Wanted::Profile(name) => Some(name.to_string()),
        Wanted::WholeGpu => None,
    };
    RoomForm { profile, empty: row.empty, least, most }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::scenario;
    use crate::geometry::Catalog;
    use crate::plan::Options;
    use crate::whatif::what_if;

    #[test]
    fn what_is_written_reads_back() {
        let text = "apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet: [{pool: p, model: A30, nodes: 2, gpusPerNode: 1}]
demand: [{name: small, profile: 1g.6gb, count: 8}]
";
        let problem = scenario::parse(text, &Catalog::builtin()).map_err(|found| format!("{found:?}")).unwrap();
        let changes = [Change::RemoveNode { node: "p-1".to_owned() }];
        let answer = what_if(&problem, &changes, &Options::default()).unwrap();
        let document = WhatIfDocument::new(&changes, &answer);
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<WhatIfDocument>(&json).unwrap(), document);
        assert_eq!((document.before.served, document.after.served), (8, 4));
        assert_eq!(document.after.unserved[0].count, 4);
        assert!(document.before.served_is_proven && document.after.served_is_proven);
        assert_eq!(document.changes, ["without node p-1"]);
    }
}
