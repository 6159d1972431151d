//! What came of a simulation, as pictures.

use migsaw::document::simulation::{MomentForm, PolicyForm, ShareForm, SimulationDocument};

use super::{estimated, is_bound, ranked, share};
use crate::chart::{Bar, Bars, Ink, Interval, Intervals, Line, Lines, Panel};
use crate::html::Figure;
use crate::number::counted;

/// A picture as a file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it shows, as a name for a file: `slices-placed`.
    pub name: &'static str,
    /// The picture as SVG, which follows the reader's light or dark theme.
    pub svg: String,
}

/// The pictures of [`html`](super::html()), each by itself: slices placed; slices in use, pods that wait
/// and pods placed over time; pods placed by profile. Those with nothing to show are left out.
pub fn pictures(simulation: &SimulationDocument) -> Vec<Picture> {
    let figures = [slices_placed(simulation)].into_iter().chain(over_time(simulation)).chain([by_profile(simulation)]);
    figures.flatten().map(|figure| Picture { name: figure.name, svg: figure.file() }).collect()
}

/// The policies in the order they were asked for, each with how it is drawn in all pictures.
fn inked(simulation: &SimulationDocument) -> impl Iterator<Item = (Ink, &PolicyForm)> {
    let best = ranked(simulation).first().copied();
    let mut others = 0..;
    simulation.policies.iter().map(move |policy| {
        let ink = if is_bound(policy) {
            Ink::Bound
        } else if best.is_some_and(|best| std::ptr::eq(best, policy)) {
            Ink::Best
        } else {
            Ink::Other(others.next().unwrap_or_default())
        };
        (ink, policy)
    })
}

/// Slices placed by each policy, with how sure that is; the most first.
pub(super) fn slices_placed(simulation: &SimulationDocument) -> Option<Figure<'_>> {
    let mut rows: Vec<Interval> = inked(simulation)
        .map(|(ink, policy)| Interval {
            name: policy.name.clone(),
            mark: match ink {
                Ink::Best => Some("best"),
                Ink::Bound => Some("bound"),
                Ink::Other(_) => None,
            },
            ink,
            mean: policy.placed_units.mean,
            half_width: policy.placed_units.half_width.unwrap_or(0.0),
            figures: estimated(&policy.placed_units),
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    rows.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    let axis = "slices of placed pods, of all slices asked for";
    let mut caption = vec![if simulation.runs > 1 {
        format!("Mean of {}; the bar through a dot is its 95% interval.", counted(u64::from(simulation.runs), "run"))
    } else {
        "A single run, so nothing is known of chance.".to_owned()
    }];
    if rows.iter().any(|row| row.ink == Ink::Bound) {
        caption.push(
            "The diamond and the dotted line are a bound, which is no policy that anybody could have.".to_owned(),
        );
    }
    if (Intervals { rows: &rows, axis }).scale().is_cut() {
        caption.push("The axis does not begin at 0.".to_owned());
    }
    let each = rows.iter().map(|row| {
        let mark = row.mark.map_or_else(String::new, |mark| format!(" ({mark})"));
        format!("{}{mark} {}", row.name, row.figures)
    });
    let description = format!("Slices placed, the most first: {}.", each.collect::<Vec<_>>().join("; "));
    Some(Figure {
        name: "slices-placed",
        title: "Slices placed",
        caption: caption.join(" "),
        description,
        draw: Box::new(move |width| Intervals { rows: &rows, axis }.draw(width)),
    })
}

/// A value that changes over time.
#[derive(Clone, Copy)]
pub(super) struct Course {
    name: &'static str,
    pub(super) title: &'static str,
    axis: &'static str,
    note: &'static str,
    is_share: bool,
    value: fn(&MomentForm) -> f64,
}

impl Course {
    /// The value as text.
    pub(super) fn figure(&self, moment: &MomentForm) -> String {
        let value = (self.value)(moment);
        if self.is_share { share(value) } else { format!("{value:.0}") }
    }
}

/// What there is over time; waiting only if anything waits.
pub(super) fn courses(simulation: &SimulationDocument) -> Vec<Course> {
    let moments = || simulation.policies.iter().flat_map(|policy| &policy.series);
    let mut courses = Vec::new();
    if moments().next().is_none() {
        return courses;
    }
    courses.push(Course {
        name: "in-use",
        title: "Slices in use",
        axis: "slices in use, of all",
        note: "",
        is_share: true,
        value: |moment| moment.used,
    });
    if moments().any(|moment| moment.waiting > 0) {
        courses.push(Course {
            name: "waiting",
            title: "Pods waiting",
            axis: "pods that wait",
            note: "",
            is_share: false,
            value: |moment| count(moment.waiting),
        });
    }
    courses.push(Course {
        name: "placed-so-far",
        title: "Pods placed so far",
        axis: "pods placed, of those that had come",
        note: " It counts from the beginning, so it moves ever less.",
        is_share: true,
        value: |moment| moment.placed_pods,
    });
    courses
}

/// Each course as a figure.
pub(super) fn over_time(simulation: &SimulationDocument) -> impl Iterator<Item = Option<Figure<'_>>> {
    courses(simulation).into_iter().map(|course| Some(over_time_of(simulation, course)))
}

