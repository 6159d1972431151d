//! Words of shell commands.

/// A word of a shell command, quoted where it has to be.
pub(crate) fn word(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/=:,+".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", migsaw_report::clean(text).replace('\'', "'\\''")) }
}
