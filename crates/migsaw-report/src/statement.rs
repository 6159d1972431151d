//! What is said of a period: the answer, what it is about, one table, and what to know about its numbers.

use std::fmt::Write as _;

use crate::clean::clean;
use crate::page::Page;
use crate::sheet::{markdown_cell, marked};
use crate::style::{Style, Tone};
use crate::table::Table;

pub(crate) struct Statement {
    pub(crate) answer: String,
    /// Empty for nothing.
    pub(crate) setting: String,
    /// Titles of the columns, marked as those of a [`Table`].
    pub(crate) titles: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) notes: Vec<String>,
}

impl Statement {
    pub(crate) fn text(self, style: Style) -> String {
        let mut page = Page::new(style);
        page.wrapped(&style.paint(Tone::Strong, self.answer), 0, 2);
        if !self.setting.is_empty() {
            page.wrapped(&self.setting, 0, 2);
        }
        page.line("");
        let mut table = Table::new(&self.titles.iter().map(String::as_str).collect::<Vec<_>>());
        for row in self.rows {
            table.row(row.iter().map(|cell| clean(cell).into_owned()).collect());
        }
        page.push(&table.print(style));
        for note in self.notes {
            page.line("");
            page.wrapped(&note, 0, 2);
        }
        page.finish()
    }

    pub(crate) fn markdown(self) -> String {
        let mut text = format!("**{}**\n", markdown_cell(&self.answer));
        if !self.setting.is_empty() {
            write!(text, "\n{}\n", markdown_cell(&self.setting)).expect("a string grows");
        }
        let titles: Vec<&str> = self.titles.iter().map(String::as_str).collect();
        write!(text, "\n{}", marked(&titles, self.rows)).expect("a string grows");
        for note in self.notes {
            write!(text, "\n{}\n", markdown_cell(&note)).expect("a string grows");
        }
        text
    }
}
