//! From the bytes of a file to its objects.

use std::borrow::Cow;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;

use super::collect::Collection;
use super::error::{DumpError, Excerpt};
use super::json::{self, Taker, is_list, of_items};
use super::object::{Document, ObjectSeed};
use super::text::{CHUNK, Stop, Text};

/// Reads one file: JSON or YAML, one document or several, perhaps packed with gzip.
pub(super) fn read(file: &str, from: &mut dyn Read) -> Result<Collection, Stop> {
    in_chunks(file, from, CHUNK)
}

fn in_chunks(file: &str, from: &mut dyn Read, chunk: usize) -> Result<Collection, Stop> {
    let mut text = Text::open(file, from, chunk)?;
    let mut found = Collection::default();
    if is_json(&mut text)? {
        json::read(&mut text, &mut found)?;
    } else {
        found = read_yaml(file, text.whole()?)?;
    }
    if found.without_kind > 0 && found.is_empty() {
        return Err(DumpError::NoObject { file: file.to_owned() }.into());
    }
    Ok(found)
}

/// Whether a file is JSON: it begins like an object or a list.
fn is_json(text: &mut Text<'_>) -> Result<bool, Stop> {
    let first = text.next()?;
    if first.is_none() {
        return Err(DumpError::Empty { file: text.file.to_owned() }.into());
    }
    Ok(matches!(first, Some('{' | '[')))
}

impl Taker for Collection {
    fn take(&mut self, text: &str, kind: Option<&str>) -> serde_json::Result<usize> {
        let mut json = serde_json::Deserializer::from_str(text);
        ObjectSeed { into: self, kind }.deserialize(&mut json)?;
        Ok(json.into_iter::<IgnoredAny>().byte_offset())
    }

    fn end_list(&mut self, kind: Option<&str>) -> serde_json::Result<()> {
        Collection::end_list(self, kind)
    }

    fn end_document(&mut self) -> bool {
        Collection::end_document(self);
        self.without_kind < MOST_FOREIGN || !self.is_empty()
    }
}

/// Hands over the objects of a file one by one, whole, those in lists too.
pub(super) fn objects(file: &str, from: &mut dyn Read, each: &mut dyn FnMut(Value)) -> Result<(), Stop> {
    let mut text = Text::open(file, from, CHUNK)?;
    let mut objects = Objects { each, number: 0, nameless: Vec::new() };
    if is_json(&mut text)? {
        json::read(&mut text, &mut objects)?;
    } else {
        let documents: Vec<Value> = serde_saphyr::from_str_multiple_with_options(text.whole()?, yaml_options())
            .map_err(|error| yaml_error(file, text.rest(), &error))?;
        for document in documents {
            objects.take(&document.to_string(), None).map_err(|error| text.wrong(&error))?;
            objects.end_document();
        }
    }
    if objects.number == 0 { Err(DumpError::NoObject { file: file.to_owned() }.into()) } else { Ok(()) }
}

/// Objects, handed over with their kind.
struct Objects<'e> {
    each: &'e mut dyn FnMut(Value),
    number: u64,
    /// Those that have no kind yet.
    nameless: Vec<Value>,
}

impl Taker for Objects<'_> {
    fn take(&mut self, text: &str, kind: Option<&str>) -> serde_json::Result<usize> {
        let mut json = serde_json::Deserializer::from_str(text);
        let object = <&RawValue>::deserialize(&mut json)?;
        self.hand_over(object, kind)?;
        Ok(json.into_iter::<IgnoredAny>().byte_offset())
    }

    fn end_list(&mut self, kind: Option<&str>) -> serde_json::Result<()> {
        let Some(kind) = kind else { return Ok(()) };
        for mut object in std::mem::take(&mut self.nameless) {
            object["kind"] = Value::from(kind);
            self.number += 1;
            (self.each)(object);
        }
        Ok(())
    }

    fn end_document(&mut self) -> bool {
        self.nameless.clear();
        true
    }
}

impl Objects<'_> {
    fn hand_over(&mut self, text: &RawValue, kind: Option<&str>) -> serde_json::Result<()> {
        if !text.get().starts_with('{') {
            return Ok(());
        }
        let head: Head<'_> = serde_json::from_str(text.get())?;
        let own = head.kind.as_deref().or(kind);
        if let Some(items) = head.items.filter(|_| own.is_none_or(is_list)) {
            for item in serde_json::from_str::<Option<Vec<&RawValue>>>(items.get())?.into_iter().flatten() {
                self.hand_over(item, of_items(own))?;
            }
            return Ok(());
        }
        let mut object: Value = serde_json::from_str(text.get())?;
        let Some(kind) = own else {
            self.nameless.push(object);
            return Ok(());
        };
        object["kind"] = Value::from(kind);
        self.number += 1;
        (self.each)(object);
        Ok(())
    }
}

/// What tells a list from an object.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    items: Option<&'a RawValue>,
}

/// Documents without any object after which a file is taken for something else.
const MOST_FOREIGN: u64 = 1000;

