//! JSON objects one by one, as they come: those of lists too, of which kubectl prints one that is as large as the
//! cluster.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::text::{BLANK, Stop, Text};

/// What takes objects.
pub(super) trait Taker {
    /// Takes the object with which a text begins, and says how long it is. Without a kind of its own it is of `kind`.
    /// If it is not there to its end, nothing must be taken of it.
    fn take(&mut self, text: &str, kind: Option<&str>) -> serde_json::Result<usize>;

    /// What had no kind so far in a list is of this one.
    fn end_list(&mut self, kind: Option<&str>) -> serde_json::Result<()>;

    /// Whether another document is wanted.
    fn end_document(&mut self) -> bool;
}

/// Hands over all objects of documents, one behind the other.
pub(super) fn read(text: &mut Text<'_>, taker: &mut impl Taker) -> Result<(), Stop> {
    while text.next()?.is_some() {
        if !list(text, taker)? {
            object(text, None, taker)?;
        }
        if !taker.end_document() {
            break;
        }
    }
    Ok(())
}

/// Whether a kind stands for a list of objects.
pub(super) fn is_list(kind: &str) -> bool {
    kind.ends_with("List")
}

/// The kind of a list's items, if its own tells.
pub(super) fn of_items(kind: Option<&str>) -> Option<&str> {
    kind?.strip_suffix("List").filter(|kind| !kind.is_empty())
}

fn object(text: &mut Text<'_>, kind: Option<&str>, taker: &mut impl Taker) -> Result<(), Stop> {
    loop {
        match taker.take(text.rest(), kind) {
            Ok(length) => {
                text.take(length);
                return Ok(());
            }
            Err(error) if error.is_eof() && text.more()? => {}
            Err(error) => return Err(text.wrong(&error).into()),
        }
    }
}

/// What a list says of itself.
#[derive(Debug, Default)]
struct List {
    kind: Option<String>,
    is_one: bool,
}

/// Where reading the members of a list came to, in bytes.
enum Step {
    /// Behind the bracket that opens its items.
    Items(usize),
    /// Behind its closing brace.
    End(usize),
    /// At the end of what has been read.
    Cut,
    /// At something that is no list's, or no JSON.
    Odd(usize, String),
}

/// Takes a list; `false` if it is none, of which nothing is taken then.
fn list(text: &mut Text<'_>, taker: &mut impl Taker) -> Result<bool, Stop> {
    let mut list = List::default();
    loop {
        let mut known = List { kind: list.kind.clone(), is_one: list.is_one };
        match members(text.rest(), &mut known) {
            Step::Cut if text.more()? => {}
            Step::Cut | Step::Odd(..) | Step::End(_) if !list.is_one => return Ok(false),
            Step::Cut => return Err(text.cut_off().into()),
            Step::Odd(at, reason) => return Err(text.wrong_behind(at, &reason).into()),
            Step::Items(length) => {
                text.take(length);
                items(text, of_items(known.kind.as_deref()), taker)?;
                list = List { is_one: true, ..known };
            }
            Step::End(length) => {
                if let Err(error) = taker.end_list(of_items(known.kind.as_deref())) {
                    return Err(text.wrong(&error).into());
                }
                text.take(length);
                return Ok(true);
            }
        }
    }
}

/// Takes what is between the brackets, and the closing one.
fn items(text: &mut Text<'_>, kind: Option<&str>, taker: &mut impl Taker) -> Result<(), Stop> {
    if text.next()? == Some(']') {
        text.take(1);
        return Ok(());
    }
    loop {
        object(text, kind, taker)?;
        let next = text.next()?;
        match next {
            Some(',') => text.take(1),
            Some(']') => {
                text.take(1);
                return Ok(());
            }
            Some(_) => return Err(text.wrong_behind(0, "expected `,` or `]`").into()),
            None => return Err(text.cut_off().into()),
        }
        text.next()?;
    }
}

/// Reads members up to the items or the end: from the beginning of a document, or from behind the items.
fn members(text: &str, list: &mut List) -> Step {
    let mut at = 0;
    let mut is_first = !list.is_one;
    loop {
        let next = blank(text, &mut at);
        match (next, is_first) {
            (None, _) => return Step::Cut,
            (Some(b'{'), true) | (Some(b','), false) => at += 1,
            (Some(b'}'), false) => return Step::End(at + 1),
            _ => return Step::Odd(at, "expected `,` or `}`".to_owned()),
        }
        is_first = false;
        let key: String = match value(text, &mut at) {
            Ok(key) => key,
            Err(step) => return step,
        };
        match blank(text, &mut at) {
            None => return Step::Cut,
            Some(b':') => at += 1,
            Some(_) => return Step::Odd(at, "expected `:`".to_owned()),
        }
        let next = blank(text, &mut at);
        let may_be_list = list.kind.as_deref().is_none_or(is_list);
        let read = match key.as_str() {
            _ if next.is_none() => Err(Step::Cut),
            "items" if next == Some(b'[') && may_be_list => return Step::Items(at + 1),
            "kind" => value(text, &mut at).map(|kind: Option<String>| list.kind = kind.or(list.kind.take())),
            "apiVersion" => value(text, &mut at).map(|_: Option<String>| ()),
            "metadata" => value(text, &mut at).map(|_: IgnoredAny| ()),
            _ if list.is_one => value(text, &mut at).map(|_: IgnoredAny| ()),
            _ => Err(Step::Odd(at, format!("no member of a list: {key}"))),
        };
        if let Err(step) = read {
            return step;
        }
        if !list.is_one && !list.kind.as_deref().is_none_or(is_list) {
            return Step::Odd(at, "the kind of no list".to_owned());
        }
    }
}

/// The first byte from `at` on that is no white space, at which it is then.
fn blank(text: &str, at: &mut usize) -> Option<u8> {
    *at = text.len() - text[*at..].trim_start_matches(BLANK).len();
    text.as_bytes().get(*at).copied()
}

fn value<'t, T: Deserialize<'t>>(text: &'t str, at: &mut usize) -> Result<T, Step> {
    blank(text, at);
    let mut json = serde_json::Deserializer::from_str(&text[*at..]);
    match T::deserialize(&mut json) {
        Ok(value) => {
            *at += json.into_iter::<IgnoredAny>().byte_offset();
            // A number may go on.
            if *at == text.len() { Err(Step::Cut) } else { Ok(value) }
        }
        Err(error) if error.is_eof() => Err(Step::Cut),
        Err(error) => {
            let reason = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            Err(Step::Odd(*at, reason.strip_suffix(&place).unwrap_or(&reason).to_owned()))
        }
    }
}
