//! Which rows of a report are printed.

use clap::Args;
use migsaw_report::Selection;

/// Which rows of a report are printed, and in which order.
#[derive(Debug, Args)]
pub(crate) struct SelectionArgs {
    /// Print the list of the report alone, sorted by this column; `COLUMN:desc` for the largest first
    #[arg(long, value_name = "COLUMN", help_heading = "Output")]
    pub(crate) sort_by: Option<String>,
    /// Print the list of the report alone, and of it the rows that have this (may be repeated): `COLUMN=PATTERN`, where
    /// `*` stands for anything, or a text in any column
    #[arg(long, value_name = "FILTER", help_heading = "Output")]
    pub(crate) filter: Vec<String>,
}

impl SelectionArgs {
    /// What is chosen; `None` for the report as it is.
    pub(crate) fn selection(&self) -> Option<Selection> {
        let is_given = self.sort_by.is_some() || !self.filter.is_empty();
        is_given.then(|| Selection::new(self.sort_by.as_deref(), &self.filter))
    }
}
