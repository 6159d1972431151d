//! `migsaw robust`.

use anyhow::Result;
use migsaw::document::robust::RobustDocument;
use migsaw::robust::{Aim, RobustError, ScenarioError, robust};

use super::asking::{self, Report};
use super::plan::write_files;
use crate::Answer;
use crate::args::RobustArgs;
use crate::failure::{Failure, Problem as Wrong};
use crate::io::Io;
use crate::output::say;

pub(super) fn run(mut args: RobustArgs, io: &mut Io<'_>) -> Result<Answer> {
    // Nodes are cut for what may come: what runs by then is not what runs today.
    args.asking.ignore_running = true;
    let selection = asking::selection(&args.selection, args.format)?;
    let mut problem = asking::read(&args.asking, io)?;
    problem.scenarios.append(&mut args.scenarios);
    let aim = if args.worst { Aim::Worst } else { Aim::Average };
    let what = "looking for one layout for all scenarios";
    let answer = asking::within(&args.asking, what, io, |options| robust(&problem, aim, options));
    let answer = answer.map_err(|error| match error {
        RobustError::Scenarios(found) => Failure(found.iter().map(wrong).collect()).into(),
        RobustError::Plan(error) => asking::refused(error),
        error => anyhow::Error::new(error),
    })?;
    let document = RobustDocument::new(&answer);
    if let Some(folder) = &args.out {
        // A layout that serves nothing would switch MIG off everywhere: nothing to hand out.
        if answer.ours().served.iter().flatten().any(|&units| units > 0) {
            write_files(folder, &answer.layout.problem, &answer.layout.plan, io)?;
        } else {
            say(io, &format!("nothing was written to `{}`: the layout serves nothing", folder.display()));
        }
    }
    let report = Report {
        document: &document,
        text: &|style| migsaw_report::robust::text(&document, style),
        csv: &|| migsaw_report::robust::csv(&document),
        markdown: &|| migsaw_report::robust::markdown(&document),
        html: &|origin| migsaw_report::robust::html(&document, origin),
        list: &|| migsaw_report::robust::list(&document),
    };
    report.print(args.format, selection.as_ref(), io)?;
    Ok(Answer::yes_if(answer.serves_all()))
}

fn wrong(error: &ScenarioError) -> Wrong {
    let wrong = Wrong::new(error.code(), error.to_string());
    match error {
        ScenarioError::None => wrong.help("give `scenarios` in the file, or --scenario NAME=WEIGHT:DEMAND=CHANGE"),
        _ => wrong,
    }
}
