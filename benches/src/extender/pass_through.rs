//! An extender that reads a request, lets every node pass and scores all of them 0: what the service around it costs.

use migsaw_extender::Tally;
use migsaw_extender::service::{Answers, Outcome, Reply, Verb};
use migsaw_extender::wire::{Args, FilterResult, HostPriority, KeptNodes, Offered};

/// The extender.
#[derive(Debug, Clone, Copy, Default)]
pub struct PassThrough;

impl Answers for PassThrough {
    fn answer(&self, verb: Verb, body: &[u8]) -> Reply {
        let bad = |error: serde_json::Error| Reply {
            body: error.to_string().into_bytes(),
            outcome: Outcome::BadRequest,
            nodes: Tally::default(),
        };
        answer(verb, body).unwrap_or_else(bad)
    }
}

fn answer(verb: Verb, body: &[u8]) -> serde_json::Result<Reply> {
    let mut args: Args<'_> = serde_json::from_slice(body)?;
    let offered = args.offered()?;
    let tally = Tally { offered: offered.names().len(), kept: offered.names().len(), reasons: Vec::new() };
    if verb == Verb::Filter {
        let answer = match &offered {
            Offered::Names(_) => {
                FilterResult { node_names: Some(offered.names().collect()), ..FilterResult::default() }
            }
            Offered::Whole(nodes) => {
                let items = nodes.iter().map(|(_, node)| *node).collect();
                FilterResult { nodes: Some(KeptNodes { items }), ..FilterResult::default() }
            }
        };
        return Reply::json(&answer, Outcome::Ok, tally);
    }
    let scores: Vec<HostPriority<'_>> = offered.names().map(|host| HostPriority { host, score: 0 }).collect();
    Reply::json(&scores, Outcome::Ok, tally)
}
