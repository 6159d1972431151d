//! Bars from 0 to 100%, in a panel for each part.

use maud::{Markup, html};

use super::{Drawing, Ink, Scale, count, px, short, width_of};

const ROW: f64 = 20.0;
const HEAD: f64 = 26.0;
/// Below a panel.
const FOOT: f64 = 20.0;
/// Between panels side by side.
const GUTTER: f64 = 36.0;
const FIGURE: f64 = 58.0;
const NAME: usize = 16;
/// Letters of a name where there is but one panel.
const NAME_ALONE: usize = 32;
/// How much wider bold letters are.
const BOLD: f64 = 1.08;

/// A bar.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) ink: Ink,
    /// Its length: a part of a whole.
    pub(crate) part: f64,
    pub(crate) half_width: f64,
    pub(crate) figure: String,
}

/// Bars with a heading.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) note: String,
    pub(crate) bars: Vec<Bar>,
}

/// Panels, as many side by side as there is room for.
pub(crate) struct Bars<'a> {
    pub(crate) panels: &'a [Panel],
}

impl Bars<'_> {
    pub(crate) fn draw(&self, width: f64) -> Drawing {
        let columns = if width < 600.0 { 1 } else { self.panels.len().clamp(1, 3) };
        let panel_width = (width - GUTTER * count(columns - 1)) / count(columns);
        let rows = self.panels.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
        let panel_height = HEAD + ROW * count(rows) + FOOT;
        let bars = self.panels.iter().flat_map(|panel| &panel.bars);
        let letters = if self.panels.len() == 1 && width >= 600.0 { NAME_ALONE } else { NAME };
        let width_of_name = |bar: &Bar| {
            let width = width_of(&short(&bar.name, letters));
            if bar.ink == Ink::Best { width * BOLD } else { width }
        };
        let names = bars.map(width_of_name).fold(0.0, f64::max);
        let shapes = html! {
            @for (at, panel) in self.panels.iter().enumerate() {
                @let x = (panel_width + GUTTER) * count(at % columns);
                @let y = panel_height * count(at / columns);
                g transform={ "translate(" (px(x)) " " (px(y)) ")" } { (draw_panel(panel, letters, names, panel_width)) }
            }
        };
        Drawing { width, height: panel_height * count(self.panels.len().div_ceil(columns)) - FOOT + 2.0, shapes }
    }
}

fn draw_panel(panel: &Panel, letters: usize, names: f64, width: f64) -> Markup {
    let left = names + 8.0;
    let scale = Scale::around([0.0, 1.0], 5.0).drawn(left, width - FIGURE);
    html! {
        text y="13" {
            tspan class="strong" { (short(&panel.title, 28)) }
            tspan class="faint small" { "  " (panel.note) }
        }
        @for (at, bar) in panel.bars.iter().enumerate() {
            @let y = HEAD + ROW * count(at);
            @let strong = if bar.ink == Ink::Best { "strong" } else { "" };
            g class=(bar.ink.class()) {
                text class={ "small " (strong) } x="0" y=(px(y + 11.0)) { (short(&bar.name, letters)) }
                rect class="track" x=(px(left)) y=(px(y + 1.0)) width=(px(width - FIGURE - left)) height="12" {}
                rect class="bar" x=(px(left)) y=(px(y + 1.0)) width=(px(scale.at(bar.part) - left)) height="12" {}
                @if bar.half_width > 0.0 {
                    @let (low, high) = (px(scale.at(bar.part - bar.half_width)), px(scale.at(bar.part + bar.half_width)));
                    line class="interval" x1=(low) x2=(high) y1=(px(y + 7.0)) y2=(px(y + 7.0)) {}
                }
                text class={ "small end " (strong) } x=(px(width)) y=(px(y + 11.0)) { (bar.figure) }
            }
        }
    }
}
