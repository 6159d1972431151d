//! Text of others, made harmless.

use std::borrow::Cow;

/// `text` with everything replaced that could move the cursor, change colours, reorder what is read or
/// hide something: control characters, escapes, direction marks and invisible separators become
/// `\u{…}`.
///
/// ```
/// assert_eq!(migsaw_report::clean("gpu-1"), "gpu-1");
/// assert_eq!(migsaw_report::clean("gpu\u{1b}[2J\n"), r"gpu\u{1b}[2J\u{a}");
/// ```
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_harmful(c) {
            harmless.extend(c.escape_unicode());
        } else {
            harmless.push(c);
        }
    }
    Cow::Owned(harmless)
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_harmful_passes() {
        for (text, harmless) in [
            ("", ""),
            ("größe-7 ünï", "größe-7 ünï"),
            ("a\tb\r\n", r"a\u{9}b\u{d}\u{a}"),
            ("\u{1b}]0;owned\u{7}", r"\u{1b}]0;owned\u{7}"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("a\u{202e}b", r"a\u{202e}b"),
            ("zero\u{200b}width", r"zero\u{200b}width"),
        ] {
            assert_eq!(clean(text), harmless);
        }
    }
}
