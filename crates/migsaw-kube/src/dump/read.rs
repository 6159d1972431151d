//! From the bytes of a file to its objects.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Source;
use super::collect::Collection;
use super::error::DumpError;
use super::object::Document;
use crate::text::Unpack;

/// Most bytes a file may have, unpacked: several times the largest cluster.
const MOST_BYTES: u64 = 4 << 30;

/// Reads one file: JSON or YAML, one document or several, perhaps packed with gzip.
pub(super) fn read(source: &Source<'_>) -> Result<Collection, DumpError> {
    let file = source.name;
    let unpacked = unpacked(source)?;
    let text = text(file, &unpacked)?;
    let found = if is_json(text) { read_json(file, text)? } else { read_yaml(file, text)? };
    if found.without_kind > 0 && found.is_empty() {
        return Err(DumpError::NoObject { file: file.to_owned() });
    }
    Ok(found)
}

fn unpacked<'s>(source: &Source<'s>) -> Result<Cow<'s, [u8]>, DumpError> {
    let is_packed = crate::text::is_packed(source.bytes);
    Ok(if is_packed { Cow::Owned(unpack(source.name, source.bytes)?) } else { Cow::Borrowed(source.bytes) })
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// Hands over the objects of a file one by one, whole, those in lists too.
pub(super) fn objects(source: &Source<'_>, each: &mut dyn FnMut(Value)) -> Result<(), DumpError> {
    let file = source.name;
    let unpacked = unpacked(source)?;
    let text = text(file, &unpacked)?;
    let mut number = 0_u64;
    let mut counted = |value: Value| {
        number += 1;
        each(value);
    };
    if is_json(text) {
        for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
            let document = document.map_err(|error| json_error(file, &error))?;
            objects_of(document, None, &mut counted).map_err(|error| json_error(file, &error))?;
        }
    } else {
        let documents: Vec<Value> = serde_saphyr::from_str_multiple_with_options(text, yaml_options())
            .map_err(|error| yaml_error(file, &error))?;
        for document in documents {
            let text = document.to_string();
            let raw: &RawValue = serde_json::from_str(&text).map_err(|error| json_error(file, &error))?;
            objects_of(raw, None, &mut counted).map_err(|error| json_error(file, &error))?;
        }
    }
    if number == 0 { Err(DumpError::NoObject { file: file.to_owned() }) } else { Ok(()) }
}

/// What tells a list from an object.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    items: Option<&'a RawValue>,
}

fn objects_of(text: &RawValue, kind: Option<&str>, each: &mut dyn FnMut(Value)) -> serde_json::Result<()> {
    if !text.get().starts_with('{') {
        return Ok(());
    }
    let head: Head<'_> = serde_json::from_str(text.get())?;
    let own = head.kind.as_deref().or(kind);
    if let Some(items) = head.items.filter(|_| own.is_none_or(|kind| kind.ends_with("List"))) {
        let of_items = own.and_then(|kind| kind.strip_suffix("List")).filter(|kind| !kind.is_empty());
        for item in serde_json::from_str::<Option<Vec<&RawValue>>>(items.get())?.into_iter().flatten() {
            objects_of(item, of_items, each)?;
        }
        return Ok(());
    }
    let Some(kind) = own else { return Ok(()) };
    let mut object: Value = serde_json::from_str(text.get())?;
    object["kind"] = Value::from(kind);
    each(object);
    Ok(())
}

fn unpack(file: &str, bytes: &[u8]) -> Result<Vec<u8>, DumpError> {
    crate::text::unpacked(bytes, MOST_BYTES).map_err(|problem| match problem {
        Unpack::Gzip(reason) => DumpError::Gzip { file: file.to_owned(), reason },
        Unpack::TooLarge => DumpError::TooLarge { file: file.to_owned(), most: MOST_BYTES },
    })
}

fn text<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, DumpError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let line = 1 + crate::text::line_breaks(&bytes[..offset]);
        let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        DumpError::NotUtf8 { file: file.to_owned(), offset, line, utf16 }
    })?;
    if text.trim_start().is_empty() {
        return Err(DumpError::Empty { file: file.to_owned() });
    }
    Ok(text)
}

/// Documents without any object after which a file is taken for something else.
const MOST_FOREIGN: u64 = 1000;

/// JSON documents, one behind the other.
fn read_json(file: &str, text: &str) -> Result<Collection, DumpError> {
    let mut found = Collection::default();
    for document in serde_json::Deserializer::from_str(text).into_iter::<Document>() {
        found.absorb(document.map_err(|error| json_error(file, &error))?.0);
        if found.without_kind >= MOST_FOREIGN && found.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn json_error(file: &str, error: &serde_json::Error) -> DumpError {
    let file = file.to_owned();
    let (line, column) = (error.line() as u64, error.column() as u64);
    if error.is_eof() {
        return DumpError::Truncated { file, line, column };
    }
    let text = error.to_string();
    let place = format!(" at line {line} column {column}");
    DumpError::Syntax { file, line, column, reason: text.strip_suffix(&place).unwrap_or(&text).to_owned() }
}

/// YAML documents.
fn read_yaml(file: &str, text: &str) -> Result<Collection, DumpError> {
    let Documents { found, number } =
        serde_saphyr::from_str_multiple_with_options::<Document, Documents>(text, yaml_options())
            .map_err(|error| yaml_error(file, &error))?;
    let file = file.to_owned();
    match number {
        0 => Err(DumpError::Empty { file }),
        _ if found.cut_off => {
            let (line, last) = (text.lines().count() as u64, text.lines().next_back().unwrap_or_default());
            Err(DumpError::Truncated { file, line, column: last.chars().count() as u64 + 1 })
        }
        _ => Ok(found),
    }
}

/// The parser's budgets stop small files that unfold into huge ones; what is merely large is welcome here, so the
/// counts that grow with an honest dump are raised.
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_documents: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
            max_total_comment_bytes: usize::MAX,
            max_buffered_comment_events: 100_000,
        },
        with_snippet: false,
    }
}

/// What is in some documents.
#[derive(Default)]
struct Documents {
    found: Collection,
    number: u64,
}

impl Extend<Document> for Documents {
    fn extend<I: IntoIterator<Item = Document>>(&mut self, documents: I) {
        for document in documents {
            self.found.absorb(document.0);
            self.number += 1;
        }
    }
}

fn yaml_error(file: &str, error: &serde_saphyr::Error) -> DumpError {
    let place = error.location();
    let (line, column) = place.map_or((0, 0), |place| (place.line(), place.column()));
    DumpError::Syntax { file: file.to_owned(), line, column, reason: crate::yaml::reason(error) }
}
