//! What no cut can use any more, and why.

use migsaw::geometry::{Reach, StrandedUnit};

use super::usage::{StrandedKind, Usage};
use crate::clean::clean;
use crate::number::counted;
use crate::page::Page;
use crate::style::Style;

/// Most layouts explained, those of most GPUs first.
const MOST: usize = 5;

/// Layouts that leave slices nobody can use.
pub(super) fn text(usage: &Usage, style: Style) -> String {
    if usage.stranded.is_empty() {
        return String::new();
    }
    let mut kinds: Vec<_> = usage.stranded.iter().collect();
    kinds.sort_by_key(|(key, kind)| (std::cmp::Reverse(kind.gpus), (*key).clone()));
    let mut page = Page::titled("Stranded", style);
    for ((_, layout), kind) in kinds.iter().take(MOST) {
        let each = if kind.gpus == 1 { "" } else { " each" };
        let (gpus, shown) = (counted(kind.gpus, "GPU"), layout.counts().display(&kind.model).to_string());
        let line = format!("{gpus} with {shown} ({}): {}{each}", clean(&kind.model.id), lost(kind));
        page.wrapped(&line, 2, 4);
        page.wrapped(&why(kind), 4, 4);
    }
    if kinds.len() > MOST {
        let gpus = kinds[MOST..].iter().map(|(_, kind)| kind.gpus).sum();
        page.line(format!("  and {} on {}", counted((kinds.len() - MOST) as u64, "more layout"), counted(gpus, "GPU")));
    }
    page.finish()
}

/// `1 compute slice and 1 memory slice`.
pub(super) fn lost(kind: &StrandedKind) -> String {
    let stranded = &kind.stranded;
    // On most boards a placement unit is a memory slice.
    let memory = if kind.model.units == kind.model.memory_slices { "memory slice" } else { "memory unit" };
    let parts = [(stranded.compute(), "compute slice"), (stranded.memory_units(), memory)];
    let named = parts.iter().filter(|(n, _)| *n > 0).map(|&(n, what)| counted(u64::from(n), what));
    named.collect::<Vec<_>>().join(" and ")
}

/// What keeps the slices from being used.
pub(super) fn why(kind: &StrandedKind) -> String {
    let mut reasons: Vec<String> = kind.stranded.units.iter().map(|unit| unit_reason(kind, unit)).collect();
    let heavy: Vec<String> = kind.stranded.memory_heavy.iter().map(ToString::to_string).collect();
    match heavy.len() {
        0 => {}
        1 => reasons.push(format!("{} holds more memory than compute", heavy[0])),
        _ => reasons.push(format!("{} hold more memory than compute", heavy.join(", "))),
    }
    reasons.join("; ")
}

/// What blocks the smallest placement that would take the unit; larger ones are blocked by the same.
fn unit_reason(kind: &StrandedKind, unit: &StrandedUnit) -> String {
    let size = |reach: &&Reach| kind.model.profile(&reach.instance.profile).map(|id| kind.model.get(id).size);
    match unit.reached_by.iter().min_by_key(size) {
        None => unit.to_string(),
        Some(smallest) => format!("unit {}: {smallest}", unit.unit),
    }
}
