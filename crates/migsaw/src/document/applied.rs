//! The document of what became of a rollout on a cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::API_VERSION;

/// What `kind` says in it.
pub const KIND: &str = "Applied";

/// What became of each node: the output of `migsaw apply` and `migsaw abort`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Applied")]
pub struct AppliedDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Applied`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// Whether a rollout was gone on with or taken back.
    pub operation: OperationForm,
    /// The rollout's id; left out if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// Whether all is as it was to be. If not, the same command goes on.
    pub complete: bool,
    /// The nodes that were come to, by name.
    pub nodes: Vec<AppliedNodeForm>,
}

/// What was done with a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Operation")]
pub enum OperationForm {
    /// It was gone on with.
    Apply,
    /// What was half-done of it was taken back.
    Abort,
}

/// What became of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "AppliedNode")]
pub struct AppliedNodeForm {
    /// The node's name.
    pub name: String,
    /// What became of it.
    pub end: EndForm,
    /// Why it is not what it was to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<TroubleForm>,
}

/// What can become of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "End")]
pub enum EndForm {
    /// It is cordoned, and somebody has to look.
    StillCordoned,
    /// It is what it was again, and not cordoned.
    RolledBack,
    /// It is as it was, and not cordoned.
    AsItWas,
    /// It was not begun.
    NotBegun,
    /// It is not in the cluster any more.
    Gone,
    /// It is what it was to be.
    Done,
}

/// Why a node is not what it was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Trouble")]
pub struct TroubleForm {
    /// A stable code, also the reason of the node's Event.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

impl AppliedDocument {
    /// The document of what became of some nodes.
    pub fn new(
        operation: OperationForm,
        rollout: Option<String>,
        complete: bool,
        nodes: Vec<AppliedNodeForm>,
    ) -> AppliedDocument {
        let (api_version, kind) = (API_VERSION.to_owned(), KIND.to_owned());
        AppliedDocument { api_version, kind, operation, rollout, complete, nodes }
    }
}
