//! Tables without lines.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table as Comfy, presets};
use unicode_width::UnicodeWidthStr as _;

use crate::style::{Style, Tone};

/// Between columns.
const GAP: usize = 2;
/// Of text that may be broken at least so much stands in a line.
const LEAST_TEXT: usize = 10;
/// Words up to here are never broken: as long as a label of Kubernetes may be.
const LONGEST_WORD: usize = 63;

/// Rows under a heading, as wide as they need to be and no wider than the style has if that can be.
pub(crate) struct Table {
    header: Vec<String>,
    right: Vec<bool>,
    whole: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns. Those that begin with `>` are set flush right and never broken; those that begin
    /// with `|` are broken last.
    pub(crate) fn new(columns: &[&str]) -> Table {
        Table {
            header: columns.iter().map(|c| c.trim_start_matches(['>', '|']).to_owned()).collect(),
            right: columns.iter().map(|c| c.starts_with('>')).collect(),
            whole: columns.iter().map(|c| c.starts_with(['>', '|'])).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; its cells must already be clean.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.header.len());
        self.rows.push(cells);
    }

    /// The lines, each with its newline.
    ///
    /// What is wider than the style is broken between words: first what may be, but for names up to a third of the
    /// line; then headings; and only then what should stay whole, if it is text. If that is not enough, rows become
    /// columns where these fit, and else lines are longer than the style has: a number or a name in pieces is worse.
    pub(crate) fn print(&self, style: Style) -> String {
        if let Some(widths) = self.fitting(style.columns()) {
            return self.laid_out(&widths, style);
        }
        let turned = self.turned();
        match turned.fitting(style.columns()) {
            Some(widths) => turned.laid_out(&widths, style),
            None => self.laid_out(&self.widths().iter().map(|width| width.words).collect::<Vec<_>>(), style),
        }
    }

    /// How wide each column is in lines of `room` columns; `None` if a word or a number would have to be broken.
    fn fitting(&self, room: usize) -> Option<Vec<usize>> {
        let widths = self.widths();
        let broken_text = |i: usize, width: &Width| match i {
            0 => width.words.max(width.whole.min(room / 3)),
            _ => width.words.max(width.whole.min(LEAST_TEXT)),
        };
        let stages: [Least<'_>; 4] = [
            &|_, width| width.whole,
            &|i, width| if self.whole[i] { width.whole } else { broken_text(i, width) },
            &|i, width| if self.whole[i] { width.cells } else { broken_text(i, width) },
            &|_, width| width.words,
        ];
        let gaps = GAP * widths.len().saturating_sub(1);
        let mut found = stages.iter().find_map(|stage| {
            let found: Vec<usize> = widths.iter().enumerate().map(|(i, width)| stage(i, width)).collect();
            (found.iter().sum::<usize>() + gaps <= room).then_some(found)
        })?;
        // What is left goes to the narrowest, so that those which need little stay whole.
        for _ in found.iter().sum::<usize>() + gaps..room {
            let broken = (0..widths.len()).filter(|&i| found[i] < widths[i].whole);
            match broken.min_by_key(|&i| found[i]) {
                Some(narrowest) => found[narrowest] += 1,
                None => break,
            }
        }
        Some(found)
    }

    /// The same with a row for each column, and a column for each row.
    fn turned(&self) -> Table {
        let are_numbers = self.right.iter().skip(1).all(|&right| right);
        let columns = self.rows.len();
        let heading = |row: &Vec<String>| row.first().cloned().unwrap_or_default();
        let turn = |(i, title): (usize, &String)| {
            std::iter::once(title.clone()).chain(self.rows.iter().map(|row| row[i].clone())).collect()
        };
        Table {
            header: self.header.first().cloned().into_iter().chain(self.rows.iter().map(heading)).collect(),
            right: std::iter::once(false).chain(std::iter::repeat_n(are_numbers, columns)).collect(),
            whole: std::iter::once(true).chain(std::iter::repeat_n(are_numbers, columns)).collect(),
            rows: self.header.iter().enumerate().skip(1).map(turn).collect(),
        }
    }

