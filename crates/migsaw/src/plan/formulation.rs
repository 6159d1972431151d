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

use super::cell::{BoardStock, Part};
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
    pub(super) part: Part,
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

/// GPUs of a board of which the program itself decides what stays on them.
#[derive(Debug, Clone, Default)]
pub(super) struct Undecided {
    /// How many there are.
    pub(super) gpus: i64,
    /// Those that become idle.
    pub(super) opened: Sum,
    /// Those of them whose cutting does not count by itself.
    pub(super) unnoticed: Sum,
    /// Those on which some instances stay, by what can be added beside them.
    pub(super) beside: Vec<(Arc<Capability>, Sum)>,
    /// Those that stay cut as they are, by their instances.
    pub(super) fixed: Vec<(Counts, Sum)>,
    /// Instances of the fixed ones that running units hold, by profile.
    pub(super) held: BTreeMap<ProfileId, Sum>,
}

/// GPUs of one capability: a sum of variables and a number.
struct Class<'a> {
    part: Part,
    capability: &'a Capability,
    variable: Sum,
    constant: i64,
}

impl Formulation {
    /// Adds variables and rows for what `stock` can hold. `wanted` says which profiles matter;
    /// `bundles` are instances that must share one GPU.
    pub(super) fn describe(
        self,
        program: &mut Program,
        stock: &BoardStock,
        undecided: &Undecided,
        wanted: &[bool],
        bundles: &[Counts],
    ) -> BoardVars {
        let cut = program.var(stock.idle + undecided.gpus);
        if undecided.gpus > 0 {
            program.at_most(undecided.opened.negated() + &Sum::of([(cut, 1)]), stock.idle);
        }
        let listed = stock.pinned.iter().map(|(_, n)| n).chain(stock.fixed.iter().map(|(_, n)| n)).sum::<i64>();
        let gpus = stock.idle + undecided.gpus + listed;
        let mut total: Vec<Option<Var>> = Vec::new();
        for (profile, &wanted) in stock.model.profiles.iter().zip(wanted) {
            total.push(wanted.then(|| program.var(gpus * i64::from(profile.max_instances))));
        }
        let mut classes = vec![Class::new(Part::Idle, stock.model.idle_capability(), Sum::of([(cut, 1)]), 0)];
        let pinned = stock.pinned.iter().enumerate();
        classes.extend(pinned.map(|(i, (c, n))| Class::new(Part::Pinned(i), c, Sum::new(), *n)));
        classes.extend(undecided.beside.iter().map(|(c, gpus)| Class::new(Part::Idle, c, gpus.clone(), 0)));
        let normals = stock.model.facets.as_ref().filter(|_| bundles.is_empty() && self != Formulation::Patterns);
        let columns = if let Some(normals) = normals {
            let cut_anew = less_what_is_there(program, stock, undecided, &total, true);
            let normals = restrict(normals, wanted);
            match self {
                Formulation::Facets => facets(program, &classes, gpus, &normals, &cut_anew),
                _ => polytope(program, &classes, &normals, &cut_anew),
            }
            None
        } else {
            let cut_anew = less_what_is_there(program, stock, undecided, &total, false);
            let boxes: Vec<Capability> = stock.fixed.iter().map(|(free, _)| Capability::within(free)).collect();
            let fixed = boxes.iter().zip(&stock.fixed).enumerate();
            classes.extend(fixed.map(|(i, (c, (_, n)))| Class::new(Part::Fixed(i), c, Sum::new(), *n)));
            Some(patterns(program, &classes, gpus, wanted, bundles, &cut_anew))
        };
        BoardVars { cut, total, columns }
    }
}

