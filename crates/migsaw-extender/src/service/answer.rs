//! From bodies to answers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decide::Reason;
use crate::extender::{Extender, Tally};
use crate::wire::{Args, FilterResult, PreemptArgs};

/// A verb of the extender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Which nodes can take a pod.
    Filter,
    /// How good each is.
    Prioritize,
    /// Who has to go so that it can.
    Preempt,
    /// Put it there.
    Bind,
}

impl Verb {
    /// All verbs.
    pub const ALL: [Verb; 4] = [Verb::Filter, Verb::Prioritize, Verb::Preempt, Verb::Bind];

    /// The verb at this path.
    pub(crate) fn at(path: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| path.strip_prefix('/') == Some(verb.as_str()))
    }

    /// The verb as it stands in paths and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Filter => "filter",
            Verb::Prioritize => "prioritize",
            Verb::Preempt => "preempt",
            Verb::Bind => "bind",
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Answered.
    Ok,
    /// Answered, and no node was left.
    Rejected,
    /// Answered with an error, so that the scheduler tries again.
    Error,
    /// The body was none of this verb.
    BadRequest,
    /// Refused, because the client's certificate bears none of the names that may ask.
    Forbidden,
    /// Refused, because there was too much to do.
    Shed,
    /// Too slow.
    Timeout,
    /// A defect.
    Panic,
}

impl Outcome {
    /// The outcome as it stands in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Rejected => "rejected",
            Outcome::Error => "error",
            Outcome::BadRequest => "bad_request",
            Outcome::Forbidden => "forbidden",
            Outcome::Shed => "shed",
            Outcome::Timeout => "timeout",
            Outcome::Panic => "panic",
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The body: JSON, or a sentence if the outcome is [`Outcome::BadRequest`].
    pub body: Vec<u8>,
    /// What became of the request.
    pub outcome: Outcome,
    /// What became of the nodes.
    pub nodes: Tally,
}

/// What answers the verbs that only look.
pub trait Answers: Send + Sync + 'static {
    /// Answers one.
    fn answer(&self, verb: Verb, body: &[u8]) -> Reply;

    /// Who is behind it, for what explains and binds.
    fn extender(&self) -> Option<&Extender> {
        None
    }
}

impl Answers for Extender {
    fn answer(&self, verb: Verb, body: &[u8]) -> Reply {
        let answered = match verb {
            Verb::Filter => self.answer_filter(body),
            Verb::Prioritize => self.answer_prioritize(body),
            Verb::Preempt => self.answer_preempt(body),
            Verb::Bind => return Reply::bad("bind is not answered here"),
        };
        answered.unwrap_or_else(|error| Reply::bad(&format!("{} takes another body: {error}", verb.as_str())))
    }

    fn extender(&self) -> Option<&Extender> {
        Some(self)
    }
}

impl Extender {
    fn answer_filter(&self, body: &[u8]) -> serde_json::Result<Reply> {
        let mut args: Args<'_> = serde_json::from_slice(body)?;
        let offered = args.offered()?;
        let Some(pod) = args.pod else {
            let answer = FilterResult { error: "the request names no pod".into(), ..FilterResult::default() };
            return Reply::json(&answer, Outcome::Error, Tally::default());
        };
        let (answer, nodes) = self.filter(&pod, &offered);
        let outcome = match nodes {
            _ if !answer.error.is_empty() => Outcome::Error,
            Tally { kept: 0, .. } => Outcome::Rejected,
            _ => Outcome::Ok,
        };
        Reply::json(&answer, outcome, nodes)
    }

    fn answer_prioritize(&self, body: &[u8]) -> serde_json::Result<Reply> {
        let mut args: Args<'_> = serde_json::from_slice(body)?;
        let offered = args.offered()?;
        let scores = args.pod.as_ref().map(|pod| self.prioritize(pod, &offered)).unwrap_or_default();
        let nodes = Tally { offered: offered.names().len(), kept: scores.len(), reasons: Vec::new() };
        Reply::json(&scores, Outcome::Ok, nodes)
    }

    fn answer_preempt(&self, body: &[u8]) -> serde_json::Result<Reply> {
        let mut args: PreemptArgs<'_> = serde_json::from_slice(body)?;
        let offered =
            args.victims.as_ref().map_or(0, BTreeMap::len) + args.meta_victims.as_ref().map_or(0, BTreeMap::len);
        let answer = args.pod.take().map(|pod| self.preempt(&pod, args)).unwrap_or_default();
        let kept = answer.node_name_to_meta_victims.len();
        let outcome = if kept == 0 { Outcome::Rejected } else { Outcome::Ok };
        let reasons: Vec<(Reason, usize)> = Vec::new();
        Reply::json(&answer, outcome, Tally { offered, kept, reasons })
    }
}

impl Reply {
    /// An answer in JSON.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn json(answer: &impl Serialize, outcome: Outcome, nodes: Tally) -> serde_json::Result<Reply> {
        Ok(Reply { body: serde_json::to_vec(answer)?, outcome, nodes })
    }

    pub(super) fn bad(sentence: &str) -> Reply {
        Reply { body: sentence.as_bytes().to_vec(), outcome: Outcome::BadRequest, nodes: Tally::default() }
    }
}
