//! Which rows of a list are shown, and in which order.

use std::cmp::Ordering;
use std::error::Error;
use std::fmt;

/// Which rows of a [`List`](crate::List) are shown, and in which order. The default is all, in the order they have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    order: Option<Order>,
    filters: Vec<Filter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Order {
    column: String,
    descends: bool,
}

/// What a row has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    /// A cell of a column that is this, `*` standing for anything and a `STAR` for an asterisk.
    Cell { column: String, pattern: String },
    /// This text in any cell.
    Text(String),
}

/// An asterisk that is meant; no text for people has this character.
const STAR: &str = "\0";

/// There is no column of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownColumn {
    /// What was asked for.
    pub column: String,
    /// The columns there are.
    pub columns: Vec<String>,
}

impl fmt::Display for UnknownColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no column `{}` (there are {})", self.column, self.columns.join(", "))
    }
}

impl Error for UnknownColumn {}

impl UnknownColumn {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        "unknown-column"
    }
}

impl Selection {
    /// Sorted by `COLUMN`, `COLUMN:asc` or `COLUMN:desc`, and the rows that pass all filters: `COLUMN=PATTERN`, in which
    /// `*` stands for anything (`\*` for itself), or a text that any cell has (with `=` before it if it has one itself).
    ///
    /// Case makes no difference, and in names of columns neither do `-`, `_` and spaces.
    ///
    /// ```
    /// use migsaw_report::Selection;
    ///
    /// let all = Selection::new(None, &[""; 0]);
    /// assert_eq!(all, Selection::default());
    /// assert_ne!(Selection::new(Some("GPU-hours:desc"), &["namespace=team-*"]), all);
    /// ```
    pub fn new(sort_by: Option<&str>, filters: &[impl AsRef<str>]) -> Selection {
        let order = sort_by.map(|text| match text.rsplit_once(':') {
            Some((column, "desc")) => Order { column: column.to_owned(), descends: true },
            Some((column, "asc")) => Order { column: column.to_owned(), descends: false },
            _ => Order { column: text.to_owned(), descends: false },
        });
        let filter = |text: &str| match text.split_once('=') {
            Some(("", text)) => Filter::Text(text.to_lowercase()),
            Some((column, pattern)) => {
                Filter::Cell { column: column.to_owned(), pattern: pattern.to_lowercase().replace("\\*", STAR) }
            }
            None => Filter::Text(text.to_lowercase()),
        };
        Selection { order, filters: filters.iter().map(|text| filter(text.as_ref())).collect() }
    }

    /// The rows under these titles that are chosen, in order; rows that are equal there keep theirs.
    ///
    /// # Errors
    /// [`UnknownColumn`] if a column is named that is not there.
    pub(crate) fn of(&self, titles: &[&str], rows: Vec<Vec<String>>) -> Result<Vec<Vec<String>>, UnknownColumn> {
        let at = |column: &str| {
            let found = titles.iter().position(|title| plain(title) == plain(column));
            found.ok_or_else(|| UnknownColumn {
                column: column.to_owned(),
                columns: titles.iter().map(|&title| title.to_owned()).collect(),
            })
        };
        let mut rows = rows;
        for filter in &self.filters {
            match filter {
                Filter::Cell { column, pattern } => {
                    let at = at(column)?;
                    rows.retain(|row| is_like(&row[at].to_lowercase().replace('*', STAR), pattern));
                }
                Filter::Text(text) => rows.retain(|row| row.iter().any(|cell| cell.to_lowercase().contains(text))),
            }
        }
        if let Some(Order { column, descends }) = &self.order {
            let at = at(column)?;
            rows.sort_by(|a, b| {
                let (a, b) = (a[at].as_str(), b[at].as_str());
                let is_empty = |cell: &str| matches!(cell, "" | "-");
                match (is_empty(a), is_empty(b)) {
                    (false, false) if *descends => ordered(b, a),
                    (false, false) => ordered(a, b),
                    // What is not there comes last, whichever way.
                    (a, b) => a.cmp(&b),
                }
            });
        }
        Ok(rows)
    }
}

/// A name of a column as it is compared.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', '_'], " ")
}

/// Whether a text is a pattern in which `*` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(tail)
}

