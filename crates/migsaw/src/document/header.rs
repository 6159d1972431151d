//! What every document begins with: `apiVersion` and `kind`.

use super::code;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::node::{Node, Value};
use super::path::Path;

/// The version of the documents this release reads and writes.
pub const API_VERSION: &str = "migsaw.io/v1alpha1";

/// Whether the document is of this kind.
///
/// # Errors
/// If it is of another, so that nothing in it would make sense.
pub(super) fn check_kind(document: &Node, kind: &str) -> Result<(), Diagnostics> {
    if !matches!(document.value, Value::Map(_)) {
        let help = format!("begin with `apiVersion: {API_VERSION}` and `kind: {kind}`");
        let message = format!("a {kind} is a map of fields, this is something else");
        return Err(placed(Diagnostic::new(code::WRONG_TYPE, Path::root(), message).help(help), document).into());
    }
    match document.get("kind").and_then(Node::text).filter(|found| *found != kind) {
        None => Ok(()),
        Some(found) => {
            let message = format!("expected kind `{kind}`, found `{}`", found.chars().take(80).collect::<String>());
            Err(placed(Diagnostic::new(code::KIND, Path::root().key("kind"), message), document).into())
        }
    }
}

/// Gives an unknown version its own code among what is wrong with the form.
pub(super) fn name_version(found: &mut Diagnostics) {
    found.recode(&Path::root().key("apiVersion"), code::UNKNOWN_VALUE, code::API_VERSION);
}

fn placed(diagnostic: Diagnostic, document: &Node) -> Diagnostic {
    match document.position_of(&diagnostic.path) {
        Some(position) => diagnostic.at(position),
        None => diagnostic,
    }
}
