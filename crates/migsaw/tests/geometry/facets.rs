//! The facet normals describe what GPUs can take, and all sums of it.
//!
//! For any GPUs of one model in any states: integers `y >= 0` with `a·y <= Σ max{a·p : p in C}` for each
//! normal `a` split into one counts vector for each GPU. Proven here for all pairs of states, for up to
//! three idle GPUs, and sampled for more.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use migsaw::geometry::{Capability, Model, Occupancy};

use crate::model;

/// The distinct capabilities of all states, the idle one's last: it is the largest.
fn capabilities() -> &'static [Capability] {
    static ALL: OnceLock<Vec<Capability>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = distinct(&model("A100-80GB"));
        all.sort_by_key(|c| c.all().len());
        all
    })
}

fn distinct(model: &Model) -> Vec<Capability> {
    let states: BTreeSet<Occupancy> = model.layouts().iter().map(|l| l.occupancy(model).unwrap()).collect();
    let all: BTreeSet<Capability> = states.iter().map(|taken| Capability::of(model, taken)).collect();
    all.into_iter().collect()
}

#[test]
fn many_states_share_few_capabilities() {
    assert_eq!(capabilities().len(), 52);
    assert_eq!(distinct(&model("A30-24GB")).len(), 10);
    assert_eq!(distinct(&crate::reduced(&model("A30-24GB"), |p| p.class != "2g+me")).len(), 10);
    assert_eq!(distinct(&model("RTX-PRO-6000-96GB")).len(), 18);
}

#[test]
fn the_seven_slice_boards_have_the_normals() {
    for model in migsaw::geometry::Catalog::builtin().models() {
        let rows = model.facets.as_ref().map(Vec::len);
        let expected = (model.family == "seven-compute-eight-memory").then_some(20);
        assert_eq!(rows, expected, "{}", model.id);
    }
}

/// Vectors of a sum of capabilities as numbers: with a radix above the largest sum, adding the numbers
/// adds the vectors.
struct Sums {
    normals: Vec<Vec<u8>>,
    radix: u64,
}

impl Sums {
    fn of(terms: usize) -> Sums {
        let normals = model("A100-80GB").facets.clone().unwrap();
        Sums { normals, radix: 7 * terms as u64 + 1 }
    }

    fn codes(&self, capability: &Capability) -> Vec<u64> {
        let code =
            |c: &migsaw::geometry::Counts| c.iter().map(|(id, n)| u64::from(n) * self.radix.pow(u32::from(id.0))).sum();
        capability.all().iter().map(code).collect()
    }

    /// Every sum of one vector of each.
    fn sums(&self, terms: &[&Capability]) -> Vec<u64> {
        let mut sums = vec![0];
        for term in terms {
            let codes = self.codes(term);
            sums = sums.iter().flat_map(|sum| codes.iter().map(move |code| sum + code)).collect();
            sums.sort_unstable();
            sums.dedup();
        }
        sums
    }

    /// Every integer vector that satisfies the inequalities.
    fn described(&self, terms: &[&Capability]) -> Vec<u64> {
        let right = |a: &Vec<u8>| terms.iter().map(|c| c.support(a)).sum();
        let mut slack: Vec<i64> = self.normals.iter().map(right).collect();
        let mut found = Vec::new();
        self.count_up(0, 0, &mut slack, &mut found);
        found.sort_unstable();
        found
    }

    fn count_up(&self, column: usize, code: u64, slack: &mut [i64], found: &mut Vec<u64>) {
        if column == self.normals[0].len() {
            found.push(code);
            return;
        }
        let mut n = 0;
        while slack.iter().all(|&s| s >= 0) {
            self.count_up(column + 1, code + n * self.radix.pow(column.try_into().unwrap()), slack, found);
            n += 1;
            for (s, a) in slack.iter_mut().zip(&self.normals) {
                *s -= i64::from(a[column]);
            }
        }
        for (s, a) in slack.iter_mut().zip(&self.normals) {
            *s += i64::from(a[column]) * i64::try_from(n).unwrap();
        }
    }
}

#[test]
fn idle_gpus_split_into_layouts() {
    let idle = capabilities().last().unwrap();
    for (gpus, vectors) in [(1, 128), (2, 1767), (3, 11445)] {
        let sums = Sums::of(gpus);
        let terms = vec![idle; gpus];
        let described = sums.described(&terms);
        assert_eq!(described.len(), vectors, "{gpus} idle GPUs");
        assert_eq!(described, sums.sums(&terms));
    }
}

#[test]
fn every_single_state_is_described() {
    let sums = Sums::of(1);
    for capability in capabilities() {
        assert_eq!(sums.described(&[capability]), sums.sums(&[capability]));
    }
}

#[test]
fn every_pair_of_states_is_described() {
    let sums = Sums::of(2);
    let all = capabilities();
    let mut pairs = 0;
    for (i, one) in all.iter().enumerate() {
        for other in &all[..=i] {
            assert_eq!(sums.described(&[one, other]), sums.sums(&[one, other]), "{one:?} and {other:?}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 52 * 53 / 2);
}

#[test]
fn sampled_triples_and_quadruples_are_described() {
    let all = capabilities();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Half of the draws among the larger ones, where more can go wrong.
        let among = if random & (1 << 40) == 0 { all } else { &all[26..] };
        &among[usize::try_from(random % among.len() as u64).unwrap()]
    };
    for (terms, samples) in [(3, 150), (4, 10)] {
        let sums = Sums::of(terms);
        for _ in 0..samples {
            let drawn: Vec<&Capability> = (0..terms).map(|_| draw()).collect();
            assert_eq!(sums.described(&drawn), sums.sums(&drawn), "{drawn:?}");
        }
    }
}
