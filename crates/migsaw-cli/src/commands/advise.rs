//! `migsaw advise`.

use anyhow::Result;
use migsaw::advice::advise;
use migsaw::document::advice::AdviceDocument;

use super::asking::{self, Report};
use crate::Answer;
use crate::args::AdviseArgs;
use crate::io::Io;

pub(super) fn run(mut args: AdviseArgs, io: &mut Io<'_>) -> Result<Answer> {
    let selection = asking::selection(&args.selection, args.format)?;
    args.asking.settle();
    let problem = asking::read(&args.asking, io)?;
    let advice = asking::within(&args.asking, "planning both strategies", io, |options| advise(&problem, options));
    let document = AdviceDocument::new(&problem, &advice.map_err(asking::refused)?);
    let report = Report {
        document: &document,
        text: &|style| migsaw_report::advice::text(&document, style),
        csv: &|| migsaw_report::advice::csv(&document),
        markdown: &|| migsaw_report::advice::markdown(&document),
        html: &|origin| migsaw_report::advice::html(&document, origin),
        list: &|| migsaw_report::advice::list(&document),
    };
    report.print(args.format, selection.as_ref(), io)?;
    Ok(Answer::Yes)
}
