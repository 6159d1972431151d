//! Any plan passes the checker, is the same the second time, and survives being written and read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use migsaw::check::check;
use migsaw::document::plan::PlanDocument;
use migsaw::document::scenario::ScenarioDocument;
use migsaw::plan::{Formulation, Options, Status};
use migsaw_tests::solve::{try_solve, values};
use migsaw_tests::strategies::{Choices, Size, problem};

fuzz_target!(|input: (u8, Vec<u16>)| {
    let (which, choices) = input;
    let size = [Size::TINY, Size::SMALL, Size::FLAT][usize::from(which) % 3];
    let problem = problem(&mut Choices::Listed(choices.into_iter()), size);
    let scenario = || ScenarioDocument::new(&problem).to_text();
    let solve = |formulation| {
        let options = Options { formulation, ..Options::default() };
        try_solve(&problem, &options).unwrap_or_else(|error| panic!("{error}\n{}", scenario()))
    };
    let plan = solve(Formulation::Polytope);
    let written = PlanDocument::new(&problem, &plan);
    let read = written.to_plan(&problem).unwrap_or_else(|problems| panic!("{problems}\n{}", scenario()));
    assert_eq!(check(&problem, &read), [], "{}", scenario());
    let other = solve(if which % 2 == 0 { Formulation::Patterns } else { Formulation::Facets });
    if plan.status == Status::Optimal && other.status == Status::Optimal {
        assert_eq!(values(&plan), values(&other), "{}", scenario());
    }
});
