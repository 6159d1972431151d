//! Whether a document has the form its schema describes: every deviation, with its place.
//!
//! The published schema is what is checked against, so that the two cannot differ. It understands what
//! `schemars` derives for our own types, not all of JSON Schema.

use serde_json::Value as Json;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::node::{Node, Value};
use super::path::Path;
use super::{code, shortened};
use crate::geometry::nearest;

/// Everything in which `node` differs from the form.
pub(super) fn check(schema: &Json, node: &Node, path: &Path, found: &mut Diagnostics) {
    Checker { root: schema, found }.check(schema, node, path);
}

struct Checker<'a> {
    root: &'a Json,
    found: &'a mut Diagnostics,
}

impl<'a> Checker<'a> {
    fn check(&mut self, schema: &'a Json, node: &Node, path: &Path) {
        let branches = self.branches(schema);
        if let Some(words) = words(&branches) {
            return self.check_word(&words, node, path);
        }
        let Some(branch) = branches.iter().find(|branch| has_type(branch, &node.value)) else {
            return self.wrong_type(&branches, node, path);
        };
        match &node.value {
            Value::Map(_) => self.check_map(branch, node, path),
            Value::List(items) => {
                if items.is_empty() && branch["minItems"].as_u64().is_some_and(|least| least > 0) {
                    self.add(code::EMPTY_LIST, node, path, "the list must not be empty");
                }
                if branch["items"].is_object() {
                    for (i, item) in items.iter().enumerate() {
                        self.check(&branch["items"], item, &path.index(i));
                    }
                }
            }
            Value::Whole(value) => self.check_range(branch, *value, node, path),
            _ => {}
        }
    }

    /// The alternatives of a schema, references followed.
    fn branches(&self, schema: &'a Json) -> Vec<&'a Json> {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return target.map_or_else(Vec::new, |target| self.branches(target));
        }
        match schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
            Some(alternatives) => alternatives.iter().flat_map(|alternative| self.branches(alternative)).collect(),
            None => vec![schema],
        }
    }

    fn check_map(&mut self, schema: &'a Json, node: &Node, path: &Path) {
        let Value::Map(entries) = &node.value else { return };
        let properties = schema["properties"].as_object();
        for (key, value) in entries {
            let inner = path.key(&key.text);
            match properties.and_then(|p| p.get(&key.text)) {
                Some(_) if matches!(value.value, Value::Null) => {}
                Some(property) => self.check(property, value, &inner),
                None if schema["additionalProperties"].is_object() => {
                    self.check(&schema["additionalProperties"], value, &inner);
                }
                None if properties.is_some() => {
                    let known: Vec<String> = properties.into_iter().flat_map(|p| p.keys().cloned()).collect();
                    let mut diagnostic = Diagnostic::new(code::UNKNOWN_FIELD, inner, unknown_field(&key.text, &known));
                    diagnostic.position = key.position();
                    self.found.push(diagnostic.help(format!("the fields are {}", known.join(", "))));
                }
                None => {}
            }
        }
        if entries.is_empty() && schema["minProperties"].as_u64().is_some_and(|least| least > 0) {
            self.add(code::EMPTY_LIST, node, path, "the map must not be empty");
        }
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if node.get(required).is_none() {
                self.add(code::MISSING_FIELD, node, path, &format!("the field `{required}` is missing"));
            }
        }
    }

    fn check_range(&mut self, schema: &Json, value: i128, node: &Node, path: &Path) {
        let (least, most) = range(schema);
        if value < least || value > most {
            self.add(code::OUT_OF_RANGE, node, path, &format!("{value} is out of range, expected {least} to {most}"));
        }
    }

    fn check_word(&mut self, words: &[&str], node: &Node, path: &Path) {
        let expected = words.join(", ");
        match node.text() {
            Some(text) if words.contains(&text) => {}
            Some(text) => {
                let message = format!("`{}` is not known here (expected one of: {expected})", shortened(text));
                self.add(code::UNKNOWN_VALUE, node, path, &message);
            }
            None => {
                let message = format!("expected one of {expected}, found {}", describe(&node.value));
                self.add(code::WRONG_TYPE, node, path, &message);
            }
        }
    }

    fn wrong_type(&mut self, branches: &[&Json], node: &Node, path: &Path) {
        // YAML's largest whole numbers are read as floats.
        let whole = branches.iter().find(|branch| types(branch).contains(&"integer"));
        if let (Value::Number(value), Some(schema)) = (&node.value, whole)
            && value.is_finite()
            && value.abs() >= LARGE
        {
            let (least, most) = range(schema);
            let message = format!("{value:e} is out of range, expected {least} to {most}");
            return self.add(code::OUT_OF_RANGE, node, path, &message);
        }
        let mut expected: Vec<&str> = branches.iter().flat_map(|branch| types(branch)).filter_map(noun).collect();
        expected.dedup();
        let message = format!("expected {}, found {}", expected.join(" or "), describe(&node.value));
        let mut diagnostic = Diagnostic::new(code::WRONG_TYPE, path.clone(), message);
        diagnostic.position = node.position();
        let wants = |name: &str| branches.iter().any(|branch| types(branch).contains(&name));
        diagnostic.help = match &node.value {
            // What is no number in quotes is none either.
            Value::Number(value) if !value.is_finite() => None,
            Value::Whole(_) | Value::Number(_) | Value::Bool(_) if wants("string") => {
                Some(format!("put it in quotes: \"{}\"", literal(&node.value)))
            }
            Value::Text(text) if wants("integer") && text.parse::<i64>().is_ok() => {
                Some(format!("write it without quotes: {text}"))
            }
            _ => None,
        };
        self.found.push(diagnostic);
    }

    fn add(&mut self, code: &'static str, node: &Node, path: &Path, message: &str) {
        let mut diagnostic = Diagnostic::new(code, path.clone(), message);
        diagnostic.position = node.position();
        self.found.push(diagnostic);
    }
}

