//! What a dump says makes sense, says the same as a scenario, and does not depend on the order of files.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use migsaw::document::scenario::{ScenarioDocument, parse};
use migsaw::geometry::Catalog;
use migsaw::problem::InputProblem;
use migsaw_kube::dump::{DumpOptions, Source, read_dump};

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);

fuzz_target!(|bytes: &[u8]| {
    let options = DumpOptions { include_unavailable: bytes.len() % 2 == 1, ..DumpOptions::default() };
    let source = Source { name: "dump", bytes, optional: false };
    let Ok(dump) = read_dump(&[source], &CATALOG, &options) else { return };
    let problem = dump.problem;
    let problems = problem.validate();
    // The API server would have refused an object without a name; planning does.
    let refused = |problem: &InputProblem| matches!(problem, InputProblem::EmptyFleet | InputProblem::EmptyName { .. });
    if problems.iter().any(|(_, problem)| refused(problem)) {
        return;
    }
    assert_eq!(problems, [], "a dump that reads makes sense");
    let printed = ScenarioDocument::new(&problem).to_text();
    // A scenario is held to more: it may not ask for profiles that no GPU has, nor have what the API server
    // would refuse. Where it reads, it asks for the same.
    if let Ok(again) = parse(&printed, &CATALOG) {
        assert_eq!(again.demands, problem.demands);
    }

    let empty = Source { name: "more", bytes: b"{\"kind\": \"List\", \"items\": []}", optional: false };
    let with_more = read_dump(&[empty, source], &CATALOG, &options).expect("an empty list adds no error");
    assert_eq!(with_more.problem, problem);

    // What runs may leave nodes out and tell how others are cut, and all of it makes sense.
    let running = DumpOptions { running: true, ..options };
    let running = read_dump(&[source], &CATALOG, &running).expect("what runs adds no error").problem;
    let problems = running.validate();
    if !problems.iter().any(|(_, problem)| refused(problem)) {
        assert_eq!(problems, [], "what runs makes sense");
    }
});
