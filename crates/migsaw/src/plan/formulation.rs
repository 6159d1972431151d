//! Three descriptions of the same polytope: which totals of instances some GPUs of one model can hold.
//!
//! Given are `idle` GPUs, of which `cut` are cut (a variable), and classes `c` of `n_c` GPUs with pinned
//! instances and capability `C_c` (a down-closed set of count vectors). Wanted are totals `y` per profile.
//!
//! - **Patterns** (Gilmore and Gomory's cutting stock): integer `x[c, q] ≥ 0` for each maximal `q ∈ C_c`,
//!   `Σ_q x[c, q] ≤ n_c`, and `y_p ≤ Σ x[c, q]·q_p`.
//! - **Facets**: integer `y[c, p] ≥ 0` with `a·y[c] ≤ n_c · max{a·q : q ∈ C_c}` for each facet normal `a`,
//!   and `y_p ≤ Σ_c y[c, p]`.
//! - **Polytope**: `a·y ≤ Σ_c n_c · max{a·q : q ∈ C_c}` for each `a` of a set of normals that is complete
//!   for all sums of the classes' hulls. No variable beside `y`.
//!
//! The hulls and their sums have the integer decomposition property, so each integer `y` splits into
//! layouts; [`super::peel`] finds the split, and the tests enumerate that there always is one. Where
//! a model's normals are not known the patterns are used.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cell::BoardStock;
use super::program::{Program, Role, Sum, Var};
use crate::geometry::{Capability, Counts, ProfileId};

/// How capacity is described to the solver. All give the same optimum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Formulation {
    /// One variable per class and maximal pattern: the textbook model and the reference.
    Patterns,
    /// One variable per class and profile.
    Facets,
    /// One variable per profile.
    #[default]
    Polytope,
}

/// A choice for one GPU of a class: the bundles that must be together on it, and what else fits.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Index among the pinned classes; `None` for idle GPUs.
    pub(super) class: Option<usize>,
    /// Instances beside the bundles.
    pub(super) rest: Counts,
    /// How many of each bundle.
    pub(super) bundles: Vec<u8>,
    pub(super) var: Var,
}

/// The variables of one board's capacity.
pub(super) struct BoardVars {
    /// Idle GPUs that are cut.
    pub(super) cut: Var,
    /// Instances added in all, for each wanted profile.
    pub(super) total: Vec<Option<Var>>,
    /// The choices, where patterns describe the capacity.
    pub(super) columns: Option<Vec<Column>>,
}

impl Formulation {
    /// Adds variables and rows for what `stock` can hold. `wanted` says which profiles matter;
    /// `bundles` are instances that must share one GPU.
    pub(super) fn describe(
        self,
        program: &mut Program,
        stock: &BoardStock,
        wanted: &[bool],
        bundles: &[Counts],
    ) -> BoardVars {
        let cut = program.var(stock.idle);
        let gpus: i64 = stock.idle + stock.pinned.iter().map(|(_, n)| n).sum::<i64>();
        let mut total: Vec<Option<Var>> = Vec::new();
        for (profile, &wanted) in stock.model.profiles.iter().zip(wanted) {
            total.push(wanted.then(|| program.var(gpus * i64::from(profile.max_instances))));
        }
        let idle = stock.model.idle_capability();
        let restricted = || stock.model.facets.as_ref().map(|normals| restrict(normals, wanted));
        let columns = match (self, restricted()) {
            (Formulation::Polytope, Some(normals)) if bundles.is_empty() => {
                polytope(program, stock, idle, &normals, cut, &total);
                None
            }
            (Formulation::Facets, Some(normals)) if bundles.is_empty() => {
                facets(program, stock, idle, &normals, cut, &total);
                None
            }
            _ => Some(patterns(program, stock, idle, wanted, bundles, cut, &total)),
        };
        BoardVars { cut, total, columns }
    }
}

/// The normals with unwanted profiles left out, each once.
pub(super) fn restrict(normals: &[Vec<u8>], wanted: &[bool]) -> Vec<Vec<u8>> {
    let mut rows: Vec<Vec<u8>> =
        normals.iter().map(|a| a.iter().zip(wanted).map(|(&c, &w)| if w { c } else { 0 }).collect()).collect();
    rows.sort_unstable();
    rows.dedup();
    rows.retain(|row| row.iter().any(|&c| c > 0));
    rows
}

fn weighted(normal: &[u8], vars: &[Option<Var>]) -> Sum {
    Sum::of(normal.iter().zip(vars).filter_map(|(&a, var)| Some((((*var)?), i64::from(a)))))
}