/// The words of an enumeration, or `None` if it is something else.
fn words<'a>(branches: &[&'a Json]) -> Option<Vec<&'a str>> {
    let mut words = Vec::new();
    for branch in branches.iter().filter(|branch| types(branch) != ["null"]) {
        if let Some(word) = branch["const"].as_str() {
            words.push(word);
        } else {
            words.extend(branch["enum"].as_array()?.iter().filter_map(Json::as_str));
        }
    }
    (!words.is_empty()).then_some(words)
}

fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(name) => vec![name],
        Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn has_type(schema: &Json, value: &Value) -> bool {
    let types = types(schema);
    let any = |names: &[&str]| names.iter().any(|name| types.contains(name));
    types.is_empty()
        || match value {
            Value::Null => any(&["null"]),
            Value::Bool(_) => any(&["boolean"]),
            Value::Whole(_) => any(&["integer", "number"]),
            Value::Number(number) => number.is_finite() && any(&["number"]),
            Value::Text(_) => any(&["string"]),
            Value::List(_) => any(&["array"]),
            Value::Map(_) => any(&["object"]),
        }
}

fn noun(name: &str) -> Option<&'static str> {
    match name {
        "boolean" => Some("true or false"),
        "integer" => Some("a whole number"),
        "number" => Some("a number"),
        "string" => Some("a text"),
        "array" => Some("a list"),
        "object" => Some("a map"),
        _ => None,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Whole(_) | Value::Number(_) => literal(value),
        Value::Text(text) => format!("the text `{}`", shortened(text)),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Whole(value) => value.to_string(),
        Value::Number(value) => format!("{value:?}"),
        _ => String::new(),
    }
}

/// From a float of this size on there is no whole number that fits any field.
const LARGE: f64 = 18_446_744_073_709_551_616.0;

/// The least and the most of a whole number.
fn range(schema: &Json) -> (i128, i128) {
    let bound = |key: &str| schema[key].as_i64().map(i128::from).or_else(|| schema[key].as_u64().map(i128::from));
    let (format_least, format_most) = format_bounds(schema["format"].as_str().unwrap_or_default());
    (bound("minimum").unwrap_or(format_least), bound("maximum").unwrap_or(format_most))
}

/// What the format of a whole number says about its range; `schemars` leaves it out for the largest.
fn format_bounds(format: &str) -> (i128, i128) {
    match format {
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint64" => (0, u64::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" => (i64::MIN.into(), i64::MAX.into()),
        _ => (i128::MIN, i128::MAX),
    }
}

fn unknown_field(key: &str, known: &[String]) -> String {
    let key = shortened(key);
    let close = |candidate: &&String| {
        strsim::damerau_levenshtein(&key.to_lowercase(), &candidate.to_lowercase()) <= 1 + candidate.len() / 4
    };
    match nearest(&key, known.iter().cloned()).iter().find(close) {
        Some(candidate) => format!("there is no field `{key}` here; did you mean `{candidate}`?"),
        None => format!("there is no field `{key}` here"),
    }
}
