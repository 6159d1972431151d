//! Bars of parts of a whole, one above the other.

use maud::{Markup, html};

use super::{Drawing, count, px, short, width_of};
use crate::bar::Part;
use crate::number::percent;

const ROW: f64 = 30.0;
const BAR: f64 = 20.0;
const NAME: usize = 24;
const LEGEND: f64 = 30.0;

/// A bar.
pub(crate) struct Stack {
    pub(crate) name: String,
    /// By [`Part`].
    pub(crate) parts: [u128; 5],
    /// Behind the bar.
    pub(crate) figure: String,
}

/// Bars, and what their patterns mean.
pub(crate) struct Stacks<'a> {
    pub(crate) rows: &'a [Stack],
}

impl Stacks<'_> {
    pub(crate) fn draw(&self, width: f64) -> Drawing {
        let letters = if width < 600.0 { NAME / 2 } else { NAME };
        let names = self.rows.iter().map(|row| width_of(&short(&row.name, letters))).fold(0.0, f64::max);
        let figures = self.rows.iter().map(|row| width_of(&row.figure)).fold(0.0, f64::max);
        let (left, right) = (names + 10.0, width - figures - 10.0);
        let occurs = |part: &Part| self.rows.iter().any(|row| row.parts[part.index()] > 0);
        let legend: Vec<Part> = Part::ALL.into_iter().filter(occurs).collect();
        let columns = if width < 600.0 { 2 } else { 5 };
        let lines = legend.len().div_ceil(columns);
        let top = LEGEND * count(lines);
        let shapes = html! {
            @for (at, part) in legend.iter().enumerate() {
                @let (x, y) = (width / count(columns) * count(at % columns), LEGEND * count(at / columns));
                rect class=(part.title()) x=(px(x + 1.0)) y=(px(y + 2.0)) width="22" height="14" {}
                text class="small" x=(px(x + 30.0)) y=(px(y + 13.5)) { (part.meaning()) }
            }
            @for (at, row) in self.rows.iter().enumerate() {
                @let y = top + ROW * count(at);
                text x="0" y=(px(y + 15.0)) { (short(&row.name, letters)) }
                (draw(&row.parts, left, right - left, y))
                text class="end" x=(px(width)) y=(px(y + 15.0)) { (row.figure) }
            }
        };
        Drawing { width, height: top + ROW * count(self.rows.len()), shapes }
    }
}

fn draw(parts: &[u128; 5], left: f64, width: f64, y: f64) -> Markup {
    let whole: u128 = parts.iter().sum();
    // A thousandth is finer than anybody sees.
    let share = |part: u128| count(usize::try_from(part * 1000 / whole.max(1)).unwrap_or(0)) / 1000.0;
    let mut before = 0;
    let pieces: Vec<(Part, f64, f64, u128)> = Part::ALL
        .into_iter()
        .map(|part| {
            let from = share(before);
            before += parts[part.index()];
            (part, from, share(before), parts[part.index()])
        })
        .filter(|(_, from, to, _)| to > from)
        .collect();
    html! {
        @for (part, from, to, units) in pieces {
            @let wide = (to - from) * width;
            rect class=(part.title()) x=(px(left + from * width)) y=(px(y)) width=(px(wide)) height=(px(BAR)) {
                title { (part.title()) " " (percent(units, whole)) }
            }
        }
    }
}
