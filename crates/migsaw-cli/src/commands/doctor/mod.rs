//! `migsaw doctor`: asks an extender as kube-scheduler would, and reads the scheduler's configuration.

mod config;
mod refused;
mod tls;
mod verbs;

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use migsaw_report::{Style, Tone, clean};
use serde::Serialize;

use crate::Answer;
use crate::args::{DoctorArgs, Format};
use crate::cluster::install_tls;
use crate::failure::Step;
use crate::io::Io;
use crate::output;

/// What was looked at, and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    verdict: Verdict,
    /// What was looked at, in few words.
    about: &'static str,
    /// How it is.
    found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warning,
    Problem,
}

impl Finding {
    pub(super) fn ok(about: &'static str, found: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Ok, about, found: found.into(), help: None }
    }

    pub(super) fn warning(about: &'static str, found: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Warning, about, found: found.into(), help: Some(help.into()) }
    }

    pub(super) fn problem(about: &'static str, found: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Problem, about, found: found.into(), help: Some(help.into()) }
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    api_version: &'static str,
    kind: &'static str,
    findings: Vec<Finding>,
}

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs, io: &mut Io<'_>) -> Result<Answer> {
    let mut findings = Vec::new();
    let mut entry = None;
    install_tls();
    if let Some(path) = &args.scheduler_config {
        let (found, of_url) = config::check(path, args.url.as_deref(), io)?;
        findings.extend(found);
        entry = of_url;
    }
    if let Some(url) = &args.url {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context(Step::new("internal", "cannot start a thread"))?;
        findings.extend(runtime.block_on(verbs::check(url, args, entry.as_ref()))?);
    }
    let problems = findings.iter().filter(|finding| finding.verdict == Verdict::Problem).count();
    match args.format {
        Format::Text => {
            let style = io.style();
            output::text(io, &text(&findings, problems, style))?;
        }
        format => {
            let report = Report { api_version: migsaw::document::API_VERSION, kind: "Doctor", findings };
            output::document(io, &report, format)?;
        }
    }
    Ok(Answer::yes_if(problems == 0))
}

fn text(findings: &[Finding], problems: usize, style: Style) -> String {
    let answer = match problems {
        0 => style.paint(Tone::Good, "everything that was looked at is as it should be"),
        1 => style.paint(Tone::Bad, "1 problem"),
        n => style.paint(Tone::Bad, format!("{n} problems")),
    };
    let mut text = format!("{answer}\n\n");
    for Finding { verdict, about, found, help } in findings {
        let (word, tone) = match verdict {
            Verdict::Ok => ("ok     ", Tone::Good),
            Verdict::Warning => ("warning", Tone::Warn),
            Verdict::Problem => ("problem", Tone::Bad),
        };
        let _ = writeln!(text, "{}  {about}: {}", style.paint(tone, word), clean(found));
        if let Some(help) = help {
            let _ = writeln!(text, "         {}", style.paint(Tone::Faint, clean(help)));
        }
    }
    text
}
