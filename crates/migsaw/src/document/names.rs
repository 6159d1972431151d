//! The names that a plan, or the state of a fleet, may use: those of the problem.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::shortened;
use crate::document::code;
use crate::geometry::Model;
use crate::problem::Problem;

/// The problem's names.
pub(in crate::document) struct Names<'a> {
    /// Pool and index of each node.
    pub(in crate::document) nodes: HashMap<String, (usize, u32)>,
    /// Every demand by namespace and name.
    demands: BTreeMap<(Option<&'a str>, &'a str), usize>,
    /// Every demand by its name alone.
    by_name: BTreeMap<&'a str, Vec<usize>>,
    /// The model of each GPU, by pool.
    pub(in crate::document) models: Vec<Vec<Arc<Model>>>,
}

impl<'a> Names<'a> {
    pub(in crate::document) fn of(problem: &'a Problem) -> Names<'a> {
        let mut nodes = HashMap::new();
        for (pool, p) in problem.fleet.pools.iter().enumerate() {
            for (range, group) in p.node_ranges() {
                nodes.extend(range.clone().map(|index| (group.names.get(index - range.start), (pool, index))));
            }
        }
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, demand) in problem.demands.iter().enumerate() {
            by_name.entry(&demand.name).or_default().push(index);
        }
        let key = |(index, demand): (usize, &'a crate::demand::Demand)| {
            ((demand.namespace.as_deref(), demand.name.as_str()), index)
        };
        Names {
            nodes,
            demands: problem.demands.iter().enumerate().map(key).collect(),
            by_name,
            models: problem.fleet.pools.iter().map(|pool| pool.gpu_models().cloned().collect()).collect(),
        }
    }

    /// The demand with this name. The namespace may be left out, or stand before the name, where that
    /// leaves no doubt.
    ///
    /// # Errors
    /// Code and message if there is none, or there are several.
    pub(in crate::document) fn demand(
        &self,
        problem: &Problem,
        name: &str,
        namespace: Option<&str>,
    ) -> Result<usize, (&'static str, String)> {
        if let Some(&index) = self.demands.get(&(namespace, name)) {
            return Ok(index);
        }
        if namespace.is_none() {
            let full = name.split_once('/').and_then(|(space, name)| self.demands.get(&(Some(space), name)));
            if let Some(&index) = full {
                return Ok(index);
            }
            match self.by_name.get(name).map(Vec::as_slice) {
                Some([index]) => return Ok(*index),
                Some([]) | None => {}
                Some(several) => {
                    let names: Vec<String> = several.iter().map(|&i| problem.demands[i].full_name()).collect();
                    let message = format!("`{}` may be {} (give the namespace)", shortened(name), names.join(" or "));
                    return Err((code::AMBIGUOUS_DEMAND, message));
                }
            }
        }
        let full = namespace.map_or(name.to_owned(), |namespace| format!("{namespace}/{name}"));
        let nearest = crate::geometry::nearest(&full, problem.demands.iter().map(crate::demand::Demand::full_name));
        let message = format!("the scenario has no demand `{}` (nearest: {})", shortened(&full), nearest.join(", "));
        Err((code::UNKNOWN_DEMAND, message))
    }
}
