//! Says of which model and profile an error of form is.
//!
//! The parser knows the line and ends at the first error. Reading the models one by one finds the names,
//! and what else is wrong.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{FileModel, FilePlacement, FileProfile, GeometryProblem};

/// What is wrong with a text that is no geometry file, of which the parser says `error`.
pub(super) fn problems(text: &str, is_json: bool, error: String) -> Vec<GeometryProblem> {
    let tree: Option<Value> = if is_json { serde_json::from_str(text).ok() } else { serde_saphyr::from_str(text).ok() };
    let models = match tree {
        Some(Value::Object(file)) => file.get("models").and_then(Value::as_array).cloned().unwrap_or_default(),
        Some(other) => {
            let what = format!("expected a map with the list `models`, found {}", kind(&other));
            return vec![GeometryProblem::Syntax(what)];
        }
        None => Vec::new(),
    };
    let mut found = Vec::new();
    for (i, model) in models.into_iter().enumerate() {
        of_model(i, model, &mut found);
    }
    match &mut found[..] {
        [] => return vec![GeometryProblem::Syntax(error)],
        // The parser's place is that of the only problem.
        [GeometryProblem::Model { what, .. }] => *what = format!("{what}{}", place(&error)),
        _ => {}
    }
    found
}

fn of_model(i: usize, mut model: Value, found: &mut Vec<GeometryProblem>) {
    let name = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let id = name(&model, "id").filter(|id| !id.is_empty()).unwrap_or_else(|| format!("model {}", i + 1));
    let mut wrong = |what: String| found.push(GeometryProblem::Model { at: id.clone(), what });
    if let Some(Value::Array(profiles)) = model.get_mut("profiles") {
        for (i, mut profile) in std::mem::take(profiles).into_iter().enumerate() {
            let called = name(&profile, "name").unwrap_or_else(|| format!("{}", i + 1));
            if let Some(Value::Array(placements)) = profile.get_mut("placements") {
                for placement in std::mem::take(placements) {
                    check::<FilePlacement>(placement, &format!("a placement of {called}"), &mut wrong);
                }
            }
            check::<FileProfile>(profile, &format!("profile {called}"), &mut wrong);
        }
    }
    check::<FileModel>(model, "", &mut wrong);
}

fn check<T: DeserializeOwned>(value: Value, at: &str, wrong: &mut impl FnMut(String)) {
    if let Err(error) = serde_json::from_value::<T>(value) {
        let said = worded(&error.to_string());
        wrong(if at.is_empty() { said } else { format!("{at}: {said}") });
    }
}

/// The parser's words for types, as people say them.
fn worded(error: &str) -> String {
    let mut words = Vec::new();
    let mut rest = error.split(' ').peekable();
    while let Some(word) = rest.next() {
        match word {
            "u8" => words.push("a whole number from 0 to 255"),
            "u16" => words.push("a whole number from 0 to 65535"),
            "u32" => words.push("a whole number from 0 to 4294967295"),
            "struct" if rest.peek().is_some_and(|name| name.starts_with("File")) => {
                rest.next();
                words.push("a map");
            }
            word => words.push(word),
        }
    }
    words.join(" ")
}

/// ` (line 3)`, if the parser says where.
fn place(error: &str) -> String {
    let line = error.rsplit("line ").next().unwrap_or_default();
    let digits: String = line.chars().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() || !error.contains("line ") { String::new() } else { format!(" (line {digits})") }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
