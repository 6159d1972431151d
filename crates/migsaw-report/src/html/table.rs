//! Tables that scroll within the page, are sorted by their headings, and are read out with them.

use maud::{Markup, html};

use crate::clean::clean;
use crate::number::counted;
use crate::sheet::Sheet;

/// Rows of a list that are shown at once.
const MOST_ROWS: usize = 100;

/// A column; the first one names the row.
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) is_number: bool,
}

impl Column {
    pub(crate) fn text(title: &str) -> Column {
        Column { title: title.to_owned(), is_number: false }
    }

    pub(crate) fn number(title: &str) -> Column {
        Column { title: title.to_owned(), is_number: true }
    }

    /// A column with a title as those of [text](crate::table::Table): `>` in front of it makes it one of numbers.
    pub(crate) fn marked(title: &str) -> Column {
        Column { title: title.trim_start_matches(['>', '|']).to_owned(), is_number: title.starts_with('>') }
    }
}

/// What a row is besides its cells.
#[derive(Default)]
pub(crate) struct Row {
    /// Names it in links.
    pub(crate) id: Option<String>,
    /// A class for its looks.
    pub(crate) looks: &'static str,
}

/// A row with its name and its other cells.
type Filled = (Row, Markup, Vec<Markup>);

/// Rows under headings.
pub(crate) struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Filled>,
    /// Row below all others, which is not sorted.
    sum: Option<(String, Vec<String>)>,
    is_list: bool,
}

impl Table {
    pub(crate) fn new(caption: &str, columns: Vec<Column>) -> Table {
        Table { caption: clean(caption).into_owned(), columns, rows: Vec::new(), sum: None, is_list: false }
    }

    /// A table of many things, each in its row: it can be sorted, and the search goes through it.
    pub(crate) fn list(caption: &str, columns: Vec<Column>) -> Table {
        Table { is_list: true, ..Table::new(caption, columns) }
    }

    /// A list of a sheet's rows; `numbers` says which columns hold numbers, as in Markdown.
    pub(crate) fn of_sheet(caption: &str, sheet: &Sheet, numbers: &[bool]) -> Table {
        let column = |(index, title): (usize, &String)| Column {
            // As programs read it in CSV, people read it in words.
            title: title.replace('_', " "),
            is_number: numbers.get(index) == Some(&true),
        };
        Table::filled(caption, sheet.header.iter().enumerate().map(column).collect(), &sheet.rows)
    }

    /// A list of these, with [marked](Column::marked) titles.
    pub(crate) fn of(caption: &str, titles: &[&str], rows: &[Vec<String>]) -> Table {
        Table::filled(caption, titles.iter().map(|title| Column::marked(title)).collect(), rows)
    }

    fn filled(caption: &str, columns: Vec<Column>, rows: &[Vec<String>]) -> Table {
        let mut table = Table::list(caption, columns);
        for row in rows {
            if let [name, cells @ ..] = &row[..] {
                table.row(html! { (clean(name)) }, "", cells);
            }
        }
        table
    }

    /// Adds a row under its name, with a class for its looks.
    pub(crate) fn row(&mut self, name: Markup, looks: &'static str, cells: &[String]) {
        self.add(Row { looks, ..Row::default() }, name, cells.iter().map(|cell| html! { (clean(cell)) }).collect());
    }

    /// Adds a row whose cells are more than text.
    pub(crate) fn add(&mut self, row: Row, name: Markup, cells: Vec<Markup>) {
        debug_assert_eq!(cells.len() + 1, self.columns.len());
        self.rows.push((row, name, cells));
    }

    /// Ends the table with a row about all others.
    pub(crate) fn sum(&mut self, name: &str, cells: Vec<String>) {
        debug_assert_eq!(cells.len() + 1, self.columns.len());
        self.sum = Some((name.to_owned(), cells));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table. Of a list that is long, the rest is to be opened: a browser lays out what is seen, and wide tables
    /// of thousands of rows take seconds.
    pub(crate) fn show(&self) -> Markup {
        let most = if self.is_list && self.rows.len() > MOST_ROWS + MOST_ROWS / 10 { MOST_ROWS } else { usize::MAX };
        let (first, rest) = self.rows.split_at(most.min(self.rows.len()));
        html! {
            // Whoever has no mouse scrolls what has the focus.
            div class="scroll" role="group" tabindex="0" aria-label=(self.caption) {
                (self.part(&self.caption, first, self.sum.as_ref()))
                @if !rest.is_empty() {
                    details class="more" data-scope="" {
                        summary { (counted(rest.len() as u64, "more row")) }
                        (self.part(&format!("{}, the rest", self.caption), rest, None))
                    }
                }
            }
        }
    }

    /// Some of the rows, with the headings.
    fn part(&self, caption: &str, rows: &[Filled], sum: Option<&(String, Vec<String>)>) -> Markup {
        html! {
            table class=[(self.is_list && self.rows.len() > 1).then_some("sortable")] {
                caption { (caption) }
                thead {
                    tr {
                        @for column in &self.columns {
                            th scope="col" class=[class(column)] { (clean(&column.title)) }
                        }
                    }
                }
                tbody {
                    @for (row, name, cells) in rows {
                        tr id=[row.id.as_deref().map(clean)] class=[(!row.looks.is_empty()).then_some(row.looks)]
                            data-find=[self.is_list.then_some("")] {
                            th scope="row" { (name) }
                            @for (cell, column) in cells.iter().zip(self.columns.iter().skip(1)) {
                                td class=[class(column)] { (cell) }
                            }
                        }
                    }
                }
                @if let Some((name, cells)) = sum {
                    tfoot {
                        tr {
                            th scope="row" { (clean(name)) }
                            @for (cell, column) in cells.iter().zip(self.columns.iter().skip(1)) {
                                td class=[class(column)] { (clean(cell)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn class(column: &Column) -> Option<&'static str> {
    column.is_number.then_some("number")
}
