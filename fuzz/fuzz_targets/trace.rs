//! Traces of pods: whatever stands in one, it is read or refused, and what is read can be simulated under every policy,
//! queue and budget without a panic, with no pod lost or placed twice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::Catalog;
use migsaw_sim::{Misfits, Moves, Options, Policy, Queue, Site, Workload, simulate};

/// Most pods that are simulated.
const PODS: usize = 200;
/// Most profiles; the states of a GPU that has all of several models' are many.
const PROFILES: usize = 7;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, text)) = input.split_first() else { return };
    let catalog = Catalog::builtin();
    let Ok(mut workload) = Workload::read(text, &catalog) else { return };
    assert!(workload.pods.windows(2).all(|pair| pair[0].arrives <= pair[1].arrives));
    workload.pods.truncate(PODS);
    if workload.profiles.len() > PROFILES {
        return;
    }
    let pool = |name| Pool::new(name, catalog.model(name).expect("a model of the catalogue"), 1, 2);
    let fleet = Fleet { pools: vec![pool("H100-80GB"), pool("A30")] };
    let site = Site::at_will(&fleet, &workload.profiles);
    let policy = Policy::ALL[usize::from(choice) % Policy::ALL.len()];
    let misfits = match choice / 16 % 4 {
        0 => Misfits::Refused,
        1 => Misfits::Wait(Queue::Backfill),
        2 => Misfits::Wait(Queue::DRAIN),
        _ => Misfits::Wait(Queue::KNOWN),
    };
    let moves = (choice >= 128).then(|| Moves { at_once: 3, ..Moves::few(50.0) });
    let options = Options { misfits, moves, samples: 5, ..Options::default() };
    let Ok(outcome) = simulate(&site, &workload, &policy, &workload.mix(), &options) else { return };
    // All time but its last instant is measured.
    let came = workload.pods.iter().filter(|pod| pod.arrives < u64::MAX).count() as u64;
    assert_eq!(outcome.all.pods, came);
    assert!(outcome.all.placed <= outcome.all.pods && outcome.all.units_placed <= outcome.all.units);
});
