//! Node configurations: what MIG Manager is told to make of a node.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::outcome::{GpuTarget, Plan};
use crate::geometry::{Counts, Model};
use crate::problem::Problem;

/// What every GPU of a node becomes, by counts: the content of one entry of a mig-parted file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// A name derived from the content, a valid label value of at most 63 characters.
    pub name: String,
    /// Each GPU's model and instances by index; `None` for MIG off.
    pub gpus: Vec<(Arc<Model>, Option<Counts>)>,
}

/// The distinct configurations of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configurations {
    /// Each configuration once, ordered by name.
    pub distinct: Vec<Configuration>,
    /// For each entry of [`Plan::nodes`], its configuration's index in `distinct`.
    pub of_nodes: Vec<usize>,
}

/// The name of the configuration with MIG off on every GPU, which the GPU Operator ships.
pub const ALL_DISABLED: &str = "all-disabled";

impl Plan {
    /// The configurations the plan needs.
    ///
    /// # Panics
    /// If the plan names a pool that the problem lacks.
    pub fn configurations(&self, problem: &Problem) -> Configurations {
        let mut by_name = BTreeMap::new();
        let names: Vec<String> = self
            .nodes
            .iter()
            .map(|group| {
                let models = problem.fleet.pools[group.pool].gpu_models();
                let gpus: Vec<(Arc<Model>, Option<Counts>)> =
                    models.zip(&group.gpus).map(|(model, target)| (Arc::clone(model), target.counts())).collect();
                let name = name_of(&gpus);
                by_name.entry(name.clone()).or_insert_with(|| Configuration { name: name.clone(), gpus });
                name
            })
            .collect();
        let distinct: Vec<Configuration> = by_name.into_values().collect();
        let index = |name: &String| distinct.binary_search_by(|c| c.name.cmp(name)).expect("every name was entered");
        let of_nodes = names.iter().map(index).collect();
        Configurations { distinct, of_nodes }
    }
}

impl GpuTarget {
    /// The instances by profile; `None` for MIG off.
    pub fn counts(&self) -> Option<Counts> {
        match self {
            GpuTarget::MigOff => None,
            GpuTarget::Mig(layout) | GpuTarget::Left(layout) => Some(layout.counts()),
        }
    }
}

/// `migsaw-<what it is, if that is short>-<ten hex digits of its content>`.
fn name_of(gpus: &[(Arc<Model>, Option<Counts>)]) -> String {
    if gpus.iter().all(|(_, counts)| counts.is_none()) {
        return ALL_DISABLED.to_owned();
    }
    let mut content = String::new();
    for (model, counts) in gpus {
        let counts = counts.map_or("off".to_owned(), |counts| counts.display(model).to_string());
        write!(content, "{}:{counts};", model.id).expect("writing to a string succeeds");
    }
    let digest = Sha256::digest(content.as_bytes());
    let hash = digest.iter().take(5).fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
    let (model, first) = &gpus[0];
    let uniform = gpus.iter().all(|(m, c)| m == model && c == first);
    let summary = match first {
        Some(counts) if uniform => {
            let parts: Vec<String> =
                counts.iter().map(|(id, n)| format!("{n}x{}", model.get(id).name.label_form())).collect();
            parts.join("-")
        }
        _ => String::new(),
    };
    let fits = !summary.is_empty() && summary.len() <= 40;
    if fits { format!("migsaw-{summary}-{hash}") } else { format!("migsaw-{hash}") }
}
