//! Tables for spreadsheets and for pages in Markdown.

use std::fmt::Write as _;

/// Rows under a heading, cells as they are.
pub(crate) struct Sheet {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Sheet {
    pub(crate) fn new(columns: &[&str]) -> Sheet {
        Sheet { header: columns.iter().map(|&c| c.to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.header.len());
        self.rows.push(cells);
    }

    /// As RFC 4180 has it, with line feeds. Cells that a spreadsheet would take for a formula get a quotation mark
    /// in front; negative numbers are none.
    pub(crate) fn csv(&self) -> String {
        let mut text = String::new();
        for row in std::iter::once(&self.header).chain(&self.rows) {
            let cells: Vec<String> = row.iter().map(|cell| csv_cell(cell)).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }

    /// A table as GitHub has it; cells that are numbers, also in part, are set flush right by the caller's wish.
    pub(crate) fn markdown(&self, right: &[bool]) -> String {
        let mut text = String::new();
        let line = |text: &mut String, cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| markdown_cell(cell)).collect();
            writeln!(text, "| {} |", cells.join(" | ")).expect("a string grows");
        };
        line(&mut text, &self.header);
        let rule: Vec<String> = (0..self.header.len())
            .map(|i| if right.get(i) == Some(&true) { "---:".to_owned() } else { "---".to_owned() })
            .collect();
        writeln!(text, "| {} |", rule.join(" | ")).expect("a string grows");
        self.rows.iter().for_each(|row| line(&mut text, row));
        text
    }
}

/// A table in Markdown with titles as those of [`Table`](crate::table::Table): `>` in front of one sets its column flush
/// right, `|` says nothing here.
pub(crate) fn marked(titles: &[&str], rows: Vec<Vec<String>>) -> String {
    let right: Vec<bool> = titles.iter().map(|title| title.starts_with('>')).collect();
    let titles: Vec<&str> = titles.iter().map(|title| title.trim_start_matches(['>', '|'])).collect();
    let mut sheet = Sheet::new(&titles);
    for row in rows {
        sheet.row(row);
    }
    sheet.markdown(&right)
}

fn csv_cell(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// Text that stays text in Markdown: no markup, no HTML, no end of the cell.
pub(crate) fn markdown_cell(cell: &str) -> String {
    let mut text = String::new();
    for c in crate::clean::clean(cell).chars() {
        match c {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '!' => {
                text.push('\\');
                text.push(c);
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let mut sheet = Sheet::new(&["name", "count"]);
        sheet.row(vec!["a,b".into(), "1".into()]);
        sheet.row(vec!["say \"x\"".into(), "2".into()]);
        sheet.row(vec!["=1+1".into(), "@x".into()]);
        sheet.row(vec!["-2+3".into(), "-0.5".into()]);
        assert_eq!(sheet.csv(), "name,count\n\"a,b\",1\n\"say \"\"x\"\"\",2\n'=1+1,'@x\n'-2+3,-0.5\n");
    }

    #[test]
    fn markdown_takes_no_markup_from_names() {
        let mut sheet = Sheet::new(&["name", "count"]);
        sheet.row(vec!["a|b <i>*x*".into(), "1".into()]);
        let text = sheet.markdown(&[false, true]);
        assert_eq!(text, "| name | count |\n| --- | ---: |\n| a\\|b &lt;i&gt;\\*x\\* | 1 |\n");
    }
}
