//! The catalogue: every model there are facts about, and the user's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::file::{Forms, GeometryFile, GeometryFileError};
use super::model::Model;
use super::name::ProfileName;

/// Every GPU model by name, with what is known about it.
///
/// ```
/// use migsaw::geometry::Catalog;
/// let catalog = Catalog::builtin();
/// assert_eq!(catalog.model("H100-80")?.id, "H100-80GB");
/// assert_eq!(catalog.by_product_label("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb").unwrap()?.id, "H100-80GB");
/// assert!(catalog.model("RTX-PRO-5000").unwrap_err().to_string().contains("nobody publishes"));
/// # Ok::<(), migsaw::geometry::ModelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Catalog {
    entries: BTreeMap<String, Entry>,
    /// The ids, those added last first: what a user says about a label wins over what is built in.
    newest_first: Vec<String>,
    /// The models as they were given, for a later file to amend.
    forms: Forms,
}

#[derive(Debug, Clone)]
enum Entry {
    Known(Arc<Model>),
    /// Known by name only: aliases, product labels, and why it cannot be planned.
    Refused {
        aliases: Vec<String>,
        labels: Vec<String>,
        filters: Vec<String>,
        reason: String,
    },
}

impl Entry {
    fn aliases(&self) -> &[String] {
        match self {
            Entry::Known(model) => &model.aliases,
            Entry::Refused { aliases, .. } => aliases,
        }
    }

    fn has_label(&self, label: &str) -> bool {
        match self {
            Entry::Known(model) => model.product_labels.iter().any(|l| l.value.eq_ignore_ascii_case(label)),
            Entry::Refused { labels, .. } => labels.iter().any(|l| l.eq_ignore_ascii_case(label)),
        }
    }

    fn has_filter(&self, filter: &str) -> bool {
        match self {
            Entry::Known(model) => model.pci_devices.iter().any(|d| d.filter.eq_ignore_ascii_case(filter)),
            Entry::Refused { filters, .. } => filters.iter().any(|f| f.eq_ignore_ascii_case(filter)),
        }
    }
}

/// Why a name gives no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No such model.
    #[error("no GPU model is called `{name}`{}", suggestion(nearest))]
    Unknown {
        /// The unknown name.
        name: String,
        /// Models that may have been meant.
        nearest: Vec<String>,
    },
    /// Several models answer to the name.
    #[error("`{name}` may be {}", candidates.join(" or "))]
    Ambiguous {
        /// The name.
        name: String,
        /// The models it may mean.
        candidates: Vec<String>,
    },
    /// The model exists, but its geometry is not known.
    #[error("{model} cannot be planned: {reason}")]
    Refused {
        /// The model's id.
        model: String,
        /// What is missing.
        reason: String,
    },
}

impl ModelError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ModelError::Unknown { .. } => "unknown-model",
            ModelError::Ambiguous { .. } => "ambiguous-model",
            ModelError::Refused { .. } => "model-without-geometry",
        }
    }
}

impl Catalog {
    /// The catalogue that comes with the library.
    ///
    /// # Panics
    /// Never: the test suite reads the same file.
    pub fn builtin() -> Catalog {
        static BUILTIN: OnceLock<Catalog> = OnceLock::new();
        let read = || {
            let file = GeometryFile::parse(include_str!("catalog.json")).expect("the built-in catalogue parses");
            let mut catalog = Catalog { entries: BTreeMap::new(), newest_first: Vec::new(), forms: Forms::default() };
            catalog.add(&file).expect("the built-in catalogue is consistent");
            catalog
        };
        BUILTIN.get_or_init(read).clone()
    }

    /// Adds the models of a file in the catalogue's own form. A model of the same id (whatever its
    /// case) is replaced, or amended by one without profiles; aliases, product labels and PCI devices mean
    /// the model added last.
    ///
    /// # Errors
    /// [`GeometryFileError`] lists everything that is wrong with the file; then nothing is added.
    pub fn add(&mut self, file: &GeometryFile) -> Result<(), GeometryFileError> {
        let models = file.models(&self.forms)?;
        self.forms.add(file, models.iter().map(|(form, _)| Arc::clone(form)));
        for (form, model) in models.into_iter().rev() {
            let id = form.id().to_owned();
            let entry = match model {
                Ok(model) => Entry::Known(Arc::new(model)),
                Err(refused) => Entry::Refused {
                    aliases: refused.aliases,
                    labels: refused.labels,
                    filters: refused.filters,
                    reason: refused.reason,
                },
            };
            self.entries.retain(|other, _| !other.eq_ignore_ascii_case(&id));
            self.newest_first.retain(|other| !other.eq_ignore_ascii_case(&id));
            self.newest_first.insert(0, id.clone());
            self.entries.insert(id, entry);
        }
        Ok(())
    }

