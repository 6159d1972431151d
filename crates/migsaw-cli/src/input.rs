//! Reading files, folders and stdin.

use std::fs::{self, File};
use std::io::{Read, Take};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use migsaw::document::text_of;

use crate::failure::{Failure, Problem, Step};
use crate::fetch;
use crate::io::Io;
use crate::read::Read as WasRead;

/// A file's content and what it is called in errors.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Reads a file, or stdin for `-`, of at most `most` bytes. `what` names it in errors.
pub(crate) fn read(path: &Path, what: &str, most: u64, io: &mut Io<'_>) -> Result<Input> {
    let mut bytes = Vec::new();
    let name = stream(path, what, most, |_, from| from.read_to_end(&mut bytes).map(drop), io)?;
    Ok(Input { name, bytes })
}

/// The same for whoever takes it, with its name, while it is read. Returns the name.
pub(crate) fn stream(
    path: &Path,
    what: &str,
    most: u64,
    take: impl FnOnce(&str, &mut dyn Read) -> std::io::Result<()>,
    io: &mut Io<'_>,
) -> Result<String> {
    // What was meant to be an address may have a password.
    let shown = || fetch::without_secrets(&path.display().to_string()).into_owned();
    let name = if is_stdin(path) { "<stdin>".to_owned() } else { shown() };
    let failed = || unreadable(&name, what);
    let too_large = || {
        let limit = format!("{what} `{name}` is larger than {} MiB, the most that is read", most >> 20);
        Failure::from(Problem::new("file-too-large", limit))
    };
    let (stdin, read) = io.reading();
    let mut file;
    let from: &mut dyn Read = if is_stdin(path) {
        stdin
    } else {
        file = File::open(path).with_context(failed)?;
        let length = file.metadata().with_context(failed)?;
        if length.is_dir() {
            return Err(Failure::from(Problem::new(
                "is-a-folder",
                format!("{what} `{name}` is a folder (expected a file)"),
            ))
            .into());
        }
        if length.len() > most {
            return Err(too_large().into());
        }
        &mut file
    };
    let mut noted = Noted { from: from.take(most + 1), length: 0, read };
    if let Some(read) = &mut noted.read {
        read.begin_file();
    }
    take(&name, &mut noted).with_context(failed)?;
    // Whoever took it need not have read it to its end, which belongs to its hash all the same.
    std::io::copy(&mut noted, &mut std::io::sink()).with_context(failed)?;
    if noted.length > most {
        return Err(too_large().into());
    }
    Ok(name)
}

/// A file that is taken down while it is read.
struct Noted<'f> {
    from: Take<&'f mut dyn Read>,
    length: u64,
    read: Option<&'f mut WasRead>,
}

impl Read for Noted<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.from.read(into)?;
        self.length += length as u64;
        if let Some(read) = &mut self.read {
            read.bytes(&into[..length]);
        }
        Ok(length)
    }
}

/// A file to read.
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    /// Whether it was given itself, rather than a folder it lies in.
    pub(crate) itself: bool,
}

/// Which files of a folder are read, by how their names end.
pub(crate) struct Ends {
    /// In lower case.
    ends: &'static [&'static str],
    /// What they are called in errors.
    what: &'static str,
}

/// What kubectl prints, and manifests.
pub(crate) const OBJECTS: Ends = Ends { ends: &[".json", ".yaml", ".yml"], what: "JSON or YAML" };
/// Scrapes, and what Prometheus answers.
pub(crate) const METRICS: Ends =
    Ends { ends: &[".json", ".metrics", ".prom", ".txt"], what: "metrics (.txt, .prom, .metrics or .json)" };

/// The files a list of files and folders stands for: a folder for all files in it that end like this, also
/// packed, in the order of their paths.
pub(crate) fn files(paths: &[PathBuf], ends: &Ends) -> Result<Vec<Named>> {
    let mut found = Vec::new();
    for path in paths {
        if is_stdin(path) || !path.is_dir() {
            found.push(Named { path: path.clone(), itself: true });
            continue;
        }
        let before = found.len();
        collect(path, ends, &mut found, 0)?;
        if found.len() == before {
            let message = format!("folder `{}` has no {} file", path.display(), ends.what);
            return Err(Failure::from(Problem::new("empty-folder", message)).into());
        }
    }
    Ok(found)
}

/// Deepest nesting of folders followed, against links that go in circles.
const DEEPEST: usize = 16;

fn collect(folder: &Path, ends: &Ends, found: &mut Vec<Named>, depth: usize) -> Result<()> {
    let failed = || unreadable(&folder.display().to_string(), "folder");
    let entries = fs::read_dir(folder).with_context(failed)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>().with_context(failed)?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if depth < DEEPEST {
                collect(&path, ends, found, depth + 1)?;
            }
        } else if ends.are_of(&path) {
            found.push(Named { path, itself: false });
        }
    }
    Ok(())
}

impl Ends {
    fn are_of(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        !name.starts_with('.') && self.ends.iter().any(|end| name.ends_with(end))
    }
}

fn unreadable(name: &str, what: &str) -> Step {
    Step::new("unreadable", format!("cannot read {what} `{name}`"))
}

pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl Input {
    /// The content as text, without a byte order mark.
    pub(crate) fn text(&self) -> Result<&str, Failure> {
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        text_of(bytes).map_err(|found| {
            let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
            let mut failure = diagnosed(&found, &self.name, "");
            if utf16 {
                failure
                    .0
                    .iter_mut()
                    .for_each(|p| p.help = Some("it looks like UTF-16, as PowerShell writes it".to_owned()));
            }
            failure
        })
    }
}

/// Problems of a document, each with its line.
pub(crate) fn diagnosed(found: &migsaw::document::Diagnostics, file: &str, text: &str) -> Failure {
    let problem = |found: &migsaw::document::Diagnostic| {
        let path = if found.path.steps().is_empty() { String::new() } else { format!("{}: ", found.path) };
        let mut problem = Problem::new(found.code, format!("{path}{}", found.message)).in_file(file);
        if let Some(position) = &found.position {
            problem = problem.at(text, position.line.into(), position.column.into());
            let span = position.span.clone().and_then(|span| text.get(span));
            problem.length = span.map_or(1, |span| span.lines().next().unwrap_or_default().trim_end().chars().count());
        }
        problem.help.clone_from(&found.help);
        problem
    };
    Failure(found.iter().map(problem).collect())
}
