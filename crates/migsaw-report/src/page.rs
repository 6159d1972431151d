//! Text that grows line by line.

use crate::number::counted;
use crate::style::{Style, Tone};

/// Lines for one reader.
pub struct Page {
    text: String,
    style: Style,
}

impl Page {
    /// A page without lines.
    pub fn new(style: Style) -> Page {
        Page { text: String::new(), style }
    }

    /// A page that begins with a heading.
    pub fn titled(title: &str, style: Style) -> Page {
        let mut page = Page::new(style);
        page.line(style.paint(Tone::Strong, title));
        page
    }

    /// A line as it is.
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// Text broken at spaces: the first line indented by `indent`, the others by `hang`. A word longer
    /// than a line stays whole.
    pub fn wrapped(&mut self, text: &str, indent: usize, hang: usize) {
        let first = " ".repeat(indent);
        self.wrapped_behind(&first, indent, text, hang);
    }

    /// Like [`Page::wrapped`], behind `head`, which is `width` characters wide on the screen.
    pub fn wrapped_behind(&mut self, head: &str, width: usize, text: &str, hang: usize) {
        self.text.push_str(head);
        let mut used = width;
        for (i, word) in text.split(' ').enumerate() {
            let length = word.chars().count();
            if i > 0 && used + 1 + length > self.style.columns() {
                self.text.push('\n');
                self.text.push_str(&" ".repeat(hang));
                used = hang;
            } else if i > 0 {
                self.text.push(' ');
                used += 1;
            }
            self.text.push_str(word);
            used += length;
        }
        self.text.push('\n');
    }

    /// A picture and the notation behind it, broken behind commas if they are wider than a line.
    pub(crate) fn placed(&mut self, picture: &str, notation: &str) {
        let width = picture.chars().count() + 2;
        let fits = width + notation.chars().count() <= self.style.columns();
        let notation = if fits { notation.to_owned() } else { notation.replace(',', ", ") };
        self.wrapped_behind(&format!("{picture}  "), width, &notation, width);
    }

    /// How many more there are than the most that are shown, if so.
    pub(crate) fn more(&mut self, all: usize, most: usize, what: &str) {
        if let Some(left @ 1..) = all.checked_sub(most) {
            self.line(format!("and {} (see -o json)", counted(left as u64, &format!("more {what}"))));
        }
    }

    /// Lines that are ready.
    pub fn push(&mut self, lines: &str) {
        self.text.push_str(lines);
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_and_hang() {
        let narrow = Style { width: Style::LEAST_WIDTH, ..Style::plain() };
        let words = ["12345678"; 8].join(" ");
        let mut page = Page::new(narrow);
        page.wrapped(&words, 2, 4);
        page.wrapped_behind("- ", 2, "a b", 2);
        page.wrapped("", 0, 0);
        let long = "x".repeat(100);
        page.wrapped(&long, 0, 0);
        let first = ["12345678"; 6].join(" ");
        assert_eq!(page.finish(), format!("  {first}\n    12345678 12345678\n- a b\n\n{long}\n"));
    }
}
