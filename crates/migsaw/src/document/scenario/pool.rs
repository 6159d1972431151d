//! Pools, from the form to the domain.

use super::form::{NodesForm, PoolForm, TaintForm};
use super::pinned;
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::path::Path;
use crate::document::{code, name};
use crate::fleet::{GpuGroup, Pool, Taint};
use crate::geometry::Catalog;
use crate::problem::MAX_GPUS_PER_NODE;

/// The pool, or `None` if something is wrong with it, which then is in `found`.
pub(super) fn convert(form: &PoolForm, catalog: &Catalog, path: &Path, found: &mut Diagnostics) -> Option<Pool> {
    let before = found.len();
    name::check(&form.pool, "pool", &path.key("pool"), found);
    if let NodesForm::Names(names) = &form.nodes {
        for (i, node) in names.iter().enumerate() {
            name::check(node, "node", &path.key("nodes").index(i), found);
        }
    }
    let gpus = gpus(form, catalog, path, found);
    let cost = form.cost_per_gpu.as_ref().map(crate::document::Decimal::to_cost);
    if let Some(Err(error)) = &cost {
        found.push(Diagnostic::new(code::INVALID_PRICE, path.key("costPerGpu"), error.to_string()));
    }
    for (i, taint) in form.taints.iter().enumerate().filter(|(_, taint)| taint.key.is_empty()) {
        let path = path.key("taints").index(i).key("key");
        found.push(Diagnostic::new(code::INVALID_NAME, path, format!("a taint needs a key ({:?})", taint.effect)));
    }
    let gpus = gpus?;
    let per_node: u64 = gpus.iter().map(|group| u64::from(group.count)).sum();
    let nodes = if per_node > u64::from(MAX_GPUS_PER_NODE) {
        let message = format!("a node has {per_node} GPUs, at most {MAX_GPUS_PER_NODE} are possible");
        found.push(Diagnostic::new(code::OUT_OF_RANGE, path.key("gpus"), message));
        None
    } else {
        let models: Vec<_> =
            gpus.iter().flat_map(|group| std::iter::repeat_n(&*group.model, group.count as usize)).collect();
        pinned::groups(form, &models, path, found)
    };
    let pool = Pool {
        name: form.pool.clone(),
        gpus,
        nodes: nodes?,
        labels: form.labels.clone(),
        taints: form.taints.iter().map(taint).collect(),
        strategy: form.strategy.into(),
        cost_per_gpu: cost.and_then(Result::ok),
    };
    (found.len() == before).then_some(pool)
}

fn taint(form: &TaintForm) -> Taint {
    Taint { key: form.key.clone(), value: form.value.clone(), effect: form.effect.into() }
}

fn gpus(form: &PoolForm, catalog: &Catalog, path: &Path, found: &mut Diagnostics) -> Option<Vec<GpuGroup>> {
    let listed: Vec<(&str, u32, Path)> = match (&form.model, form.gpus_per_node, &form.gpus) {
        (None, None, Some(groups)) => {
            let place = |i| path.key("gpus").index(i).key("model");
            groups.iter().enumerate().map(|(i, group)| (group.model.as_str(), group.count, place(i))).collect()
        }
        (_, _, Some(_)) => {
            let message = "give either `gpus`, or `model` and `gpusPerNode`, not both";
            found.push(Diagnostic::new(code::EXCLUSIVE_FIELDS, path.key("gpus"), message));
            return None;
        }
        (Some(model), Some(count), None) => vec![(model, count, path.key("model"))],
        (model, count, None) => {
            let mut missing = |field: &str, help: &str| {
                let message = format!("the field `{field}` is missing");
                found.push(Diagnostic::new(code::MISSING_FIELD, path.clone(), message).help(help));
            };
            if model.is_none() {
                missing("model", "name the GPU model, `model: H100-80GB`, or list mixed models in `gpus`");
            }
            if count.is_none() {
                missing("gpusPerNode", "say how many GPUs a node has, `gpusPerNode: 8`");
            }
            if let Some(model) = model {
                resolve(catalog, model, path.key("model"), found);
            }
            return None;
        }
    };
    let groups: Vec<Option<GpuGroup>> = listed
        .into_iter()
        .map(|(model, count, place)| Some(GpuGroup { model: resolve(catalog, model, place, found)?, count }))
        .collect();
    groups.into_iter().collect()
}

fn resolve(
    catalog: &Catalog,
    name: &str,
    path: Path,
    found: &mut Diagnostics,
) -> Option<std::sync::Arc<crate::geometry::Model>> {
    let report = |error: crate::geometry::ModelError| {
        found.push(Diagnostic::new(error.code(), path, error.to_string()));
    };
    catalog.model(name).map_err(report).ok()
}
