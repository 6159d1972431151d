//! The arrivals of one seed.

use super::resources::PodSpec;
use super::trace::{SpecIndex, Trace};
use migsaw_sim::Rng;

/// GPU demand offered in the end, in percent of the cluster's GPU capacity.
pub(super) const OFFERED_PERCENT: u32 = 130;

/// What one seed decides: the order of arrivals, and which node wins among equals.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) arrivals: Vec<SpecIndex>,
    /// Node positions from most to least preferred among equal scores.
    pub(super) node_order: Vec<usize>,
    /// For choices during placement.
    pub(super) rng: Rng,
}

impl Scenario {
    /// Shuffles the pods of the trace, then appends uniform draws from them until the next one
    /// would pass [`OFFERED_PERCENT`], then shuffles the nodes.
    ///
    /// As in the original, the stopping test counts one GPU of the next pod even when it wants
    /// several.
    ///
    /// # Errors
    ///
    /// The trace is empty, or the pods of the trace alone offer too much.
    pub(super) fn draw(trace: &Trace, seed: u64) -> Result<Self, String> {
        let mut rng = Rng::new(seed);
        let mut arrivals = trace.pods.clone();
        rng.shuffle(&mut arrivals);
        let total = |index: &SpecIndex| u64::from(trace.spec(*index).gpu.total().0);
        let mut offered: u64 = trace.pods.iter().map(total).sum();
        let limit = trace.capacity() * u64::from(OFFERED_PERCENT) / 100;
        if offered == 0 || offered > limit {
            return Err(format!(
                "the pods want {offered} thousandths of a GPU (1..={limit} can be topped up to \
                 {OFFERED_PERCENT} % of the cluster)"
            ));
        }
        loop {
            let next = trace.pods[rng.index(trace.pods.len())];
            if offered + next_gpu(trace.spec(next)) > limit {
                break;
            }
            offered += total(&next);
            arrivals.push(next);
        }
        let mut node_order: Vec<usize> = (0..trace.nodes.len()).collect();
        rng.shuffle(&mut node_order);
        Ok(Self { arrivals, node_order, rng })
    }
}

fn next_gpu(pod: &PodSpec) -> u64 {
    u64::from(pod.gpu.each().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(pods: &str) -> Trace {
        Trace::parse(
            "sn,cpu_milli,memory_mib,gpu,model\nn0,8000,1024,8,T4\nn1,8000,1024,2,T4\n",
            &format!("name,cpu_milli,memory_mib,num_gpu,gpu_milli\n{pods}"),
        )
        .unwrap()
    }

    #[test]
    fn arrivals_are_the_trace_topped_up_to_the_limit() {
        let trace = trace("a,1,1,1,1000\nb,2,1,1,1000\nc,3,1,1,1000\n");
        let scenario = Scenario::draw(&trace, 42).unwrap();
        assert_eq!(scenario.arrivals.len(), 13);
        let mut first: Vec<usize> = scenario.arrivals[..3].iter().map(|spec| spec.0).collect();
        first.sort_unstable();
        assert_eq!(first, [0, 1, 2]);
    }

    #[test]
    fn equal_seeds_draw_equal_scenarios() {
        let trace = trace("a,1,1,1,10\nb,2,1,1,20\nc,3,1,1,30\n");
        let arrivals = |seed| Scenario::draw(&trace, seed).unwrap().arrivals;
        assert_eq!(arrivals(42), arrivals(42));
        assert_ne!(arrivals(42), arrivals(43));
    }

    #[test]
    fn a_trace_that_offers_nothing_or_too_much_is_refused() {
        let check = |pods: &str| Scenario::draw(&trace(pods), 42).unwrap_err();
        assert!(check("a,1,1,0,0\n").contains("want 0 thousandths"));
        assert!(check("a,1,1,8,1000\nb,1,1,8,1000\n").contains("want 16000 thousandths"));
    }
}