    /// Every model whose geometry is known, by id.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.entries.values().filter_map(|entry| match entry {
            Entry::Known(model) => Some(model),
            Entry::Refused { .. } => None,
        })
    }

    /// The models known by name only, with the reason.
    pub fn refused(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|(id, entry)| match entry {
            Entry::Known(_) => None,
            Entry::Refused { reason, .. } => Some((id.as_str(), reason.as_str())),
        })
    }

    /// The model a person means: its id, an alias, a product label, or the beginning of an id (else of an
    /// alias) that only one model has (`B200`, `A100-40`). Case does not matter, nor whether words are
    /// joined by spaces or hyphens.
    ///
    /// # Errors
    /// [`ModelError`] if none or several answer to the name, or the model's geometry is not known.
    pub fn model(&self, name: &str) -> Result<Arc<Model>, ModelError> {
        let asked = name;
        let name = &name.split_whitespace().collect::<Vec<_>>().join("-");
        if let Some(found) = self.by_exact_name(name).or_else(|| self.by_product_label(name)) {
            return found;
        }
        let by = |begins: &dyn Fn(&String, &Entry) -> bool| -> Vec<&String> {
            self.entries.iter().filter(|(id, entry)| begins(id, entry)).map(|(id, _)| id).collect()
        };
        let mut candidates = by(&|id, _| begins_with(id, name));
        if candidates.is_empty() {
            candidates = by(&|_, entry| entry.aliases().iter().any(|alias| begins_with(alias, name)));
        }
        match candidates[..] {
            [id] => self.give(id),
            [] => Err(ModelError::Unknown {
                name: shortened(asked),
                nearest: nearest(name, self.entries.keys().cloned()),
            }),
            _ => Err(ModelError::Ambiguous {
                name: shortened(asked),
                candidates: candidates.into_iter().cloned().collect(),
            }),
        }
    }

    /// The model behind a value of `nvidia.com/gpu.product`, with or without the `-MIG-…` and
    /// `-SHARED` suffixes; `None` if no model has that label.
    pub fn by_product_label(&self, label: &str) -> Option<Result<Arc<Model>, ModelError>> {
        self.newest(|entry| entry.has_label(product_of(label)))
    }

    /// The model behind a mig-parted device filter, `0x233010DE`, with or without a subsystem
    /// (`0x233010DE:0x16C110DE`).
    pub fn by_device_filter(&self, filter: &str) -> Option<Result<Arc<Model>, ModelError>> {
        let device = filter.split(':').next().unwrap_or(filter);
        self.newest(|entry| entry.has_filter(filter)).or_else(|| self.newest(|entry| entry.has_filter(device)))
    }

    /// The profiles of any model whose name is nearest to `name`, best first, for an error's suggestion.
    pub fn nearest_profiles(&self, name: &str) -> Vec<String> {
        let names: BTreeSet<&ProfileName> = self.models().flat_map(|m| &m.profiles).map(|p| &p.name).collect();
        nearest(name, names.into_iter().map(ToString::to_string))
    }

    fn by_exact_name(&self, name: &str) -> Option<Result<Arc<Model>, ModelError>> {
        match self.entries.keys().find(|id| id.eq_ignore_ascii_case(name)) {
            Some(id) => Some(self.give(id)),
            None => self.newest(|entry| entry.aliases().iter().any(|alias| alias.eq_ignore_ascii_case(name))),
        }
    }

    fn newest(&self, wanted: impl Fn(&Entry) -> bool) -> Option<Result<Arc<Model>, ModelError>> {
        self.newest_first.iter().find(|id| wanted(&self.entries[*id])).map(|id| self.give(id))
    }

    fn give(&self, id: &str) -> Result<Arc<Model>, ModelError> {
        match &self.entries[id] {
            Entry::Known(model) => Ok(Arc::clone(model)),
            Entry::Refused { reason, .. } => Err(ModelError::Refused { model: id.to_owned(), reason: reason.clone() }),
        }
    }
}

/// The board's part of a product label: without `-MIG-…` and `-SHARED`, whichever comes first.
pub fn product_of(label: &str) -> &str {
    let board = label.split_once("-MIG-").map_or(label, |(board, _)| board);
    board.strip_suffix("-SHARED").unwrap_or(board)
}

/// Whether `id` starts with `name` and goes on with a new word: `H200` begins `H200-141GB`, not `H20`.
fn begins_with(id: &str, name: &str) -> bool {
    let head = id.get(..name.len()).filter(|head| !head.is_empty() && head.eq_ignore_ascii_case(name));
    head.is_some() && (id[name.len()..].starts_with('-') || id[name.len()..].eq_ignore_ascii_case("GB"))
}

fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}

/// What to append to an error about an unknown name.
pub(super) fn suggestion(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!(" (nearest: {})", nearest.join(", ")) }
}

/// The three candidates that look most like `name`, best first, each once.
pub(crate) fn nearest(name: &str, candidates: impl IntoIterator<Item = String>) -> Vec<String> {
    let name = shortened(name).to_lowercase();
    let mut ranked: Vec<(u64, String)> = candidates
        .into_iter()
        .map(|candidate| {
            let likeness = strsim::jaro_winkler(&name, &candidate.to_lowercase());
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a likeness lies in 0..=1")]
            let rank = ((1.0 - likeness) * 1e9) as u64;
            (rank, candidate)
        })
        .collect();
    ranked.sort();
    ranked.dedup();
    ranked.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}
