//! The fewest GPUs that serve everything.
//!
//! Services `m` with rate `r[m]`; sizes `s` of instances, of which one serves at most `t[m, s]`; how many fit on `N`
//! GPUs is what the closed formula says, with the halves eliminated ([`FACETS`]):
//!
//! ```text
//! minimise    N
//! subject to  Σ(s) t[m, s] n[m, s] >= r[m]                                          for each service m
//!             Σ(m, s) a[f, s] n[m, s] <= b[f] N                                     for each facet f
//!             Σ(s) ceil(k t[m, s] / t[m, q]) n[m, s] >= ceil(k r[m] / t[m, q])      for each m, size q and k
//!             n[m, s], N whole and not negative
//! ```
//!
//! The last rows follow from the first, since `n` is whole (Chvátal and Gomory's rounding); without them the search
//! does not end. How many of them help most is tried. What comes out is judged again in whole numbers, and packed by
//! [`super::verify`]. The bound is the search's, or the relaxation of the cutting-stock program rounded up.

use good_lp::{Constraint, Expression, ProblemVariables, Solution, SolverModel, Variable, constraint, variable};
use microlp::{SolveOptions, TerminationReason};
use migsaw_tests::closed_form::Mix;

use super::data::{Rate, SIZES, Service};
use super::verify::board;
use crate::paper::patterns::{Patterns, float, rounded_up};

/// Instances of 1, 2, 3, 4 and 7 slices, and GPUs that take as many.
const FACETS: [([u8; 5], u8); 6] = [
    ([0, 0, 0, 1, 1], 1),
    ([0, 0, 1, 1, 2], 2),
    ([0, 1, 1, 2, 3], 3),
    ([0, 1, 2, 2, 4], 4),
    ([1, 2, 3, 4, 7], 7),
    ([1, 2, 4, 4, 8], 8),
];
/// Up to which `k` rows are added, one try after the other.
const TRIES: [u64; 3] = [12, 20, 8];
/// Most branch and bound nodes of a try.
const NODES: u64 = 20_000;

/// Instances of each size, by service.
pub(super) type Instances = Vec<[u64; 5]>;

/// The best that was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fewest {
    pub(super) gpus: u64,
    /// No plan takes fewer.
    pub(super) bound: u64,
    /// The optimum if GPUs and instances could be split.
    pub(super) relaxation: f64,
    pub(super) instances: Instances,
}

/// The fewest GPUs, and what proves it.
///
/// # Errors
/// If a service cannot run anywhere, or nothing is found.
pub(super) fn fewest(services: &[Service]) -> anyhow::Result<Fewest> {
    let relaxation = relaxation(services)?;
    let mut bound = u64::try_from(rounded_up(relaxation))?;
    let mut best: Option<(u64, Instances)> = None;
    for rounds in TRIES {
        let (found, proven) = Program::new(services, rounds).search(services, bound)?;
        bound = bound.max(proven);
        let found = found.map(|instances| (gpus_for(&instances), instances));
        best = best.into_iter().chain(found).min_by_key(|(gpus, _)| *gpus);
        if best.as_ref().is_some_and(|(gpus, _)| *gpus <= bound) {
            break;
        }
    }
    let (gpus, instances) = best.ok_or_else(|| anyhow::anyhow!("the solver finds nothing"))?;
    Ok(Fewest { gpus, bound, relaxation, instances })
}

/// By formula.
pub(super) fn gpus_for(instances: &Instances) -> u64 {
    let [one, two, three, four, seven] = std::array::from_fn(|size| instances.iter().map(|n| n[size]).sum());
    Mix { one, double: 0, two, three, four, seven }.fewest_gpus()
}

/// Whether everything is served, in whole numbers.
pub(super) fn serves(services: &[Service], instances: &Instances) -> bool {
    let served = |service: &Service, n: &[u64; 5]| -> Rate {
        n.iter().enumerate().map(|(size, n)| n * service.best(size).map_or(0, |best| best.rate)).sum()
    };
    services.iter().zip(instances).all(|(service, n)| served(service, n) >= service.rate)
}

/// The optimum of the cutting-stock program's relaxation.
fn relaxation(services: &[Service]) -> anyhow::Result<f64> {
    let (model, ids) = board()?;
    let mut program = ProblemVariables::new();
    let (used, made) = Patterns::of(&model, &ids).add_to(&mut program);
    let mut taken = vec![Expression::default(); SIZES.len()];
    let mut rows = Vec::new();
    for service in services {
        let mut served = Expression::default();
        for (size, taken) in taken.iter_mut().enumerate() {
            if let Some(best) = service.best(size) {
                let n = program.add(variable().min(0));
                *taken += n;
                served += requests(best.rate) * n;
            }
        }
        rows.push(constraint!(served >= requests(service.rate)));
    }
    rows.extend(taken.into_iter().zip(made).map(|(taken, made)| constraint!(taken <= made)));
    let gpus: Expression = used.into_iter().sum();
    let model = rows.into_iter().fold(program.minimise(gpus.clone()).using(good_lp::microlp), SolverModel::with);
    Ok(model.solve()?.eval(gpus))
}

struct Program {
    variables: ProblemVariables,
    rows: Vec<Constraint>,
    gpus: Variable,
    /// By service and size, where the service can run.
    instances: Vec<[Option<Variable>; 5]>,
}

