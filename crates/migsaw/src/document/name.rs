//! Names people give to pools, nodes and demands.

use super::code;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::path::Path;

/// Longest name, in bytes: what Kubernetes allows for objects.
const MAX_NAME: usize = 253;

/// Reports a name that cannot be one. An empty name is left to [`crate::problem::Problem::validate`].
pub(super) fn check(name: &str, what: &str, path: &Path, found: &mut Diagnostics) -> bool {
    let wrong = if name.len() > MAX_NAME {
        format!("has {} bytes, at most {MAX_NAME} are allowed", name.len())
    } else if name.trim() != name {
        "begins or ends with a space".to_owned()
    } else if name.chars().any(char::is_control) {
        "holds a control character".to_owned()
    } else {
        return true;
    };
    let shown: String = name.chars().take(40).collect();
    found.push(Diagnostic::new(code::INVALID_NAME, path.clone(), format!("the {what} name {shown:?} {wrong}")));
    false
}
