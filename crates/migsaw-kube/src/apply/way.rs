//! Where a node is going, and where it turns in trouble.

use super::outcome::NodeEnd;
use super::record::StepRecord;
use super::step::{Aim, Seen};
use super::trouble::Trouble;

/// Where a node is going, and why not to where it was to go.
pub(super) struct Way {
    pub(super) aim: Aim,
    pub(super) trouble: Option<Trouble>,
}

impl Way {
    /// Where it goes in trouble: an end, if it goes nowhere.
    pub(super) fn turned(
        &self,
        trouble: Trouble,
        step: &StepRecord,
        id: &str,
        seen: &Seen,
        roll_back: bool,
    ) -> Result<Way, NodeEnd> {
        let node = seen.node.as_ref();
        let is_marked = node.and_then(|node| node.mark.as_ref()).is_some_and(|mark| mark.id == id);
        let is_labelled = step.to.is_some() && node.is_some_and(|node| node.config == step.to);
        match self.aim {
            Aim::Forward if !is_marked => Err(NodeEnd::AsItWas(trouble)),
            // Nothing but the cordon has been done to it: it is let go.
            Aim::Forward if !is_labelled => Ok(Way { aim: Aim::LetGo, trouble: Some(trouble) }),
            Aim::Forward if roll_back => Ok(Way { aim: Aim::Back, trouble: Some(trouble) }),
            Aim::LetGo if is_labelled => Ok(Way { aim: Aim::Back, trouble: Some(trouble) }),
            _ => Err(NodeEnd::Stuck(self.trouble.clone().unwrap_or(trouble))),
        }
    }

    /// What has become of it once it is not cordoned any more.
    pub(super) fn end(&self) -> NodeEnd {
        match (self.aim, &self.trouble) {
            (Aim::Back, Some(trouble)) => NodeEnd::RolledBack(trouble.clone()),
            (_, Some(trouble)) => NodeEnd::AsItWas(trouble.clone()),
            (_, None) => NodeEnd::Done,
        }
    }
}