impl Program {
    fn new(services: &[Service], rounds: u64) -> Program {
        let mut variables = ProblemVariables::new();
        let gpus = variables.add(variable().integer().min(0));
        let mut program = Program { variables, rows: Vec::new(), gpus, instances: Vec::new() };
        for service in services {
            program.add(service, rounds);
        }
        for (weights, most) in FACETS {
            let weighted = program.instances.iter().flat_map(|of_service| of_service.iter().zip(weights));
            let taken: Expression = weighted.filter_map(|(n, weight)| n.map(|n| f64::from(weight) * n)).sum();
            program.rows.push(constraint!(taken <= f64::from(most) * gpus));
        }
        program
    }

    fn add(&mut self, service: &Service, rounds: u64) {
        let rates: [Rate; 5] = std::array::from_fn(|size| service.best(size).map_or(0, |best| best.rate));
        let instances = rates.map(|rate| {
            let most = service.rate.checked_div(rate).map(|enough| float(enough + 1));
            most.map(|most| self.variables.add(variable().integer().min(0).max(most)))
        });
        let sum = |weights: [f64; 5]| -> Expression {
            instances.iter().zip(weights).filter_map(|(n, weight)| n.map(|n| weight * n)).sum()
        };
        self.rows.push(constraint!(sum(rates.map(requests)) >= requests(service.rate)));
        for unit in rates.into_iter().filter(|&rate| rate > 0) {
            for k in 1..=rounds {
                let rounded = |rate: Rate| float((rate * k).div_ceil(unit));
                self.rows.push(constraint!(sum(rates.map(rounded)) >= rounded(service.rate)));
            }
        }
        self.instances.push(instances);
    }

    /// What is found, and what is proven about every solution.
    fn search(self, services: &[Service], bound: u64) -> anyhow::Result<(Option<Instances>, u64)> {
        let Program { variables, rows, gpus, instances } = self;
        let model = rows.into_iter().fold(variables.minimise(gpus).using(good_lp::microlp), SolverModel::with);
        // Whole numbers of GPUs less than one apart are the same, and the gap is relative. What is found may take
        // one GPU more than the bound for this to be a proof.
        let mut options = SolveOptions::default();
        options.node_limit = Some(NODES);
        options.mip_gap = 0.9 / float(bound + 1);
        let Ok(solution) = model.as_inner().solve_with(options)?.into_solution() else { return Ok((None, bound)) };
        let values: Vec<f64> = solution.iter().map(|(_, value)| value).collect();
        // Variables are numbered in the order in which they were added, the GPUs first.
        let mut rest = values.iter().skip(1).map(|&value| whole(value));
        let mut of_service = |n: &[Option<Variable>; 5]| n.map(|n| n.and_then(|_| rest.next()).unwrap_or(0));
        let found: Instances = instances.iter().map(&mut of_service).collect();
        if !serves(services, &found) {
            return Ok((None, bound));
        }
        let finished =
            matches!(solution.termination_reason(), TerminationReason::ProvenOptimal | TerminationReason::MipGap);
        let gpus = gpus_for(&found);
        let agree = gpus == whole(solution.objective()) && gpus <= bound + 1;
        Ok((Some(found), if finished && agree { gpus } else { bound }))
    }
}

/// In requests a second.
fn requests(rate: Rate) -> f64 {
    float(rate) / 1e6
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are small and not negative")]
fn whole(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::super::data::Point;
    use super::*;

    /// A service that must serve so much, and what one instance of each size serves.
    fn service(rate: Rate, by_size: [Rate; 5]) -> Service {
        let point = |(size, rate)| Point { size, batch: 1, processes: 1, rate, latency: 1 };
        Service { model: "m".to_owned(), rate, points: (0..).zip(by_size).map(point).collect() }
    }

    #[track_caller]
    fn check(services: &[Service], gpus: u64, relaxation: f64) {
        let found = fewest(services).unwrap();
        assert_eq!((found.gpus, found.bound), (gpus, gpus), "{found:?}");
        assert!((found.relaxation - relaxation).abs() < 1e-6, "{found:?}");
        assert!(serves(services, &found.instances), "{found:?}");
    }

    #[test]
    fn every_pattern_is_within_the_facets_and_every_facet_is_met() {
        let (model, ids) = board().unwrap();
        let patterns = Patterns::of(&model, &ids);
        for (weights, most) in FACETS {
            let used = |pattern: &Vec<u8>| pattern.iter().zip(weights).map(|(n, weight)| n * weight).sum::<u8>();
            assert_eq!(patterns.iter().map(used).max(), Some(most), "{weights:?}");
        }
    }

    #[test]
    fn as_few_gpus_as_can_be() {
        // A whole GPU is best, and half of another is enough for the rest.
        check(&[service(150, [0, 0, 50, 50, 100])], 2, 1.5);
        // Seven instances of one slice.
        check(&[service(7, [1, 0, 0, 0, 0])], 1, 1.0);
        // Two of three slices leave no room for one more.
        check(&[service(2, [0, 0, 1, 0, 0]), service(1, [1, 0, 0, 0, 0])], 2, 1.125);
        // Three of two slices do.
        check(&[service(3, [0, 1, 0, 0, 0]), service(1, [1, 0, 0, 0, 0])], 1, 1.0);
        // What can be split cannot be rounded: half an instance of seven slices each.
        check(&[service(1, [0, 0, 0, 0, 2]), service(1, [0, 0, 0, 0, 2])], 2, 1.0);
    }

    #[test]
    fn a_service_that_cannot_run_is_an_error() {
        assert!(fewest(&[service(1, [0; 5])]).is_err());
    }
}
