//! From a problem to a scenario that says the same.

use super::form::{
    AtLeastForm, DemandForm, GpuForm, NodesForm, PinnedForm, PoolForm, RequirementForm, ScenarioDocument, TaintForm,
    TermForm, TolerationForm, TolerationOperatorForm,
};
use super::pinned::{EMPTY, TAKEN};
use crate::demand::{Demand, NodeSelector, Operator, Request, Together, Toleration};
use crate::document::{API_VERSION, Quantity};
use crate::fleet::{GpuState, NodeGroup, NodeNames, Pool};
use crate::problem::Problem;

impl ScenarioDocument {
    /// The scenario that describes a problem. Reading it back gives the problem again, up to how nodes
    /// with the same state are grouped.
    pub fn new(problem: &Problem) -> ScenarioDocument {
        ScenarioDocument {
            api_version: API_VERSION.to_owned(),
            kind: super::KIND.to_owned(),
            fleet: problem.fleet.pools.iter().map(pool_form).collect(),
            demand: problem.demands.iter().map(demand_form).collect(),
            state: super::state::forms(problem),
            disruption_budgets: super::budget::forms(problem),
            scenarios: super::scenarios::forms(problem),
            quotas: super::quota::forms(problem),
        }
    }

    /// The scenario as YAML.
    ///
    /// ```
    /// use migsaw::document::scenario::{self, ScenarioDocument};
    /// use migsaw::geometry::Catalog;
    /// let catalog = Catalog::builtin();
    /// let problem = scenario::parse(scenario::EXAMPLE, &catalog)?;
    /// let text = ScenarioDocument::new(&problem).to_text();
    /// assert_eq!(scenario::parse(&text, &catalog)?, problem);
    /// # Ok::<(), migsaw::document::Diagnostics>(())
    /// ```
    ///
    /// # Panics
    /// Never: the form has nothing that YAML could not say.
    pub fn to_text(&self) -> String {
        serde_saphyr::to_string(self).expect("texts, numbers, lists and maps can be written as YAML")
    }
}

fn pool_form(pool: &Pool) -> PoolForm {
    let (model, gpus_per_node, gpus) = match &pool.gpus[..] {
        [group] => (Some(group.model.id.clone()), Some(group.count), None),
        groups => {
            let form = |group: &crate::fleet::GpuGroup| GpuForm { model: group.model.id.clone(), count: group.count };
            (None, None, Some(groups.iter().map(form).collect()))
        }
    };
    PoolForm {
        pool: pool.name.clone(),
        model,
        gpus_per_node,
        gpus,
        nodes: nodes_form(pool),
        labels: pool.labels.clone(),
        taints: pool
            .taints
            .iter()
            .map(|t| TaintForm { key: t.key.clone(), value: t.value.clone(), effect: t.effect.into() })
            .collect(),
        strategy: pool.strategy.into(),
        cost_per_gpu: pool.cost_per_gpu.map(Into::into),
        pinned: pinned_forms(pool),
    }
}

/// A number if the nodes are called as numbered ones are, else their names.
fn nodes_form(pool: &Pool) -> NodesForm {
    let numbered = pool.node_ranges().all(|(range, group)| match &group.names {
        NodeNames::Numbered { prefix, first, .. } => {
            range.is_empty() || (*first == range.start && prefix.strip_suffix('-') == Some(&pool.name))
        }
        NodeNames::Listed(_) => false,
    });
    if numbered {
        return NodesForm::Count(pool.node_count());
    }
    let names = |group: &NodeGroup| (0..group.names.count()).map(|i| group.names.get(i)).collect::<Vec<_>>();
    NodesForm::Names(pool.nodes.iter().flat_map(names).collect())
}

