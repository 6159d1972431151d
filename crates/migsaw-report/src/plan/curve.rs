//! What more evictions gain.

use migsaw::fleet::Cost;
use migsaw::plan::{CurvePoint, Tier, TierName};

use crate::number::grouped;
use crate::page::Page;
use crate::style::{Style, Tone};
use crate::table::Table;

/// A row for each number of evictions; what is not proven is marked.
pub(super) fn text(points: &[CurvePoint], asked: u64, style: Style) -> String {
    let cost =
        |point: &CurvePoint| point.tiers.iter().find(|t| matches!(t.name, TierName::Gpus | TierName::Cost)).cloned();
    let priced = points.iter().filter_map(cost).any(|tier| tier.name == TierName::Cost);
    let mut table =
        Table::new(&[">at most evicted", ">evicted", ">served", ">cut anew", if priced { ">cost" } else { ">GPUs" }]);
    let number = |tier: &Tier| match tier.name {
        TierName::Cost => Cost { micros: tier.value }.to_string(),
        _ => grouped(tier.value.unsigned_abs()),
    };
    for point in points {
        let tier = |name: TierName| point.tiers.iter().find(|tier| tier.name == name).map_or_else(String::new, number);
        let served = format!("{} of {}", grouped(point.served()), grouped(asked));
        let tone = if point.served() == asked { Tone::Good } else { Tone::Bad };
        table.row(vec![
            grouped(point.max_evictions),
            grouped(point.evicted()),
            style.paint(tone, served),
            tier(TierName::Recut),
            cost(point).as_ref().map_or_else(String::new, number),
        ]);
    }
    let mut page = Page::new(style);
    page.push(&table.print(style));
    let is_proven = |point: &CurvePoint| point.tiers.iter().all(|tier| tier.value == tier.bound);
    page.line("");
    match points.iter().filter(|point| !is_proven(point)).count() {
        0 => page.line("every row proven optimal; more evictions gain nothing"),
        open => page.line(format!("{open} of {} rows not proven optimal (see -o json for the bounds)", points.len())),
    }
    page.finish()
}
