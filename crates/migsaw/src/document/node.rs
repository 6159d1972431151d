//! A document as it was written: values with their places in the text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Error, Location, Spanned};

use super::code;
use super::diagnostic::{Diagnostic, Diagnostics, Position};
use super::path::{Path, Step};

/// Longest text that is read with its places, in bytes.
pub const MAX_TEXT: usize = 32 << 20;
/// Most values a document may have.
const MAX_NODES: usize = 4_000_000;
/// Most values that may stand there by reference to an anchor; nobody needs as many.
const MAX_REPEATED: usize = 100_000;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    mark: Mark,
}

/// Untyped YAML.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Whole(i128),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the text.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) text: String,
    mark: Mark,
}

/// A [`Position`] in half the space; lines and columns count from 1, and line 0 is no place.
#[derive(Debug, Clone, Copy)]
struct Mark {
    line: u32,
    column: u32,
    offset: u32,
    len: u32,
}

impl Node {
    /// Reads JSON or YAML.
    pub(super) fn parse(text: &str) -> Result<Node, Diagnostics> {
        if text.len() > MAX_TEXT {
            let message = format!("the text has {} bytes, more than the {MAX_TEXT} a document may have", text.len());
            return Err(Diagnostic::new(code::FILE_TOO_LARGE, Path::root(), message).into());
        }
        let node: Node = serde_saphyr::from_str_with_options(text, options()).map_err(|e| from_yaml(&e))?;
        match node.value {
            Value::Null => Err(Diagnostic::new(code::EMPTY_DOCUMENT, Path::root(), "there is nothing in it").into()),
            _ => Ok(node),
        }
    }

    /// Reads JSON without its places, ten times as fast; `None` if it is not JSON, or needs a closer look.
    pub(super) fn parse_unplaced(text: &str) -> Option<Node> {
        let may_be = text.len() <= MAX_TEXT && text.trim_start().starts_with('{');
        if may_be { serde_json::from_str(text).ok().map(|Unplaced(node)| node) } else { None }
    }

    /// The value behind a key; `None` if there is none, or it is null.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        let found = entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node);
        found.filter(|node| !matches!(node.value, Value::Null))
    }

    /// The items of a list; none if it is none.
    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where it stands.
    pub(super) fn position(&self) -> Option<Position> {
        self.mark.position()
    }

    /// Where the path leads, or as far as the document goes along it.
    pub(super) fn position_of(&self, path: &Path) -> Option<Position> {
        let mut node = self;
        for step in path.steps() {
            let next = match (step, &node.value) {
                (Step::Key(key), Value::Map(entries)) => entries.iter().find(|(k, _)| k.text == *key).map(|(_, n)| n),
                (Step::Index(index), Value::List(items)) => items.get(*index),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.position()
    }

    /// The same without places and without null fields, for serde.
    pub(super) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Whole(value) => serde_json::Number::from_i128(*value).map_or(Json::Null, Json::Number),
            Value::Number(value) => serde_json::Number::from_f64(*value).map_or(Json::Null, Json::Number),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => {
                let set = entries.iter().filter(|(_, node)| !matches!(node.value, Value::Null));
                Json::Object(set.map(|(key, node)| (key.text.clone(), node.to_json())).collect())
            }
        }
    }
}

impl Key {
    pub(super) fn position(&self) -> Option<Position> {
        self.mark.position()
    }
}

impl Mark {
    const NONE: Mark = Mark { line: 0, column: 0, offset: u32::MAX, len: 0 };

    fn of(location: &Location) -> Mark {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let (line, column) = (number(location.line()), number(location.column()));
        match (location.span().byte_offset(), location.span().byte_len()) {
            (Some(offset), Some(len)) => Mark { line, column, offset: number(offset), len: number(len) },
            _ => Mark { line, column, offset: u32::MAX, len: 0 },
        }
    }

    fn position(self) -> Option<Position> {
        let start = self.offset as usize;
        let span = (self.offset != u32::MAX).then(|| start..start + self.len as usize);
        (self.line > 0).then_some(Position { line: self.line, column: self.column, span })
    }
}

/// What YAML 1.2 reads, with room for documents of many nodes and little for tricks.
pub(super) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MAX_NODES,
            max_events: 3 * MAX_NODES,
            max_documents: 2,
            max_recorded_anchor_events: MAX_REPEATED,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPEATED },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

