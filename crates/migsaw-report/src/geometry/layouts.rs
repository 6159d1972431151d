//! All cuts of a board.

use std::collections::BTreeSet;

use migsaw::geometry::{Counts, Layout, Model};
use serde::Serialize;

use super::{API_VERSION, LayoutDocument, counts};
use crate::number::counted;
use crate::page::Page;
use crate::style::{Style, Tone};

/// Which cuts are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those to which nothing can be added.
    pub maximal: bool,
    /// Without their starts, each multiset once.
    pub counts: bool,
}

/// The cuts of a board.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutList {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// `LayoutList`.
    pub kind: &'static str,
    /// The board.
    pub model: String,
    /// Whether only maximal ones are listed.
    pub maximal: bool,
    /// How many there are.
    pub total: usize,
    /// The layouts; absent if multisets are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layouts: Option<Vec<LayoutDocument>>,
    /// The multisets; absent if layouts are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Vec<std::collections::BTreeMap<String, u8>>>,
}

/// Layouts, the empty one left out.
fn layouts(model: &Model, selection: Selection) -> Vec<Layout> {
    let mut layouts = if selection.maximal { model.maximal_layouts() } else { model.layouts() };
    layouts.retain(|layout| !layout.is_empty());
    layouts
}

/// Multisets. A maximal one is contained in no other, whatever the starts.
fn multisets(model: &Model, selection: Selection) -> Vec<Counts> {
    let all: BTreeSet<Counts> = model.layouts().iter().map(Layout::counts).filter(|c| !c.is_empty()).collect();
    let within = |c: &Counts| all.iter().any(|other| other != c && c.is_within(other));
    all.iter().filter(|c| !selection.maximal || !within(c)).copied().collect()
}

/// The list as a document.
pub fn document(model: &Model, selection: Selection) -> LayoutList {
    let mut list = LayoutList {
        api_version: API_VERSION,
        kind: "LayoutList",
        model: model.id.clone(),
        maximal: selection.maximal,
        total: 0,
        layouts: None,
        counts: None,
    };
    if selection.counts {
        let found = multisets(model, selection);
        list.total = found.len();
        list.counts = Some(found.iter().map(|c| counts(model, c)).collect());
    } else {
        let found = layouts(model, selection);
        list.total = found.len();
        list.layouts = Some(found.iter().map(|layout| LayoutDocument::new(model, layout)).collect());
    }
    list
}

/// The list as text: one a line in the notation, preceded by a picture of its units, and how many there
/// are at the end.
pub fn text(model: &Model, selection: Selection, style: Style) -> String {
    let mut page = Page::new(style);
    let total = if selection.counts {
        let found = multisets(model, selection);
        for counts in &found {
            page.line(counts.display(model).to_string());
        }
        found.len()
    } else {
        let found = layouts(model, selection);
        for layout in &found {
            page.placed(&picture(model, layout, style), &layout.display(model).to_string());
        }
        found.len()
    };
    let kind = match (selection.maximal, selection.counts) {
        (false, false) => "layout",
        (true, false) => "maximal layout",
        (false, true) => "multiset",
        (true, true) => "maximal multiset",
    };
    let line = format!("{} on {}, the empty one not counted", counted(total as u64, kind), model.id);
    page.line(style.paint(Tone::Faint, line));
    page.finish()
}

/// Units as cells: `[1][2 ][3   ]`, `.` for free ones.
pub(super) fn picture(model: &Model, layout: &Layout, style: Style) -> String {
    let free = format!(" {} ", style.pick("·", "."));
    let mut text = String::new();
    let mut unit = 0;
    for placement in layout.placements() {
        let profile = model.get(placement.profile);
        text.push_str(&free.repeat(usize::from(placement.start.saturating_sub(unit))));
        let inside = usize::from(profile.size) * 3 - 2;
        let cell = format!("[{:<inside$}]", profile.compute_slices);
        text.push_str(&cell);
        unit = placement.start + profile.size;
    }
    text.push_str(&free.repeat(usize::from(model.units.saturating_sub(unit))));
    text
}
