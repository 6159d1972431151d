//! Tables without lines.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table as Comfy, presets};
use unicode_width::UnicodeWidthStr as _;

use crate::style::{Style, Tone};

/// Between columns.
const GAP: usize = 2;
/// Of text that may be broken at least so much stands in a line.
const LEAST_TEXT: usize = 10;

/// Rows under a heading, as wide as they need to be and no wider than the style has.
pub(crate) struct Table {
    header: Vec<String>,
    right: Vec<bool>,
    whole: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns. Those that begin with `>` are set flush right; those and the ones that
    /// begin with `|` are never broken.
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
    /// What is wider than the style is broken: first what may be, but for names up to a third of the line; then
    /// headings, between words; and only then what should stay whole, if it is text.
    pub(crate) fn print(&self, style: Style) -> String {
        let widths = self.widths();
        let last = self.header.len().saturating_sub(1);
        let name = widths.first().map_or(0, |width| width.whole.min(style.columns() / 3));
        let needs = |of_whole: fn(&Width) -> usize| {
            let needed = widths.iter().enumerate().map(|(i, width)| match i {
                _ if self.whole[i] => of_whole(width),
                0 => name,
                _ => width.whole.min(LEAST_TEXT),
            });
            needed.sum::<usize>() + GAP * last
        };
        let is_wide = widths.iter().map(|width| width.whole).sum::<usize>() + GAP * last > style.columns();
        let breaks_headings = needs(|width| width.whole) > style.columns();
        let breaks_all = needs(|width| width.cells) > style.columns();
        let fixed = self.unbroken(&widths, style);
        let mut table = Comfy::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(style.columns()).expect("at most MOST_WIDTH")).force_no_tty();
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
                let with_gap = |width: usize| comfy_table::Width::Fixed(as_u16(width + gap));
                match self.whole[i] {
                    true if !breaks_headings => drop(column.set_constraint(ColumnConstraint::ContentWidth)),
                    true if right || !breaks_all => {
                        column.set_constraint(ColumnConstraint::Absolute(with_gap(fixed[i])));
                    }
                    false if i == 0 && is_wide && !breaks_all => {
                        column.set_constraint(ColumnConstraint::LowerBoundary(with_gap(name)));
                    }
                    _ => {}
                }
                column.set_cell_alignment(if right { CellAlignment::Right } else { CellAlignment::Left });
            }
        }
        table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect()
    }

    /// How wide columns are of which the headings are broken: what other columns leave goes to the worst.
    fn unbroken(&self, widths: &[Width], style: Style) -> Vec<usize> {
        let least = |(i, width): (usize, &Width)| if self.whole[i] { width.cells } else { width.whole };
        let mut found: Vec<usize> = widths.iter().enumerate().map(least).collect();
        let used = found.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        for _ in used..style.columns() {
            let lacks = |i: &usize| widths[*i].whole.saturating_sub(found[*i]);
            match (0..widths.len()).max_by_key(lacks) {
                Some(worst) if lacks(&worst) > 0 => found[worst] += 1,
                _ => break,
            }
        }
        found
    }

    fn widths(&self) -> Vec<Width> {
        let width = |(i, title): (usize, &String)| {
            let cells = self.rows.iter().map(|row| shown(&row[i])).max().unwrap_or(0);
            let word = title.split(' ').map(shown).max().unwrap_or(0);
            Width { whole: cells.max(shown(title)), cells: cells.max(word) }
        };
        self.header.iter().enumerate().map(width).collect()
    }
}

/// How wide a column is.
struct Width {
    /// With nothing broken.
    whole: usize,
    /// With its heading broken between words.
    cells: usize,
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
        assert_eq!(text.lines().last(), Some("100.00 ± 0.00%            1,000.0    +0.00 ± 0.00     100.0%"), "{text}");
        // Then text that should stay whole.
        let columns = ["pod", "|slice", ">used", "|active"];
        let long = "a-name-of-forty-letters-or-a-little-more";
        print(&columns, &[long, "3g.40gb of a GPU", "31,000 of 40,192", "streaming multiprocessors 100%"]);
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
