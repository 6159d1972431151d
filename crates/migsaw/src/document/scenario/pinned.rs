//! What stays on which nodes of a pool.

use std::collections::BTreeMap;
use std::ops::Range;

use super::form::{NodesForm, PinnedForm, PoolForm};
use crate::document::code;
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::path::Path;
use crate::fleet::{GpuState, NodeGroup, NodeNames};
use crate::geometry::{Layout, Model};

/// The text for a GPU nothing stays on.
pub(super) const EMPTY: &str = "empty";
/// The text for a GPU in use as a whole.
pub(super) const TAKEN: &str = "taken";

/// The pool's nodes, grouped by what stays on them; `None` if something is wrong.
///
/// Nodes pinned by name go first; the entries that give a number take what is left, in order.
pub(super) fn groups(
    form: &PoolForm,
    models: &[&Model],
    path: &Path,
    found: &mut Diagnostics,
) -> Option<Vec<NodeGroup>> {
    let before = found.len();
    let path = path.key("pinned");
    let states: Vec<Vec<GpuState>> = form
        .pinned
        .iter()
        .enumerate()
        .map(|(i, entry)| states(entry, models, &path.index(i).key("gpus"), found))
        .collect();
    let runs = runs(form, &path, found);
    if found.len() > before {
        return None;
    }
    Some(
        merge(runs, node_count(form), &states)
            .into_iter()
            .map(|(range, entry)| NodeGroup {
                names: names(form, range),
                pinned: entry.map_or_else(Vec::new, |entry| states[entry].clone()),
                present: None,
            })
            .collect(),
    )
}

fn node_count(form: &PoolForm) -> u32 {
    match &form.nodes {
        NodesForm::Count(count) => *count,
        NodesForm::Names(names) => u32::try_from(names.len()).unwrap_or(u32::MAX),
    }
}

fn names(form: &PoolForm, range: Range<u32>) -> NodeNames {
    match &form.nodes {
        NodesForm::Count(_) => NodeNames::Numbered {
            prefix: format!("{}-", form.pool),
            first: range.start,
            count: range.end - range.start,
        },
        NodesForm::Names(names) => NodeNames::Listed(names[range.start as usize..range.end as usize].to_vec()),
    }
}

/// What stays on each GPU, without the empty ones at the end.
fn states(entry: &PinnedForm, models: &[&Model], path: &Path, found: &mut Diagnostics) -> Vec<GpuState> {
    if entry.gpus.len() > models.len() {
        let message = format!("{} GPUs are pinned on nodes of {}", entry.gpus.len(), models.len());
        found.push(Diagnostic::new(code::PINNED_TOO_MANY, path.clone(), message));
    }
    let mut states = Vec::new();
    for (i, (text, model)) in entry.gpus.iter().zip(models).enumerate() {
        states.push(match text.trim() {
            EMPTY => GpuState::Idle,
            TAKEN => GpuState::Taken,
            text => match Layout::parse(model, text) {
                Ok(layout) if layout.is_empty() => GpuState::Idle,
                Ok(layout) => GpuState::Pinned(layout),
                Err(error) => {
                    found.push(Diagnostic::new(error.code(), path.index(i), error.to_string()));
                    GpuState::Idle
                }
            },
        });
    }
    let used = states.iter().rposition(|state| *state != GpuState::Idle).map_or(0, |last| last + 1);
    states.truncate(used);
    states
}

/// Node ranges with the entry that mentions them, ascending; what no entry mentions is left out.
fn runs(form: &PoolForm, path: &Path, found: &mut Diagnostics) -> Vec<(Range<u32>, usize)> {
    let named = named(form, path, found);
    let mut runs: Vec<(Range<u32>, usize)> = named.iter().map(|(&node, &entry)| (node..node + 1, entry)).collect();

    let total = node_count(form);
    let mut starts = vec![0];
    starts.extend(named.keys().map(|&node| node + 1));
    let ends = named.keys().copied().chain([total]);
    let mut free = starts.into_iter().zip(ends).map(|(start, end)| start..end).filter(|gap| !gap.is_empty()).peekable();
    let available = total.saturating_sub(u32::try_from(named.len()).unwrap_or(u32::MAX));
    let mut asked = 0u64;
    for (entry, pinned) in form.pinned.iter().enumerate() {
        let NodesForm::Count(count) = pinned.nodes else { continue };
        asked += u64::from(count);
        if asked > u64::from(available) {
            let message = format!("{asked} nodes are pinned by number, but only {available} are left in the pool");
            found.push(Diagnostic::new(code::PINNED_NODES, path.index(entry).key("nodes"), message));
            break;
        }
        let mut open = count;
        while open > 0 {
            let Some(gap) = free.peek_mut() else { break };
            let taken = open.min(gap.end - gap.start);
            runs.push((gap.start..gap.start + taken, entry));
            gap.start += taken;
            open -= taken;
            if gap.start == gap.end {
                free.next();
            }
        }
    }
    runs.sort_by_key(|(range, _)| range.start);
    runs
}

/// The entry of each node that is mentioned by name.
fn named(form: &PoolForm, path: &Path, found: &mut Diagnostics) -> BTreeMap<u32, usize> {
    let mentions = form.pinned.iter().any(|entry| matches!(entry.nodes, NodesForm::Names(_)));
    let index: BTreeMap<&str, u32> = match &form.nodes {
        NodesForm::Names(names) if mentions => names.iter().map(String::as_str).zip(0..).collect(),
        _ => BTreeMap::new(),
    };
    let position = |name: &str| match &form.nodes {
        NodesForm::Names(_) => index.get(name).copied(),
        NodesForm::Count(count) => {
            let number = name.strip_prefix(form.pool.as_str())?.strip_prefix('-')?;
            number.parse().ok().filter(|n: &u32| n < count && n.to_string() == number)
        }
    };
    let mut entries = BTreeMap::new();
    for (entry, pinned) in form.pinned.iter().enumerate() {
        let NodesForm::Names(names) = &pinned.nodes else { continue };
        for (i, name) in names.iter().enumerate() {
            let path = || path.index(entry).key("nodes").index(i);
            let shown: String = name.chars().take(80).collect();
            match position(name) {
                None => {
                    let message = format!("pool `{}` has no node `{shown}`", form.pool);
                    found.push(Diagnostic::new(code::UNKNOWN_NODE, path(), message));
                }
                Some(node) if entries.insert(node, entry).is_some() => {
                    let message = format!("node `{shown}` is pinned twice");
                    found.push(Diagnostic::new(code::DUPLICATE_NODE, path(), message));
                }
                Some(_) => {}
            }
        }
    }
    entries
}

/// All nodes in order, neighbours with the same entry together. An entry that pins nothing is none.
fn merge(runs: Vec<(Range<u32>, usize)>, total: u32, states: &[Vec<GpuState>]) -> Vec<(Range<u32>, Option<usize>)> {
    let mut merged: Vec<(Range<u32>, Option<usize>)> = Vec::new();
    let mut add = |range: Range<u32>, entry: Option<usize>| match merged.last_mut() {
        Some((last, e)) if *e == entry => last.end = range.end,
        _ => merged.push((range, entry)),
    };
    let mut next = 0;
    for (range, entry) in runs {
        if next < range.start {
            add(next..range.start, None);
        }
        next = range.end;
        add(range, Some(entry).filter(|&entry| !states[entry].is_empty()));
    }
    if next < total || total == 0 {
        add(next..total, None);
    }
    merged
}
