//! `PodDisruptionBudget`s: which pods they select, and how many of them may be down.

use std::collections::BTreeSet;
use std::sync::Arc;

use migsaw::budget;
use migsaw::demand::Demand;

use super::collect::{Collection, Problem, described};
use super::constraints::{Term, of_selector};
use super::demands::RunningPod;
use super::quantity::{MOST, Scalar};
use super::shared::Labels;
use super::warning::{WarningCode, Warnings};
use super::wire::{BudgetSpec, BudgetStatus, Metadata};

/// A pod that asks for no GPU.
#[derive(Debug)]
pub(super) struct Passer {
    pub(super) namespace: Arc<str>,
    /// Empty if the API server is to find one.
    pub(super) name: Box<str>,
    pub(super) labels: Labels,
    pub(super) healthy: bool,
}

/// A disruption budget as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Whether it is from the cluster.
    pub(super) is_live: bool,
    /// Conditions on a pod's labels; `None` selects no pod.
    selector: Option<Term>,
    allows: Allows,
}

/// How many pods may be down, besides those that are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allows {
    /// As the controller says.
    Reported(u64),
    /// So many must be up.
    MinAvailable(Amount),
    /// So many may be down, those that are among them.
    MaxUnavailable(Amount),
    /// The spec says neither, which the controller takes for none.
    Nothing,
}

/// A number of pods, or a part of them in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Pods(u64),
    Percent(u64),
}

impl Amount {
    fn parse(text: &str) -> Option<Amount> {
        let digits = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if is_number { text.parse::<u64>().ok().filter(|&n| n <= MOST) } else { None }
        };
        match text.strip_suffix('%') {
            Some(percent) => digits(percent).filter(|&percent| percent <= 100).map(Amount::Percent),
            None => digits(text).map(Amount::Pods),
        }
    }

    /// The number of pods it means of so many. Kubernetes rounds parts up, for what must be up and for what may
    /// be down (`GetScaledValueFromIntOrPercent` in `pkg/controller/disruption/disruption.go`).
    fn of(self, pods: u64) -> u64 {
        match self {
            Amount::Pods(pods) => pods,
            Amount::Percent(percent) => (pods * percent).div_ceil(100),
        }
    }
}

impl Budget {
    fn selects(&self, namespace: &str, labels: &Labels) -> bool {
        let matches = |term: &Term| {
            let labels = labels.to_map();
            term.iter().all(|requirement| requirement.matches(&labels))
        };
        self.namespace == namespace && self.selector.as_ref().is_some_and(matches)
    }

    fn object(&self) -> String {
        described("PodDisruptionBudget", &self.namespace, &self.name)
    }

    /// How many pods may be down, besides those that are.
    fn allowed(&self, found: &Collection) -> u64 {
        match self.allows {
            // Nobody is counted then, which takes long in a large cluster.
            Allows::Reported(allowed) => allowed,
            Allows::Nothing => 0,
            Allows::MinAvailable(amount) => {
                let (pods, healthy) = self.counted(found);
                healthy.saturating_sub(amount.of(pods))
            }
            Allows::MaxUnavailable(amount) => {
                let (pods, healthy) = self.counted(found);
                healthy.saturating_sub(pods.saturating_sub(amount.of(pods)))
            }
        }
    }

    /// How many pods it selects, and how many of them are up.
    fn counted(&self, found: &Collection) -> (u64, u64) {
        let of_gpus = found.pods.iter().map(|pod| (pod.asking.namespace.as_str(), &pod.labels, pod.healthy));
        let others = found.passers.iter().map(|passer| (&*passer.namespace, &passer.labels, passer.healthy));
        let selected = of_gpus.chain(others).filter(|(namespace, labels, _)| self.selects(namespace, labels));
        selected.fold((0, 0), |(pods, up), (.., is_up)| (pods + 1, up + u64::from(is_up)))
    }
}

