//! Figures go into a file between two marks, so that nobody copies them.

use anyhow::Context;

/// The line after which figures begin.
pub const BEGIN: &str = "<!-- paper: begin -->";
/// The line before which they end.
pub const END: &str = "<!-- paper: end -->";

/// The text with what is between the marks replaced.
///
/// # Errors
/// If the marks are not there, in this order.
pub fn spliced(text: &str, section: &str) -> anyhow::Result<String> {
    let lacks = |mark: &str| format!("the file has no line `{mark}` where it should be");
    let (before, rest) = text.split_once(BEGIN).with_context(|| lacks(BEGIN))?;
    let (_, after) = rest.split_once(END).with_context(|| lacks(END))?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", section.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let once = spliced(&text, "new\n").unwrap();
        assert_eq!(once, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(spliced(&once, "new").unwrap(), once);
    }

    #[test]
    fn a_file_without_marks_is_left_alone() {
        for text in ["", BEGIN, END, &format!("{END}{BEGIN}")] {
            assert!(spliced(text, "new").is_err(), "{text}");
        }
    }
}
