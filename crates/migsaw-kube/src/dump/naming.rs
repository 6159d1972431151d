//! What demands are called.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::demand::{Demand, Eligibility, NodeSelector, Request};

use super::demands::{Key, Units, Wanted};

/// Demands with names that differ within a namespace, and their units.
pub(super) fn named(units: BTreeMap<Key, Units>) -> Vec<(Demand, Units)> {
    let mut kinds: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for key in units.keys() {
        kinds.entry((key.namespace.clone(), key.name.clone())).or_default().insert(key.kind.clone());
    }
    let mut taken = BTreeSet::new();
    let mut demands = Vec::with_capacity(units.len());
    for (key, units) in units {
        let kinds = &kinds[&(key.namespace.clone(), key.name.clone())];
        let base = if kinds.len() > 1 { format!("{}-{}", key.name, key.kind.to_lowercase()) } else { key.name };
        let mut name = base.clone();
        let mut number = 2;
        while !taken.insert((key.namespace.clone(), name.clone())) {
            name = format!("{base}-{number}");
            number += 1;
        }
        let (request, strategy) = match key.wanted {
            Wanted::Slices(instances, strategy, together) => {
                (Request::Profiles { instances, together }, Some(strategy))
            }
            Wanted::Whole(gpus) => (Request::WholeGpus { gpus }, None),
        };
        let demand = Demand {
            name,
            namespace: Some(key.namespace),
            count: units.count,
            priority: key.priority,
            request,
            eligible: Eligibility {
                pools: None,
                selector: NodeSelector { terms: key.terms },
                tolerations: key.tolerations,
                strategy,
            },
            max_per_node: key.max_per_node,
            workload: Some(key.kind),
        };
        demands.push((demand, units));
    }
    demands
}
