//! Bars of parts of a whole, one above the other.

use maud::{Markup, html};

use super::{Drawing, count, px, short, width_of};
use crate::bar::Part;
use crate::number::percent;

const ROW: f64 = 30.0;
const BAR: f64 = 20.0;
const NAME: usize = 24;
const LEGEND: f64 = 30.0;
/// Between what patterns mean.
const GAP: f64 = 18.0;

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
        let (places, lines) = placed(&legend, width);
        let top = LEGEND * count(lines);
        let shapes = html! {
            @for (part, (x, y)) in legend.iter().zip(places) {
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

/// Where what patterns mean stands, one behind the other, and in how many lines.
fn placed(legend: &[Part], width: f64) -> (Vec<(f64, f64)>, usize) {
    let (mut x, mut line) = (0.0, 0);
    let mut places = Vec::new();
    for part in legend {
        // Its letters are small.
        let wide = 30.0 + width_of(part.meaning()) * 0.85;
        if x > 0.0 && x + wide > width {
            (x, line) = (0.0, line + 1);
        }
        places.push((x, LEGEND * count(line)));
        x += wide + GAP;
    }
    (places, line + 1)
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
