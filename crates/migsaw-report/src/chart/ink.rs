//! What tells one row or line from another: colour, dashes, thickness and marker, never colour alone.

/// How something is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// What the reader should look at first.
    Best,
    /// One of the others, by its number.
    Other(usize),
    /// A bound, which nobody can have.
    Bound,
}

/// Colours in `chart.css` for others.
const COLOURS: usize = 6;
/// With six colours, 30 others differ.
const DASHES: [&str; 5] = ["7 3", "2 3", "9 3 2 3", "4 2", "12 3 2 3 2 3"];

impl Ink {
    /// The class that sets its colour.
    pub(crate) fn class(self) -> String {
        match self {
            Ink::Best => "best".to_owned(),
            Ink::Other(number) => format!("other{}", number % COLOURS),
            Ink::Bound => "bound".to_owned(),
        }
    }

    /// Its dashes, as SVG takes them.
    pub(crate) fn dashes(self) -> Option<&'static str> {
        match self {
            Ink::Best => None,
            Ink::Other(number) => Some(DASHES[number % DASHES.len()]),
            Ink::Bound => Some("1 4"),
        }
    }
}
