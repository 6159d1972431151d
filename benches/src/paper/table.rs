//! A table that says figure by figure what is known and what we reach.

use std::fmt::Display;

use crate::figures::Table as Markdown;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Of what is the same on every machine.
    Value(&'static str),
    /// Of wall times, which are not.
    Time(&'static str),
}

/// Whether a bar is met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bar {
    /// There is none.
    #[default]
    None,
    /// It is.
    Met,
    /// It is not.
    Missed,
}

impl Bar {
    fn of(met: bool) -> Bar {
        if met { Bar::Met } else { Bar::Missed }
    }

    fn and(self, other: Bar) -> Bar {
        match (self, other) {
            (Bar::Missed, _) | (_, Bar::Missed) => Bar::Missed,
            (Bar::Met, _) | (_, Bar::Met) => Bar::Met,
            (Bar::None, Bar::None) => Bar::None,
        }
    }
}

/// A row: a cell for each column, and the bars it is held to.
#[derive(Debug, Clone, Default)]
pub struct Row {
    cells: Vec<String>,
    value: Bar,
    time: Bar,
}

impl Row {
    /// A row of these cells that is held to nothing yet.
    pub fn of(cells: &[&dyn Display]) -> Row {
        Row { cells: cells.iter().map(ToString::to_string).collect(), ..Row::default() }
    }

    /// With one more cell.
    #[must_use]
    pub fn with(mut self, cell: &dyn Display) -> Row {
        self.cells.push(cell.to_string());
        self
    }

    /// Held to a bar on values.
    #[must_use]
    pub fn value(self, met: bool) -> Row {
        Row { value: self.value.and(Bar::of(met)), ..self }
    }

    /// Held to a bar on times, which counts only where times are shown.
    #[must_use]
    pub fn time(self, met: bool) -> Row {
        Row { time: self.time.and(Bar::of(met)), ..self }
    }

    /// Whether its bars are met.
    pub fn bar(&self, times: bool) -> Bar {
        if times { self.value.and(self.time) } else { self.value }
    }
}

/// What came of a question.
#[derive(Debug, Clone)]
pub struct Table {
    /// A heading.
    pub title: String,
    /// What is asked, what the bar is, and where the reference is from; Markdown.
    pub question: String,
    /// One for each cell of a row.
    pub columns: Vec<Column>,
    /// What was found.
    pub rows: Vec<Row>,
    /// What else there is to say; Markdown, may be empty.
    pub note: String,
}

impl Table {
    /// A table without rows.
    pub fn new(title: impl Into<String>, question: impl Into<String>, columns: &[Column]) -> Table {
        let columns = columns.to_vec();
        Table { title: title.into(), question: question.into(), columns, rows: Vec::new(), note: String::new() }
    }

    /// How many rows miss a bar.
    pub fn missed(&self, times: bool) -> usize {
        self.rows.iter().filter(|row| row.bar(times) == Bar::Missed).count()
    }

    /// The table as Markdown, with or without times.
    pub fn markdown(&self, times: bool) -> String {
        let shown = |column: &Column| times || matches!(column, Column::Value(_));
        let names = self.columns.iter().filter(|column| shown(column)).map(|column| match column {
            Column::Value(name) | Column::Time(name) => *name,
        });
        let mut names: Vec<&str> = names.collect();
        let has_bars = self.rows.iter().any(|row| row.bar(times) != Bar::None);
        names.extend(has_bars.then_some("bar"));
        let mut table = Markdown::new(&names);
        for row in &self.rows {
            let cells = self.columns.iter().zip(&row.cells).filter(|(column, _)| shown(column));
            let mut cells: Vec<&str> = cells.map(|(_, cell)| cell.as_str()).collect();
            let bar = match row.bar(times) {
                Bar::None => "",
                Bar::Met => "met",
                Bar::Missed => "**missed**",
            };
            cells.extend(has_bars.then_some(bar));
            table.row(cells.into_iter().map(str::to_owned));
        }
        let mut text = format!("#### {}\n\n{}\n\n{table}", self.title, self.question);
        if !self.note.is_empty() {
            text.extend(["\n", &self.note, "\n"]);
        }
        text
    }
}

/// How many of how many.
pub(super) fn of(part: usize, all: usize) -> String {
    format!("{part} of {all}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("Title", "Why?", &[Column::Value("what"), Column::Time("ms"), Column::Value("n")]);
        table.rows.push(Row::of(&[&"a", &1.5, &7]).value(true));
        table.rows.push(Row::of(&[&"b", &2.5, &8]).value(true).time(false));
        table
    }

    #[test]
    fn a_bar_that_is_missed_shows() {
        let text = "#### Title\n\nWhy?\n\n| what | ms | n | bar |\n| --- | --- | --- | --- |\n\
                    | a | 1.5 | 7 | met |\n| b | 2.5 | 8 | **missed** |\n";
        assert_eq!((table().markdown(true).as_str(), table().missed(true)), (text, 1));
    }

    #[test]
    fn without_times_nothing_says_how_fast_it_was() {
        let text = "#### Title\n\nWhy?\n\n| what | n | bar |\n| --- | --- | --- |\n| a | 7 | met |\n| b | 8 | met |\n";
        assert_eq!((table().markdown(false).as_str(), table().missed(false)), (text, 0));
    }

    #[test]
    fn a_table_without_bars_has_no_column_for_them() {
        let mut table = Table::new("T", "Q", &[Column::Value("n")]);
        table.rows.push(Row::of(&[]).with(&1));
        table.note = "N".to_owned();
        assert_eq!(table.markdown(true), "#### T\n\nQ\n\n| n |\n| --- |\n| 1 |\n\nN\n");
    }
}
