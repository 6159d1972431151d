//! `migsaw check`.

use std::path::PathBuf;

use anyhow::Result;
use migsaw::check;
use migsaw::document::plan::PlanDocument;
use migsaw::document::{API_VERSION, Diagnostics};
use migsaw::problem::Problem;
use migsaw_report::violations::{self, Finding};
use serde::Serialize;

use super::problem;
use crate::args::{CheckArgs, Format};
use crate::failure::{Failure, Problem as Wrong};
use crate::input::{self, diagnosed, is_stdin};
use crate::io::Io;
use crate::{Answer, output};

/// Largest plan that is read: every node of the largest fleet by name.
pub(super) const MOST_BYTES: u64 = 4 << 30;

/// The checker's verdict, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict<'a> {
    api_version: &'static str,
    kind: &'static str,
    right: bool,
    violations: Vec<Violation<'a>>,
}

#[derive(Serialize)]
struct Violation<'a> {
    code: &'a str,
    message: &'a str,
}

pub(super) fn run(mut args: CheckArgs, io: &mut Io<'_>) -> Result<Answer> {
    // `--from a.json b.json plan.json` takes the plan for a dump, and `--dcgm a.txt plan.json` for metrics.
    let (from, dcgm) = (&mut args.problem.from, &mut args.problem.dcgm);
    let swallowed = || [dcgm, from].into_iter().find(|paths| paths.len() > 1)?.pop();
    let Some(path): Option<PathBuf> = args.plan.take().or_else(swallowed) else {
        let wrong = Wrong::new("no-input", "there is no plan to check");
        return Err(Failure::from(wrong.help("migsaw check -f scenario.yaml plan.json")).into());
    };
    let read = args.problem.scenario.iter().chain(&args.problem.from).chain(&args.problem.dcgm).chain([&path]);
    if read.filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::from(problem::stdin_twice()).into());
    }
    let problem = problem::read(&args.problem, None, io)?;
    let input = input::read(&path, "plan", MOST_BYTES, io)?;
    let text = input.text()?;
    let document = PlanDocument::parse(text).map_err(|found| diagnosed(&found, &input.name, text))?;
    let found = findings(&problem, &document);
    match args.format {
        Format::Text => output::text(io, &violations::text(&found, io.style()))?,
        format => {
            let violations = found.iter().map(|f| Violation { code: &f.code, message: &f.message }).collect();
            let verdict = Verdict { api_version: API_VERSION, kind: "Verdict", right: found.is_empty(), violations };
            output::document(io, &verdict, format)?;
        }
    }
    Ok(Answer::yes_if(found.is_empty()))
}

/// Where the plan does not go with the problem; if it does, where it is not right, and where the document
/// says something else than the plan.
fn findings(problem: &Problem, document: &PlanDocument) -> Vec<Finding> {
    let of = |found: &Diagnostics| {
        found.iter().map(|d| Finding { code: d.code.to_owned(), message: d.to_string() }).collect::<Vec<Finding>>()
    };
    let plan = match document.to_plan(problem) {
        Ok(plan) => plan,
        Err(mismatches) => return of(&mismatches),
    };
    let violations = check::check(problem, &plan);
    violations
        .iter()
        .map(|violation| Finding { code: violation.code().to_owned(), message: violation.to_string() })
        .chain(of(&document.contradictions(problem, &plan)))
        .collect()
}
