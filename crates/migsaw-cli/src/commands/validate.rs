//! `migsaw validate`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use migsaw::document::API_VERSION;
use migsaw::geometry::{Catalog, Model};
use migsaw_kube::mig_parted::{Config, ConfigErrors, EntryReport, Finding, Report, validate};
use migsaw_report::{Page, Style, Tone, clean, counted};
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
    judged: bool,
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
    if is_blank(&input.bytes) {
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

/// Whether there is nothing in a file but comments.
fn is_blank(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.all(|line| line.is_empty() || line.starts_with(b"#") || line == b"---")
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
    let lines: Vec<&str> = std::str::from_utf8(&input.bytes).unwrap_or_default().lines().collect();
    let problem = |error: &migsaw_kube::mig_parted::ConfigError| {
        Wrong::new(error.code(), error.problem.to_string()).in_file(&input.name).at_line_of(&lines, error.line, 0)
    };
    Failure(errors.0.iter().map(problem).collect())
}

fn document(report: &Report) -> Validation<'_> {
    Validation {
        api_version: API_VERSION,
        kind: "Validation",
        valid: report.is_valid(),
        configs: report.entries.iter().map(config_verdict).collect(),
    }
}

fn config_verdict(entry: &EntryReport) -> ConfigVerdict<'_> {
    let finding = |f| {
        let f: &Finding = f;
        FindingVerdict {
            severity: severity(f),
            code: f.kind.code(),
            model: f.model.as_deref(),
            line: f.line,
            message: f.kind.to_string(),
        }
    };
    ConfigVerdict {
        name: &entry.name,
        line: entry.line,
        valid: entry.is_valid(),
        judged: entry.is_judged,
        models: &entry.models,
        models_assumed: entry.models_assumed,
        findings: entry.findings.iter().map(finding).collect(),
    }
}

fn severity(finding: &Finding) -> &'static str {
    if finding.kind.is_error() { "error" } else { "warning" }
}

/// The verdict in line one, then every entry.
fn text(report: &Report, style: Style) -> String {
    let mut page = Page::new(style);
    page.line(headline(report, style));
    page.line("");
    for entry in &report.entries {
        let (tone, mark) = match (entry.is_valid(), entry.is_judged) {
            (false, _) => (Tone::Bad, "wrong"),
            (true, false) => (Tone::Warn, "?"),
            (true, true) => (Tone::Good, "ok"),
        };
        let place = if entry.line > 0 { format!(" (line {})", entry.line) } else { String::new() };
        let name = format!("{}{place}  {}", clean(&entry.name), on(entry));
        page.wrapped_behind(&format!("{}  ", style.paint(tone, format!("{mark:6}"))), INDENT, name.trim_end(), INDENT);
        for (finding, models) in by_message(&entry.findings) {
            let tone = if finding.kind.is_error() { Tone::Bad } else { Tone::Warn };
            let label = format!("{}[{}]:", severity(finding), finding.kind.code());
            let elsewhere = finding.line > 0 && finding.line != entry.line;
            let place = if elsewhere { format!("line {}: ", finding.line) } else { String::new() };
            let message = finding.kind.to_string();
            // Where a message is about what one model has, it names the model.
            let models = match models[..] {
                [] => String::new(),
                [model] if message.contains(model) => String::new(),
                _ => format!("on {}: ", models.join(", ")),
            };
            let message = format!("{place}{}{}", clean(&models), clean(&message));
            let width = INDENT + label.chars().count() + 1;
            let label = format!("{:INDENT$}{} ", "", style.paint(tone, label));
            page.wrapped_behind(&label, width, &message, INDENT + 2);
        }
    }
    if report.entries.iter().any(|entry| entry.models_assumed) {
        let note = "* without a device filter, so judged on every model that has its profiles (--model names others)";
        page.line(style.paint(Tone::Faint, note));
    }
    page.finish()
}

/// Where findings begin on the screen, in characters.
const INDENT: usize = 8;

fn headline(report: &Report, style: Style) -> String {
    let entries = &report.entries;
    let wrong = entries.iter().filter(|entry| !entry.is_valid()).count();
    let not_judged = entries.iter().filter(|entry| entry.is_valid() && !entry.is_judged).count();
    let right = entries.len() - wrong - not_judged;
    let all = counted(entries.len() as u64, "configuration");
    let aside = if not_judged == 0 { String::new() } else { format!(", {not_judged} could not be judged") };
    match (right, wrong, not_judged) {
        (0, 0, 0) => style.paint(Tone::Good, "there is no configuration"),
        (1, 0, 0) => style.paint(Tone::Good, "the configuration can be created"),
        (_, 0, 0) => style.paint(Tone::Good, format!("all {all} can be created")),
        (0, 0, 1) => style.paint(Tone::Bad, "the configuration could not be judged"),
        (0, 0, _) => style.paint(Tone::Bad, format!("none of {all} could be judged")),
        (_, 0, _) => style.paint(Tone::Warn, format!("{right} of {all} can be created{aside}")),
        _ => style.paint(Tone::Bad, format!("{wrong} of {all} cannot be created{aside}")),
    }
}

/// Findings in their order, what is said of several models once.
fn by_message(findings: &[Finding]) -> Vec<(&Finding, Vec<&str>)> {
    let mut found: Vec<(&Finding, Vec<&str>)> = Vec::new();
    let mut places: HashMap<(u64, String), usize> = HashMap::new();
    for finding in findings {
        let place = *places.entry((finding.line, finding.kind.to_string())).or_insert_with(|| {
            found.push((finding, Vec::new()));
            found.len() - 1
        });
        found[place].1.extend(finding.model.as_deref());
    }
    found
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
