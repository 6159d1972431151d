//! A mean and how sure it is, row by row.

use maud::{Markup, html};

use super::{Drawing, Ink, Scale, count, px, short, width_of};

const ROW: f64 = 30.0;
const TOP: f64 = 6.0;
/// The ticks, their labels and the title of the axis.
const BOTTOM: f64 = 44.0;
/// Letters of a name.
const NAME: usize = 20;

/// A row.
pub(crate) struct Interval {
    pub(crate) name: String,
    /// A word behind the name.
    pub(crate) mark: Option<&'static str>,
    pub(crate) ink: Ink,
    pub(crate) mean: f64,
    pub(crate) half_width: f64,
    /// The figures, at the end of the row.
    pub(crate) figures: String,
}

/// Rows over one axis in percent.
pub(crate) struct Intervals<'a> {
    pub(crate) rows: &'a [Interval],
    pub(crate) axis: &'a str,
}

impl Intervals<'_> {
    /// The axis, which need not begin at 0: dots have no length that could mislead.
    pub(crate) fn scale(&self) -> Scale {
        let ends = self.rows.iter().flat_map(|row| [row.mean - row.half_width, row.mean + row.half_width]);
        let scale = Scale::around(ends, 5.0);
        // No part is more than the whole, unless it is no part.
        if self.rows.iter().all(|row| row.mean <= 1.0) { scale.at_most(1.0) } else { scale }
    }

    pub(crate) fn draw(&self, width: f64) -> Drawing {
        let names = self.rows.iter().map(|row| width_of(&name(row))).fold(0.0, f64::max);
        let figures = self.rows.iter().map(|row| width_of(&row.figures)).fold(0.0, f64::max);
        let (left, right) = (names + 14.0, width - figures - 14.0);
        let bottom = TOP + ROW * count(self.rows.len());
        let scale = self.scale().drawn(left, right);
        let bound = self.rows.iter().find(|row| row.ink == Ink::Bound);
        let digits = scale.digits(100.0);
        let shapes = html! {
            @for tick in scale.ticks() {
                @let x = px(scale.at(tick));
                line class="grid" x1=(x) x2=(x) y1=(px(TOP)) y2=(px(bottom)) {}
                text class="faint small middle" x=(x) y=(px(bottom + 17.0)) { (format!("{:.digits$}%", tick * 100.0)) }
            }
            line class="axis" x1=(px(left)) x2=(px(right)) y1=(px(bottom)) y2=(px(bottom)) {}
            text class="faint small" x=(px(left)) y=(px(bottom + 36.0)) { (self.axis) }
            @if let Some(bound) = bound {
                @let x = px(scale.at(bound.mean));
                line class="reference" x1=(x) x2=(x) y1=(px(TOP)) y2=(px(bottom)) {}
            }
            @for (at, row) in self.rows.iter().enumerate() {
                (draw_row(row, &scale, TOP + ROW * (count(at) + 0.5), width))
            }
        };
        Drawing { width, height: bottom + BOTTOM, shapes }
    }
}

fn draw_row(row: &Interval, scale: &Scale, y: f64, width: f64) -> Markup {
    let x = scale.at(row.mean);
    let (low, high) = (scale.at(row.mean - row.half_width), scale.at(row.mean + row.half_width));
    let strong = if row.ink == Ink::Best { "strong" } else { "" };
    html! {
        g class=(row.ink.class()) {
            text class=(strong) x="0" y=(px(y + 4.5)) {
                (short(&row.name, NAME))
                @if let Some(mark) = row.mark { tspan class="faint small" { " " (mark) } }
            }
            @if row.half_width > 0.0 {
                path class="whisker" d={
                    "M" (px(low)) " " (px(y - 5.0)) "v10M" (px(low)) " " (px(y)) "H" (px(high)) "m0 -5v10"
                } {}
            }
            @if row.ink == Ink::Bound {
                path class="mark" d={ "M" (px(x)) " " (px(y - 5.5)) "l5.5 5.5l-5.5 5.5l-5.5 -5.5z" } {}
            } @else {
                circle class="mark" cx=(px(x)) cy=(px(y)) r="4" {}
            }
            text class={ "end " (strong) } x=(px(width)) y=(px(y + 4.5)) { (row.figures) }
        }
    }
}

fn name(row: &Interval) -> String {
    row.mark.map_or_else(|| short(&row.name, NAME), |mark| format!("{} {mark}", short(&row.name, NAME)))
}
