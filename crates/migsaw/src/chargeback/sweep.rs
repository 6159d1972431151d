//! What is left of a GPU beside its instances, second by second.

use std::collections::BTreeMap;

use super::{GpuRecord, Holding, LedgerError, Span};

/// Seconds times units that no holding has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rest {
    /// While it is known how the GPU is cut.
    pub(super) stranded: u64,
    /// Else, while it is seen.
    pub(super) unknown: u64,
    /// Seconds in which it is seen.
    pub(super) seen: u64,
}

/// What begins and ends at a second.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    seen: i64,
    known: i64,
    units: i64,
}

/// What is left in the period beside `holdings`, each with the units it takes, which lie in the period.
pub(super) fn rest(gpu: &GpuRecord, holdings: &[(&Holding, Span, u64)], period: Span) -> Result<Rest, LedgerError> {
    let mut turns: BTreeMap<i64, Turn> = BTreeMap::new();
    let mut add = |span: Span, what: fn(&mut Turn) -> &mut i64, amount: i64| {
        *what(turns.entry(span.from).or_default()) += amount;
        *what(turns.entry(span.to).or_default()) -= amount;
    };
    gpu.seen.iter().filter_map(|span| span.within(period)).for_each(|span| add(span, |turn| &mut turn.seen, 1));
    gpu.known.iter().filter_map(|span| span.within(period)).for_each(|span| add(span, |turn| &mut turn.known, 1));
    for (_, span, units) in holdings {
        add(*span, |turn| &mut turn.units, i64::try_from(*units).unwrap_or(i64::MAX));
    }
    let all = gpu.units() * gpu.count();
    let mut now = Turn::default();
    let mut since = period.from;
    let mut rest = Rest::default();
    for (at, turn) in turns {
        let seconds = Span::new(since, at).seconds();
        let taken = u64::try_from(now.units).unwrap_or(u64::MAX);
        if now.seen > 0 && seconds > 0 {
            let free = (all - taken) * seconds;
            rest.seen += seconds;
            *(if now.known > 0 { &mut rest.stranded } else { &mut rest.unknown }) += free;
        }
        now.seen += turn.seen;
        now.known += turn.known;
        now.units = now.units.saturating_add(turn.units);
        since = at;
        let taken = u64::try_from(now.units).unwrap_or(u64::MAX);
        if taken > all {
            return Err(LedgerError::Overfull { gpu: gpu.name.clone(), at, taken, units: all });
        }
        if now.seen > 1 || now.known > now.seen || (now.seen == 0 && taken > 0) {
            return Err(LedgerError::Outside { gpu: gpu.name.clone(), at });
        }
    }
    Ok(rest)
}
