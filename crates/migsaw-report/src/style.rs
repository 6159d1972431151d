//! What the terminal can show.

use anstyle::AnsiColor;

/// What the reader's terminal can show. Found out by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns there are. Text is laid out for at least [`Style::LEAST_WIDTH`] and at most
    /// [`Style::MOST_WIDTH`] of them.
    pub width: u16,
    /// Whether ANSI colours are welcome.
    pub color: bool,
    /// Whether characters beyond ASCII are welcome.
    pub unicode: bool,
}

/// What a piece of text means; colour never says it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As wished.
    Good,
    /// Worth a look.
    Warn,
    /// Not as wished.
    Bad,
    /// A heading or the answer.
    Strong,
    /// Of lesser weight.
    Faint,
}

impl Style {
    /// Narrowest layout.
    pub const LEAST_WIDTH: u16 = 60;
    /// Widest layout: longer lines are hard to follow.
    pub const MOST_WIDTH: u16 = 120;

    /// For files and pipes: no colour, 100 columns.
    pub fn plain() -> Style {
        Style { width: 100, color: false, unicode: true }
    }

    /// The columns to lay out for.
    pub fn columns(self) -> usize {
        usize::from(self.width.clamp(Style::LEAST_WIDTH, Style::MOST_WIDTH))
    }

    /// `text` in a tone, if colours are welcome.
    pub fn paint(self, tone: Tone, text: impl AsRef<str>) -> String {
        let text = text.as_ref();
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warn => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Strong => anstyle::Style::new().bold(),
            Tone::Faint => anstyle::Style::new().dimmed(),
        };
        format!("{style}{text}{style:#}")
    }

    /// `unicode`, or `ascii` where only that can be shown.
    pub fn pick<'a>(self, unicode: &'a str, ascii: &'a str) -> &'a str {
        if self.unicode { unicode } else { ascii }
    }

    /// A multiplication sign.
    pub fn times(self) -> &'static str {
        self.pick("×", "x")
    }
}

impl Default for Style {
    fn default() -> Style {
        Style::plain()
    }
}