    /// The lines with columns of these widths.
    fn laid_out(&self, widths: &[usize], style: Style) -> String {
        let last = self.header.len().saturating_sub(1);
        let mut table = Comfy::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(as_u16(widths.iter().sum::<usize>() + GAP * last)).force_no_tty();
        if self.header.iter().any(|title| !title.is_empty()) {
            table.set_header(self.header.iter().map(|title| style.paint(Tone::Faint, title)));
        }
        for row in &self.rows {
            table.add_row(row);
        }
        for (i, &right) in self.right.iter().enumerate() {
            if let Some(column) = table.column_mut(i) {
                let gap = if i == last { 0 } else { GAP };
                column.set_padding((0, as_u16(gap)));
                column.set_constraint(ColumnConstraint::Absolute(comfy_table::Width::Fixed(as_u16(widths[i] + gap))));
                column.set_cell_alignment(if right { CellAlignment::Right } else { CellAlignment::Left });
            }
        }
        table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect()
    }

    fn widths(&self) -> Vec<Width> {
        let width = |(i, title): (usize, &String)| {
            let most = |of: fn(&str) -> usize| self.rows.iter().map(|row| of(&row[i])).max().unwrap_or(0);
            let (cells, word) = (most(shown), longest_word(title));
            let words = if self.right[i] { cells } else { most(longest_word) };
            Width { whole: cells.max(shown(title)), cells: cells.max(word), words: words.max(word) }
        };
        self.header.iter().enumerate().map(width).collect()
    }
}

/// How wide the column at an index must be at least.
type Least<'a> = &'a dyn Fn(usize, &Width) -> usize;

/// How wide a column is.
struct Width {
    /// With nothing broken.
    whole: usize,
    /// With its heading broken between words.
    cells: usize,
    /// With all that is no number broken between words.
    words: usize,
}

/// How wide the longest word is, or as much of it as is never broken, with what a text is indented by.
fn longest_word(text: &str) -> usize {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let longest = text.split(' ').map(shown).max().unwrap_or(0);
    indent + longest.min(LONGEST_WORD)
}

/// How many columns a text takes on a terminal, without the colours that [`Style::paint`] gives.
fn shown(text: &str) -> usize {
    let mut is_colour = false;
    let mut is_seen = |c: char| {
        let was = is_colour;
        is_colour = c == '\u{1b}' || is_colour && c != 'm';
        !was && !is_colour
    };
    text.chars().filter(|&c| is_seen(c)).collect::<String>().width()
}

