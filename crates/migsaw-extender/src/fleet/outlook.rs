//! What is still to come: the expected mix, what free capacity is worth to it, and the plan, if there is one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use migsaw::document::Diagnostics;
use migsaw::document::plan::PlanDocument;
use migsaw::geometry::{Model, ProfileName};
use migsaw::score::{Mix, Worth};

/// What placing goes by beside the nodes.
#[derive(Debug, Default)]
pub struct Outlook {
    /// The pods that are expected: those of the plan, else those that are there.
    pub mix: Mix,
    /// The plan.
    pub plan: Option<Arc<Assignments>>,
    worths: HashMap<String, Worth>,
}

/// What a plan says of where pods go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Assignments {
    /// The pods of each demand, by name with namespace, that each node is to serve.
    nodes: HashMap<String, HashMap<String, u64>>,
    mix: Mix,
}

/// What is no plan.
#[derive(Debug, thiserror::Error)]
#[error("the plan cannot be read: {0}")]
pub struct PlanError(Diagnostics);

impl Outlook {
    /// The outlook on GPUs of these models.
    pub fn new<'m>(
        seen: Mix,
        plan: Option<Arc<Assignments>>,
        models: impl IntoIterator<Item = &'m Arc<Model>>,
    ) -> Outlook {
        let models: Vec<&Arc<Model>> = models.into_iter().collect();
        let mix = match &plan {
            Some(plan) if !plan.mix.is_empty() => plan.mix.clone(),
            _ if !seen.is_empty() => seen,
            // Nothing is known yet: anything may come.
            _ => any_of(&models),
        };
        let worths = models.into_iter().map(|model| (model.id.clone(), Worth::new(model, &mix))).collect();
        Outlook { mix, plan, worths }
    }

    /// What free capacity of a model is worth.
    pub(crate) fn worth(&self, model: &Model) -> Option<&Worth> {
        self.worths.get(&model.id)
    }
}

impl Assignments {
    /// Reads a plan document, JSON or YAML, as `migsaw plan -o json` writes it.
    ///
    /// # Errors
    /// [`PlanError`] with everything that is wrong with its form.
    pub fn parse(text: &str) -> Result<Assignments, PlanError> {
        let document = PlanDocument::parse(text).map_err(PlanError)?;
        let mut plan = Assignments::default();
        let mut demands: BTreeMap<String, (u64, BTreeMap<ProfileName, u64>)> = BTreeMap::new();
        for node in &document.nodes {
            for serving in &node.serves {
                let demand = match &serving.namespace {
                    Some(namespace) => format!("{namespace}/{}", serving.demand),
                    None => serving.demand.clone(),
                };
                let planned = plan.nodes.entry(demand.clone()).or_default().entry(node.name.clone()).or_default();
                *planned = planned.saturating_add(serving.count.into());
                let (pods, instances) = demands.entry(demand).or_default();
                *pods = pods.saturating_add(serving.count.into());
                for share in &serving.gpus {
                    if let Some(profile) = share.profile.as_ref().and_then(|profile| profile.parse().ok()) {
                        *instances.entry(profile).or_default() += u64::from(share.instances);
                    }
                }
            }
        }
        for (pods, instances) in demands.into_values().filter(|(pods, _)| *pods > 0) {
            let each = |n: u64| u32::try_from(n / pods).unwrap_or(u32::MAX);
            plan.mix.add(instances.into_iter().map(|(profile, n)| (profile, each(n))), pods);
        }
        Ok(plan)
    }

    /// How many pods of a demand a node is to serve.
    pub(crate) fn on(&self, demand: &str) -> Option<&HashMap<String, u64>> {
        self.nodes.get(demand)
    }
}

/// One pod for each profile of these models.
fn any_of(models: &[&Arc<Model>]) -> Mix {
    let mut mix = Mix::default();
    for profile in models.iter().flat_map(|model| &model.profiles) {
        mix.add([(profile.name.clone(), 1)], 1);
    }
    mix
}
