//! `migsaw validate`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use migsaw::document::API_VERSION;
use migsaw::geometry::{Catalog, Model};
use migsaw_kube::mig_parted::{Config, ConfigErrors, EntryReport, Finding, Report, validate};
use migsaw_report::{Style, Tone, clean, counted};
use serde::Serialize;

use super::problem;
use crate::args::{Format, ValidateArgs};
use crate::failure::{Failure, Problem as Wrong};
use crate::input::{self, Input};
use crate::io::Io;
use crate::{Answer, output};

/// Largest file that is read: several times what a ConfigMap can hold.
const MOST_BYTES: u64 = 16 << 20;

/// The verdict on a mig-parted file, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Validation<'a> {
    api_version: &'static str,
    kind: &'static str,
    valid: bool,
    configs: Vec<ConfigVerdict<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigVerdict<'a> {
    name: &'a str,
    line: u64,
    valid: bool,
    models: &'a [String],
    models_assumed: bool,
    findings: Vec<FindingVerdict<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FindingVerdict<'a> {
    severity: &'static str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    line: u64,
    message: String,
}

pub(super) fn run(mut args: ValidateArgs, io: &mut Io<'_>) -> Result<Answer> {
    // `--model A100 H100 config.yaml` takes the file for a model.
    let swallowed = || if args.model.len() > 1 { args.model.pop().map(PathBuf::from) } else { None };
    let Some(path) = args.config.take().or_else(swallowed) else {
        let wrong = Wrong::new("no-input", "there is no file to validate");
        return Err(Failure::from(wrong.help("migsaw validate config.yaml --model A100-80GB")).into());
    };
    let catalog = problem::catalog(&args.geometry, io)?;
    let models = models(&args.model, &catalog)?;
    let input = input::read(&path, "configuration", MOST_BYTES, io)?;
    if input.bytes.trim_ascii().is_empty() {
        let wrong = Wrong::new("empty-file", "the file is empty (expected `version: v1` and `mig-configs`)");
        return Err(Failure::from(wrong.in_file(&input.name)).into());
    }
    let config = Config::read(&input.bytes).map_err(|errors| wrong(&errors, &input))?;
    let report = validate(&config, &catalog, models.as_deref());
    match args.format {
        Format::Text => output::text(io, &text(&report, io.style()))?,
        format => output::document(io, &document(&report), format)?,
    }
    Ok(Answer::yes_if(report.is_valid()))
}

fn models(names: &[String], catalog: &Catalog) -> Result<Option<Vec<Arc<Model>>>, Failure> {
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for name in names {
        match problem::model(catalog, name) {
            Ok(model) => found.push(model),
            Err(failure) => wrong.extend(failure.0),
        }
    }
    if !wrong.is_empty() {
        return Err(Failure(wrong));
    }
    Ok(if found.is_empty() { None } else { Some(found) })
}

fn wrong(errors: &ConfigErrors, input: &Input) -> Failure {
    let text = std::str::from_utf8(&input.bytes).unwrap_or_default();
    let problem = |error: &migsaw_kube::mig_parted::ConfigError| {
        Wrong::new(error.code(), error.problem.to_string()).in_file(&input.name).at(text, error.line, 0)
    };
    Failure(errors.0.iter().map(problem).collect())
}

fn document(report: &Report) -> Validation<'_> {
    let finding = |f: &'_ Finding| FindingVerdict {
        severity: severity(f),
        code: f.kind.code(),
        model: None,
        line: f.line,
        message: f.kind.to_string(),
    };
    let config = |entry| {
        let entry: &EntryReport = entry;
        ConfigVerdict {
            name: &entry.name,
            line: entry.line,
            valid: entry.is_valid(),
            models: &entry.models,
            models_assumed: entry.models_assumed,
            findings: entry
                .findings
                .iter()
                .map(|f| FindingVerdict { model: f.model.as_deref(), ..finding(f) })
                .collect(),
        }
    };
    Validation {
        api_version: API_VERSION,
        kind: "Validation",
        valid: report.is_valid(),
        configs: report.entries.iter().map(config).collect(),
    }
}

fn severity(finding: &Finding) -> &'static str {
    if finding.kind.is_error() { "error" } else { "warning" }
}

/// The verdict in line one, then every entry.
fn text(report: &Report, style: Style) -> String {
    let wrong = report.entries.iter().filter(|entry| !entry.is_valid()).count() as u64;
    let all = counted(report.entries.len() as u64, "configuration");
    let mut lines = vec![if wrong == 0 {
        style.paint(
            Tone::Good,
            if report.entries.len() == 1 {
                "the configuration can be created".to_owned()
            } else {
                format!("all {all} can be created")
            },
        )
    } else {
        style.paint(Tone::Bad, format!("{wrong} of {all} cannot be created"))
    }];
    lines.push(String::new());
    for entry in &report.entries {
        let mark = if entry.is_valid() { style.paint(Tone::Good, "ok    ") } else { style.paint(Tone::Bad, "wrong ") };
        let place = if entry.line > 0 { format!(" (line {})", entry.line) } else { String::new() };
        lines.push(format!("{mark}  {}{place}  {}", clean(&entry.name), on(entry)));
        for finding in &entry.findings {
            let tone = if finding.kind.is_error() { Tone::Bad } else { Tone::Warn };
            let label = style.paint(tone, format!("{}[{}]", severity(finding), finding.kind.code()));
            let place = if finding.line > 0 && finding.line != entry.line {
                format!("line {}: ", finding.line)
            } else {
                String::new()
            };
            lines.push(format!("          {label}: {place}{}", clean(&finding.to_string())));
        }
    }
    if report.entries.iter().any(|entry| entry.models_assumed) {
        let note = "* without a device filter, so judged on every model that has its profiles (--model names others)";
        lines.push(style.paint(Tone::Faint, note));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// On what an entry was judged.
fn on(entry: &EntryReport) -> String {
    /// Most models named.
    const MOST: usize = 4;
    if entry.models.is_empty() {
        return String::new();
    }
    let mut names = entry.models.iter().take(MOST).map(|name| clean(name).into_owned()).collect::<Vec<_>>().join(", ");
    if entry.models.len() > MOST {
        names = format!("{names} and {} more", entry.models.len() - MOST);
    }
    format!("on {names}{}", if entry.models_assumed { " *" } else { "" })
}
