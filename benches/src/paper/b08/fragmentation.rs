//! The expected GPU capacity of a node that the next pod could not use.
//!
//! Kinds of pod `m` differ in CPU `c_m`, thousandths per GPU `g_m`, number of GPUs `k_m` and
//! allowed models; memory is ignored. Sorted by how many pods `n_m` of the trace are of the kind,
//! the *typical* kinds `M` are the shortest prefix that covers at least 95 % of the pods. Pods
//! without GPUs count.
//!
//! A node with free CPU `C` and free GPU thousandths `R_g` of GPU `g` *satisfies* `m` if `g_m > 0`,
//! its model is allowed, `C >= c_m`, and `R_g >= g_m` on at least `k_m` GPUs. Then
//!
//! ```text
//! F(node) = sum over m in M of  n_m * w_m(node)
//! w_m     = sum of R_g with R_g < g_m   if the node satisfies m
//!           sum of R_g                  otherwise
//! ```
//!
//! The paper's measure is `F / N` thousandths with `N = sum of n_m`; keeping `F` whole makes every
//! comparison exact. Kinds without GPUs never count as satisfied: they leave every free GPU unused.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::cluster::{FreeGpus, MAX_GPUS};
use super::resources::{CpuMilli, GpuMilli, Models};
use super::trace::Trace;

/// Share of the pods that the typical kinds cover at least, in percent.
const COVERED_PERCENT: u32 = 95;

/// A kind of pod. The order is that of ties between equally frequent kinds, last first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    cpu: CpuMilli,
    each_gpu: GpuMilli,
    gpus: usize,
    models_text: String,
}

/// A typical kind in the form that evaluation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Typical {
    cpu: CpuMilli,
    each_gpu: GpuMilli,
    gpus: usize,
    models: Models,
    pods: u32,
}

impl Typical {
    /// `w_m` without its CPU condition.
    fn unusable(&self, model: Models, gpus: &[GpuMilli]) -> u32 {
        let (mut unusable, mut total, mut fitting) = (0, 0, 0);
        for free in gpus {
            total += free.0;
            if *free < self.each_gpu {
                unusable += free.0;
            } else {
                fitting += 1;
            }
        }
        let satisfied = self.gpus > 0 && fitting >= self.gpus && self.models.allow(model);
        if satisfied { unusable } else { total }
    }
}

/// What `F` depends on. Of the CPU, only which kinds fit matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    model: Models,
    kinds_within_cpu: usize,
    gpus: [GpuMilli; MAX_GPUS],
}

/// Evaluates `F`, remembering every value.
///
/// # Complexity
///
/// A new state costs `O(|M| * GPUs)`, a known one a look-up. States are equal if they have the
/// same model, the same free GPUs in any order, and CPU for the same kinds, so nodes, pods
/// and seeds share them: ten seeds of a pod list see some hundred thousand.
pub(super) struct Fragmentation {
    /// By ascending CPU, so that a prefix fits the free CPU of a node.
    typical: Vec<Typical>,
    /// `N`.
    pods: u32,
    known: HashMap<u128, u32, BuildHasherDefault<Mix>>,
}

impl Fragmentation {
    pub(super) fn new(trace: &Trace) -> Self {
        let mut typical = typical_kinds(trace);
        typical.sort_by_key(|kind| kind.cpu);
        let pods = typical.iter().map(|kind| kind.pods).sum();
        Self { typical, pods, known: HashMap::default() }
    }

    /// `N`, the number of pods of a typical kind.
    pub(super) fn pods(&self) -> u32 {
        self.pods
    }

    /// `F` of a node with this model and these free resources.
    pub(super) fn of(&mut self, model: Models, cpu: CpuMilli, gpus: &FreeGpus) -> u32 {
        let state = State {
            model,
            kinds_within_cpu: self.typical.partition_point(|kind| kind.cpu <= cpu),
            gpus: gpus.sorted(),
        };
        let key = state.key();
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let value = evaluate(&self.typical, &state);
        self.known.insert(key, value);
        value
    }
}

impl State {
    /// The state in one number: ten bits a GPU, sixteen for the kinds, the rest for the model.
    fn key(&self) -> u128 {
        let high = u128::from(self.model.0) << 16 | self.kinds_within_cpu as u128;
        self.gpus.iter().fold(high, |key, free| key << 10 | u128::from(free.0))
    }
}

fn evaluate(typical: &[Typical], state: &State) -> u32 {
    let (within, beyond) = typical.split_at(state.kinds_within_cpu);
    let total: u32 = state.gpus.iter().map(|free| free.0).sum();
    let unusable = within.iter().map(|kind| kind.pods * kind.unusable(state.model, &state.gpus));
    unusable.sum::<u32>() + total * beyond.iter().map(|kind| kind.pods).sum::<u32>()
}

