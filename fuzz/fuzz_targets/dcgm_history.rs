//! Samples over time: whatever stands in them, what is read makes a ledger that adds up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use migsaw::chargeback::{Span, Terms, statement};
use migsaw::geometry::Catalog;
use migsaw_kube::dcgm::history::{History, HistoryOptions};

fuzz_target!(|bytes: &[u8]| {
    let mut history = History::default();
    let is_read = history.read("samples", bytes, Some(1_700_000_000)).is_ok();
    let extent = history.extent();
    assert!(is_read || extent.is_none(), "what is refused leaves nothing behind");
    let Some(extent) = extent else { return };
    let period = Span::new(extent.from, extent.to + 60);
    let options = HistoryOptions { catalog: &Catalog::builtin(), model: None, hold: 300, period };
    let statement = statement(&history.record(&options).ledger, &Terms::default()).unwrap();
    for model in statement.models {
        let parts = [model.billed, model.idle, model.stranded, model.unknown].map(|part| part.unit_seconds);
        assert_eq!(parts.iter().sum::<u64>(), model.gpu_seconds * model.units, "{}", model.model);
    }
});
