//! From a text to a problem, with everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use super::form::{BudgetForm, DemandForm, PoolForm, QuotaForm, ScenarioDocument, ScenarioForm, StateForm};
use super::salvage::{Salvaged, salvage};
use super::{budget, demand, pool, quota, scenarios, state};
use crate::demand::{Demand, Request};
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::header;
use crate::document::node::{Node, Value};
use crate::document::path::{Path, Step};
use crate::document::{code, schema, shape};
use crate::fleet::{NodeGroup, NodeNames, Pool, Strategy};
use crate::geometry::Catalog;
use crate::problem::{InputProblem, Problem, Subject};

/// Reads a scenario, YAML or JSON.
///
/// ```
/// use migsaw::document::scenario;
/// use migsaw::geometry::Catalog;
/// let text = "
/// apiVersion: migsaw.io/v1alpha1
/// kind: Scenario
/// fleet:
/// - {pool: inference, model: H100-80GB, nodes: 8, gpusPerNode: 8}
/// demand:
/// - {name: llm-7b, profile: 1g.10gb, count: 120}
/// ";
/// let problem = scenario::parse(text, &Catalog::builtin())?;
/// assert_eq!(problem.fleet.pools[0].gpu_count(), 64);
///
/// let problems = scenario::parse(&text.replace("H100", "H1000"), &Catalog::builtin()).unwrap_err();
/// let first = problems.iter().next().unwrap();
/// assert_eq!((first.code, first.line()), ("unknown-model", Some(5)));
/// # Ok::<(), migsaw::document::Diagnostics>(())
/// ```
///
/// # Errors
/// Everything that is wrong with it, in the order of the text: syntax, form, and what makes no sense.
/// "It doesn't fit" is not an error.
pub fn parse(text: &str, catalog: &Catalog) -> Result<Problem, Diagnostics> {
    // Places cost time and are needed for problems only.
    match Node::parse_unplaced(text).map(|document| convert(&document, catalog)) {
        Some(Ok(problem)) => Ok(problem),
        _ => convert(&Node::parse(text)?, catalog),
    }
}

fn convert(document: &Node, catalog: &Catalog) -> Result<Problem, Diagnostics> {
    let mut found = Diagnostics::new();
    header::check_kind(document, super::KIND)?;
    shape::check(schema::scenario(), document, &Path::root(), &mut found);
    header::name_version(&mut found);

    let pools = items(document, &POOLS, &mut found);
    let demands = items(document, &DEMANDS, &mut found);
    let states = items(document, &STATES, &mut found);
    let budgets = items(document, &BUDGETS, &mut found);
    let scenarios = items(document, &SCENARIOS, &mut found);
    let fleet_is_whole = matches!(document.get("fleet").map(|node| &node.value), Some(Value::List(_)));
    let quotas = items(document, &QUOTAS, &mut found);
    let items = Items { pools, demands, states, budgets, scenarios, quotas };
    let problem = assemble(items, fleet_is_whole, catalog, &mut found);
    found.locate(document);
    found.into_result()?;
    Ok(problem)
}

impl ScenarioDocument {
    /// The problem it describes.
    ///
    /// # Errors
    /// Everything that makes no sense; without places in a text, since there is none.
    pub fn to_problem(&self, catalog: &Catalog) -> Result<Problem, Diagnostics> {
        let mut found = Diagnostics::new();
        let pools = self.fleet.iter().map(|form| Item {
            name: Some(form.pool.clone()),
            form: Form::Right(form.clone()),
            namespace: None,
        });
        let demands = self.demand.iter().map(|form| Item {
            name: Some(form.name.clone()),
            namespace: form.namespace.clone(),
            form: Form::Right(form.clone()),
        });
        let states = self.state.iter().map(|form| Item {
            name: Some(form.node.clone()),
            form: Form::Right(form.clone()),
            namespace: None,
        });
        let budgets = self.disruption_budgets.iter().map(|form| Item {
            name: Some(form.name.clone()),
            namespace: form.namespace.clone(),
            form: Form::Right(form.clone()),
        });
        let scenarios = self.scenarios.iter().map(|form| Item {
            name: Some(form.name.clone()),
            form: Form::Right(form.clone()),
            namespace: None,
        });
        let quotas = self.quotas.iter().map(|form| Item {
            name: Some(form.name.clone()),
            namespace: form.namespace.clone(),
            form: Form::Right(form.clone()),
        });
        let items = Items {
            pools: pools.collect(),
            demands: demands.collect(),
            states: states.collect(),
            budgets: budgets.collect(),
            scenarios: scenarios.collect(),
            quotas: quotas.collect(),
        };
        let problem = assemble(items, true, catalog, &mut found);
        found.into_result()?;
        Ok(problem)
    }
}

