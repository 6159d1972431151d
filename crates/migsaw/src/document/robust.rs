//! The document of one layout for several scenarios.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Decimal;
use crate::document::API_VERSION;
use crate::plan::GpuTarget;
use crate::problem::Problem;
use crate::robust::{Aim, Choice, Layout, Measure, Robust, Rule, Situation};

/// What `kind` says in an answer about one layout for several scenarios.
pub const KIND: &str = "RobustLayout";

/// The one layout that serves several scenarios best: the output of `migsaw robust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RobustLayout")]
pub struct RobustDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `RobustLayout`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// What makes a layout the best.
    pub aim: AimForm,
    /// Whether no layout is better, and no scenario's own plan serves more than is said here.
    pub proven: bool,
    /// Value and bound of what is aimed at, most important first.
    pub tiers: Vec<RobustTierForm>,
    /// What is served in each scenario.
    pub scenarios: Vec<SituationForm>,
    /// This layout, and those one might choose without asking.
    pub choices: Vec<ChoiceForm>,
    /// GPUs there are.
    pub gpus: u64,
    /// How the GPUs are cut.
    pub layout: Vec<CutForm>,
}

/// What makes a layout the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Aim")]
pub enum AimForm {
    /// It serves most on average.
    Average,
    /// Its greatest regret is least.
    Worst,
}

/// One tier of what is aimed at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RobustTier")]
pub struct RobustTierForm {
    /// The demands' priority.
    pub priority: i32,
    /// What is counted.
    pub measure: MeasureForm,
    /// What the layout reaches, in units; to a millionth.
    pub value: Decimal,
    /// What no layout can pass, given the tiers before it.
    pub bound: Decimal,
}

/// What is counted at a priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Measure")]
pub enum MeasureForm {
    /// The average of the units served, by the weights.
    Average,
    /// The greatest regret: units that the scenario's own best plan serves besides.
    Regret,
}

/// What is served in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Situation")]
pub struct SituationForm {
    /// Its name.
    pub name: String,
    /// How much it counts.
    pub weight: Decimal,
    /// Whether its own best plan is proven to be that.
    pub best_is_proven: bool,
    /// By priority, the highest first.
    pub priorities: Vec<PriorityForm>,
    /// By demand, those not asked for left out.
    pub demands: Vec<SituationDemandForm>,
}

/// What is served at a priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Priority")]
pub struct PriorityForm {
    /// The priority.
    pub priority: i32,
    /// Units asked for.
    pub asked: u64,
    /// Units that the layout serves.
    pub served: u64,
    /// Units that the scenario's own best plan serves.
    pub best: u64,
    /// The difference. Below 0 where less is served at a higher priority and leaves room.
    pub regret: i64,
}

/// What is served of a demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SituationDemand")]
pub struct SituationDemandForm {
    /// Its name, with the namespace.
    pub demand: String,
    /// Its priority.
    pub priority: i32,
    /// Units asked for.
    pub asked: u64,
    /// Units that the layout serves.
    pub served: u64,
    /// Units that the scenario's own best plan serves.
    pub best: u64,
}

/// How a layout was come by, and what it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Choice")]
pub struct ChoiceForm {
    /// How it was come by.
    pub rule: RuleForm,
    /// The scenario with the greatest weight, for `likely`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// By priority, the highest first.
    pub priorities: Vec<ChoicePriorityForm>,
}

/// How a layout was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Rule")]
pub enum RuleForm {
    /// The best for all scenarios.
    Robust,
    /// The best plan for the average of each count, rounded up.
    Mean,
    /// The best plan for the greatest of each count.
    Peak,
    /// The best plan for the scenario with the greatest weight.
    Likely,
}

/// What a layout serves at a priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ChoicePriority")]
pub struct ChoicePriorityForm {
    /// The priority.
    pub priority: i32,
    /// The average of the units served, by the weights; to a millionth.
    pub average: Decimal,
    /// The greatest regret, in units.
    pub regret: i64,
}

/// GPUs that are cut alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cut")]
pub struct CutForm {
    /// Their pool.
    pub pool: String,
    /// Their model.
    pub model: String,
    /// Their instances by number, pinned ones included (`1g.10gb=4,3g.40gb=1`), or `off`.
    pub cut: String,
    /// How many GPUs.
    pub gpus: u64,
}

impl RobustDocument {
    /// The document of an answer.
    pub fn new(answer: &Robust) -> RobustDocument {
        let fleet = &answer.layout.problem.fleet;
        let average = |value: i64, up: bool| mean(value, answer.weights, up);
        let tier = |tier: &crate::robust::RobustTier| RobustTierForm {
            priority: tier.priority,
            measure: match tier.measure {
                Measure::Average => MeasureForm::Average,
                Measure::Regret => MeasureForm::Regret,
            },
            value: match tier.measure {
                Measure::Average => average(tier.value, false),
                Measure::Regret => Decimal::from(tier.value),
            },
            bound: match tier.measure {
                // Rounded as the value is where both are the same.
                Measure::Average => average(tier.bound, tier.bound != tier.value),
                Measure::Regret => Decimal::from(tier.bound),
            },
        };
        RobustDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            aim: match answer.aim {
                Aim::Average => AimForm::Average,
                Aim::Worst => AimForm::Worst,
            },
            proven: answer.is_proven(),
            tiers: answer.tiers.iter().map(tier).collect(),
            scenarios: (0..answer.situations.len()).map(|index| situation(answer, index)).collect(),
            choices: answer.choices.iter().map(|one| choice(answer, one)).collect(),
            gpus: fleet.pools.iter().map(crate::fleet::Pool::gpu_count).sum(),
            layout: cuts(&answer.layout),
        }
    }
}

