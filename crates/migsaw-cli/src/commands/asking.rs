//! What questions about capacity have in common.

use anyhow::Result;
use migsaw::geometry::{Catalog, ProfileName};
use migsaw::plan::{Options, PlanError};
use migsaw::problem::{InputProblem, Problem, Subject};
use migsaw_report::{List, Origin, Selection, UnknownColumn};
use serde::Serialize;

use super::problem;
use crate::USAGE;
use crate::args::{AskingArgs, Format, SelectionArgs};
use crate::budget::{Deadline, heed_interrupts};
use crate::failure::{Failure, Problem as Wrong, Step};
use crate::io::Io;
use crate::output;
use crate::progress::Progress;

/// The problem of the arguments, once they are settled.
pub(super) fn read(args: &AskingArgs, io: &mut Io<'_>) -> Result<Problem> {
    let mut problem = problem::read(&args.problem, args.positional.as_deref(), io)?;
    if args.ignore_running {
        problem.forget_running();
    }
    if let Some(priority) = args.keep_priority {
        problem.keep_running(priority);
    }
    Ok(problem)
}

/// Answers within the time there is; the first Ctrl-C takes what is known by then.
pub(super) fn within<T>(args: &AskingArgs, what: &str, io: &mut Io<'_>, answer: impl FnOnce(&Options<'_>) -> T) -> T {
    if io.terminal.stderr {
        heed_interrupts();
    }
    let hint = if io.terminal.stderr { " (Ctrl-C takes what is known by then)" } else { "" };
    let progress = Progress::start(format!("{what}{hint}"), io.terminal.stderr, io.terminal.unicode);
    let deadline = Deadline::after(args.time_limit);
    let answer = answer(&Options { budget: &deadline, ..Options::default() });
    drop(progress);
    answer
}

/// What the planner refuses.
pub(super) fn refused(error: PlanError) -> anyhow::Error {
    let wrong = |(_, problem): &(Subject, InputProblem)| Wrong::new(problem.code(), problem.to_string());
    match error {
        PlanError::Invalid(found) => Failure(found.iter().map(wrong).collect()).into(),
        error => anyhow::Error::new(error).context(Step::new("internal", "planning failed")),
    }
}

/// Writes a page that says where it is from.
pub(super) type Page<'a> = &'a dyn Fn(&Origin) -> String;

/// How a report is written in each form.
pub(super) struct Report<'a, D> {
    pub(super) document: &'a D,
    pub(super) text: &'a dyn Fn(migsaw_report::Style) -> String,
    pub(super) csv: &'a dyn Fn() -> String,
    pub(super) markdown: &'a dyn Fn() -> String,
    pub(super) html: Page<'a>,
    pub(super) list: &'a dyn Fn() -> List,
}

impl<D: Serialize> Report<'_, D> {
    /// Prints the report, or of its list what is selected.
    pub(super) fn print(&self, format: Format, selection: Option<&Selection>, io: &mut Io<'_>) -> Result<()> {
        if let Some(selection) = selection {
            return list((self.list)(), selection, format, io);
        }
        match format {
            Format::Text => {
                let text = (self.text)(io.style());
                output::text(io, &text)
            }
            Format::Csv => output::text(io, &(self.csv)()),
            Format::Markdown => output::text(io, &(self.markdown)()),
            Format::Html => {
                let page = (self.html)(&io.origin());
                output::text(io, &page)
            }
            Format::Json | Format::Yaml | Format::Svg => output::document(io, self.document, format),
        }
    }
}

/// What is selected of the report's list; `None` for the report as it is.
///
/// # Errors
/// A failure if it is printed in a form that has no rows.
pub(super) fn selection(args: &SelectionArgs, format: Format) -> Result<Option<Selection>, Failure> {
    let selection = args.selection();
    if selection.is_some() && !matches!(format, Format::Text | Format::Csv | Format::Markdown) {
        let wrong = Wrong::new(
            USAGE,
            "--sort-by and --filter choose rows of a table, which -o json, yaml, html and svg are not",
        );
        return Err(wrong
            .help("give -o text, csv or markdown; a page is sorted and searched where it is opened")
            .into());
    }
    Ok(selection)
}

/// Prints what is selected of a list.
pub(super) fn list(list: List, selection: &Selection, format: Format, io: &mut Io<'_>) -> Result<()> {
    let printed = match format {
        Format::Csv => list.csv(selection),
        Format::Markdown => list.markdown(selection),
        _ => list.text(selection, io.style()),
    };
    let unknown = |error: UnknownColumn| Failure::from(Wrong::new(error.code(), error.to_string()));
    output::text(io, &printed.map_err(unknown)?)
}

/// A profile by its name.
pub(super) fn profile(text: &str) -> Result<ProfileName, Failure> {
    let name = text.trim();
    name.parse().map_err(|error: migsaw::geometry::InvalidProfileName| {
        let nearest = Catalog::builtin().nearest_profiles(name).join(", ");
        Wrong::new("invalid-profile-name", error.to_string()).help(format!("did you mean {nearest}?")).into()
    })
}
