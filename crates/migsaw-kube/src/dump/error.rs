//! Why a dump could not be read.

use std::fmt;

/// Everything that is wrong with the files of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpErrors(pub Vec<DumpError>);

impl fmt::Display for DumpErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for DumpErrors {}

/// Why a file of a dump could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// There is nothing in it.
    #[error("{file}: the file is empty (expected the output of `kubectl get nodes,pods -A -o json`)")]
    Empty {
        /// The file.
        file: String,
    },
    /// It is not text.
    #[error("{file}: not UTF-8 text at byte {offset} (line {line}){}", if *utf16 { "; it looks like UTF-16, as PowerShell writes it: save it as UTF-8" } else { "" })]
    NotUtf8 {
        /// The file.
        file: String,
        /// The first byte that is wrong, from 0.
        offset: usize,
        /// Its line, from 1.
        line: usize,
        /// Whether it begins with the mark of UTF-16.
        utf16: bool,
    },
    /// It looks like gzip but cannot be unpacked.
    #[error("{file}: cannot be unpacked as gzip: {reason}")]
    Gzip {
        /// The file.
        file: String,
        /// What the unpacker says.
        reason: String,
    },
    /// It is larger than a dump can be, perhaps after unpacking.
    #[error("{file}: larger than {most} bytes when unpacked")]
    TooLarge {
        /// The file.
        file: String,
        /// The limit.
        most: u64,
    },
    /// It ends in the middle.
    #[error("{file}:{line}:{column}: the file ends in the middle of an object; it seems to be cut off")]
    Truncated {
        /// The file.
        file: String,
        /// The last line, from 1.
        line: u64,
        /// The last column, from 1.
        column: u64,
        /// What stands there.
        excerpt: Excerpt,
    },
    /// It is neither JSON nor YAML, or an object is not built as Kubernetes builds it.
    #[error("{file}:{line}:{column}: {reason}")]
    Syntax {
        /// The file.
        file: String,
        /// Line, from 1; 0 if unknown.
        line: u64,
        /// Column, from 1; 0 if unknown.
        column: u64,
        /// What the parser says.
        reason: String,
        /// What stands there.
        excerpt: Excerpt,
    },
    /// It is JSON or YAML, but has no Kubernetes object.
    #[error("{file}: no Kubernetes object in it (each needs `kind`, or stands in the `items` of a list)")]
    NoObject {
        /// The file.
        file: String,
    },
    /// A quantity that is no whole number of devices.
    #[error("{file}: {object} asks for {resource}: `{text}` (expected a whole number from 0 to 1000000000)")]
    Quantity {
        /// The file.
        file: String,
        /// The object, like `pod team-a/llm-0`.
        object: String,
        /// The resource.
        resource: String,
        /// The refused text.
        text: String,
    },
    /// A node without a name: nothing could be said about it.
    #[error("{file}: object {number} of the file is a node without a name (expected `metadata.name`)")]
    NamelessNode {
        /// The file.
        file: String,
        /// Which object of the file it is, from 1.
        number: u64,
    },
    /// An amount of a disruption budget that is none.
    #[error("{file}: {field} of {object} is `{text}` (expected a whole number or a percentage, like 2 or 50%)")]
    Amount {
        /// The file.
        file: String,
        /// The object, like `poddisruptionbudget team-a/llm`.
        object: String,
        /// The field.
        field: &'static str,
        /// The refused text.
        text: String,
    },
    /// A disruption budget that says both how many must be up and how many may be down.
    #[error("{file}: {object} has minAvailable and maxUnavailable (Kubernetes takes one of them)")]
    TwoAmounts {
        /// The file.
        file: String,
        /// The object.
        object: String,
    },
    /// A number of a workload that is none.
    #[error("{file}: {field} of {object} is `{text}` (expected a whole number from {least} to {most})")]
    Number {
        /// The file.
        file: String,
        /// The object, like `deployment team-a/llm`.
        object: String,
        /// The field.
        field: &'static str,
        /// The refused text.
        text: String,
        /// The smallest number it may be.
        least: i64,
        /// The largest number it may be.
        most: i64,
    },
}

/// What stands around a place of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// A part of the line.
    pub text: String,
    /// How many bytes of the line are before it.
    pub before: usize,
}

impl Excerpt {
    /// Most bytes before a place, and behind it.
    const MOST: usize = 400;

    /// Around a place, line and column from 1, in a text that begins within a file: behind so many line breaks, and so
    /// many bytes into a line. Empty if it is not in the text.
    pub(super) fn of(text: &str, (breaks, into): (usize, usize), (line, column): (usize, usize)) -> Excerpt {
        let Some(nth) = line.checked_sub(1 + breaks) else { return Excerpt::default() };
        let Some(line) = text.split('\n').nth(nth) else { return Excerpt::default() };
        let line = line.strip_suffix('\r').unwrap_or(line);
        let into = if nth == 0 { into } else { 0 };
        let at = column.saturating_sub(1 + into);
        let boundary = |at: usize| (0..=at.min(line.len())).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
        let (from, to) = (boundary(at.saturating_sub(Excerpt::MOST)), boundary(at + Excerpt::MOST));
        Excerpt { text: line[from..to].to_owned(), before: into + from }
    }
}

impl DumpError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            DumpError::Empty { .. } => "empty-file",
            DumpError::NotUtf8 { .. } => "not-utf8",
            DumpError::Gzip { .. } => "gzip",
            DumpError::TooLarge { .. } => "too-large",
            DumpError::Truncated { .. } => "truncated",
            DumpError::Syntax { .. } => "syntax",
            DumpError::NoObject { .. } => "no-kubernetes-object",
            DumpError::Quantity { .. } => "quantity",
            DumpError::NamelessNode { .. } => "nameless-node",
            DumpError::Amount { .. } => "amount",
            DumpError::TwoAmounts { .. } => "two-amounts",
            DumpError::Number { .. } => "number",
        }
    }

    /// The file it is about.
    pub fn file(&self) -> &str {
        match self {
            DumpError::Empty { file }
            | DumpError::NotUtf8 { file, .. }
            | DumpError::Gzip { file, .. }
            | DumpError::TooLarge { file, .. }
            | DumpError::Truncated { file, .. }
            | DumpError::Syntax { file, .. }
            | DumpError::NoObject { file }
            | DumpError::Quantity { file, .. }
            | DumpError::NamelessNode { file, .. }
            | DumpError::Amount { file, .. }
            | DumpError::TwoAmounts { file, .. }
            | DumpError::Number { file, .. } => file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_of_the_line_around_the_place() {
        let long = format!("{}é{}", "x".repeat(1000), "y".repeat(1000));
        for (text, begin, place, expected, before) in [
            ("a\nbc\r\nd", (0, 0), (2, 1), "bc".to_owned(), 0),
            ("bc\nd", (6, 3), (7, 5), "bc".to_owned(), 3),
            ("bc\nd", (6, 3), (8, 1), "d".to_owned(), 0),
            ("a", (0, 0), (0, 0), String::new(), 0),
            ("a", (0, 0), (9, 1), String::new(), 0),
            ("a", (5, 0), (2, 1), String::new(), 0),
            (&long, (0, 50), (1, 1452), format!("é{}", "y".repeat(799)), 1050),
        ] {
            let excerpt = Excerpt::of(text, begin, place);
            assert_eq!((excerpt.text, excerpt.before), (expected, before), "{text:.10} {place:?}");
        }
    }
}
