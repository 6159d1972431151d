//! What all YAML here has in common.

/// What the parser says, without place and snippet.
pub(crate) fn reason(error: &serde_saphyr::Error) -> String {
    let rendered = error.render();
    let first = rendered.lines().next().unwrap_or_default();
    let text = first.strip_prefix("error: ").unwrap_or(first);
    let text = match text.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((place, rest)) if place.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b' ') => rest,
        _ => text,
    };
    let text = match text.rsplit_once(" at line ") {
        Some((before, place)) if place.bytes().all(|b| b.is_ascii_digit() || b", column".contains(&b)) => before,
        _ => text,
    };
    if text.starts_with("budget breached") {
        return "more anchors, aliases or nesting than is read (write it without them)".to_owned();
    }
    // The parser's advice to its programmers is none for its users.
    let text = text.split(", set DuplicateKeyPolicy").next().unwrap_or(text);
    let text = match text {
        _ if text.starts_with("budget breached") => "the text is too large, or its aliases stand for too much",
        _ if text.starts_with("cannot deserialize null into string") => "nothing stands where a string is expected",
        _ => text,
    };
    text.chars().take(400).collect()
}

/// A string in double quotes, as JSON and YAML both read it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
