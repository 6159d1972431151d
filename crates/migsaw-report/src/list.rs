//! The list of a report: the rows that make it long, to be sorted and searched.

use crate::number::{counted, grouped};
use crate::selection::{Selection, UnknownColumn};
use crate::sheet::Sheet;
use crate::statement::Statement;
use crate::style::Style;

/// The rows of a report that are many, with the answer above. [`Selection`] says which of them are shown.
pub struct List {
    /// The rows as people read them.
    statement: Statement,
    /// Row below all others; it is about all of them, shown or not.
    total: Option<Vec<String>>,
    /// The rows for spreadsheets.
    sheet: Sheet,
}

impl List {
    pub(crate) fn new(statement: Statement, sheet: Sheet) -> List {
        List { statement, total: None, sheet }
    }

    /// A list that reads the same in a spreadsheet; `right` says which columns are set flush right.
    pub(crate) fn of_sheet(answer: String, setting: String, sheet: Sheet, right: &[bool]) -> List {
        let title = |(index, title): (usize, &String)| {
            let mark = if right.get(index) == Some(&true) { ">" } else { "" };
            format!("{mark}{title}")
        };
        let titles = sheet.header.iter().enumerate().map(title).collect();
        let statement = Statement { answer, setting, titles, rows: sheet.rows.clone(), notes: Vec::new() };
        List::new(statement, sheet)
    }

    /// Takes the last row for one about all others.
    pub(crate) fn with_total(mut self) -> List {
        self.total = self.statement.rows.pop();
        self
    }

    /// The rows that are chosen, for the terminal.
    ///
    /// # Errors
    /// [`UnknownColumn`] if a column is named that is not there.
    pub fn text(self, selection: &Selection, style: Style) -> Result<String, UnknownColumn> {
        Ok(self.chosen(selection)?.text(style))
    }

    /// The rows that are chosen, in Markdown.
    ///
    /// # Errors
    /// [`UnknownColumn`] if a column is named that is not there.
    pub fn markdown(self, selection: &Selection) -> Result<String, UnknownColumn> {
        Ok(self.chosen(selection)?.markdown())
    }

    /// The rows that are chosen, for spreadsheets. Columns may be named otherwise there.
    ///
    /// # Errors
    /// [`UnknownColumn`] if a column is named that is not there.
    pub fn csv(self, selection: &Selection) -> Result<String, UnknownColumn> {
        let Sheet { header, rows } = self.sheet;
        let titles: Vec<&str> = header.iter().map(String::as_str).collect();
        let rows = selection.of(&titles, rows)?;
        Ok(Sheet { header, rows }.csv())
    }

    fn chosen(self, selection: &Selection) -> Result<Statement, UnknownColumn> {
        let List { mut statement, total, .. } = self;
        let all = statement.rows.len();
        let titles: Vec<&str> = statement.titles.iter().map(|title| title.trim_start_matches(['>', '|'])).collect();
        statement.rows = selection.of(&titles, statement.rows)?;
        let shown = statement.rows.len();
        if shown < all {
            let of_all = if total.is_some() { "; the last row is about all of them" } else { "" };
            let note = format!("{} of {} shown{of_all}", grouped(shown as u64), counted(all as u64, "row"));
            statement.notes.insert(0, note);
        }
        statement.rows.extend(total);
        Ok(statement)
    }
}
