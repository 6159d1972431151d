//! What changes of a fleet or its demand come to.

use migsaw::fleet::Pool;
use migsaw::plan::{Options, TierName};
use migsaw::whatif::{Change, what_if};
use migsaw_tests::minimal::describe;
use migsaw_tests::running::running;
use migsaw_tests::seeds::seeds;

use super::FLAT;
use super::exhaustion::served;

#[test]
fn what_changes_come_to_is_what_exhaustion_finds() {
    for seed in seeds(25) {
        let problem = running(seed, FLAT, 3);
        let first = &problem.fleet.pools[0];
        let (pool, node) = (first.name.clone(), first.node_name(0));
        let gpus: u64 = problem.fleet.pools.iter().map(Pool::gpu_count).sum();
        let change = match seed % 3 {
            0 if gpus > u64::from(first.gpus_per_node()) => Change::RemoveNode { node },
            1 if gpus + u64::from(first.gpus_per_node()) <= 4 => Change::AddNodes { pool, count: 1 },
            _ => Change::Scale { demand: None, by: "+50%".parse().expect("a scaling") },
        };
        let answer = match what_if(&problem, std::slice::from_ref(&change), &Options::default()) {
            Ok(answer) => answer,
            Err(error) => panic!("seed {seed} {change:?}: {error}\n{}", describe(&problem)),
        };
        for side in [&answer.before, &answer.after] {
            let exact = served(&side.problem, None);
            let tiers = side.plan.tiers.iter().filter(|tier| matches!(tier.name, TierName::Served { .. }));
            for (tier, exact) in tiers.zip(exact) {
                assert!(tier.value <= exact && exact <= tier.bound, "seed {seed} {change:?} {:?}", side.plan.tiers);
                assert_eq!(tier.value, tier.bound, "seed {seed} {change:?}: proven without node rules");
            }
        }
    }
}
