//! The text of a file, of which only what is not taken yet is in memory.

use std::io::{self, BufReader, Cursor, Read};
use std::str::from_utf8;

use flate2::read::MultiGzDecoder;

use super::error::{DumpError, Excerpt};
use crate::text::{is_packed, line_breaks};

/// Most bytes a file may have, unpacked: several times the largest cluster.
const MOST_BYTES: u64 = 4 << 30;
/// How much to read at a time: many objects, of which the last is cut and looked at twice.
pub(super) const CHUNK: usize = 256 << 10;

/// White space between values.
pub(super) const BLANK: [char; 4] = [' ', '\n', '\r', '\t'];

/// Why reading ended: the file cannot be read on, or it makes no sense.
#[derive(Debug)]
pub(super) enum Stop {
    Unreadable(io::Error),
    Wrong(DumpError),
}

impl From<DumpError> for Stop {
    fn from(error: DumpError) -> Stop {
        Stop::Wrong(error)
    }
}

pub(super) struct Text<'r> {
    pub(super) file: &'r str,
    from: Box<dyn Read + 'r>,
    /// How many bytes are read at a time.
    chunk: usize,
    is_packed: bool,
    is_at_end: bool,
    length: u64,
    /// Read, but not yet known to be text: it may end within a character.
    bytes: Vec<u8>,
    read: String,
    /// How much of `read` is taken.
    taken: usize,
    /// Where what is not taken begins: bytes, and line breaks, before it; bytes before it in its line.
    offset: usize,
    line: usize,
    column: usize,
}

impl<'r> Text<'r> {
    /// The text of a file, perhaps packed with gzip, without a byte order mark.
    pub(super) fn open(file: &'r str, mut from: &'r mut dyn Read, chunk: usize) -> Result<Text<'r>, Stop> {
        let mut start = Vec::new();
        Read::by_ref(&mut from).take(2).read_to_end(&mut start).map_err(Stop::Unreadable)?;
        let is_packed = is_packed(&start);
        let whole = Cursor::new(start).chain(from);
        let from: Box<dyn Read + 'r> =
            if is_packed { Box::new(MultiGzDecoder::new(BufReader::new(whole))) } else { Box::new(whole) };
        let mut text = Text {
            file,
            from,
            chunk,
            is_packed,
            is_at_end: false,
            length: 0,
            bytes: Vec::new(),
            read: String::new(),
            taken: 0,
            offset: 0,
            line: 0,
            column: 0,
        };
        text.more()?;
        if text.rest().starts_with('\u{feff}') {
            text.taken = '\u{feff}'.len_utf8();
        }
        Ok(text)
    }

    /// What has been read and not taken.
    pub(super) fn rest(&self) -> &str {
        &self.read[self.taken..]
    }

    /// Reads on: as much as there is already, if that is much, so that what is long is not looked at often. `false` at
    /// the end of the file.
    pub(super) fn more(&mut self) -> Result<bool, Stop> {
        if self.is_at_end {
            return Ok(false);
        }
        self.read.drain(..self.taken);
        self.taken = 0;
        let wanted = self.chunk.max(self.read.len());
        let read = self.from.by_ref().take(wanted as u64).read_to_end(&mut self.bytes);
        let read = read.map_err(|error| self.unreadable(error))?;
        self.length += read as u64;
        if self.length > MOST_BYTES {
            return Err(DumpError::TooLarge { file: self.file.to_owned(), most: MOST_BYTES }.into());
        }
        self.is_at_end = read < wanted;
        let valid = match from_utf8(&self.bytes) {
            Ok(text) => {
                self.read.push_str(text);
                text.len()
            }
            Err(error) if error.error_len().is_some() || self.is_at_end => {
                return Err(self.not_utf8(error.valid_up_to()).into());
            }
            Err(error) => {
                let valid = error.valid_up_to();
                self.read.push_str(from_utf8(&self.bytes[..valid]).expect("it is text up to there"));
                valid
            }
        };
        self.bytes.drain(..valid);
        Ok(read > 0)
    }

    /// All that is not taken.
    pub(super) fn whole(&mut self) -> Result<&str, Stop> {
        while self.more()? {}
        Ok(self.rest())
    }

    /// Takes so many bytes.
    pub(super) fn take(&mut self, bytes: usize) {
        let taken = &self.read.as_bytes()[self.taken..][..bytes];
        self.line += line_breaks(taken);
        self.column = match taken.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => bytes - last - 1,
            None => self.column + bytes,
        };
        self.offset += bytes;
        self.taken += bytes;
    }

    /// Takes white space, and says what comes then; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<char>, Stop> {
        loop {
            let rest = self.rest();
            let text = rest.trim_start_matches(BLANK);
            let (blank, next) = (rest.len() - text.len(), text.chars().next());
            self.take(blank);
            if next.is_some() || !self.more()? {
                return Ok(next);
            }
        }
    }

    /// What is wrong with JSON that was read from the beginning of the rest.
    pub(super) fn wrong(&self, error: &serde_json::Error) -> DumpError {
        let reason = error.to_string();
        let (line, column) = (error.line(), error.column());
        let reason = reason.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&reason);
        match line {
            0 => self.wrong_at(0, 0, error.is_eof(), reason),
            1 => self.wrong_at(self.line + 1, self.column + column, error.is_eof(), reason),
            _ => self.wrong_at(self.line + line, column, error.is_eof(), reason),
        }
    }

    /// What is wrong so many bytes after the beginning of the rest.
    pub(super) fn wrong_behind(&mut self, bytes: usize, reason: &str) -> DumpError {
        self.take(bytes);
        self.wrong_at(self.line + 1, self.column + 1, false, reason)
    }

    /// The file ends where the rest does.
    pub(super) fn cut_off(&mut self) -> DumpError {
        self.take(self.rest().len());
        self.wrong_at(self.line + 1, self.column, true, "")
    }

    fn wrong_at(&self, line: usize, column: usize, is_cut_off: bool, reason: &str) -> DumpError {
        // What is in memory begins in this line, so far into it.
        let before = &self.read[..self.taken];
        let first = self.line - line_breaks(before.as_bytes());
        let into = if before.contains('\n') { None } else { self.column.checked_sub(before.len()) };
        let excerpt = Excerpt::of(&self.read, (first, into.unwrap_or(0)), (line, column));
        let (file, line, column) = (self.file.to_owned(), line as u64, column as u64);
        if is_cut_off {
            return DumpError::Truncated { file, line, column, excerpt };
        }
        DumpError::Syntax { file, line, column, reason: reason.to_owned(), excerpt }
    }

    fn unreadable(&self, error: io::Error) -> Stop {
        if self.is_packed {
            return DumpError::Gzip { file: self.file.to_owned(), reason: error.to_string() }.into();
        }
        Stop::Unreadable(error)
    }

    /// What was read last is text up to there only.
    fn not_utf8(&self, valid: usize) -> DumpError {
        let is_start = self.offset == 0 && self.read.is_empty();
        let utf16 = is_start && (self.bytes.starts_with(&[0xff, 0xfe]) || self.bytes.starts_with(&[0xfe, 0xff]));
        let line = 1 + self.line + line_breaks(self.rest().as_bytes()) + line_breaks(&self.bytes[..valid]);
        let offset = self.offset + self.rest().len() + valid;
        DumpError::NotUtf8 { file: self.file.to_owned(), offset, line, utf16 }
    }
}
