//! A GPU as its slices.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{px, short};

/// Size of a picture of a GPU, in pixels.
pub(crate) const WIDTH: f64 = 304.0;
pub(crate) const HEIGHT: f64 = 36.0;

/// What one GPU looks like: GPUs that look alike are drawn once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Board {
    /// Placement units there are.
    pub(crate) units: u8,
    /// What is on them, from left to right.
    pub(crate) pieces: Vec<Piece>,
}

/// Some neighbouring units.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    pub(crate) start: u8,
    pub(crate) size: u8,
    pub(crate) tint: Tint,
    /// What it is: a profile.
    pub(crate) what: String,
    /// What it is for: a demand.
    pub(crate) whom: String,
    /// Whether it is made anew, or taken away.
    pub(crate) changes: bool,
}

/// How a piece is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tint {
    /// In use, with so many compute slices.
    Used(u8),
    /// Cut and not asked for, with so many compute slices.
    Spare(u8),
    /// Not cut.
    Free,
    /// Not cut, and no instance can be there.
    Stranded,
}

impl Board {
    /// The shapes, from 0 to [`WIDTH`] and [`HEIGHT`].
    pub(crate) fn shapes(&self) -> Markup {
        let unit = (WIDTH - 2.0) / f64::from(self.units.max(1));
        html! {
            rect class="board" x="0.5" y="0.5" width=(px(WIDTH - 1.0)) height=(px(HEIGHT - 1.0)) rx="4" {}
            @for piece in &self.pieces {
                (piece.draw(1.0 + unit * f64::from(piece.start), unit * f64::from(piece.size)))
            }
        }
    }
}

impl Piece {
    fn draw(&self, x: f64, width: f64) -> Markup {
        let (class, on_pattern) = match self.tint {
            Tint::Used(compute) => (format!("slice slice{}", compute.clamp(1, 8)), false),
            Tint::Spare(compute) => (format!("slice is-spare slice{}", compute.clamp(1, 8)), false),
            Tint::Free => ("free".to_owned(), true),
            Tint::Stranded => ("stranded".to_owned(), true),
        };
        let text = if on_pattern || self.changes { "on-pattern" } else { "" };
        let (left, wide) = (px(x + 1.5), px(width - 3.0));
        let middle = px(x + width / 2.0);
        let (what, whom) = (fitting(&self.what, width, 1.1), fitting(&self.whom, width, 1.0));
        let y = if whom.is_empty() { "22" } else { "15" };
        html! {
            rect class=(class) x=(left) y="3" width=(wide) height=(px(HEIGHT - 6.0)) rx="2.5" {}
            @if self.changes {
                rect class="change" x=(left) y="3" width=(wide) height=(px(HEIGHT - 6.0)) rx="2.5" {}
            }
            @if !what.is_empty() { text class={ "what " (text) } x=(middle) y=(y) { (what) } }
            @if !whom.is_empty() { text class=(text) x=(middle) y="28" { (whom) } }
        }
    }
}

/// As much of a text as there is room for: a profile without its memory before it is cut.
fn fitting(text: &str, width: f64, scale: f64) -> String {
    let fits = |text: &String| length(text) * scale <= width - 3.0;
    let whole = text.to_owned();
    if fits(&whole) {
        return whole;
    }
    let profile = text.split_once('.').filter(|(head, _)| head.ends_with('g') && head.len() < 4);
    if let Some((head, tail)) = profile {
        return format!("{head}{}", if tail.contains(['+', '-']) { "+" } else { "" });
    }
    (1..text.chars().count()).rev().map(|letters| short(text, letters)).find(fits).unwrap_or_default()
}

/// About how long a text is, in letters of 11 pixels; without the reader's font nobody knows.
fn length(text: &str) -> f64 {
    let letter = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | '\'' | '|' | '!' => 3.5,
        't' | 'f' | 'r' | '-' | '(' | ')' | '/' => 4.8,
        'm' | 'w' | 'M' | 'W' | '@' | '…' => 10.5,
        'A'..='Z' => 8.0,
        c if c.is_ascii() => 6.9,
        _ => 11.0,
    };
    text.chars().map(letter).sum()
}

/// Different boards, each drawn once and shown wherever it is met.
#[derive(Default)]
pub(crate) struct Boards(BTreeMap<Board, usize>);

impl Boards {
    /// The picture of a board, of which the text beside it says all.
    pub(crate) fn show(&mut self, board: &Board) -> Markup {
        let name = self.name(board);
        html! { svg class="picture" aria-hidden="true" { use href={ "#" (name) } {} } }
    }

    /// The name of a board's picture, for a page that draws it when somebody looks.
    pub(crate) fn name(&mut self, board: &Board) -> String {
        let next = self.0.len();
        format!("g{}", self.0.entry(board.clone()).or_insert(next))
    }

    /// What the pictures refer to.
    pub(crate) fn symbols(&self) -> Markup {
        html! {
            svg class="symbols" width="0" height="0" aria-hidden="true" {
                defs { (super::patterns()) }
                @for (board, number) in &self.0 {
                    symbol id={ "g" (number) } class="gpu" viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } { (board.shapes()) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_as_long_as_there_is_room() {
        for (text, width, shown) in [
            ("1g.10gb", 74.0, "1g.10gb"),
            ("1g.10gb", 34.0, "1g"),
            ("1g.10gb+me", 34.0, "1g+"),
            ("chat", 37.0, "chat"),
            ("notebooks", 37.0, "not…"),
            ("", 34.0, ""),
        ] {
            assert_eq!(fitting(text, width, 1.0), shown, "{text} in {width}");
        }
    }
}