/// Numbers by what they count to, and behind them texts as people order them.
fn ordered(a: &str, b: &str) -> Ordering {
    match (number(a), number(b)) {
        (Some((a, beyond_a)), Some((b, beyond_b))) => a.total_cmp(&b).then(beyond_a.cmp(&beyond_b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => natural(a, b),
    }
}

/// What may stand behind a number in a cell.
const BEHIND: [&str; 6] = ["%", "  ", " of ", " to ", " ± ", " ("];
/// Units, each with how many of the least one it is.
const UNITS: [(&str, f64); 8] = [
    ("", 1.0),
    (" or more", 1.0),
    (" MiB", 1.0),
    (" GiB", 1024.0),
    ("s", 1.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
];

/// What a cell counts to, as reports write numbers: `1,234`, `12.50`, `57%`, `SM <1%`, `3 of 12`, `5 to 7`, `16 GiB`,
/// `91.73 ± 0.31%`, and times from `90s` to `3d`. With it whether the number is a little below that, or above, as
/// `60+` and `12 or more` are.
fn number(cell: &str) -> Option<(f64, i8)> {
    let cell = cell.trim();
    let cell = ["SM ", "any "].iter().find_map(|what| cell.strip_prefix(what)).unwrap_or(cell);
    let (bound, cell) = match cell.chars().next()? {
        '<' => (-1, &cell[1..]),
        '>' => (1, &cell[1..]),
        _ => (0, cell),
    };
    let end = cell.find(|c: char| !(c.is_ascii_digit() || ",.+-eE".contains(c))).unwrap_or(cell.len());
    let (digits, rest) = cell.split_at(end);
    let exact = digits.trim_end_matches('+');
    let beyond = if exact.len() < digits.len() || rest == " or more" { 1 } else { bound };
    let value: f64 = if in_threes(exact) { exact.replace(',', "").parse().ok()? } else { return None };
    let of_unit = UNITS.iter().find(|(unit, _)| rest == *unit).map(|(_, scale)| *scale);
    let scale = of_unit.or_else(|| BEHIND.iter().any(|known| rest.starts_with(known)).then_some(1.0))?;
    Some((value * scale, beyond))
}

/// Whether three digits are behind each comma.
fn in_threes(digits: &str) -> bool {
    let length = |group: &str| group.find(|c: char| !c.is_ascii_digit()).unwrap_or(group.len());
    digits.split(',').skip(1).all(|group| length(group) == 3)
}

/// As people order names: `gpu-2` before `gpu-10`, whatever the case.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.to_lowercase(), b.to_lowercase());
    loop {
        let (head_a, head_b) = (run(&a), run(&b));
        if head_a.is_empty() || head_b.is_empty() {
            return a.cmp(&b);
        }
        let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let ordering = if digits(head_a) && digits(head_b) {
            let (x, y) = (head_a.trim_start_matches('0'), head_b.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            head_a.cmp(head_b)
        };
        if ordering.is_ne() {
            return ordering;
        }
        (a, b) = (a[head_a.len()..].to_owned(), b[head_b.len()..].to_owned());
    }
}

/// The digits that a text begins with, or what stands before the first one.
fn run(text: &str) -> &str {
    let is_digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != is_digits).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLES: [&str; 3] = ["Namespace", "slice", "GPU-hours"];

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        vec![
            row(["team-a", "1g.10gb", "1,200.50"]),
            row(["Team-B", "1g.5gb", "9.00"]),
            row(["other", "3g.40gb", "-"]),
            row(["team-10", "1g.10gb", "9.00"]),
            row(["team-2", "2g.20gb", "10.00"]),
        ]
    }

    /// The first cells of what is chosen.
    fn chosen(sort_by: &str, filters: &[&str]) -> String {
        let sort_by = Some(sort_by).filter(|text| !text.is_empty());
        let rows = Selection::new(sort_by, filters).of(&TITLES, rows()).unwrap();
        rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn numbers_sort_as_numbers_and_names_as_people_do() {
        for (sort_by, expected) in [
            ("", "team-a Team-B other team-10 team-2"),
            ("gpu_hours", "Team-B team-10 team-2 team-a other"),
            ("GPU hours:desc", "team-a team-2 Team-B team-10 other"),
            ("namespace:asc", "other team-2 team-10 team-a Team-B"),
            ("slice", "Team-B team-a team-10 team-2 other"),
        ] {
            assert_eq!(chosen(sort_by, &[]), expected, "{sort_by}");
        }
    }

    #[test]
    fn a_word_makes_no_text_of_the_numbers_beside_it() {
        let cells = ["none suffices", "1,200", "-", "12 or more", "12", "gpu-10", "9", "", "gpu-9"];
        let rows: Vec<Vec<String>> = cells.iter().map(|&cell| vec![cell.to_owned()]).collect();
        for (sort_by, expected) in [
            ("nodes", "9|12|12 or more|1,200|gpu-9|gpu-10|none suffices|-|"),
            ("nodes:desc", "none suffices|gpu-10|gpu-9|1,200|12 or more|12|9|-|"),
        ] {
            let sorted = Selection::new(Some(sort_by), &[] as &[&str]).of(&["nodes"], rows.clone()).unwrap();
            assert_eq!(sorted.concat().join("|"), expected, "{sort_by}");
        }
    }

    #[test]
    fn filters_all_have_to_hold() {
        for (filters, expected) in [
            (&["namespace=team-*"][..], "team-a Team-B team-10 team-2"),
            (&["namespace=TEAM-B"], "Team-B"),
            (&["namespace=team"], ""),
            (&["slice=*g.*0gb"], "team-a other team-10 team-2"),
            (&["team", "slice=1g.10gb"], "team-a team-10"),
            (&["slice=1g.10gb", "gpu-hours=9*"], "team-10"),
            (&["=team-1"], "team-10"),
            (&["namespace="], ""),
            (&["slice=\\*"], ""),
            (&["slice=*"], "team-a Team-B other team-10 team-2"),
        ] {
            assert_eq!(chosen("", filters), expected, "{filters:?}");
        }
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_those_that_are() {
        for (sort_by, filter) in [(Some("cost:desc"), None), (None, Some("cost=1"))] {
            let filters: Vec<&str> = filter.into_iter().collect();
            let error = Selection::new(sort_by, &filters).of(&TITLES, rows()).unwrap_err();
            assert_eq!(error.to_string(), "there is no column `cost` (there are Namespace, slice, GPU-hours)");
        }
    }

    #[test]
    fn numbers_as_reports_write_them() {
        let mut last = f64::NEG_INFINITY;
        for cell in ["-3", "0", "0.5", "57%", "91.73 ± 0.31%", "1,234", "1.5e4"] {
            let (value, beyond) = number(cell).unwrap();
            assert!(value > last && beyond == 0, "{cell}");
            last = value;
        }
        for (less, more) in [
            ("<1%", "1%"),
            ("99%", ">99%"),
            (">99%", "100%"),
            ("3 of 12", "10 of 11"),
            ("5 to 7", "6"),
            ("60+", "61"),
            ("1,500 MiB", "16 GiB"),
            ("90s", "2min"),
            ("100min", "2h"),
            ("40h", "2d"),
            ("12  40%", "120   4%"),
            ("27  48%", "28   1%"),
            ("3 (20%)", "20 (3%)"),
            ("12", "12 or more"),
            ("12 or more", "13"),
            ("60", "60+"),
            ("SM <1%", "SM 2%"),
            ("SM 9%", "SM >99%"),
            ("any 9%", "SM 12% (!)"),
        ] {
            let (a, b) = (number(less).unwrap(), number(more).unwrap());
            assert!(a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).is_lt(), "{less} {more}");
        }
        for cell in [
            "1g.10gb",
            "",
            "-",
            "none",
            "2026-10-01",
            "e",
            "8 x 1g.10gb=7",
            "2 nodes",
            "0,1,2",
            "1,2345",
            "SM",
            "SM any",
            "12 or",
        ] {
            assert_eq!(number(cell), None, "{cell}");
        }
    }

    #[test]
    fn patterns() {
        for (text, pattern, is) in [
            ("abc", "abc", true),
            ("abc", "ab", false),
            ("abc", "*", true),
            ("", "*", true),
            ("abc", "a*c", true),
            ("abc", "a*b", false),
            ("aba", "a*a", true),
            ("a", "a*a", false),
            ("abcbd", "a*b*d", true),
            ("ab", "a*b*b", false),
            ("ümlaut", "ü*t", true),
        ] {
            assert_eq!(is_like(text, pattern), is, "{text} {pattern}");
        }
    }
}