impl<'a> Class<'a> {
    fn new(part: Part, capability: &'a Capability, variable: Sum, constant: i64) -> Class<'a> {
        Class { part, capability, variable, constant }
    }
}

/// For each wanted profile, the instances added in all, less those that are there already on GPUs that stay
/// cut as they are. Those of `stock` are left out where patterns describe them.
fn less_what_is_there(
    p: &mut Program,
    stock: &BoardStock,
    undecided: &Undecided,
    total: &[Option<Var>],
    with_stock: bool,
) -> Vec<Option<Sum>> {
    let mut sums = Vec::new();
    for (i, var) in total.iter().enumerate() {
        sums.push(var.map(|var| {
            let mut sum = Sum::of([(var, 1)]);
            if let Some(used) = used_as_it_is(p, stock, undecided, profile(i), with_stock) {
                sum.add_term(used, -1);
                p.at_least(sum.clone(), 0);
            }
            sum
        }));
    }
    sums
}

/// Instances of a profile used on GPUs that stay cut as they are; `None` if there are none.
pub(super) fn used_as_it_is(
    p: &mut Program,
    stock: &BoardStock,
    undecided: &Undecided,
    id: ProfileId,
    with_stock: bool,
) -> Option<Var> {
    let known = stock.fixed.iter().filter(|_| with_stock).map(|(free, n)| i64::from(free[id]) * n).sum::<i64>();
    let mut there = Sum::new();
    for (counts, gpus) in &undecided.fixed {
        there += &gpus.times(i64::from(counts[id]));
    }
    if known == 0 && there.is_empty() {
        return None;
    }
    let most = there.terms().iter().map(|&(gpus, each)| p.uppers()[gpus.0] * each).sum::<i64>();
    let used = p.var(known + most);
    if !there.is_empty() {
        let held = undecided.held.get(&id).cloned().unwrap_or_default();
        p.at_most(Sum::of([(used, 1)]) + &held + &there.negated(), known);
    }
    Some(used)
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

fn weighted(normal: &[u8], sums: &[Option<Sum>]) -> Sum {
    let mut all = Sum::new();
    for (&a, sum) in normal.iter().zip(sums) {
        if let Some(sum) = sum {
            all += &sum.times(i64::from(a));
        }
    }
    all
}

fn polytope(p: &mut Program, classes: &[Class<'_>], normals: &[Vec<u8>], total: &[Option<Sum>]) {
    for normal in normals {
        let mut sum = weighted(normal, total);
        let mut constant = 0;
        for class in classes {
            let support = class.capability.support(normal);
            sum += &class.variable.times(-support);
            constant += class.constant * support;
        }
        p.at_most(sum, constant);
    }
}

fn facets(p: &mut Program, classes: &[Class<'_>], gpus: i64, normals: &[Vec<u8>], total: &[Option<Sum>]) {
    let mut sums: Vec<Option<Sum>> = total.to_vec();
    for class in classes {
        let gpus = if class.variable.is_empty() { class.constant } else { gpus };
        let mut part = Vec::new();
        for (i, sum) in sums.iter_mut().enumerate() {
            let most = class.capability.maximal().iter().map(|q| q[profile(i)]).max().unwrap_or(0);
            let sum = sum.as_mut().filter(|_| most > 0 && gpus > 0);
            part.push(sum.map(|sum| {
                let var = p.var(gpus * i64::from(most));
                sum.add_term(var, -1);
                Sum::of([(var, 1)])
            }));
        }
        for normal in normals {
            let support = class.capability.support(normal);
            p.at_most(weighted(normal, &part) + &class.variable.times(-support), class.constant * support);
        }
    }
    for sum in sums.into_iter().flatten() {
        p.at_most(sum, 0);
    }
}

fn patterns(
    p: &mut Program,
    classes: &[Class<'_>],
    gpus: i64,
    wanted: &[bool],
    bundles: &[Counts],
    total: &[Option<Sum>],
) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for class in classes {
        let gpus = if class.variable.is_empty() { class.constant } else { gpus };
        if gpus == 0 {
            continue;
        }
        let mut choices = class.variable.negated();
        for (rest, chosen) in choices_for_one_gpu(class.capability, wanted, bundles) {
            let var = p.add(gpus, Role::Choice);
            choices.add_term(var, 1);
            columns.push(Column { part: class.part, rest, bundles: chosen, var });
        }
        p.at_most(choices, class.constant);
    }
    for (i, sum) in total.iter().enumerate() {
        let Some(mut sum) = sum.clone() else { continue };
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