/// The shortest prefix of the kinds, most frequent first, that covers enough of the pods.
fn typical_kinds(trace: &Trace) -> Vec<Typical> {
    let mut counts: BTreeMap<Kind, Typical> = BTreeMap::new();
    for index in &trace.pods {
        let pod = trace.spec(*index);
        let kind = Kind {
            cpu: pod.cpu,
            each_gpu: pod.gpu.each(),
            gpus: pod.gpu.count(),
            models_text: pod.models_text.clone(),
        };
        let uncounted =
            Typical { cpu: kind.cpu, each_gpu: kind.each_gpu, gpus: kind.gpus, models: pod.models, pods: 0 };
        counts.entry(kind).or_insert(uncounted).pods += 1;
    }
    let all: u32 = counts.values().map(|kind| kind.pods).sum();
    let mut kinds: Vec<Typical> = counts.into_values().rev().collect();
    kinds.sort_by_key(|kind| Reverse(kind.pods));
    let mut covered = 0;
    kinds
        .into_iter()
        .take_while(|kind| {
            let needed = covered * 100 < all * COVERED_PERCENT;
            covered += kind.pods;
            needed
        })
        .collect()
}

/// Hashes state keys by multiplication: they are well spread and nobody attacks them, so the
/// standard library's keyed hash would only cost time.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "both halves are hashed")]
    fn write_u128(&mut self, key: u128) {
        self.mix(key as u64);
        self.mix((key >> 64) as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Mix {
    fn mix(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// Hand-made fragmentation for the tests of this benchmark.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The fragmentation seen by a trace of these pods, `name,cpu,memory,gpus,milli,models`, on a
    /// cluster whose first model is T4 and whose second is G2.
    pub(in super::super) fn fragmentation(pods: &str) -> Fragmentation {
        let trace = Trace::parse(
            "sn,cpu_milli,memory_mib,gpu,model\nn0,1,1,1,T4\nn1,1,1,1,G2\n",
            &format!("name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n{pods}"),
        );
        Fragmentation::new(&trace.unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::super::cluster::testing::node;
    use super::testing::fragmentation;

    fn of(pods: &str, cpu: u32, free: &[u32]) -> u32 {
        let node = node(cpu, free);
        fragmentation(pods).of(node.model, node.cpu, &node.gpus)
    }

    #[test]
    fn every_category_counts_what_it_leaves_unusable() {
        let check = |name: &str, pods: &str, expected: u32| {
            assert_eq!(of(pods, 4000, &[300, 700, 1000]), expected, "{name}");
        };
        check("satisfied: the GPUs that are too full", "a,4000,1,1,500,\n", 300);
        check("satisfied everywhere", "a,4000,1,1,300,\n", 0);
        check("several GPUs", "a,4000,1,1,1000,\n", 1000);
        check("lacks GPUs", "a,4000,1,2,1000,\n", 2000);
        check("lacks CPU", "a,4001,1,1,300,\n", 2000);
        check("no access", "a,4000,1,1,300,G2\n", 2000);
        check("access", "a,4000,1,1,300,T4\n", 0);
        check("no GPU wanted", "a,4000,1,0,0,\n", 2000);
        check("weighted", "a,1,1,1,500,\nb,1,1,1,500,\nc,1,1,1,1000,\n", 2 * 300 + 1000);
    }

    #[test]
    fn the_order_of_gpus_and_full_ones_change_nothing() {
        let pods = "a,1,1,1,500,\nb,1,1,2,1000,\n";
        assert_eq!(of(pods, 10, &[300, 1000]), of(pods, 10, &[1000, 0, 300]));
    }

    #[test]
    fn rare_kinds_are_dropped_once_the_rest_covers_enough() {
        let mut pods = "a,1,1,1,500,\n".repeat(95);
        pods += "b,2,1,1,600,\nb,2,1,1,600,\nc,3,1,1,700,\nc,3,1,1,700,\nd,4,1,1,800,\n";
        assert_eq!(fragmentation(&pods).pods(), 95);
        pods += "e,5,1,1,900,\n";
        assert_eq!(fragmentation(&pods).pods(), 97, "95 of 101 pods are too few");
    }

    #[test]
    fn of_equally_frequent_kinds_the_greater_is_kept() {
        let mut pods = "a,1,1,1,500,\n".repeat(18);
        pods += "b,2,1,1,600,\nc,2,1,1,700,\n";
        let mut fragmentation = fragmentation(&pods);
        assert_eq!(fragmentation.pods(), 19);
        let node = node(10, &[650]);
        assert_eq!(fragmentation.of(node.model, node.cpu, &node.gpus), 650, "700 does not fit");
    }
}
