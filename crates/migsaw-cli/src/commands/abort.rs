//! `migsaw abort`.

use anyhow::Result;
use migsaw_report::counted;

use super::acting::{acting, settings, summary, with_lease};
use crate::args::AbortArgs;
use crate::cluster::Connection;
use crate::io::Io;
use crate::{Answer, output};

pub(super) fn run(args: &AbortArgs, io: &mut Io<'_>) -> Result<Answer> {
    let connection = Connection::open(&args.access)?;
    let settings = settings(&args.access, &args.acting, true);
    let outcome = acting(&connection, settings, io, |settings| {
        with_lease(&connection.cluster, settings, async |applier| {
            let record = applier.unfinished().await?;
            applier.abort(record.as_ref()).await
        })
    })?;
    summary(&outcome, &args.access.operator_namespace, io)?;
    let text = match (outcome.nodes.len() as u64, outcome.is_complete) {
        (0, _) => "nothing was half-done: no node is cordoned by migsaw\n".to_owned(),
        (n, true) => format!("taken back: {} let go, none is cordoned by migsaw\n", counted(n, "node")),
        (_, false) => "some nodes are still cordoned\n".to_owned(),
    };
    output::text(io, &text)?;
    Ok(Answer::yes_if(outcome.is_complete))
}
