//! How something goes over time: one line each, with its name at its end.

use maud::{Markup, html};

use super::{Drawing, Ink, Scale, count, px, short, width_of};

const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;
const LEFT: f64 = 48.0;
/// From the end of a line to its name: a leader, and a piece of the line.
const KEY: f64 = 46.0;
/// Between two names.
const GAP: f64 = 16.0;
const NAME: usize = 18;

/// A line.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) ink: Ink,
    /// Seconds, and the value then.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Lines over one axis of time.
pub(crate) struct Lines<'a> {
    pub(crate) each: &'a [Line],
    pub(crate) axis: &'a str,
    /// Whether values are parts of a whole, and shown in percent.
    pub(crate) is_share: bool,
}

impl<'a> Lines<'a> {
    /// The upright axis. That of shares shows what comes after the first quarter: while a fleet fills up,
    /// all lines rise from 0 as one, and would press what differs into a corner.
    pub(crate) fn scale(&self) -> Scale {
        let settled = |line: &'a Line| line.points.iter().skip(line.points.len() / 4);
        let values = self.each.iter().flat_map(settled).map(|(_, value)| *value);
        if self.is_share {
            let most = self.each.iter().flat_map(|line| &line.points).map(|(_, value)| *value).fold(0.0, f64::max);
            Scale::around(values.chain([most]), 5.0).at_most(1.0)
        } else {
            let all = self.each.iter().flat_map(|line| &line.points).map(|(_, value)| *value);
            Scale::around(all.chain([0.0]), 5.0)
        }
    }

    pub(crate) fn draw(&self, width: f64) -> Drawing {
        let names = self.each.iter().map(|line| width_of(&short(&line.name, NAME))).fold(0.0, f64::max);
        let right = width - names - KEY;
        let height = (GAP * count(self.each.len())).max(270.0);
        let bottom = TOP + height;
        let times = self.each.iter().flat_map(|line| line.points.iter().map(|(at, _)| *at));
        let last = times.fold(0.0, f64::max);
        let (unit, seconds) = unit(last);
        let x = Scale::around([0.0, last / seconds], if width < 600.0 { 4.0 } else { 8.0 }).at_most(last / seconds);
        let x = x.drawn(LEFT, right);
        let y = self.scale().drawn(bottom, TOP);
        let (factor, percent) = if self.is_share { (100.0, "%") } else { (1.0, "") };
        let (digits, time_digits) = (y.digits(factor), x.digits(1.0));
        let ends: Vec<f64> =
            self.each.iter().map(|line| line.points.last().map_or(bottom, |(_, v)| y.at(*v))).collect();
        let labels = apart(&ends, TOP, bottom);
        let shapes = html! {
            text class="faint small" x="0" y="13" { (self.axis) }
            @for tick in y.ticks() {
                @let at = y.at(tick);
                line class="grid" x1=(px(LEFT)) x2=(px(right)) y1=(px(at)) y2=(px(at)) {}
                text class="faint small end" x=(px(LEFT - 8.0)) y=(px(at + 4.0)) {
                    (format!("{:.digits$}{percent}", tick * factor))
                }
            }
            line class="axis" x1=(px(LEFT)) x2=(px(right)) y1=(px(bottom)) y2=(px(bottom)) {}
            @for tick in x.ticks() {
                @let at = px(x.at(tick));
                line class="axis" x1=(at) x2=(at) y1=(px(bottom)) y2=(px(bottom + 4.0)) {}
                text class="faint small middle" x=(at) y=(px(bottom + 19.0)) { (format!("{tick:.time_digits$}")) }
            }
            text class="faint small end" x=(px(right)) y=(px(bottom + 38.0)) { (unit) " from the beginning" }
            // The ones that matter come last, so that nothing hides them.
            @for pass in [false, true] {
                @for (line, (end, label)) in self.each.iter().zip(ends.iter().zip(&labels)) {
                    @if (line.ink == Ink::Best) == pass {
                        (draw_line(line, &x, seconds, &y, (right, *end, *label)))
                    }
                }
            }
        };
        Drawing { width, height: bottom + BOTTOM, shapes }
    }
}

fn draw_line(line: &Line, x: &Scale, seconds: f64, y: &Scale, (right, end, label): (f64, f64, f64)) -> Markup {
    let points: Vec<_> = line.points.iter().filter(|(at, value)| at.is_finite() && value.is_finite()).collect();
    // What is below the axis at the beginning is not drawn, but for the last of it, from which the line comes.
    let below = points.iter().take_while(|(_, value)| y.is_below(*value)).count();
    let points: Vec<String> = points[below.saturating_sub(1)..]
        .iter()
        .map(|(at, value)| format!("{},{}", px(x.at(at / seconds)), px(y.at(*value))))
        .collect();
    let strong = if line.ink == Ink::Best { "strong" } else { "" };
    html! {
        g class=(line.ink.class()) {
            polyline class="line" points=(points.join(" ")) stroke-dasharray=[line.ink.dashes()] {}
            path class="leader" d={ "M" (px(right + 2.0)) " " (px(end)) "L" (px(right + 12.0)) " " (px(label)) } {}
            line class="line" x1=(px(right + 13.0)) x2=(px(right + KEY - 6.0)) y1=(px(label)) y2=(px(label))
                stroke-dasharray=[line.ink.dashes()] {}
            text class=(strong) x=(px(right + KEY)) y=(px(label + 4.5)) { (short(&line.name, NAME)) }
        }
    }
}

/// The unit of time in which the axis has few digits, and its seconds.
fn unit(last: f64) -> (&'static str, f64) {
    match last {
        last if last < 120.0 => ("seconds", 1.0),
        last if last < 7200.0 => ("minutes", 60.0),
        last if last < 345_600.0 => ("hours", 3600.0),
        _ => ("days", 86400.0),
    }
}

/// The places moved as little as it takes, from above, to be [`GAP`] apart and within bounds.
fn apart(places: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let mut moved = places.to_vec();
    let mut least = top;
    for &at in &order {
        moved[at] = moved[at].max(least);
        least = moved[at] + GAP;
    }
    let mut most = bottom;
    for &at in order.iter().rev() {
        moved[at] = moved[at].min(most);
        most = moved[at] - GAP;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_touch() {
        let bottom = 250.0;
        for places in [&[100.0, 100.0, 101.0][..], &[250.0, 250.0, 249.0, 0.0], &[30.0], &[]] {
            let mut moved = apart(places, 30.0, bottom);
            moved.sort_by(f64::total_cmp);
            assert!(moved.windows(2).all(|pair| pair[1] - pair[0] >= GAP - 1e-9), "{places:?}: {moved:?}");
            assert!(moved.iter().all(|at| (30.0..=bottom).contains(at)), "{places:?}: {moved:?}");
        }
    }
}
