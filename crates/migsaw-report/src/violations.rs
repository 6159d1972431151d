//! What the checker found, as text.

use crate::clean::clean;
use crate::number::counted;
use crate::page::Page;
use crate::style::{Style, Tone};

/// One finding: a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The code, for programs.
    pub code: String,
    /// What is wrong, for people.
    pub message: String,
}

/// The verdict on a plan in line one, then each violation.
pub fn text(found: &[Finding], style: Style) -> String {
    let mut page = Page::new(style);
    if found.is_empty() {
        page.line(style.paint(Tone::Good, "the plan is right"));
        return page.finish();
    }
    let verdict = format!("the plan is wrong: {}", counted(found.len() as u64, "violation"));
    page.line(style.paint(Tone::Bad, verdict));
    page.line("");
    for finding in found {
        let code = clean(&finding.code);
        let head = format!("  {}: ", style.paint(Tone::Bad, &code));
        page.wrapped_behind(&head, code.chars().count() + 4, &clean(&finding.message), 4);
    }
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_comes_first() {
        assert_eq!(text(&[], Style::plain()), "the plan is right\n");
        let found = [Finding { code: "overlap".into(), message: "a\u{1b}b overlaps c".into() }];
        assert_eq!(text(&found, Style::plain()), "the plan is wrong: 1 violation\n\n  overlap: a\\u{1b}b overlaps c\n");
    }
}
