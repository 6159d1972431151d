//! What else is wrong with a pool or demand that has an error of form.
//!
//! The values that are wrong are taken out, and what is left is converted like any other, so that one error
//! hides no other. What then follows from a value being gone is not reported.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::path::{Path, Step};

/// A form without the values that are wrong, and where they were.
pub(super) struct Salvaged<T> {
    pub(super) form: T,
    gone: Vec<Path>,
}

/// Takes the wrong values out of an item, given by their paths in the document. `stand_ins` is a JSON map
/// with something for each field that must be there. `None` if what is left is no form either.
pub(super) fn salvage<T: DeserializeOwned>(
    item: &Path,
    value: &Value,
    wrong: &[Path],
    stand_ins: &str,
) -> Option<Salvaged<T>> {
    let stand_ins: Map<String, Value> = serde_json::from_str(stand_ins).ok()?;
    let depth = item.steps().len();
    let exact: Vec<&[Step]> = wrong.iter().map(|path| &path.steps()[depth..]).collect();
    let whole_fields: Vec<&[Step]> = exact.iter().map(|steps| &steps[..steps.len().min(1)]).collect();
    [exact, whole_fields].into_iter().find_map(|places| {
        let mut value = value.clone();
        for steps in &places {
            remove(&mut value, steps);
        }
        let fields = value.as_object_mut()?;
        let mut gone: Vec<Path> = places.iter().filter(|steps| !steps.is_empty()).map(|s| below(item, s)).collect();
        for (field, stand_in) in &stand_ins {
            if !fields.contains_key(field) {
                fields.insert(field.clone(), stand_in.clone());
                gone.push(item.key(field));
            }
        }
        let form = serde_json::from_value(value).ok()?;
        Some(Salvaged { form, gone })
    })
}

impl<T> Salvaged<T> {
    /// Converts the form for the sake of what is found wrong.
    pub(super) fn examine<U>(&self, found: &mut Diagnostics, convert: impl FnOnce(&T, &mut Diagnostics) -> U) {
        let mut further = Diagnostics::new();
        convert(&self.form, &mut further);
        further
            .iter()
            .filter(|diagnostic| !self.follows(diagnostic))
            .for_each(|diagnostic| found.push(diagnostic.clone()));
    }

    /// Whether a problem may come from a value being gone: it is there, around it or within it.
    fn follows(&self, diagnostic: &Diagnostic) -> bool {
        let steps = diagnostic.path.steps();
        self.gone.iter().any(|gone| gone.steps().starts_with(steps) || steps.starts_with(gone.steps()))
    }
}

fn below(item: &Path, steps: &[Step]) -> Path {
    steps.iter().fold(item.clone(), |path, step| match step {
        Step::Key(key) => path.key(key.as_str()),
        Step::Index(index) => path.index(*index),
    })
}

/// Takes a field out. List items stay, for taking one out would move the others.
fn remove(value: &mut Value, steps: &[Step]) {
    let Some((last, way)) = steps.split_last() else { return };
    let parent = way.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    if let (Some(Value::Object(fields)), Step::Key(key)) = (parent, last) {
        fields.remove(key);
    }
}