/// A sum over the weights' sum, to a millionth.
fn mean(sum: i64, weights: u64, up: bool) -> Decimal {
    let (sum, weights) = (i128::from(sum) * 1_000_000, i128::from(weights.max(1)));
    let micros = if up { sum.div_euclid(weights) + i128::from(sum.rem_euclid(weights) > 0) } else { sum / weights };
    Decimal::of_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Units of demands with a priority.
fn units(problem: &Problem, priority: i32, units: &[u64]) -> u64 {
    let here = problem.demands.iter().zip(units).filter(|(demand, _)| demand.priority == priority);
    here.map(|(_, units)| units).sum()
}

fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

fn situation(answer: &Robust, index: usize) -> SituationForm {
    let Situation { name, weight, problem, best, is_proven } = &answer.situations[index];
    let served = &answer.ours().served[index];
    let counts: Vec<u64> = problem.demands.iter().map(|demand| demand.count).collect();
    let priority = |&priority: &i32| {
        let of = |all: &[u64]| units(problem, priority, all);
        let (served, best) = (of(served), of(best));
        PriorityForm { priority, asked: of(&counts), served, best, regret: signed(best) - signed(served) }
    };
    let demands = problem.demands.iter().zip(served).zip(best).filter(|((demand, _), _)| demand.count > 0);
    SituationForm {
        name: name.clone(),
        weight: Decimal::of_micros(signed(weight.micros)),
        best_is_proven: *is_proven,
        priorities: answer.priorities.iter().map(priority).collect(),
        demands: demands
            .map(|((demand, &served), &best)| SituationDemandForm {
                demand: demand.full_name(),
                priority: demand.priority,
                asked: demand.count,
                served,
                best,
            })
            .collect(),
    }
}

fn choice(answer: &Robust, choice: &Choice) -> ChoiceForm {
    let (rule, scenario) = match choice.rule {
        Rule::Robust => (RuleForm::Robust, None),
        Rule::Mean => (RuleForm::Mean, None),
        Rule::Peak => (RuleForm::Peak, None),
        Rule::Likely(index) => (RuleForm::Likely, Some(answer.situations[index].name.clone())),
    };
    let priority = |&priority: &i32| ChoicePriorityForm {
        priority,
        average: mean(answer.average(choice, priority), answer.weights, false),
        regret: choice.regret(&answer.situations, priority),
    };
    ChoiceForm { rule, scenario, priorities: answer.priorities.iter().map(priority).collect() }
}

/// How many GPUs are cut how.
fn cuts(layout: &Layout) -> Vec<CutForm> {
    let mut found: BTreeMap<(usize, &str, String), u64> = BTreeMap::new();
    for planned in &layout.plan.nodes {
        let pool = &layout.problem.fleet.pools[planned.pool];
        for (target, model) in planned.gpus.iter().zip(pool.gpu_models()) {
            let cut = match (target, target.counts()) {
                (GpuTarget::MigOff, _) | (_, None) => "off".to_owned(),
                (_, Some(counts)) => counts.display(model).to_string(),
            };
            *found.entry((planned.pool, &model.id, cut)).or_insert(0) += u64::from(planned.node_count());
        }
    }
    let form = |((pool, model, cut), gpus): ((usize, &str, String), u64)| CutForm {
        pool: layout.problem.fleet.pools[pool].name.clone(),
        model: model.to_owned(),
        cut,
        gpus,
    };
    let mut cuts: Vec<CutForm> = found.into_iter().map(form).collect();
    cuts.sort_by(|a, b| (&a.pool, &a.model, b.gpus, &a.cut).cmp(&(&b.pool, &b.model, a.gpus, &b.cut)));
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::scenario;
    use crate::geometry::Catalog;
    use crate::plan::Options;
    use crate::robust::robust;

    #[test]
    fn what_is_written_reads_back() {
        let text = "apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet: [{pool: p, model: A30, nodes: 1, gpusPerNode: 2}]
demand: [{name: small, profile: 1g.6gb, count: 8}, {name: large, profile: 2g.12gb, count: 4}]
scenarios: [{name: weekday, weight: 5, counts: {large: 0}}, {name: weekend, weight: 2, counts: {small: 0}}]
quotas: [{name: q, hard: {gpu: 1}, demands: [large]}]
";
        let problem = scenario::parse(text, &Catalog::builtin()).map_err(|found| format!("{found:?}")).unwrap();
        let answer = robust(&problem, Aim::Average, &Options::default()).unwrap();
        let document = RobustDocument::new(&answer);
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<RobustDocument>(&json).unwrap(), document);
        // Each GPU cut for weekdays serves 4 x 5, for weekends 2 x 2.
        let values: Vec<(&str, &str)> = document.tiers.iter().map(|t| (t.value.as_str(), t.bound.as_str())).collect();
        assert_eq!(values, [("5.714285", "5.714285"), ("4", "4")]);
        assert_eq!(
            document.layout.iter().map(|cut| (cut.cut.as_str(), cut.gpus)).collect::<Vec<_>>(),
            [("1g.6gb=4", 2)]
        );
        assert!(document.proven);
        let regrets: Vec<i64> = document.scenarios.iter().map(|scenario| scenario.priorities[0].regret).collect();
        assert_eq!(regrets, [0, 4]);
    }
}