/// All items of a scenario.
struct Items {
    pools: Vec<Item<PoolForm>>,
    demands: Vec<Item<DemandForm>>,
    states: Vec<Item<StateForm>>,
    budgets: Vec<Item<BudgetForm>>,
    scenarios: Vec<Item<ScenarioForm>>,
    quotas: Vec<Item<QuotaForm>>,
}

/// An item: its form if that is right, what is left of it if not, and the name in any case.
struct Item<T> {
    form: Form<T>,
    name: Option<String>,
    namespace: Option<String>,
}

enum Form<T> {
    Right(T),
    Salvaged(Salvaged<T>),
    None,
}

impl<T> Form<T> {
    /// The form converted, if it is right; what can be found wrong with it, if it is not.
    fn convert<U>(
        &self,
        found: &mut Diagnostics,
        convert: impl FnOnce(&T, &mut Diagnostics) -> Option<U>,
    ) -> Option<U> {
        match self {
            Form::Right(form) => convert(form, found),
            Form::Salvaged(rest) => {
                rest.examine(found, convert);
                None
            }
            Form::None => None,
        }
    }
}

/// A list of a scenario, and how to read an item of which something is wrong.
struct List {
    field: &'static str,
    /// The field with an item's name.
    name: &'static str,
    /// The fields that must be there, as JSON: what stands in for one that is wrong.
    stand_ins: &'static str,
    /// A field that can be judged only where all others are right.
    judged_last: Option<&'static str>,
}

