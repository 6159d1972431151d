//! `migsaw abort`.

use anyhow::Result;
use migsaw::document::applied::OperationForm;

use super::acting::{acting, report, settings, with_lease};
use crate::Answer;
use crate::args::AbortArgs;
use crate::cluster::Connection;
use crate::io::Io;

pub(super) fn run(args: &AbortArgs, io: &mut Io<'_>) -> Result<Answer> {
    let connection = Connection::open(&args.access)?;
    let settings = settings(&args.access, &args.acting, true);
    let (record, outcome) = acting(&connection, settings, io, |settings| {
        with_lease(&connection.cluster, settings, async |applier| {
            let record = applier.unfinished().await?;
            let outcome = applier.abort(record.as_ref()).await?;
            Ok((record, outcome))
        })
    })?;
    let namespace = &args.access.operator_namespace;
    report(&outcome.document(OperationForm::Abort, record.as_ref(), namespace), args.format, io)
}