fn polytope(
    p: &mut Program,
    stock: &BoardStock,
    idle: &Capability,
    normals: &[Vec<u8>],
    cut: Var,
    total: &[Option<Var>],
) {
    for normal in normals {
        let fixed: i64 = stock.pinned.iter().map(|(capability, n)| n * capability.support(normal)).sum();
        let mut sum = weighted(normal, total);
        sum.add_term(cut, -idle.support(normal));
        p.at_most(sum, fixed);
    }
}

fn facets(
    p: &mut Program,
    stock: &BoardStock,
    idle: &Capability,
    normals: &[Vec<u8>],
    cut: Var,
    total: &[Option<Var>],
) {
    let mut sums: Vec<Sum> = total.iter().map(|var| Sum::of(var.map(|v| (v, 1)))).collect();
    let classes = std::iter::once((idle, None)).chain(stock.pinned.iter().map(|(c, n)| (&**c, Some(*n))));
    for (capability, count) in classes {
        let most = |i: usize| capability.maximal().iter().map(|q| q[profile(i)]).max().unwrap_or(0);
        let gpus = count.unwrap_or(stock.idle);
        let mut part = Vec::new();
        for (i, var) in total.iter().enumerate() {
            let most = i64::from(most(i));
            part.push(var.filter(|_| most > 0 && gpus > 0).map(|_| p.var(gpus * most)));
        }
        for normal in normals {
            let mut sum = weighted(normal, &part);
            let support = capability.support(normal);
            if count.is_none() {
                sum.add_term(cut, -support);
            }
            p.at_most(sum, count.unwrap_or(0) * support);
        }
        for (sum, var) in sums.iter_mut().zip(&part) {
            if let Some(var) = var {
                sum.add_term(*var, -1);
            }
        }
    }
    for (sum, var) in sums.into_iter().zip(total) {
        if var.is_some() {
            p.at_most(sum, 0);
        }
    }
}

fn patterns(
    p: &mut Program,
    stock: &BoardStock,
    idle: &Arc<Capability>,
    wanted: &[bool],
    bundles: &[Counts],
    cut: Var,
    total: &[Option<Var>],
) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    let classes = stock.pinned.iter().enumerate().map(|(i, (c, n))| (c, Some(i), *n));
    for (capability, class, gpus) in std::iter::once((idle, None, stock.idle)).chain(classes) {
        if gpus == 0 {
            continue;
        }
        let mut choices = Sum::new();
        for (rest, chosen) in choices_for_one_gpu(capability, wanted, bundles) {
            let var = p.add(gpus, Role::Choice);
            choices.add_term(var, 1);
            columns.push(Column { class, rest, bundles: chosen, var });
        }
        if class.is_none() {
            choices.add_term(cut, -1);
        }
        p.at_most(choices, if class.is_none() { 0 } else { gpus });
    }
    for (i, var) in total.iter().enumerate() {
        let Some(var) = var else { continue };
        let mut sum = Sum::of([(*var, 1)]);
        for column in &columns {
            let together = bundles.iter().zip(&column.bundles).map(|(b, &n)| i64::from(n) * i64::from(b[profile(i)]));
            sum.add_term(column.var, -i64::from(column.rest[profile(i)]) - together.sum::<i64>());
        }
        p.at_most(sum, 0);
    }
    columns
}

/// Every way to put bundles on one GPU, each with every maximal rest, profiles nobody wants left out.
pub(super) fn choices_for_one_gpu(
    capability: &Capability,
    wanted: &[bool],
    bundles: &[Counts],
) -> Vec<(Counts, Vec<u8>)> {
    let slice = |q: &Counts| q.iter().filter(|(id, _)| wanted[id.index()]).collect::<Counts>();
    let mut sets: BTreeMap<Vec<u8>, Vec<Counts>> = BTreeMap::new();
    for pattern in capability.maximal() {
        let mut stack = vec![(*pattern, vec![0; bundles.len()], 0)];
        while let Some((rest, chosen, from)) = stack.pop() {
            for (i, bundle) in bundles.iter().enumerate().skip(from) {
                if let Some(less) = rest.minus(bundle) {
                    let mut more: Vec<u8> = chosen.clone();
                    more[i] += 1;
                    stack.push((less, more, i));
                }
            }
            sets.entry(chosen).or_default().push(slice(&rest));
        }
    }
    let mut choices = Vec::new();
    for (chosen, mut rests) in sets {
        rests.sort_unstable();
        rests.dedup();
        let maximal = rests.iter().filter(|a| !rests.iter().any(|b| *a != b && a.is_within(b)));
        let useful = maximal.filter(|rest| !rest.is_empty() || chosen.iter().any(|&n| n > 0));
        choices.extend(useful.map(|rest| (*rest, chosen.clone())));
    }
    choices
}

fn profile(index: usize) -> ProfileId {
    ProfileId(u8::try_from(index).expect("at most MAX_PROFILES profiles"))
}
