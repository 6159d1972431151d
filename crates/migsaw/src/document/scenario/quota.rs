//! Quotas: whose they are, and how much of what they let in.

use std::collections::{BTreeMap, BTreeSet};

use super::form::QuotaForm;
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::names::Names;
use crate::document::path::Path;
use crate::document::{code, name};
use crate::geometry::Catalog;
use crate::problem::Problem;
use crate::quota::{Quota, Resource};

/// What GPUs as a whole are called among profiles.
const GPU: &str = "gpu";

/// The quota a form describes, if it names demands and profiles that there are.
pub(super) fn convert(
    form: &QuotaForm,
    problem: &Problem,
    catalog: &Catalog,
    path: &Path,
    found: &mut Diagnostics,
) -> Option<Quota> {
    let before = found.len();
    name::check(&form.name, "quota", &path.key("name"), found);
    if let Some(namespace) = &form.namespace {
        name::check(namespace, "namespace", &path.key("namespace"), found);
    }
    let names = Names::of(problem);
    let mut demands = BTreeSet::new();
    for (index, name) in form.demands.iter().flatten().enumerate() {
        match names.demand(problem, name, form.namespace.as_deref()) {
            Ok(demand) => drop(demands.insert(demand)),
            Err((code, message)) => found.push(Diagnostic::new(code, path.key("demands").index(index), message)),
        }
    }
    let hard = resources(&form.hard, catalog, &path.key("hard"), found);
    let used = resources(&form.used, catalog, &path.key("used"), found);
    let quota = Quota {
        name: form.name.clone(),
        namespace: form.namespace.clone(),
        demands: form.demands.is_some().then_some(demands),
        hard,
        used,
    };
    (found.len() == before).then_some(quota)
}

fn resources(
    form: &BTreeMap<String, u64>,
    catalog: &Catalog,
    path: &Path,
    found: &mut Diagnostics,
) -> BTreeMap<Resource, u64> {
    let mut resources = BTreeMap::new();
    for (text, &n) in form {
        if text == GPU {
            resources.insert(Resource::Gpu, n);
            continue;
        }
        let wrong = |code, message| Diagnostic::new(code, path.key(text), message);
        match text.parse() {
            Err(_) => {
                let nearest = catalog.nearest_profiles(text).join(", ");
                let message = format!(
                    "`{}` is neither a profile nor `gpu` (nearest profiles: {nearest})",
                    crate::document::shortened(text)
                );
                found.push(wrong(code::INVALID_PROFILE_NAME, message));
            }
            Ok(profile) if catalog.models().any(|model| model.profile(&profile).is_some()) => {
                resources.insert(Resource::Profile(profile), n);
            }
            Ok(profile) => {
                let nearest = catalog.nearest_profiles(text).join(", ");
                let message = format!("no known model has a profile `{profile}` (nearest: {nearest})");
                found.push(wrong(code::UNKNOWN_PROFILE, message));
            }
        }
    }
    resources
}

/// What takes the place of a quota that is wrong.
pub(super) fn stand_in(name: Option<String>, namespace: Option<String>) -> Quota {
    let name = name.unwrap_or_default();
    Quota { name, namespace, demands: None, hard: BTreeMap::new(), used: BTreeMap::new() }
}

/// The forms of a problem's quotas.
pub(super) fn forms(problem: &Problem) -> Vec<QuotaForm> {
    let amounts = |amounts: &BTreeMap<Resource, u64>| -> BTreeMap<String, u64> {
        amounts.iter().map(|(resource, &n)| (resource.to_string(), n)).collect()
    };
    let names = |demands: &BTreeSet<usize>| -> Vec<String> {
        demands.iter().map(|&demand| problem.demands[demand].name.clone()).collect()
    };
    let form = |quota: &Quota| QuotaForm {
        name: quota.name.clone(),
        namespace: quota.namespace.clone(),
        hard: amounts(&quota.hard),
        demands: quota.demands.as_ref().map(names),
        used: amounts(&quota.used),
    };
    problem.quotas.iter().map(form).collect()
}