fn over_time_of(simulation: &SimulationDocument, course: Course) -> Figure<'_> {
    let lines: Vec<Line> = inked(simulation)
        .filter(|(_, policy)| !policy.series.is_empty())
        .map(|(ink, policy)| Line {
            name: policy.name.clone(),
            ink,
            points: policy.series.iter().map(|moment| (count(moment.at), (course.value)(moment))).collect(),
        })
        .collect();
    let chart = Lines { each: &lines, axis: course.axis, is_share: course.is_share };
    let run = if simulation.runs > 1 { "The first run." } else { "The run." };
    let scale = chart.scale();
    let is_below = lines.iter().any(|line| line.points.iter().any(|(_, value)| scale.is_below(*value)));
    let cut = match (scale.is_cut(), is_below) {
        (true, true) => " The axis does not begin at 0: what is below it, at the beginning, is left out.",
        (true, false) => " The axis does not begin at 0.",
        (false, _) => "",
    };
    let each = simulation.policies.iter().filter_map(|policy| {
        let most = policy.series.iter().max_by(|a, b| (course.value)(a).total_cmp(&(course.value)(b)))?;
        let last = policy.series.last()?;
        Some(format!("{} at most {}, at the end {}", policy.name, course.figure(most), course.figure(last)))
    });
    let description = format!("{} over time: {}.", course.title, each.collect::<Vec<_>>().join("; "));
    Figure {
        name: course.name,
        title: course.title,
        caption: format!("{run}{cut}{}", course.note),
        description,
        draw: Box::new(move |width| Lines { each: &lines, axis: course.axis, is_share: course.is_share }.draw(width)),
    }
}

/// Pods placed of each profile.
pub(super) fn by_profile(simulation: &SimulationDocument) -> Option<Figure<'_>> {
    let profiles = &simulation.policies.first().filter(|first| first.by_profile.len() > 1)?.by_profile;
    let of = |policy: &PolicyForm, profile: &ShareForm| {
        policy.by_profile.iter().find(|share| share.name == profile.name).map(|share| share.placed_pods)
    };
    let panels: Vec<Panel> = profiles
        .iter()
        .map(|profile| Panel {
            title: profile.name.clone(),
            note: counted(profile.pods, "pod"),
            bars: inked(simulation)
                .filter_map(|(ink, policy)| {
                    let placed = of(policy, profile)?;
                    Some(Bar {
                        name: policy.name.clone(),
                        ink,
                        part: placed.mean,
                        half_width: placed.half_width.unwrap_or(0.0),
                        figure: share(placed.mean),
                    })
                })
                .collect(),
        })
        .collect();
    let panel = |panel: &Panel| {
        let bars: Vec<String> = panel.bars.iter().map(|bar| format!("{} {}", bar.name, bar.figure)).collect();
        format!("{}: {}", panel.title, bars.join(", "))
    };
    let description = format!("Pods placed. {}.", panels.iter().map(panel).collect::<Vec<_>>().join(". "));
    let interval = if simulation.runs > 1 { " The line in a bar's end is its 95% interval." } else { "" };
    let runs = if simulation.runs > 1 { ", in all runs" } else { "" };
    Some(Figure {
        name: "by-profile",
        title: "Pods placed, by profile",
        caption: format!("Of the pods that came{runs}; bars reach from 0 to 100%.{interval}"),
        description,
        draw: Box::new(move |width| Bars { panels: &panels }.draw(width)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a picture shows few digits")]
fn count(number: u64) -> f64 {
    number as f64
}
