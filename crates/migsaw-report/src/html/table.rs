//! Tables that scroll within the page, and are read out with their headings.

use maud::{Markup, html};

use crate::clean::clean;

/// A column; the first one names the row.
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) is_number: bool,
}

/// Rows under headings.
pub(crate) struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<(Markup, &'static str, Vec<String>)>,
}

impl Table {
    pub(crate) fn new(caption: &str, columns: Vec<Column>) -> Table {
        Table { caption: clean(caption).into_owned(), columns, rows: Vec::new() }
    }

    /// Adds a row under its name, with a class for its looks.
    pub(crate) fn row(&mut self, name: Markup, class: &'static str, cells: Vec<String>) {
        debug_assert_eq!(cells.len() + 1, self.columns.len());
        self.rows.push((name, class, cells));
    }

    pub(crate) fn show(&self) -> Markup {
        html! {
            // Whoever has no mouse scrolls what has the focus.
            div class="scroll" role="region" tabindex="0" aria-label=(self.caption) {
                table {
                    caption { (self.caption) }
                    thead {
                        tr {
                            @for column in &self.columns {
                                th scope="col" class=[class(column)] { (clean(&column.title)) }
                            }
                        }
                    }
                    tbody {
                        @for (name, looks, cells) in &self.rows {
                            tr class=[(!looks.is_empty()).then_some(looks)] {
                                th scope="row" { (name) }
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
}

fn class(column: &Column) -> Option<&'static str> {
    column.is_number.then_some("number")
}
