//! Pictures as SVG: intervals, lines over time, bars.
//!
//! Drawn here and not by a library, after a look at what one gives. The well-kept one that needs no
//! system packages, plotters, writes colours into every element, so that a picture cannot follow the
//! reader's light or dark theme; rounds to whole pixels, which shows in lines of some hundred points;
//! writes dashed lines as a hundred short ones; and has no place for titles and descriptions, which is
//! what a screen reader reads. What is left to do without it is one scale and a few shapes.
//!
//! Colours are variables of `chart.css`, which a page has once and a stand-alone picture brings along.
//! Each picture is drawn twice for a page, [`WIDE`] and [`NARROW`], since letters cannot be read when
//! a wide picture is shrunk to a narrow screen.

mod bars;
mod board;
mod ink;
mod interval;
mod lines;
mod patterns;
mod scale;
mod stack;
mod waves;

use std::collections::HashMap;

use maud::{Markup, html};

pub(crate) use bars::{Bar, Bars, Panel};
pub(crate) use board::{Board, Boards, HEIGHT as BOARD_HEIGHT, Piece, Tint, WIDTH as BOARD_WIDTH};
pub(crate) use ink::Ink;
pub(crate) use interval::{Interval, Intervals};
pub(crate) use lines::{Line, Lines};
pub(crate) use patterns::patterns;
pub(crate) use scale::Scale;
pub(crate) use stack::{Stack, Stacks};
pub(crate) use waves::{Waves, WavesRow};

use crate::clean::clean;

/// Width of a picture on a large screen and on paper, in pixels.
pub(crate) const WIDE: f64 = 960.0;
/// Width of a picture on a telephone.
pub(crate) const NARROW: f64 = 440.0;
/// The rules that pictures need. Dark is what the reader's system or the page's switch says; paper is light.
pub(crate) const STYLE: &str = concat!(
    include_str!("chart.css"),
    "@media screen and (prefers-color-scheme: dark) { :root:not([data-theme=light]) {\n",
    include_str!("dark.css"),
    "} }\n@media screen { :root[data-theme=dark] {\n",
    include_str!("dark.css"),
    "} }\n@media (forced-colors: active) { :root {\n",
    "  --paper: Canvas; --raised: Canvas; --ink: CanvasText; --faint: CanvasText; --rule: CanvasText; --grid: GrayText;\n",
    "} }\n",
);

/// Height of the title of a stand-alone picture.
const TITLE: f64 = 36.0;
/// Around a stand-alone picture.
const MARGIN: f64 = 16.0;

/// What is drawn, without its frame.
pub(crate) struct Drawing {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) shapes: Markup,
}

/// A picture with its title and what it says in words.
pub(crate) struct Picture<'a> {
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    pub(crate) drawing: &'a Drawing,
}

impl Picture<'_> {
    /// As part of a page, which has the style.
    pub(crate) fn inline(&self) -> Markup {
        let Drawing { width, height, shapes } = self.drawing;
        html! {
            svg class="chart" role="img" viewBox={ "0 0 " (px(*width)) " " (px(*height)) } {
                title { (self.title) }
                desc { (self.description) }
                (shapes)
            }
        }
    }

    /// As a file of its own.
    pub(crate) fn file(&self) -> String {
        let (width, height) = (px(self.drawing.width + 2.0 * MARGIN), px(self.drawing.height + TITLE + 2.0 * MARGIN));
        let picture = html! {
            svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" width=(width) height=(height)
                viewBox={ "0 0 " (width) " " (height) } {
                title { (self.title) }
                desc { (self.description) }
                style { (with_colours(STYLE)) }
                rect class="background" width=(width) height=(height) {}
                text class="strong" x=(px(MARGIN)) y=(px(MARGIN + 13.0)) { (self.title) }
                g transform={ "translate(" (px(MARGIN)) " " (px(MARGIN + TITLE)) ")" } { (self.drawing.shapes) }
            }
        };
        picture.into_string() + "\n"
    }
}

/// Rules in which a light colour stands before each variable, for readers of pictures that know none: `LibreOffice`,
/// Inkscape and librsvg pass over the declaration with the variable, and fill with black what has no other.
fn with_colours(rules: &str) -> String {
    let is_end = |c: char| matches!(c, ';' | '{' | '}');
    let mut colours: HashMap<&str, &str> = HashMap::new();
    for part in rules.split(is_end) {
        if let Some((name, colour)) = part.trim().strip_prefix("--").and_then(|part| part.split_once(": "))
            && !colour.starts_with("var(")
        {
            colours.entry(name).or_insert(colour);
        }
    }
    let literal = |part: &str| {
        let (property, value) = part.split_once(':')?;
        let (name, _) = value.trim().strip_prefix("var(--")?.split_once(')')?;
        let colour = colours.get(name).or_else(|| colours.get("ink"))?;
        (!property.trim().starts_with("--")).then(|| format!("{property}: {colour};"))
    };
    rules.split_inclusive(is_end).map(|part| literal(part).unwrap_or_default() + part).collect()
}

/// A coordinate: a tenth of a pixel is finer than anybody sees.
pub(crate) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A name in at most so many letters.
fn short(name: &str, most: usize) -> String {
    let name = clean(name);
    if name.chars().count() <= most {
        return name.into_owned();
    }
    name.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// About how wide a text is. Without the reader's font nobody knows; letters are half as wide as high.
fn width_of(text: &str) -> f64 {
    count(text.chars().count()) * 7.3
}

pub(crate) fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// A part of a whole, as a length from 0 to 1.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    // A ten thousandth is finer than anybody sees.
    let share = u128::from(part) * 10_000 / u128::from(whole);
    count(usize::try_from(share).unwrap_or(0)).min(10_000.0) / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        for (value, text) in [(0.0, "0"), (12.04, "12"), (12.06, "12.1"), (-3.5, "-3.5")] {
            assert_eq!(px(value), text);
        }
    }

    #[test]
    fn a_colour_stands_before_each_variable() {
        let rules = ":root { --a: #aaa; --ink: #111; }\n.x { fill: var(--a); stroke: var(--own); --own: var(--a); opacity: 1; }\n";
        let expected = ":root { --a: #aaa; --ink: #111; }\n.x { fill: #aaa; fill: var(--a); stroke: #111; stroke: var(--own); \
                        --own: var(--a); opacity: 1; }\n";
        assert_eq!(with_colours(rules), expected);
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(short("best-fit", 14), "best-fit");
        assert_eq!(short("a-name-that-goes-on", 8), "a-name-…");
        assert_eq!(short("größe\u{202e}", 20), r"größe\u{202e}");
    }
}
