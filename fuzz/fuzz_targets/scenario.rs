//! A scenario that is read prints as one that reads the same.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use migsaw::document::scenario::{ScenarioDocument, parse};
use migsaw::document::text_of;
use migsaw::geometry::Catalog;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = text_of(bytes) else { return };
    let Ok(problem) = parse(text, &CATALOG) else { return };
    assert_eq!(problem.validate(), [], "a scenario that reads makes sense");
    let printed = ScenarioDocument::new(&problem).to_text();
    let again = parse(&printed, &CATALOG).unwrap_or_else(|problems| panic!("{problems}\n{printed}"));
    // Nodes in the same state may be grouped in another way; what is printed from there is the same.
    assert_eq!(ScenarioDocument::new(&again).to_text(), printed);
    assert_eq!(again.demands, problem.demands);
});
