//! What a rule comes to on a model.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use migsaw::geometry::{Creation, DeviceProblem, Layout, Model, ProfileName};

use super::finding::FindingKind;
use crate::mig_parted::config::Rule;

/// What can be said about a rule on a model.
pub(super) struct Verdict {
    /// Whether the model has all its profiles.
    pub(super) has_names: bool,
    pub(super) findings: Vec<FindingKind>,
}

impl Verdict {
    pub(super) fn is_creatable(&self) -> bool {
        !self.findings.iter().any(FindingKind::is_error)
    }
}

/// The verdicts found so far. Rules that ask for the same have the same.
pub(super) struct Verdicts<'a> {
    rules: &'a [Rule],
    pub(super) models: &'a [Arc<Model>],
    by_rule: HashMap<(usize, usize), Rc<Verdict>>,
    by_devices: HashMap<(usize, &'a BTreeMap<ProfileName, u32>), Rc<Verdict>>,
}

impl<'a> Verdicts<'a> {
    pub(super) fn new(rules: &'a [Rule], models: &'a [Arc<Model>]) -> Verdicts<'a> {
        Verdicts { rules, models, by_rule: HashMap::new(), by_devices: HashMap::new() }
    }

    pub(super) fn of(&mut self, rule: usize, model: usize) -> Rc<Verdict> {
        let find = || {
            let devices = &self.rules[rule].mig_devices;
            let known = self.by_devices.entry((model, devices));
            Rc::clone(known.or_insert_with(|| Rc::new(verdict(devices, &self.models[model]))))
        };
        Rc::clone(self.by_rule.entry((rule, model)).or_insert_with(find))
    }
}

/// What keeps MIG devices from being created on a GPU of this model, or makes it doubtful.
fn verdict(devices: &BTreeMap<ProfileName, u32>, model: &Model) -> Verdict {
    let counts = match model.resolve_devices(devices) {
        Ok(devices) => devices.counts,
        Err(error) => {
            let is_unknown = |problem: &DeviceProblem| matches!(problem, DeviceProblem::UnknownProfile { .. });
            return Verdict {
                has_names: !error.problems.iter().any(is_unknown),
                findings: error.problems.into_iter().map(FindingKind::Device).collect(),
            };
        }
    };
    let findings = if let Some(misfit) = model.why_not(&counts, &Layout::empty()) {
        vec![FindingKind::DoesNotFit(misfit)]
    } else if let Ok(Creation::Impossible(proof)) = model.creation_order(&counts) {
        vec![FindingKind::NoOrder { proof: proof.display(model).to_string() }]
    } else {
        let disputed = model.disputed.iter().filter(|disputed| disputed.counts.is_within(&counts));
        disputed.map(|disputed| FindingKind::Disputed { evidence: disputed.evidence.clone() }).collect()
    };
    Verdict { has_names: true, findings }
}