/// YAML documents.
fn read_yaml(file: &str, text: &str) -> Result<Collection, DumpError> {
    let Documents { found, number } =
        serde_saphyr::from_str_multiple_with_options::<Document, Documents>(text, yaml_options())
            .map_err(|error| yaml_error(file, text, &error))?;
    let file = file.to_owned();
    match number {
        0 => Err(DumpError::Empty { file }),
        _ if found.cut_off => {
            let (line, last) = (text.lines().count(), text.lines().next_back().unwrap_or_default());
            let column = last.chars().count() + 1;
            let excerpt = Excerpt::of(text, (0, 0), (line, column));
            Err(DumpError::Truncated { file, line: line as u64, column: column as u64, excerpt })
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

fn yaml_error(file: &str, text: &str, error: &serde_saphyr::Error) -> DumpError {
    let place = error.location();
    let (line, column) = place.map_or((0, 0), |place| (place.line(), place.column()));
    let at = (usize::try_from(line).unwrap_or(0), usize::try_from(column).unwrap_or(0));
    let (file, excerpt) = (file.to_owned(), Excerpt::of(text, (0, 0), at));
    DumpError::Syntax { file, line, column, reason: crate::yaml::reason(error), excerpt }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = include_str!("../../tests/data/cluster.json");

    fn read(text: &str, chunk: usize) -> Result<Collection, DumpError> {
        in_chunks("f", &mut text.as_bytes(), chunk).map_err(|stop| match stop {
            Stop::Wrong(error) => error,
            Stop::Unreadable(error) => panic!("{error}"),
        })
    }

    /// The same of JSON that is in memory, by the parser alone.
    fn at_once(text: &str) -> Result<Collection, (u64, u64)> {
        let mut found = Collection::default();
        for document in serde_json::Deserializer::from_str(text).into_iter::<Document>() {
            found.absorb(document.map_err(|error| (error.line() as u64, error.column() as u64))?.0);
        }
        Ok(found)
    }

    /// What is kept and does not depend on how it is shared.
    fn kept(found: &Collection) -> String {
        let Collection { nodes, pods, workloads, met, owners, passers, tenures, skipped, problems, .. } = found;
        format!("{:?}", (nodes, pods, workloads, met, owners, passers, tenures, skipped, problems))
    }

    #[test]
    fn what_is_read_does_not_depend_on_where_it_is_cut() {
        let items: Value = serde_json::from_str(CLUSTER).unwrap();
        let items = items["items"].as_array().unwrap();
        let lines = items.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let pods: Vec<&Value> = items.iter().filter(|item| item["kind"] == "Pod").collect();
        let late =
            serde_json::json!({"apiVersion": "v1", "items": pods, "kind": "PodList", "other": {"items": [1, 2]}});
        let kindless = late.to_string().replace(r#""kind":"Pod","#, "").replace(r#","kind":"Pod""#, "");
        let nested = format!(
            r#"{{"items": [{late}, {late}], "more": 12, "items": [{CLUSTER}]}} {{"kind": "PodList", "items": []}}{CLUSTER}"#
        );
        for text in [CLUSTER, &lines, &late.to_string(), &kindless, &nested, &format!("\u{feff}{CLUSTER}")] {
            let expected = kept(&at_once(text.trim_start_matches('\u{feff}')).unwrap());
            assert!(expected.contains("Pod {"), "{text:.80}");
            for chunk in [1, 7, 999, 4096, CHUNK] {
                assert_eq!(kept(&read(text, chunk).unwrap()), expected, "{chunk}: {text:.80}");
            }
        }
    }

    #[test]
    fn what_is_wrong_does_not_depend_on_where_it_is_cut() {
        let marks = ["{", "}", "[", "]", ",", ":", "\"", "x", "1", "é", "\n"];
        for (number, at) in (1..CLUSTER.len()).step_by(CLUSTER.len() / 70).enumerate() {
            let mark = marks[number % marks.len()];
            let changed = format!("{}{mark}{}", &CLUSTER[..at], &CLUSTER[at + 1..]);
            for text in [&CLUSTER[..at], &changed] {
                let expected = at_once(text).err();
                for chunk in [11, 2048, CHUNK] {
                    let (place, excerpt) = match read(text, chunk).err() {
                        None => (None, None),
                        Some(
                            DumpError::Syntax { line, column, excerpt, .. }
                            | DumpError::Truncated { line, column, excerpt, .. },
                        ) => (Some((line, column)), Some(excerpt)),
                        Some(other) => panic!("{other}"),
                    };
                    assert_eq!(place, expected, "{chunk} {mark} at {at}");
                    let Some(((line, column), excerpt)) = place.zip(excerpt) else { continue };
                    let line = text.split('\n').nth(usize::try_from(line).unwrap() - 1).unwrap();
                    assert!(line[excerpt.before..].starts_with(&excerpt.text), "{chunk} {at}: {excerpt:?} of {line}");
                    let column = usize::try_from(column).unwrap();
                    assert!((excerpt.before..=excerpt.before + excerpt.text.len() + 1).contains(&column));
                }
            }
        }
    }
}
