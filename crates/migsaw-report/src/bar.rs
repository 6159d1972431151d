//! Bars of parts of a whole.

use crate::style::{Style, Tone};

/// What a part of a fleet is used for, in the order of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Serving,
    Running,
    Spare,
    Idle,
    Stranded,
}

impl Part {
    pub(crate) const ALL: [Part; 5] = [Part::Serving, Part::Running, Part::Spare, Part::Idle, Part::Stranded];

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    fn glyph(self, style: Style) -> &'static str {
        let (unicode, ascii) = match self {
            Part::Serving => ("█", "#"),
            Part::Running => ("▓", "="),
            Part::Spare => ("▒", "+"),
            Part::Idle => ("·", "."),
            Part::Stranded => ("×", "x"),
        };
        style.pick(unicode, ascii)
    }

    fn tone(self) -> Tone {
        match self {
            Part::Serving => Tone::Good,
            Part::Running => Tone::Strong,
            Part::Spare => Tone::Warn,
            Part::Idle => Tone::Faint,
            Part::Stranded => Tone::Bad,
        }
    }

    /// One word for it, as a table's column.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Part::Serving => "serving",
            Part::Running => "running",
            Part::Spare => "spare",
            Part::Idle => "idle",
            Part::Stranded => "stranded",
        }
    }

    /// What it is, in a few words.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Part::Serving => "serving",
            Part::Running => "running already",
            Part::Spare => "spare: cut, not asked for",
            Part::Idle => "idle",
            Part::Stranded => "stranded",
        }
    }
}

/// A bar of `width` characters. Every part above zero has at least one.
pub(crate) fn bar(parts: &[u128; 5], width: usize, style: Style) -> String {
    let cells = share_out(parts, width);
    let piece = |part: Part| style.paint(part.tone(), part.glyph(style).repeat(cells[part.index()]));
    Part::ALL.into_iter().map(piece).collect()
}

/// What the glyphs mean, for the parts that occur.
pub(crate) fn legend(occurring: &[u128; 5], style: Style) -> String {
    let known = Part::ALL.into_iter().filter(|part| occurring[part.index()] > 0);
    let entries = known.map(|part| format!("{} {}", style.paint(part.tone(), part.glyph(style)), part.meaning()));
    entries.collect::<Vec<_>>().join("  ")
}

/// `width` cells in proportion to `parts`, largest remainders first.
fn share_out(parts: &[u128; 5], width: usize) -> [usize; 5] {
    let whole: u128 = parts.iter().sum();
    let mut cells = [0; 5];
    if whole == 0 {
        return cells;
    }
    let mut remainders: Vec<(u128, usize)> = Vec::new();
    for (i, &part) in parts.iter().enumerate() {
        let scaled = part * width as u128;
        cells[i] = usize::try_from(scaled / whole).expect("at most the width");
        remainders.push((scaled % whole, i));
    }
    remainders.sort_by_key(|&(rest, i)| (std::cmp::Reverse(rest), i));
    let missing = width - cells.iter().sum::<usize>();
    for &(_, i) in &remainders[..missing] {
        cells[i] += 1;
    }
    for i in 0..5 {
        if parts[i] > 0 && cells[i] == 0 {
            let largest = (0..5).rev().max_by_key(|&j| cells[j]).expect("five parts");
            if cells[largest] > 1 {
                cells[largest] -= 1;
                cells[i] = 1;
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_add_up_and_show_every_part() {
        for (parts, width, cells) in [
            ([0, 0, 0, 0, 0], 10, [0, 0, 0, 0, 0]),
            ([5, 0, 0, 5, 0], 10, [5, 0, 0, 5, 0]),
            ([1, 0, 0, 999, 0], 10, [1, 0, 0, 9, 0]),
            ([1, 1, 1, 1, 1], 7, [2, 2, 1, 1, 1]),
            ([1000, 1, 1, 1, 1], 8, [4, 1, 1, 1, 1]),
            ([1, 1, 1, 1, 1], 2, [1, 1, 0, 0, 0]),
        ] {
            assert_eq!(share_out(&parts, width), cells, "{parts:?}");
        }
    }

    #[test]
    fn plain_bars_are_ascii() {
        let style = Style { unicode: false, ..Style::plain() };
        assert_eq!(bar(&[4, 1, 1, 3, 1], 10, style), "####=+...x");
        assert_eq!(legend(&[1, 0, 0, 0, 1], style), "# serving  x stranded");
    }
}
