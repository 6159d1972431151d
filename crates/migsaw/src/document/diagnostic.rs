//! What is wrong with a document, where, and what would be right.

use std::cmp::Ordering;
use std::error::Error;
use std::fmt;
use std::ops::Range;

use super::code;
use super::node::Node;
use super::path::Path;

/// Most problems reported of one document; a last entry says how many more there are.
pub const MAX_DIAGNOSTICS: usize = 200;

/// One problem of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code for programs; `docs/errors.md` lists them.
    pub code: &'static str,
    /// What the document is called, usually its file.
    pub source: Option<String>,
    /// Where in the text, if there is one.
    pub position: Option<Position>,
    /// Where in the document.
    pub path: Path,
    /// What is wrong, and where it is short, what would be right.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The bytes of the text it is about.
    pub span: Option<Range<usize>>,
}

/// Every problem found in a document, in the order of the text. Never empty where it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostic {
    /// A problem at a path.
    pub fn new(code: &'static str, path: Path, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code, source: None, position: None, path, message: message.into(), help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Adds where in the text it is.
    #[must_use]
    pub fn at(mut self, position: Position) -> Diagnostic {
        self.position = Some(position);
        self
    }

    /// Line, from 1.
    pub fn line(&self) -> Option<u32> {
        self.position.as_ref().map(|p| p.line)
    }

    /// Column in characters, from 1.
    pub fn column(&self) -> Option<u32> {
        self.position.as_ref().map(|p| p.column)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}:")?;
        }
        match &self.position {
            Some(position) if self.source.is_some() => write!(f, "{}:{}: ", position.line, position.column)?,
            Some(position) => write!(f, "line {}, column {}: ", position.line, position.column)?,
            None if self.source.is_some() => f.write_str(" ")?,
            None => {}
        }
        if !self.path.steps().is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " (help: {help})"),
            None => Ok(()),
        }
    }
}

impl Error for Diagnostic {}

impl Diagnostics {
    /// Nothing found yet.
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Adds a problem.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many problems there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The problems, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Says what the document is called, usually its file.
    #[must_use]
    pub fn in_source(mut self, name: &str) -> Diagnostics {
        for diagnostic in &mut self.0 {
            diagnostic.source = Some(name.to_owned());
        }
        self
    }

    /// `Ok` if nothing is wrong.
    ///
    /// # Errors
    /// `self`, sorted by position, unless it is empty.
    pub fn into_result(mut self) -> Result<(), Diagnostics> {
        if self.is_empty() {
            return Ok(());
        }
        self.0.sort_by(in_text_order);
        let more = self.len().saturating_sub(MAX_DIAGNOSTICS);
        if more > 0 {
            self.0.truncate(MAX_DIAGNOSTICS);
            self.push(Diagnostic::new(code::MORE_PROBLEMS, Path::root(), format!("and {more} more problems")));
        }
        Err(self)
    }

    /// Gives a problem a more telling code.
    pub(super) fn recode(&mut self, path: &Path, from: &str, to: &'static str) {
        for diagnostic in self.0.iter_mut().filter(|d| d.code == from && d.path == *path) {
            diagnostic.code = to;
        }
    }

    /// Fills in the positions that are still open.
    pub(super) fn locate(&mut self, document: &Node) {
        for diagnostic in self.0.iter_mut().filter(|d| d.position.is_none()) {
            diagnostic.position = document.position_of(&diagnostic.path);
        }
    }
}

/// Those without a position last, in the order they were found.
fn in_text_order(a: &Diagnostic, b: &Diagnostic) -> Ordering {
    let place = |d: &Diagnostic| d.position.as_ref().map_or((u32::MAX, u32::MAX), |p| (p.line, p.column));
    place(a).cmp(&place(b))
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Diagnostics {
        Diagnostics(vec![diagnostic])
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, items: I) {
        self.0.extend(items);
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            write!(f, "{}{diagnostic}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl Error for Diagnostics {}