const POOLS: List =
    List { field: "fleet", name: "pool", stand_ins: r#"{"pool": "", "nodes": 0}"#, judged_last: Some("pinned") };
const DEMANDS: List =
    List { field: "demand", name: "name", stand_ins: r#"{"name": "", "count": 0}"#, judged_last: None };
const STATES: List = List { field: "state", name: "node", stand_ins: r#"{"node": ""}"#, judged_last: None };
const BUDGETS: List = List {
    field: "disruptionBudgets",
    name: "name",
    stand_ins: r#"{"name": "", "demands": [], "allowed": 0}"#,
    judged_last: None,
};
const SCENARIOS: List = List { field: "scenarios", name: "name", stand_ins: r#"{"name": ""}"#, judged_last: None };
const QUOTAS: List =
    List { field: "quotas", name: "name", stand_ins: r#"{"name": "", "hard": {}}"#, judged_last: None };

/// The items of a list.
fn items<T: DeserializeOwned>(document: &Node, list: &List, found: &mut Diagnostics) -> Vec<Item<T>> {
    let mut reported: BTreeMap<usize, Vec<Path>> = BTreeMap::new();
    for diagnostic in found.iter() {
        if let [Step::Key(key), Step::Index(index), ..] = diagnostic.path.steps()
            && key == list.field
        {
            reported.entry(*index).or_default().push(diagnostic.path.clone());
        }
    }
    let nodes = document.get(list.field).map_or(&[][..], Node::items);
    let read = |(index, node): (usize, &Node)| {
        let path = Path::root().key(list.field).index(index);
        let form = match reported.remove(&index) {
            Some(mut wrong) => {
                wrong.extend(list.judged_last.map(|field| path.key(field)));
                salvage(&path, &node.to_json(), &wrong, list.stand_ins).map_or(Form::None, Form::Salvaged)
            }
            None => match serde_json::from_value(node.to_json()) {
                Ok(form) => Form::Right(form),
                Err(error) => {
                    found.push(Diagnostic::new(code::WRONG_TYPE, path, error.to_string()));
                    Form::None
                }
            },
        };
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        Item { form, name: text(list.name), namespace: text("namespace") }
    };
    nodes.iter().enumerate().map(read).collect()
}

/// Converts the items and judges the whole. What could not be converted takes part by its name, so that
/// nothing is reported that only follows from another problem.
fn assemble(
    Items { pools, demands, states, budgets, scenarios, quotas }: Items,
    fleet_is_whole: bool,
    catalog: &Catalog,
    found: &mut Diagnostics,
) -> Problem {
    let mut problem = Problem::default();
    let mut broken = BTreeSet::new();
    let mut all_pools_named = fleet_is_whole;
    for (index, item) in pools.into_iter().enumerate() {
        let path = Path::root().key("fleet").index(index);
        let pool = item.form.convert(found, |form, found| pool::convert(form, catalog, &path, found));
        if pool.is_none() {
            broken.insert(Subject::Pool(index));
            all_pools_named &= item.name.is_some();
        }
        problem.fleet.pools.push(pool.unwrap_or_else(|| stand_in_pool(item.name)));
    }
    for (index, item) in demands.into_iter().enumerate() {
        let path = Path::root().key("demand").index(index);
        let convert =
            |form: &DemandForm, found: &mut Diagnostics| demand::convert(form, &problem.fleet, catalog, &path, found);
        let demand = item.form.convert(found, convert);
        if demand.is_none() {
            broken.insert(Subject::Demand(index));
        }
        problem.demands.push(demand.unwrap_or_else(|| stand_in_demand(item.name, item.namespace)));
    }
    // A state speaks of nodes and demands, so it can be judged only where they are right.
    let right = states.iter().enumerate().filter_map(|(entry, item)| match &item.form {
        Form::Right(form) if broken.is_empty() => Some((entry, form)),
        _ => None,
    });
    let entries = state::apply(&right.collect::<Vec<_>>(), &mut problem, found);
    for (index, item) in budgets.into_iter().enumerate() {
        let path = Path::root().key("disruptionBudgets").index(index);
        // It speaks of demands, so it can be judged only where they are right.
        let converted = item.form.convert(found, |form, found| {
            if broken.is_empty() { budget::convert(form, &problem, &path, found) } else { None }
        });
        if converted.is_none() {
            broken.insert(Subject::Budget(index));
        }
        problem.budgets.push(converted.unwrap_or_else(|| budget::stand_in(item.name, item.namespace)));
    }
    let demands_are_right = broken.is_empty();
    for (index, item) in scenarios.into_iter().enumerate() {
        let path = Path::root().key("scenarios").index(index);
        let convert = |form: &ScenarioForm, found: &mut Diagnostics| scenarios::convert(form, &problem, &path, found);
        let converted = item.form.convert(found, |form, found| convert(form, found).filter(|_| demands_are_right));
        problem.scenarios.extend(converted);
    }
    for (index, item) in quotas.into_iter().enumerate() {
        let path = Path::root().key("quotas").index(index);
        let converted = item.form.convert(found, |form, found| {
            if broken.is_empty() { quota::convert(form, &problem, catalog, &path, found) } else { None }
        });
        if converted.is_none() {
            broken.insert(Subject::Quota(index));
        }
        problem.quotas.push(converted.unwrap_or_else(|| quota::stand_in(item.name, item.namespace)));
    }
    let pool_broken = broken.iter().any(|subject| matches!(subject, Subject::Pool(_)));
    for (subject, input) in problem.validate() {
        let follows_from_another = match &input {
            InputProblem::EmptyFleet => pool_broken || !fleet_is_whole,
            InputProblem::UnknownPool { .. } => !all_pools_named,
            InputProblem::DuplicatePool { .. }
            | InputProblem::DuplicateNode { .. }
            | InputProblem::DuplicateDemand { .. }
            | InputProblem::DuplicateBudget { .. }
            | InputProblem::DuplicateQuota { .. } => false,
            _ => broken.contains(&subject),
        };
        if !follows_from_another {
            let path = match state_of(&input).and_then(|node| entries.get(node)) {
                Some(&entry) => Path::root().key("state").index(entry),
                None => place_of(&subject, &input, &problem),
            };
            found.push(Diagnostic::new(input.code(), path, input.to_string()));
        }
    }
    // Only where all else is right is it known what they come to.
    if found.is_empty() && !problem.scenarios.is_empty() {
        scenarios::check(&problem, found);
    }
    problem
}

/// The node whose state an [`InputProblem`] is about.
fn state_of(input: &InputProblem) -> Option<&String> {
    match input {
        InputProblem::StateTooMany { node, .. }
        | InputProblem::StateLayout { node, .. }
        | InputProblem::StateWithoutPinned { node, .. }
        | InputProblem::StateNotSingle { node }
        | InputProblem::RunningTwice { node, .. }
        | InputProblem::RunningUnknown { node, .. }
        | InputProblem::RunningNotThere { node, .. }
        | InputProblem::RunningMismatch { node, .. }
        | InputProblem::RunningPerNode { node, .. } => Some(node),
        _ => None,
    }
}

fn stand_in_pool(name: Option<String>) -> Pool {
    Pool {
        name: name.unwrap_or_default(),
        gpus: Vec::new(),
        nodes: Vec::new(),
        labels: std::collections::BTreeMap::new(),
        taints: Vec::new(),
        strategy: Strategy::default(),
        cost_per_gpu: None,
    }
}

fn stand_in_demand(name: Option<String>, namespace: Option<String>) -> Demand {
    Demand { namespace, ..Demand::new(name.unwrap_or_default(), Request::WholeGpus { gpus: 1 }, 0) }
}

/// The field an [`InputProblem`] is about.
fn place_of(subject: &Subject, input: &InputProblem, problem: &Problem) -> Path {
    match *subject {
        Subject::Fleet => Path::root().key("fleet"),
        Subject::Pool(index) => {
            let path = Path::root().key("fleet").index(index);
            match input {
                InputProblem::DuplicatePool { .. } | InputProblem::EmptyName { what: "pool" } => path.key("pool"),
                InputProblem::DuplicateNode { name } => match listed_at(&problem.fleet.pools[index], name) {
                    Some(node) => path.key("nodes").index(node),
                    None => path.key("nodes"),
                },
                InputProblem::EmptyName { .. } => path.key("nodes"),
                InputProblem::OutOfRange { what, .. } if what.contains("nodes") => path.key("nodes"),
                InputProblem::OutOfRange { .. } => path.key("gpus"),
                InputProblem::Pinned { .. } | InputProblem::PinnedTooMany { .. } => path.key("pinned"),
                _ => path,
            }
        }
        Subject::Budget(index) => {
            let path = Path::root().key("disruptionBudgets").index(index);
            match input {
                InputProblem::DuplicateBudget { .. } | InputProblem::EmptyName { .. } => path.key("name"),
                InputProblem::OutOfRange { .. } => path.key("allowed"),
                _ => path,
            }
        }
        Subject::Quota(index) => {
            let path = Path::root().key("quotas").index(index);
            match input {
                InputProblem::DuplicateQuota { .. } | InputProblem::EmptyName { .. } => path.key("name"),
                InputProblem::OutOfRange { what, .. } => path.key(*what),
                _ => path,
            }
        }
        Subject::Demand(index) => {
            let path = Path::root().key("demand").index(index);
            match input {
                InputProblem::DuplicateDemand { .. } | InputProblem::EmptyName { .. } => path.key("name"),
                InputProblem::RunningTooMany { .. } => path.key("count"),
                InputProblem::OutOfRange { what, .. } => match *what {
                    "the count" => path.key("count"),
                    "maxPerNode" => path.key("maxPerNode"),
                    "wholeGpus" => path.key("wholeGpus"),
                    "compute" => path.key("atLeast").key("compute"),
                    "memory in MiB" => path.key("atLeast").key("memory"),
                    _ => path.key("profiles"),
                },
                InputProblem::UnknownPool { pool, .. } => {
                    let pools = problem.demands[index].eligible.pools.iter().flatten();
                    let position = pools.into_iter().position(|p| p == pool).unwrap_or_default();
                    path.key("pools").index(position)
                }
                _ => path,
            }
        }
    }
}

/// The last place of a name in the list of a pool's nodes.
fn listed_at(pool: &Pool, name: &str) -> Option<usize> {
    let listed = |group: &NodeGroup| match &group.names {
        NodeNames::Listed(names) => names.iter().rposition(|n| n == name),
        NodeNames::Numbered { .. } => None,
    };
    let places = pool.node_ranges().filter_map(|(range, group)| Some(range.start as usize + listed(group)?));
    places.last()
}
