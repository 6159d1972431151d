//! What happens to which node in which wave.

use maud::{Markup, html};

use super::{Drawing, count, px, short, width_of};

const ROW: f64 = 26.0;
const HEAD: f64 = 26.0;
const NAME: usize = 26;

/// A node that is changed.
pub(crate) struct WavesRow {
    pub(crate) name: String,
    /// From 0.
    pub(crate) wave: usize,
    /// What happens, in few words.
    pub(crate) what: String,
    /// Whether somebody has nowhere to go meanwhile.
    pub(crate) is_bad: bool,
}

/// Nodes over waves.
pub(crate) struct Waves<'a> {
    pub(crate) rows: &'a [WavesRow],
    pub(crate) waves: usize,
}

impl Waves<'_> {
    pub(crate) fn draw(&self, width: f64) -> Drawing {
        let letters = if width < 600.0 { NAME / 2 } else { NAME };
        let names = self.rows.iter().map(|row| width_of(&short(&row.name, letters))).fold(0.0, f64::max);
        let left = names + 12.0;
        let column = (width - left) / count(self.waves.max(1));
        let height = HEAD + ROW * count(self.rows.len());
        // Every wave has a line, as many have a number as there is room for.
        let step = (0..20).map(|power| 1_usize << power).find(|&step| column * count(step) >= 58.0).unwrap_or(1);
        let shapes = html! {
            @for wave in 0..self.waves {
                @let x = px(left + column * count(wave));
                line class="grid" x1=(x) x2=(x) y1="0" y2=(px(height)) {}
                @if wave % step == 0 {
                    text class="faint small" x=(px(left + column * count(wave) + 5.0)) y="13" { "wave " (wave + 1) }
                }
            }
            @for (at, row) in self.rows.iter().enumerate() {
                (draw(row, letters, [left + column * count(row.wave), HEAD + ROW * count(at), column], width))
            }
        };
        Drawing { width, height, shapes }
    }
}

fn draw(row: &WavesRow, letters: usize, [x, y, column]: [f64; 3], width: f64) -> Markup {
    let text = width_of(&row.what) + 10.0;
    // Beside the bar where it has no room within: behind it, or before it at the end.
    let (at, class) = match (column - 4.0 > text, x + column + text < width) {
        (true, _) => (x + 8.0, "on-bar"),
        (false, true) => (x + column + 5.0, ""),
        (false, false) => (x - 5.0, "end"),
    };
    html! {
        text x="0" y=(px(y + 16.0)) { (short(&row.name, letters)) }
        g class=(if row.is_bad { "bad" } else { "best" }) {
            rect class="step" x=(px(x + 1.0)) y=(px(y + 2.0)) width=(px((column - 2.0).max(2.0))) height="20" rx="3" {}
        }
        text class={ "small " (class) } x=(px(at)) y=(px(y + 16.0)) { (row.what) }
    }
}
