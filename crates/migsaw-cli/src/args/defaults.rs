//! A command's arguments from a file: they stand where its built-in defaults do, so that flags and environment go
//! before them.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::Deserialize;

use crate::failure::{Failure, Problem};

const CONFIG: &str = "config";

/// A value of the file; lists are for arguments that may be there several times.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Value {
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<String>),
}

impl Value {
    fn texts(self) -> Vec<String> {
        match self {
            Value::Bool(value) => vec![value.to_string()],
            Value::Number(value) => vec![value.to_string()],
            Value::Text(value) => vec![value],
            Value::List(values) => values,
        }
    }
}

/// The definition of the command line with the defaults of the file that these arguments name for `subcommand`.
///
/// # Errors
/// If the file cannot be read, or has a key that is no argument.
pub(crate) fn from_file(
    command: clap::Command,
    subcommand: &'static str,
    args: &[OsString],
) -> Result<clap::Command, Failure> {
    let Some(found) = command.find_subcommand(subcommand) else { return Ok(command) };
    if !args.iter().any(|arg| arg == subcommand) {
        return Ok(command);
    }
    let env =
        found.get_arguments().find(|arg| arg.get_id() == CONFIG).and_then(|arg| arg.get_env()).map(OsString::from);
    let Some(path) = named(args).or_else(|| env.and_then(std::env::var_os)) else { return Ok(command) };
    let file = path.to_string_lossy().into_owned();
    let problem = |message: String| Problem::new("config-file", message).in_file(&file);
    let text = std::fs::read_to_string(&path).map_err(|error| problem(format!("cannot be read: {error}")))?;
    let values: BTreeMap<String, Value> =
        serde_saphyr::from_str(&text).map_err(|error| problem(format!("is no map of arguments: {error}")))?;
    let known: Vec<String> = found.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    let mut defaults = Vec::new();
    let mut problems = Vec::new();
    for (key, value) in values {
        let id = snake_case(&key);
        if known.contains(&id) && id != CONFIG {
            defaults.push((id, value.texts()));
        } else {
            let names: Vec<String> = known.iter().filter(|id| *id != CONFIG).map(|id| camel_case(id)).collect();
            problems.push(problem(format!("`{key}` is no argument (known are {})", names.join(", "))));
        }
    }
    if !problems.is_empty() {
        return Err(Failure(problems));
    }
    Ok(command.mut_subcommand(subcommand, |command| {
        defaults
            .into_iter()
            .fold(command, |command, (id, values)| command.mut_arg(id, |arg| arg.default_values(values)))
    }))
}

/// The file that `--config FILE` or `--config=FILE` names.
fn named(args: &[OsString]) -> Option<OsString> {
    args.iter().enumerate().find_map(|(i, arg)| match arg.to_str()?.strip_prefix("--config")? {
        "" => args.get(i + 1).cloned(),
        rest => rest.strip_prefix('=').map(OsString::from),
    })
}

fn snake_case(key: &str) -> String {
    let mut snake = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn camel_case(id: &str) -> String {
    let mut words = id.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |camel, word| {
        let mut letters = word.chars();
        let capital = letters.next().map(|c| c.to_ascii_uppercase());
        camel + &capital.into_iter().chain(letters).collect::<String>()
    })
}