/// The reader's error as one of ours.
pub(super) fn from_yaml(error: &Error) -> Diagnostic {
    let mut error = error.without_snippet();
    while let Error::AliasError { error: inner, .. } = error {
        error = inner;
    }
    // Our position says where.
    let shown = error.to_string();
    let shown = shown.split_once(" at line ").map_or(shown.as_str(), |(what, _)| what);
    let (code, message) = match error {
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            (code::TOO_COMPLEX, format!("the document is too large, too deep or repeats itself too often: {shown}"))
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (code::DUPLICATE_KEY, format!("the key `{}` is there twice", key.chars().take(80).collect::<String>()))
        }
        Error::DuplicateMappingKey { .. } => (code::DUPLICATE_KEY, "the key is there twice".to_owned()),
        Error::MultipleDocuments { .. } => (
            code::MULTIPLE_DOCUMENTS,
            "the text holds several documents, but one is expected (split it at `---`)".into(),
        ),
        Error::Eof { .. } => (code::EMPTY_DOCUMENT, "there is nothing in it".to_owned()),
        _ => (code::SYNTAX, shown.to_owned()),
    };
    let diagnostic = Diagnostic::new(code, Path::root(), message);
    match error.location().and_then(|location| Mark::of(&location).position()) {
        Some(position) => diagnostic.at(position),
        None => diagnostic,
    }
}

/// Reads bytes as UTF-8.
///
/// # Errors
/// `not-utf8`, with the line of the first wrong byte.
pub fn text_of(bytes: &[u8]) -> Result<&str, Diagnostics> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let line = good.split(|&b| b == b'\n').count();
        let start = good.iter().rposition(|&b| b == b'\n').map_or(0, |newline| newline + 1);
        let column = String::from_utf8_lossy(&good[start..]).chars().count() + 1;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let message = format!("byte {} is not UTF-8 (save the file as UTF-8)", error.valid_up_to());
        let position = Position { line: number(line), column: number(column), span: None };
        Diagnostic::new(code::NOT_UTF8, Path::root(), message).at(position).into()
    })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node { value: spanned.value, mark: Mark::of(&spanned.referenced) })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Untyped::<true>)
    }
}

/// A node from a reader that knows no places.
struct Unplaced(Node);

impl<'de> Deserialize<'de> for Unplaced {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unplaced, D::Error> {
        let value = deserializer.deserialize_any(Untyped::<false>)?;
        Ok(Unplaced(Node { value, mark: Mark::NONE }))
    }
}

struct Untyped<const PLACED: bool>;

impl<'de, const PLACED: bool> Visitor<'de> for Untyped<PLACED> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Whole(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let item = if PLACED { items.next_element()? } else { items.next_element()?.map(|Unplaced(node)| node) };
            match item {
                Some(item) => list.push(item),
                None => break,
            }
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        if PLACED {
            while let Some(key) = entries.next_key::<Spanned<String>>()? {
                let key = Key { mark: Mark::of(&key.referenced), text: key.value };
                map.push((key, entries.next_value()?));
            }
            return Ok(Value::Map(map));
        }
        while let Some(text) = entries.next_key()? {
            let Unplaced(node) = entries.next_value()?;
            map.push((Key { text, mark: Mark::NONE }, node));
        }
        // The YAML reader looks for duplicates itself.
        let mut keys: Vec<&str> = map.iter().map(|(key, _)| key.text.as_str()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(serde::de::Error::custom("a key is there twice"));
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_without_places_is_the_same_value() {
        let text = r#"{"a": [1, -2, 2.5, true, null, "x"], "b": {}, "c": {"value": [], "d": {"e": "\u00e9"}}}"#;
        let node = Node::parse_unplaced(text).unwrap();
        assert_eq!(node.to_json(), Node::parse(text).unwrap().to_json());
        assert!(node.position().is_none());
        for text in [r#"{"a": 1, "a": 2}"#, r#"{"a": {"b": 1, "c": 2, "b": 1}}"#, "{a: 1}", "[1]", r#"{"a": 1"#] {
            assert!(Node::parse_unplaced(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_place_of_the_first_wrong_byte_is_given() {
        let found = text_of(b"ab\ncd\xff").unwrap_err();
        let first = found.iter().next().unwrap();
        assert_eq!((first.code, first.line(), first.column()), ("not-utf8", Some(2), Some(3)));
        assert_eq!(text_of("é".as_bytes()), Ok("é"));
    }
}
