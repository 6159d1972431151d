//! `migsaw diff`.

use anyhow::Result;
use migsaw::document::diff::DiffDocument;
use migsaw::document::plan as document;
use migsaw::plan::Plan;
use migsaw::problem::Problem;

use super::check::MOST_BYTES;
use super::plan::{self, Solved};
use crate::args::{DiffArgs, Format, TargetArgs};
use crate::failure::Problem as Wrong;
use crate::input::{self, diagnosed};
use crate::io::Io;
use crate::{Answer, output};

pub(super) fn run(args: &DiffArgs, io: &mut Io<'_>) -> Result<Answer> {
    let problem = plan::read(&args.target.planning, true, io)?;
    let plan = given_or_best(&problem, &args.target, io)?;
    match args.format {
        Format::Text => output::text(io, &migsaw_report::diff::text(&problem, &plan, io.style()))?,
        format => output::document(io, &DiffDocument::new(&problem, &plan), format)?,
    }
    Ok(Answer::yes_if(plan.changes(&problem).iter().all(migsaw::plan::NodeChange::is_none)))
}

/// The plan that was given, or the best one.
pub(super) fn given_or_best(problem: &Problem, target: &TargetArgs, io: &mut Io<'_>) -> Result<Plan> {
    let Some(path) = &target.plan else {
        let Solved { plan, .. } = plan::solve(problem, &target.planning, io)?;
        return Ok(plan);
    };
    let input = input::read(path, "plan", MOST_BYTES, io)?;
    let text = input.text()?;
    let (_, plan) = document::read(text, problem).map_err(|found| diagnosed(&found, &input.name, text))?;
    plan::refuse_if_wrong(problem, &plan, |violation| {
        Wrong::new(violation.code(), violation.to_string()).in_file(&input.name)
    })?;
    Ok(plan)
}