impl Collection {
    pub(super) fn add_budget(&mut self, metadata: Metadata, spec: &BudgetSpec, status: &BudgetStatus) {
        let is_live = metadata.is_stored() || status.is_reported();
        let name = metadata.name_or_prefix().to_owned();
        let namespace = metadata.namespace.unwrap_or_default();
        let object = described("PodDisruptionBudget", &namespace, &name);
        let Some(allows) = self.allows(&object, spec, status) else { return };
        let selector = spec.selector.as_ref().map(of_selector);
        self.budgets.push(Budget { namespace, name, is_live, selector, allows });
    }

    /// What it allows; `None` if it says nonsense, which is noted.
    fn allows(&mut self, object: &str, spec: &BudgetSpec, status: &BudgetStatus) -> Option<Allows> {
        if let Some(reported) = status.disruptions_allowed.as_ref().filter(|_| status.is_reported()) {
            let allowed = reported.integer().filter(|&allowed| allowed <= MOST);
            if allowed.is_none() {
                self.problems.push(Problem::Number {
                    object: object.to_owned(),
                    field: "disruptionsAllowed",
                    text: shown(reported),
                    least: 0,
                    most: MOST.cast_signed(),
                });
            }
            return allowed.map(Allows::Reported);
        }
        match (&spec.min_available, &spec.max_unavailable) {
            (Some(_), Some(_)) => {
                self.problems.push(Problem::TwoAmounts { object: object.to_owned() });
                None
            }
            (Some(least), None) => self.amount(object, "minAvailable", least).map(Allows::MinAvailable),
            (None, Some(most)) => self.amount(object, "maxUnavailable", most).map(Allows::MaxUnavailable),
            (None, None) => Some(Allows::Nothing),
        }
    }

    fn amount(&mut self, object: &str, field: &'static str, scalar: &Scalar) -> Option<Amount> {
        let amount = Amount::parse(&scalar.0);
        if amount.is_none() {
            self.problems.push(Problem::Amount { object: object.to_owned(), field, text: shown(scalar) });
        }
        amount
    }
}

fn shown(scalar: &Scalar) -> String {
    scalar.0.chars().take(80).collect()
}

/// Lets pods stay that several budgets select. Which of the demands a pod is of says its namespace.
pub(super) fn keep_overlapping(
    found: &Collection,
    running: &mut [Vec<RunningPod>],
    demands: &[Demand],
    warnings: &mut Warnings,
) {
    for (pods, demand) in running.iter_mut().zip(demands) {
        let namespace = demand.namespace.as_deref().unwrap_or_default();
        for pod in pods {
            let selecting = found.budgets.iter().filter(|budget| budget.selects(namespace, &pod.labels));
            if selecting.count() > 1 {
                let message = "several PodDisruptionBudgets select it, which the Eviction API refuses: it stays";
                warnings.add(WarningCode::BudgetsOverlap, described("Pod", namespace, &pod.name), message);
                pod.stays = true;
            }
        }
    }
}

/// The budgets of the demands. One that selects no pod that runs on the fleet forbids nothing here.
///
/// A budget that selects some of a demand's pods only counts for all of them, lest it be broken.
pub(super) fn of_demands(
    found: &Collection,
    running: &[Vec<RunningPod>],
    demands: &[Demand],
    warnings: &mut Warnings,
) -> Vec<budget::Budget> {
    let mut budgets = Vec::new();
    for budget in &found.budgets {
        let mut covered = BTreeSet::new();
        for (index, (pods, demand)) in running.iter().zip(demands).enumerate() {
            let namespace = demand.namespace.as_deref().unwrap_or_default();
            let selected = pods.iter().filter(|pod| budget.selects(namespace, &pod.labels)).count();
            if selected > 0 {
                covered.insert(index);
            }
            if selected > 0 && selected < pods.len() {
                let message =
                    format!("selects some of the pods of {} only: it is kept for all of them", demand.full_name());
                warnings.add(WarningCode::BudgetInPart, budget.object(), message);
            }
        }
        if !covered.is_empty() {
            budgets.push(budget::Budget {
                name: budget.name.clone(),
                namespace: Some(budget.namespace.clone()),
                demands: covered,
                allowed: budget.allowed(found),
            });
        }
    }
    budgets
}
