//! A sample that is read prints as one that reads the same, and metrics made of what was printed say the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use migsaw_kube::dcgm::{Metrics, text};

fuzz_target!(|bytes: &[u8]| {
    let mut metrics = Metrics::default();
    let is_read = metrics.read("scrape", bytes).is_ok();
    assert_eq!(is_read, metrics.hosts().next().is_some(), "what is refused leaves nothing behind");
    let Ok(scrape) = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)) else { return };
    let mut printed = String::new();
    for (line, sample) in text::samples(scrape) {
        assert!(usize::try_from(line).is_ok_and(|line| (1..=scrape.split('\n').count()).contains(&line)));
        let Ok(sample) = sample else { continue };
        let one = sample.to_string();
        let again = text::sample(&one).unwrap_or_else(|reason| panic!("{reason}: {one}"));
        let again = again.unwrap_or_else(|| panic!("taken for a comment: {one}"));
        // NaN differs from itself.
        assert!((&again.name, &again.labels) == (&sample.name, &sample.labels), "{one}");
        assert_eq!(again.to_string(), one);
        printed.push_str(&one);
        printed.push('\n');
    }
    // A scrape that begins with a quoted name in braces is no JSON, whatever the name.
    let mut again = Metrics::default();
    let is_read_again = again.read("scrape", printed.as_bytes()).is_ok();
    if metrics.is_understood() && !scrape.trim_start().starts_with('{') {
        assert_eq!(is_read_again, is_read, "{printed}");
        assert_eq!(again, metrics, "{printed}");
    }
});