fn as_u16(width: usize) -> u16 {
    u16::try_from(width).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_narrow() {
        let mut table = Table::new(&["name", ">count"]);
        table.row(vec!["a".into(), "1".into()]);
        table.row(vec!["bcd".into(), "1,000".into()]);
        assert_eq!(table.print(Style::plain()), "name  count\na         1\nbcd   1,000\n");
    }

    #[test]
    fn what_is_too_wide_is_broken_where_it_hurts_least() {
        let style = Style { width: 60, color: true, ..Style::plain() };
        let print = |columns: &[&str], cells: &[&str]| {
            let mut table = Table::new(columns);
            table.row(cells.iter().map(|cell| style.paint(Tone::Bad, cell)).collect());
            let text = table.print(style);
            assert!(text.lines().all(|line| shown(line) <= 60), "{text}");
            text.replace("\u{1b}[31m", "").replace("\u{1b}[2m", "").replace("\u{1b}[0m", "")
        };
        // Text that may be broken, before a name that is not too long.
        let asks = "one of many things and some others too, some of which are long";
        assert_eq!(
            print(&["demand", "asks for", ">count"], &["research/experiments", asks, "1,000"]).lines().nth(1),
            Some("research/experiments  one of many things and some      1,000"),
        );
        // Then headings of numbers, and not the numbers.
        let columns = [">slices placed", ">GPUs that are active", ">versus the first", ">pods placed"];
        let text = print(&columns, &["100.00 ± 0.00%", "1,000.0", "+0.00 ± 0.00", "100.0%"]);
        assert_eq!(text.lines().last(), Some("100.00 ± 0.00%          1,000.0    +0.00 ± 0.00       100.0%"), "{text}");
        // Then text that should stay whole.
        let columns = ["pod", "|slice", ">used", "|active"];
        let text = print(&columns, &["a-name-of-few-letters", "3g.40gb of a GPU", "31 of 40", "processors 100%"]);
        assert!(text.contains("a-name-of-few-letters  3g.40gb"), "{text}");
    }

    /// Every word of the cells stands in the text, and nothing else.
    fn assert_words(table: &Table, text: &str) {
        let words = |text: &str| {
            let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            words.sort();
            words
        };
        let cells: Vec<&str> = table.header.iter().chain(table.rows.iter().flatten()).map(String::as_str).collect();
        assert_eq!(words(text), words(&cells.join(" ")), "{text}");
    }

    #[test]
    fn rows_become_columns_before_a_word_is_broken() {
        let columns = ["|policy", ">slices placed", ">versus first", ">pods placed", ">GPUs active", ">broken up"];
        let mut table = Table::new(&columns);
        for policy in ["extender/planned", "extender/recut"] {
            table.row([policy, "100.00 ± 0.00%", "+0.00 ± 0.00", "100.0%", "19.8", "63.3%"].map(str::to_owned).into());
        }
        let text = table.print(Style { width: 60, ..Style::plain() });
        assert_eq!(
            text.lines().take(2).collect::<Vec<_>>(),
            ["policy         extender/planned  extender/recut", "slices placed    100.00 ± 0.00%  100.00 ± 0.00%"],
            "{text}"
        );
        assert_words(&table, &text);
        let text = table.print(Style { width: 80, ..Style::plain() });
        assert!(text.contains("\nextender/planned  100.00 ± 0.00%"), "{text}");
    }

    #[test]
    fn lines_are_longer_before_a_word_is_broken() {
        let columns: Vec<String> = (1..=12).map(|n| format!(">extender/recut-{n}")).collect();
        let mut table =
            Table::new(&["profile"].into_iter().chain(columns.iter().map(String::as_str)).collect::<Vec<_>>());
        for n in 0..12 {
            let cells = (0..12).map(|cell| format!("1,000.0, {cell}.00"));
            table.row(std::iter::once(format!("{n}g.10gb")).chain(cells).collect());
        }
        let text = table.print(Style::plain());
        assert_eq!(text.lines().count(), 13, "{text}");
        assert_words(&table, &text);
    }

    #[test]
    fn no_word_is_broken_at_any_width() {
        let name = "research-and-development/a-name-of-many-letters";
        let mut table = Table::new(&["  Demand", "asks for", ">priority", ">served", "|", "where"]);
        table.row(
            [name, "1g.10gb + 2 × 3g.40gb on one GPU", "1,000", "10 of 12", "#####", "a, b 7"]
                .map(str::to_owned)
                .into(),
        );
        table.row(
            ["  b", "1 whole GPU", "-5", "1 of 1", "#", "somewhere-far-away-and-hard-to-reach"]
                .map(str::to_owned)
                .into(),
        );
        for width in 60..=120 {
            assert_words(&table, &table.print(Style { width, ..Style::plain() }));
        }
    }

    #[test]
    fn what_is_two_columns_wide_has_them() {
        let mut table = Table::new(&["pod", ">number of all the slices held by pods now", "|active"]);
        table.row(vec!["pod-1".into(), "1,000".into(), "日本語日本語日本語日".into()]);
        let text = table.print(Style { width: 60, ..Style::plain() });
        assert!(text.contains("日本語日本語日本語日") && text.lines().all(|line| shown(line) <= 60), "{text}");
    }

    #[test]
    fn colour_takes_no_room() {
        let style = Style { color: true, ..Style::plain() };
        let mut table = Table::new(&["", ""]);
        table.row(vec![style.paint(Tone::Bad, "red"), "x".into()]);
        table.row(vec!["plain".into(), "y".into()]);
        let text = table.print(style);
        assert_eq!(text.replace("\u{1b}[31m", "").replace("\u{1b}[0m", ""), "red    x\nplain  y\n");
        assert!(text.contains("\u{1b}[31m"), "{text:?}");
    }
}
