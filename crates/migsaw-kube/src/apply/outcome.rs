//! How a rollout ended.

use std::collections::BTreeMap;

use migsaw::document::applied::{AppliedDocument, AppliedNodeForm, EndForm, OperationForm, TroubleForm};

use super::record::Record;
use super::trouble::Trouble;

/// What became of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEnd {
    /// What it was to become.
    Done,
    /// It is not there any more.
    Gone,
    /// It was not begun.
    NotBegun,
    /// It is as it was, and not cordoned.
    AsItWas(Trouble),
    /// It is what it was again, and not cordoned.
    RolledBack(Trouble),
    /// It is cordoned and marked, and somebody has to look.
    Stuck(Trouble),
}

impl NodeEnd {
    pub(super) fn is_good(&self) -> bool {
        matches!(self, NodeEnd::Done | NodeEnd::Gone)
    }
}

/// What became of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What became of each node that was come to, by name.
    pub nodes: BTreeMap<String, NodeEnd>,
    /// Whether all is done.
    pub is_complete: bool,
}

impl Outcome {
    /// The same as a document, with what to do about each trouble; the namespace is the operator's.
    pub fn document(&self, operation: OperationForm, record: Option<&Record>, namespace: &str) -> AppliedDocument {
        let node = |(name, end): (&String, &NodeEnd)| {
            let (end, trouble) = match end {
                NodeEnd::Done => (EndForm::Done, None),
                NodeEnd::Gone => (EndForm::Gone, None),
                NodeEnd::NotBegun => (EndForm::NotBegun, None),
                NodeEnd::AsItWas(trouble) => (EndForm::AsItWas, Some(trouble)),
                NodeEnd::RolledBack(trouble) => (EndForm::RolledBack, Some(trouble)),
                NodeEnd::Stuck(trouble) => (EndForm::StillCordoned, Some(trouble)),
            };
            let trouble = trouble.map(|trouble| TroubleForm {
                code: trouble.code().to_owned(),
                message: trouble.to_string(),
                advice: trouble.advice(name, namespace),
            });
            AppliedNodeForm { name: name.clone(), end, trouble }
        };
        let rollout = record.map(|record| record.id.clone());
        AppliedDocument::new(operation, rollout, self.is_complete, self.nodes.iter().map(node).collect())
    }
}
