//! Places the arrivals of a scenario one by one.

use super::cluster::Node;
use super::fragmentation::Fragmentation;
use super::policy::Policy;
use super::resources::PodSpec;
use super::scenario::{OFFERED_PERCENT, Scenario};
use super::trace::Trace;
use migsaw_sim::Rng;

/// Runs one policy on one scenario. A pod that fits nowhere is dropped for good.
///
/// # Complexity
///
/// A pod costs one pass over the nodes comparing cached scores. Placing it changes one node, whose
/// score for another spec is computed when that spec next arrives.
pub(super) fn simulate(trace: &Trace, scenario: &Scenario, policy: Policy, fragmentation: &mut Fragmentation) -> Curve {
    let mut cluster = Cluster::empty(trace, scenario);
    let mut scores = vec![Scores::default(); trace.specs.len()];
    let mut rng = scenario.rng.clone();
    let mut curve = Curve::new(trace.capacity());
    for arrival in &scenario.arrivals {
        let pod = trace.spec(*arrival);
        let scores = &mut scores[arrival.0];
        scores.refresh(&cluster, |node| node.fits(pod).then(|| policy.score(node, pod, fragmentation)));
        let chosen = if policy.breaks_ties_at_random() { scores.any(&mut rng) } else { scores.first_best() };
        if let Some(chosen) = chosen {
            cluster.revisions[chosen] += 1;
            cluster.nodes[chosen].place(pod, |node, milli| {
                let gpu = policy.share_gpu(node, pod, milli, fragmentation, &mut rng);
                gpu.expect("the node fits the pod")
            });
        }
        curve.record(pod, chosen.is_some());
    }
    curve
}

/// The nodes, most preferred among equals first.
struct Cluster {
    nodes: Vec<Node>,
    /// Raised whenever the node changes; from 1.
    revisions: Vec<u32>,
}

impl Cluster {
    fn empty(trace: &Trace, scenario: &Scenario) -> Self {
        let nodes = scenario.node_order.iter().map(|index| trace.nodes[*index].clone());
        Self { nodes: nodes.collect(), revisions: vec![1; trace.nodes.len()] }
    }
}

/// The score of a node when it was at a revision; `None` if the pod did not fit.
#[derive(Debug, Clone, Copy)]
struct Scored {
    revision: u32,
    score: Option<u32>,
}

/// What one pod spec thinks of each node.
#[derive(Debug, Clone, Default)]
struct Scores(Vec<Scored>);

impl Scores {
    /// Rates the nodes that changed since this spec last looked.
    fn refresh(&mut self, cluster: &Cluster, mut rate: impl FnMut(&Node) -> Option<u32>) {
        self.0.resize(cluster.nodes.len(), Scored { revision: 0, score: None });
        let current = cluster.nodes.iter().zip(&cluster.revisions);
        for (scored, (node, revision)) in self.0.iter_mut().zip(current) {
            if scored.revision != *revision {
                *scored = Scored { revision: *revision, score: rate(node) };
            }
        }
    }

    /// The first of the nodes with the highest score.
    fn first_best(&self) -> Option<usize> {
        let mut best: Option<(u32, usize)> = None;
        for (index, score) in self.fitting() {
            if best.is_none_or(|(best, _)| score > best) {
                best = Some((score, index));
            }
        }
        best.map(|(_, index)| index)
    }

    /// A uniformly drawn node that fits.
    fn any(&self, rng: &mut Rng) -> Option<usize> {
        let chosen = rng.index(self.fitting().count());
        self.fitting().nth(chosen).map(|(index, _)| index)
    }

    fn fitting(&self) -> impl Iterator<Item = (usize, u32)> {
        let scores = self.0.iter().enumerate();
        scores.filter_map(|(index, scored)| scored.score.map(|score| (index, score)))
    }
}

/// GPU allocation as demand arrives, in percent of the cluster's GPU capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Curve {
    capacity: u64,
    arrived: u64,
    allocated: u64,
    /// By demand that has arrived, rounded to whole percent: allocations summed, and how many.
    by_percent: Vec<(u64, u32)>,
}

impl Curve {
    fn new(capacity: u64) -> Self {
        let by_percent = (0..=OFFERED_PERCENT + 1).map(|_| (0, 0)).collect();
        Self { capacity, arrived: 0, allocated: 0, by_percent }
    }

    fn record(&mut self, pod: &PodSpec, placed: bool) {
        let demand = u64::from(pod.gpu.total().0);
        self.arrived += demand;
        self.allocated += if placed { demand } else { 0 };
        let percent = (200 * self.arrived + self.capacity) / (2 * self.capacity);
        let last = self.by_percent.len() - 1;
        let percent = usize::try_from(percent).map_or(last, |percent| percent.min(last));
        let (sum, count) = &mut self.by_percent[percent];
        *sum += self.allocated;
        *count += 1;
    }

    /// Mean allocation over the arrivals that bring demand to `percent`, rounded, of capacity.
    /// `None` if no arrival does.
    #[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^52")]
    pub(super) fn allocated_percent(&self, percent: u32) -> Option<f64> {
        let (sum, count) = *self.by_percent.get(usize::try_from(percent).ok()?)?;
        let mean = sum as f64 / f64::from(count);
        (count > 0).then_some(100.0 * mean / self.capacity as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "sn,cpu_milli,memory_mib,gpu,model\n\
                         n0,8000,1024,1,T4\nn1,8000,1024,1,T4\nn2,8000,1024,2,T4\n";

    fn allocated(pods: &str, policy: Policy, percent: u32) -> Option<f64> {
        let pods = format!("name,cpu_milli,memory_mib,num_gpu,gpu_milli\n{pods}");
        let trace = Trace::parse(NODES, &pods).unwrap();
        let scenario = Scenario::draw(&trace, 42).unwrap();
        simulate(&trace, &scenario, policy, &mut Fragmentation::new(&trace)).allocated_percent(percent)
    }

    #[test]
    fn every_policy_fills_the_cluster_with_pods_that_divide_it() {
        for policy in Policy::ALL {
            let at = |percent| allocated("a,1,1,1,250\nb,1,1,1,250\n", policy, percent);
            assert_eq!(at(50), Some(50.0), "{policy:?}");
            assert_eq!(at(130), None, "arrivals bring 125 and 131.25");
            assert_eq!(at(125), Some(100.0), "{policy:?}");
        }
    }

    #[test]
    fn pods_that_fit_nowhere_are_dropped() {
        for policy in Policy::ALL {
            let at = |percent| allocated("a,1,1,1,800\n", policy, percent);
            assert_eq!(at(80), Some(80.0), "{policy:?}");
            assert_eq!(at(120), Some(80.0), "{policy:?}: each GPU holds one");
        }
    }

    #[test]
    fn equal_inputs_give_equal_curves() {
        let pods = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\n\
                    a,1,1,1,300\nb,1,1,1,450\nc,1,1,0,0\nd,1,1,1,1000\n";
        let trace = Trace::parse(NODES, pods).unwrap();
        let scenario = Scenario::draw(&trace, 42).unwrap();
        for policy in Policy::ALL {
            let curve = || simulate(&trace, &scenario, policy, &mut Fragmentation::new(&trace));
            assert_eq!(curve(), curve(), "{policy:?}");
        }
    }
}
