//! Tables without lines.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table as Comfy, presets};

use crate::style::{Style, Tone};

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
    pub(crate) fn print(&self, style: Style) -> String {
        let mut table = Comfy::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(style.columns()).expect("at most MOST_WIDTH")).force_no_tty();
        if self.header.iter().any(|title| !title.is_empty()) {
            table.set_header(self.header.iter().map(|title| style.paint(Tone::Faint, title)));
        }
        for row in &self.rows {
            table.add_row(row);
        }
        let last = self.header.len().saturating_sub(1);
        for (i, &right) in self.right.iter().enumerate() {
            if let Some(column) = table.column_mut(i) {
                column.set_padding((0, if i == last { 0 } else { 2 }));
                if self.whole[i] {
                    column.set_constraint(ColumnConstraint::ContentWidth);
                }
                column.set_cell_alignment(if right { CellAlignment::Right } else { CellAlignment::Left });
            }
        }
        table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect()
    }
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
