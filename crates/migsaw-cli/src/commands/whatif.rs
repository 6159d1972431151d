//! `migsaw whatif`.

use anyhow::Result;
use migsaw::document::whatif::WhatIfDocument;
use migsaw::whatif::{WhatIfError, what_if};

use super::asking::{self, Report};
use crate::Answer;
use crate::args::WhatIfArgs;
use crate::failure::{Failure, Problem as Wrong};
use crate::io::Io;

pub(super) fn run(mut args: WhatIfArgs, io: &mut Io<'_>) -> Result<Answer> {
    let changes = &args.changes.0;
    if changes.is_empty() {
        let wrong = Wrong::new("no-changes", "there is nothing to change");
        let help = "give --add-nodes, --remove-node, --remove-nodes, --scale or --strategy";
        return Err(Failure::from(wrong.help(help)).into());
    }
    let selection = asking::selection(&args.selection, args.format)?;
    args.asking.settle();
    let problem = asking::read(&args.asking, io)?;
    let answer =
        asking::within(&args.asking, "planning before and after", io, |options| what_if(&problem, changes, options));
    let answer = answer.map_err(|error| match error {
        WhatIfError::Changes(found) => {
            Failure(found.iter().map(|error| Wrong::new(error.code(), error.to_string())).collect()).into()
        }
        WhatIfError::Plan(error) => asking::refused(error),
        error => anyhow::Error::new(error),
    })?;
    let document = WhatIfDocument::new(changes, &answer);
    let report = Report {
        document: &document,
        text: &|style| migsaw_report::whatif::text(&document, style),
        csv: &|| migsaw_report::whatif::csv(&document),
        markdown: &|| migsaw_report::whatif::markdown(&document),
        html: &|origin| migsaw_report::whatif::html(&document, origin),
        list: &|| migsaw_report::whatif::list(&document),
    };
    report.print(args.format, selection.as_ref(), io)?;
    Ok(Answer::yes_if(document.after.served == document.after.asked))
}