/// One entry for each run of nodes up to the last on which something stays.
fn pinned_forms(pool: &Pool) -> Vec<PinnedForm> {
    let mut runs: Vec<(u32, Vec<String>)> = Vec::new();
    for group in pool.nodes.iter().filter(|group| group.names.count() > 0) {
        let gpus = states(pool, group);
        match runs.last_mut() {
            Some((count, last)) if last.is_empty() && gpus.is_empty() => *count += group.names.count(),
            _ => runs.push((group.names.count(), gpus)),
        }
    }
    if runs.last().is_some_and(|(_, gpus)| gpus.is_empty()) {
        runs.pop();
    }
    runs.into_iter().map(|(count, gpus)| PinnedForm { nodes: NodesForm::Count(count), gpus }).collect()
}

fn states(pool: &Pool, group: &NodeGroup) -> Vec<String> {
    let mut texts: Vec<String> = pool
        .gpu_models()
        .zip(&group.pinned)
        .map(|(model, state)| match state {
            GpuState::Idle => EMPTY.to_owned(),
            GpuState::Taken => TAKEN.to_owned(),
            GpuState::Pinned(layout) => layout.display(model).to_string(),
        })
        .collect();
    let used = texts.iter().rposition(|text| text != EMPTY).map_or(0, |last| last + 1);
    texts.truncate(used);
    texts
}

fn demand_form(demand: &Demand) -> DemandForm {
    let mut form = DemandForm {
        name: demand.name.clone(),
        namespace: demand.namespace.clone(),
        count: demand.count,
        priority: demand.priority,
        profile: None,
        profiles: None,
        at_least: None,
        whole_gpus: None,
        instances: None,
        same_gpu: false,
        pools: demand.eligible.pools.clone(),
        node_selector: std::collections::BTreeMap::new(),
        node_affinity: Vec::new(),
        tolerations: demand.eligible.tolerations.iter().map(toleration_form).collect(),
        max_per_node: demand.max_per_node,
        workload: demand.workload.clone(),
        strategy: demand.eligible.strategy.map(Into::into),
    };
    let several = |n: u32| Some(n).filter(|&n| n != 1);
    match &demand.request {
        Request::Profiles { instances, together } => {
            form.same_gpu = *together == Together::Gpu;
            match instances.iter().next() {
                Some((name, &count)) if instances.len() == 1 => {
                    form.profile = Some(name.to_string());
                    form.instances = several(count);
                }
                _ => form.profiles = Some(instances.iter().map(|(name, &n)| (name.to_string(), n)).collect()),
            }
        }
        Request::AtLeast { memory_mib, compute_slices, instances, together } => {
            form.same_gpu = *together == Together::Gpu;
            form.instances = several(*instances);
            form.at_least =
                Some(AtLeastForm { memory: Some(Quantity::of_mib(*memory_mib)), compute: Some(*compute_slices) });
        }
        Request::WholeGpus { gpus } => form.whole_gpus = Some(*gpus),
    }
    write_selector(&demand.eligible.selector, &mut form);
    form
}

/// As `nodeSelector` where that says it all, else as `nodeAffinity`.
fn write_selector(selector: &NodeSelector, form: &mut DemandForm) {
    if let [term] = &selector.terms[..] {
        let plain = term.iter().all(|r| r.operator == Operator::In && r.values.len() == 1);
        if plain && term.is_sorted_by(|a, b| a.key < b.key) {
            form.node_selector = term.iter().map(|r| (r.key.clone(), r.values[0].clone())).collect();
            return;
        }
    }
    // A term without conditions accepts every node, and so does any alternative to it.
    if selector.terms.iter().any(Vec::is_empty) {
        return;
    }
    let requirement = |r: &crate::demand::LabelRequirement| RequirementForm {
        key: r.key.clone(),
        operator: r.operator.into(),
        values: r.values.clone(),
    };
    form.node_affinity = selector
        .terms
        .iter()
        .map(|term| TermForm { match_expressions: term.iter().map(requirement).collect() })
        .collect();
}

fn toleration_form(toleration: &Toleration) -> TolerationForm {
    TolerationForm {
        key: toleration.key.clone(),
        operator: match toleration.value {
            Some(_) => TolerationOperatorForm::Equal,
            None => TolerationOperatorForm::Exists,
        },
        value: toleration.value.clone().filter(|value| !value.is_empty()),
        effect: toleration.effect.map(Into::into),
    }
}
