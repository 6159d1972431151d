//! `docs/errors.md` explains every stable code there is, and no other.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The codes the page explains: first column of its tables.
fn explained() -> Vec<String> {
    let page = fs::read_to_string(repository().join("docs/errors.md")).unwrap();
    let code = |line: &str| Some(line.strip_prefix("| `")?.split_once("` |")?.0.to_owned());
    page.lines().filter_map(code).collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(repository().join("crates")).unwrap().map(|entry| entry.unwrap().path().join("src")).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                // Tests below the code name codes too, but define none.
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                files.push((path, code));
            }
        }
    }
    files
}

/// The text of the block that begins with the first brace behind each `start`.
fn blocks<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let block = |(at, _): (usize, &str)| {
        let open = at + text[at..].find('{')?;
        let mut depth = 0;
        for (i, c) in text[open..].char_indices() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if depth == 0 {
                return Some(&text[open..open + i]);
            }
        }
        None
    };
    text.match_indices(start).filter_map(block).collect()
}

/// String literals in kebab case that follow one of the marks.
fn literals<'a>(text: &'a str, marks: &[&str]) -> Vec<&'a str> {
    let literal = |mark: &str, at: usize| {
        let rest = text[at + mark.len()..].trim_start().strip_prefix('"')?;
        let word = rest.split_once('"')?.0;
        (!word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
            .then_some(word)
    };
    marks.iter().flat_map(|mark| text.match_indices(mark).filter_map(move |(at, _)| literal(mark, at))).collect()
}

/// Every code the sources define, with the file.
fn defined() -> BTreeMap<String, PathBuf> {
    let mut codes = BTreeMap::new();
    for (path, text) in sources() {
        let mut found = literals(&text, &["Problem::new(", "Wrong::new(", "Step::new("]);
        for block in blocks(&text, "fn code(").into_iter().chain(blocks(&text, "impl UnservedCode")) {
            found.extend(literals(block, &["=>"]));
        }
        for block in blocks(&text, "\ncodes! ") {
            found.extend(literals(block, &["="]));
        }
        codes.extend(found.into_iter().map(|code| (code.to_owned(), path.clone())));
    }
    codes
}

#[test]
fn every_code_is_explained() {
    let explained: BTreeSet<String> = explained().into_iter().collect();
    let missing: Vec<_> = defined().into_iter().filter(|(code, _)| !explained.contains(code)).collect();
    assert!(missing.is_empty(), "docs/errors.md does not explain {missing:#?}");
}

#[test]
fn the_search_finds_codes_of_every_kind() {
    let defined = defined();
    for code in ["unknown-model", "overlap", "empty-fleet", "unknown-field", "capacity"] {
        assert!(defined.contains_key(code), "{code}");
    }
    for code in migsaw::document::code::ALL {
        assert!(defined.contains_key(*code), "{code}");
    }
}

#[test]
fn the_page_explains_nothing_that_is_gone() {
    let sources = sources();
    for code in explained() {
        let literal = format!("\"{code}\"");
        assert!(sources.iter().any(|(_, text)| text.contains(&literal)), "no source knows `{code}`");
    }
}

#[test]
fn no_section_explains_a_code_twice() {
    let page = fs::read_to_string(repository().join("docs/errors.md")).unwrap();
    for section in page.split("\n## ") {
        let mut seen = BTreeSet::new();
        for line in section.lines().filter(|line| line.starts_with("| `")) {
            let code = line.split('`').nth(1).unwrap();
            assert!(seen.insert(code), "`{code}` is explained twice");
        }
    }
}
