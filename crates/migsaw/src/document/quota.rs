//! The document of quotas: what they let in, and whether the fleet has it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::LackForm;
use crate::document::API_VERSION;
use crate::plan::Unserved;
use crate::problem::Problem;
use crate::quota::{Grant, Honoured, Line, Proposal, Quotas, Refusal, Resource};
use crate::whatif::BasisPoints;

/// What `kind` says in an answer about quotas.
pub const KIND: &str = "Quotas";

/// Quotas against demand, plan and fleet: the output of `migsaw quota`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Quotas")]
pub struct QuotasDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Quotas`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// Units asked for.
    pub asked: u64,
    /// Units that the plan serves.
    pub served: u64,
    /// Units that can never be created, whichever come first.
    pub refused: u64,
    /// By quota and resource.
    pub lines: Vec<LineForm>,
    /// Demands that a quota lets in only in part, or not at all.
    pub refusals: Vec<RefusalForm>,
    /// Demands of which no pod can ever run on the fleet, whatever quotas say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub impossible: Vec<ImpossibleForm>,
    /// Namespaces that have a quota.
    pub grants: Vec<GrantForm>,
    /// What all of them may ask for together.
    pub together: TogetherForm,
    /// Namespaces that ask for GPUs, and for some of that have no quota; `null` for demands without a namespace.
    pub unlimited: Vec<Option<String>>,
    /// How much more than the plan serves is proposed.
    pub headroom: String,
    /// Quotas that let in what the plan serves.
    pub proposals: Vec<ProposalForm>,
}

/// A resource of a quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Line")]
pub struct LineForm {
    /// The quota, with its namespace.
    pub quota: String,
    /// The resource, `nvidia.com/mig-1g.10gb` or `nvidia.com/gpu`.
    pub resource: String,
    /// Most there may be.
    pub hard: u64,
    /// What is counted against it already.
    pub used: u64,
    /// What the demands that it counts ask for.
    pub asked: u64,
    /// Units of which only the plan says for what resource they ask; they are not among `asked`.
    pub open: u64,
    /// What the plan serves.
    pub planned: u64,
    /// Units that it must refuse at least, whichever are created first.
    pub refused: u64,
}

/// A demand that a quota lets in only in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Refusal")]
pub struct RefusalForm {
    /// The demand, with its namespace.
    pub demand: String,
    /// The quota, with its namespace.
    pub quota: String,
    /// The resource that runs out.
    pub resource: String,
    /// Units asked for.
    pub count: u64,
    /// Most of them that can be there, if all the quota is for them.
    pub admitted: u64,
    /// What keeps them out, for programs.
    pub code: String,
    /// The same, a sentence.
    pub reason: String,
}

/// A demand that no cut of the fleet has anything for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Impossible")]
pub struct ImpossibleForm {
    /// The demand.
    pub demand: String,
    /// Units of it.
    pub count: u64,
    /// What keeps them from running, for programs: as in a plan, `no-such-profile`.
    pub code: String,
    /// The same, a sentence.
    pub reason: String,
}

/// A namespace that has a quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Grant")]
pub struct GrantForm {
    /// The namespace; left out for quotas without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What its quotas let it ask for together.
    pub hard: BTreeMap<String, u64>,
    /// Whether the fleet has it, if nobody else is there.
    pub honoured: HonouredForm,
    /// What no cut of the fleet has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<LackForm>,
}

/// Whether the fleet has what a namespace may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Honoured")]
pub enum HonouredForm {
    /// Some cut of it has all.
    Yes,
    /// None has, proven.
    Never,
    /// It was not found out in time.
    NotDecided,
}

/// What all namespaces may ask for together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Together")]
pub struct TogetherForm {
    /// Instances and GPUs.
    pub granted: u64,
    /// So many of them the fleet has at once.
    pub at_once_least: u64,
    /// More it has not, proven.
    pub at_once_most: u64,
    /// So many per cent of every quota, rounded up to whole instances, all can have at once; 100 if all of them fit.
    pub percent_least: u64,
    /// More they cannot, proven.
    pub percent_most: u64,
    /// By resource.
    pub resources: Vec<GrantedForm>,
    /// What is missing to give all.
    pub lacks: Vec<LackForm>,
}

/// A resource that quotas promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Granted")]
pub struct GrantedForm {
    /// The resource.
    pub resource: String,
    /// How many are promised.
    pub granted: u64,
    /// How many of them a cut has that has most of all of them.
    pub at_once: u64,
}

/// A quota that lets in what the plan serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Proposal")]
pub struct ProposalForm {
    /// The namespace; left out for demands without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Most of each resource.
    pub hard: BTreeMap<String, u64>,
}

impl QuotasDocument {
    /// The document of an answer.
    ///
    /// # Panics
    /// If the answer belongs to another problem.
    pub fn new(problem: &Problem, answer: &Quotas, headroom: BasisPoints, proposals: &[Proposal]) -> QuotasDocument {
        let together = &answer.together;
        QuotasDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            asked: problem.demands.iter().map(|demand| demand.count).sum(),
            served: answer.plan.served(problem.demands.len()).iter().sum(),
            refused: answer.refused(problem),
            lines: answer.lines.iter().map(|of| line(problem, of)).collect(),
            refusals: answer.refusals.iter().map(|of| refusal(problem, of)).collect(),
            impossible: answer.impossible().map(|of| impossible(problem, of)).collect(),
            grants: answer.grants.iter().map(grant).collect(),
            together: TogetherForm {
                granted: together.granted,
                at_once_least: together.at_once.least,
                at_once_most: together.at_once.most,
                percent_least: together.percent.least,
                percent_most: together.percent.most,
                resources: together
                    .by_resource
                    .iter()
                    .map(|(resource, &(granted, at_once))| GrantedForm { resource: resource.name(), granted, at_once })
                    .collect(),
                lacks: together.lacks.iter().map(LackForm::new).collect(),
            },
            unlimited: answer.unlimited.clone(),
            headroom: headroom.to_string(),
            proposals: proposals
                .iter()
                .map(|of| ProposalForm { namespace: of.namespace.clone(), hard: amounts(&of.hard) })
                .collect(),
        }
    }
}

fn line(problem: &Problem, line: &Line) -> LineForm {
    let Line { hard, used, asked, open, planned, refused, .. } = *line;
    let quota = problem.quotas[line.quota].full_name();
    LineForm { quota, resource: line.resource.name(), hard, used, asked, open, planned, refused }
}

fn refusal(problem: &Problem, refusal: &Refusal) -> RefusalForm {
    RefusalForm {
        demand: problem.demands[refusal.demand].full_name(),
        quota: problem.quotas[refusal.quota].full_name(),
        resource: refusal.resource.name(),
        count: refusal.count,
        admitted: refusal.admitted,
        code: refusal.code.as_str().to_owned(),
        reason: refusal.reason(problem),
    }
}

fn impossible(problem: &Problem, of: &Unserved) -> ImpossibleForm {
    ImpossibleForm {
        demand: problem.demands[of.demand].full_name(),
        count: of.count,
        code: of.code.as_str().to_owned(),
        reason: of.reason.clone(),
    }
}

fn grant(grant: &Grant) -> GrantForm {
    let (honoured, lacks) = match &grant.honoured {
        Honoured::Yes => (HonouredForm::Yes, &[][..]),
        Honoured::Never(lacks) => (HonouredForm::Never, &lacks[..]),
        Honoured::NotDecided => (HonouredForm::NotDecided, &[][..]),
    };
    GrantForm {
        namespace: grant.namespace.clone(),
        hard: amounts(&grant.hard),
        honoured,
        lacks: lacks.iter().map(LackForm::new).collect(),
    }
}

fn amounts(amounts: &BTreeMap<Resource, u64>) -> BTreeMap<String, u64> {
    amounts.iter().map(|(resource, &n)| (resource.name(), n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::scenario;
    use crate::geometry::Catalog;
    use crate::plan::Options;
    use crate::quota::{proposals, quotas};

    #[test]
    fn what_is_written_reads_back() {
        let text = "apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet:
- {pool: p, model: A30, nodes: 1, gpusPerNode: 2}
demand:
- {name: small, namespace: a, profile: 1g.6gb, count: 5}
- {name: half, namespace: b, profile: 2g.12gb, instances: 2, count: 1}
quotas:
- {name: q, namespace: a, hard: {1g.6gb: 4}}
- {name: q, namespace: b, hard: {2g.12gb: 1, 4g.24gb: 3}}
";
        let problem = scenario::parse(text, &Catalog::builtin()).map_err(|found| format!("{found:?}")).unwrap();
        let answer = quotas(&problem, &Options::default()).unwrap();
        let headroom = "10%".parse().unwrap();
        let proposals = proposals(&problem, &answer.plan, headroom, false);
        let document = QuotasDocument::new(&problem, &answer, headroom, &proposals);
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<QuotasDocument>(&json).unwrap(), document);
        let codes: Vec<&str> = document.refusals.iter().map(|refusal| refusal.code.as_str()).collect();
        assert_eq!(codes, ["demand-above-quota", "pod-above-quota"]);
        let honoured: Vec<HonouredForm> = document.grants.iter().map(|grant| grant.honoured).collect();
        assert_eq!((document.refused, honoured), (2, vec![HonouredForm::Yes, HonouredForm::Never]));
        assert!(serde_json::from_str::<QuotasDocument>(&json.replacen("\"served\"", "\"serve\"", 1)).is_err());
    }
}
