//! Whatever samples say, what is made of them adds up, and the order of files changes nothing.

use migsaw::chargeback::{Ledger, Span, Terms, statement};
use migsaw::geometry::Catalog;
use migsaw_kube::dcgm::history::{History, HistoryOptions};
use proptest::prelude::*;

/// A line of a scrape: GPU, instance, profile, pod, second, value.
fn line() -> impl Strategy<Value = String> {
    let profile = prop_oneof![Just(""), Just("1g.6gb"), Just("2g.12gb"), Just("4g.24gb"), Just("1g.5gb"), Just("big"),];
    let value = prop_oneof![3 => Just("7"), 1 => Just("9223372036854775794"), 1 => Just("NaN")];
    let model = prop_oneof![4 => Just("NVIDIA A30"), 1 => Just(""), 1 => Just("GeForce")];
    (0..2u8, 0..3u8, profile, 0..3u8, 0..900u64, value, model, 0..2u8).prop_map(
        |(gpu, id, profile, pod, second, value, model, metric)| {
            let metric = ["DCGM_FI_DEV_FB_USED", "DCGM_FI_PROF_SM_ACTIVE"][usize::from(metric)];
            let instance = match profile {
                "" => String::new(),
                profile => format!(",GPU_I_ID=\"{id}\",GPU_I_PROFILE=\"{profile}\""),
            };
            let pod = if pod == 0 { String::new() } else { format!(",namespace=\"n\",pod=\"p{pod}\"") };
            format!(
                "{metric}{{gpu=\"{gpu}\",UUID=\"GPU-{gpu}\",Hostname=\"h\",modelName=\"{model}\"{instance}{pod}}} {value} {}000\n",
                1_700_000_000 + second
            )
        },
    )
}

fn ledger(files: &[String], hold: u32) -> Option<Ledger> {
    let mut history = History::default();
    for file in files {
        // Files without any series are refused, and count for nothing.
        let _ = history.read("file", file.as_bytes(), None);
    }
    let extent = history.extent()?;
    let period = Span::new(extent.from, extent.to + 100);
    Some(history.record(&HistoryOptions { catalog: &Catalog::builtin(), model: None, hold, period }).ledger)
}

proptest! {
    #[test]
    fn samples_make_a_ledger_that_adds_up(lines in proptest::collection::vec(line(), 1..60), hold in 1..400u32) {
        let half = lines.len() / 2;
        let files = [lines[..half].concat(), lines[half..].concat()];
        let Some(ledger) = ledger(&files, hold) else { return Ok(()) };
        let statement = statement(&ledger, &Terms::default());
        let statement = statement.map_err(|error| TestCaseError::fail(error.to_string()))?;
        for model in statement.models {
            let parts = [model.billed, model.idle, model.stranded, model.unknown].map(|part| part.unit_seconds);
            prop_assert_eq!(parts.iter().sum::<u64>(), model.gpu_seconds * model.units);
        }
    }

    #[test]
    fn scrapes_that_are_read_twice_count_once(lines in proptest::collection::vec(line(), 1..40)) {
        let text = lines.concat();
        let once = ledger(std::slice::from_ref(&text), 300);
        prop_assert_eq!(&ledger(&[text.clone(), text], 300), &once);
    }
}
