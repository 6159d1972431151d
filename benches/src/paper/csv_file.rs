//! CSV files with named columns.

use std::path::Path;
use std::str::FromStr;

use csv::StringRecord;

/// A whole file.
pub(super) struct Csv {
    columns: StringRecord,
    records: Vec<StringRecord>,
}

/// One line of it.
pub(super) struct Row<'a> {
    columns: &'a StringRecord,
    record: &'a StringRecord,
}

impl Csv {
    /// # Errors
    /// The file cannot be read, or is no CSV.
    pub(super) fn read(path: &Path) -> Result<Csv, String> {
        let text = std::fs::read_to_string(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
        Csv::parse(&text).map_err(|cause| format!("{}: {cause}", path.display()))
    }

    /// # Errors
    /// The text has no header line, or is no CSV.
    pub(super) fn parse(text: &str) -> Result<Csv, String> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let columns = reader.headers().map_err(|cause| cause.to_string())?.clone();
        if columns.is_empty() {
            return Err("the table is empty (a header line is needed)".to_owned());
        }
        let records: Result<Vec<StringRecord>, csv::Error> = reader.records().collect();
        Ok(Csv { columns, records: records.map_err(|cause| cause.to_string())? })
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.records.iter().map(|record| Row { columns: &self.columns, record })
    }
}

impl<'a> Row<'a> {
    /// # Errors
    /// There is no such column, or the line ends before it.
    pub(super) fn field(&self, column: &str) -> Result<&'a str, String> {
        let position = self.columns.iter().position(|known| known == column);
        position
            .and_then(|position| self.record.get(position))
            .ok_or_else(|| self.error(&format!("no column {column}")))
    }

    /// # Errors
    /// As [`field`](Self::field), or the field is not a number.
    pub(super) fn number<N: FromStr>(&self, column: &str) -> Result<N, String> {
        let field = self.field(column)?;
        field.parse().map_err(|_| self.error(&format!("{column} is {field:?} (a number is needed)")))
    }

    /// What is wrong, with the line.
    pub(super) fn error(&self, problem: &str) -> String {
        let line: Vec<&str> = self.record.iter().collect();
        format!("line {:?}: {problem}", line.join(","))
    }
}
