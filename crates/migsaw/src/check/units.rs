//! What serves a demand is what it asks for: eligible nodes, right instances, whole units, together
//! where they must be.

use std::collections::BTreeMap;

use super::eligibility;
use super::facts::{Facts, Piece, profile};
use super::kinds::{accepts, asked, resolve};
use super::transport::most_given;
use super::violation::Violation;
use crate::demand::{Demand, Request, Together};
use crate::fleet::GpuState;
use crate::geometry::{ProfileId, ProfileName};
use crate::plan::{GpuShare, Serving};

pub(super) fn judge(facts: &Facts<'_>, piece: &Piece<'_>, found: &mut Vec<Violation>) {
    for serving in &piece.planned.serves {
        let Some(demand) = facts.demand(serving.demand) else {
            let demands = facts.problem.demands.len();
            found.push(Violation::UnknownDemand { demand: serving.demand, demands });
            continue;
        };
        if let Some(barrier) = eligibility::barrier(demand, piece.pool) {
            found.push(Violation::Ineligible { demand: demand.full_name(), node: piece.place(), barrier });
        }
        let case = Case { piece, serving, demand };
        if case.judge_shares(found) {
            case.judge_units(found);
        }
    }
}

/// One demand on some nodes.
struct Case<'a> {
    piece: &'a Piece<'a>,
    serving: &'a Serving,
    demand: &'a Demand,
}

impl Case<'_> {
    /// Judges each share by itself; whether all of them can serve the demand at all.
    fn judge_shares(&self, found: &mut Vec<Violation>) -> bool {
        let before = found.len();
        let demand = || self.demand.full_name();
        for &share in &self.serving.shares {
            let gpu = usize::from(share.gpu);
            let place = || self.piece.place().gpu(gpu);
            if gpu >= self.piece.models.len() {
                let gpus = self.piece.models.len();
                found.push(Violation::UnknownGpu { demand: demand(), place: place(), gpus });
            } else if !self.is_accepted(share) {
                found.push(Violation::WrongKind {
                    demand: demand(),
                    place: place(),
                    profile: self.show(share),
                    asked: asked(&self.demand.request),
                });
            } else if share.profile.is_none() && self.piece.is_cut(gpu) {
                found.push(Violation::WholeCut { demand: demand(), place: place() });
            } else if share.profile.is_none() && *self.piece.state(gpu) == GpuState::Taken {
                found.push(Violation::WholeTaken { demand: demand(), place: place() });
            }
        }
        found.len() == before
    }

    fn is_accepted(&self, share: GpuShare) -> bool {
        let model = self.piece.models[usize::from(share.gpu)];
        match (&self.demand.request, share.profile) {
            (Request::WholeGpus { .. }, profile) => profile.is_none(),
            (request, Some(id)) => accepts(request, model, id),
            (_, None) => false,
        }
    }

    fn show(&self, share: GpuShare) -> String {
        let model = self.piece.models[usize::from(share.gpu)];
        match share.profile.map(|id| (id, profile(model, id))) {
            None => "the whole".to_owned(),
            Some((_, Some(profile))) => profile.name.to_string(),
            Some((id, None)) => format!("#{}", id.0),
        }
    }

    fn judge_units(&self, found: &mut Vec<Violation>) {
        match &self.demand.request {
            Request::Profiles { instances, together: Together::Node } => self.judge_bundle(instances, found),
            Request::Profiles { instances, together: Together::Gpu } => self.judge_tight_bundle(instances, found),
            Request::AtLeast { instances, together, .. } => self.judge_equal_instances(*instances, *together, found),
            Request::WholeGpus { gpus } => self.judge_total(self.needed(u64::from(*gpus)), self.instances(), found),
        }
    }

    /// Instances by name, anywhere on the node. A name can mean different profiles on different boards,
    /// and two names the same one.
    fn judge_bundle(&self, instances: &BTreeMap<ProfileName, u32>, found: &mut Vec<Violation>) {
        let mut stock: BTreeMap<(&str, ProfileId), (u64, usize)> = BTreeMap::new();
        for share in &self.serving.shares {
            let Some(id) = share.profile else { continue };
            let gpu = usize::from(share.gpu);
            let entry = stock.entry((&self.piece.models[gpu].id, id)).or_insert((0, gpu));
            entry.0 = entry.0.saturating_add(u64::from(share.instances));
        }
        let needs: Vec<u64> = instances.values().map(|&n| self.needed(u64::from(n))).collect();
        let accepts = |name: &ProfileName| {
            let of_kind = stock
                .iter()
                .enumerate()
                .filter(|(_, ((_, id), (_, gpu)))| resolve(self.piece.models[*gpu], name) == Some(*id));
            of_kind.map(|(kind, _)| kind).collect::<Vec<usize>>()
        };
        let accepts: Vec<Vec<usize>> = instances.keys().map(accepts).collect();
        let amounts: Vec<u64> = stock.values().map(|(amount, _)| *amount).collect();
        let expected = sum(needs.iter().copied());
        let there = sum(amounts.iter().copied());
        let usable = most_given(&needs, &amounts, &accepts);
        self.judge_total(expected, if there == expected { usable } else { there }, found);
    }

    /// Instances by name, those of one unit on one GPU: on each GPU the same multiple of the bundle.
    fn judge_tight_bundle(&self, instances: &BTreeMap<ProfileName, u32>, found: &mut Vec<Violation>) {
        let mut units = 0u64;
        for (gpu, given) in self.by_gpu() {
            let model = self.piece.models[gpu];
            let mut needed: BTreeMap<ProfileId, u64> = BTreeMap::new();
            let known = instances.iter().all(|(name, &n)| {
                let id = resolve(model, name);
                id.map(|id| *needed.entry(id).or_insert(0) += u64::from(n)).is_some()
            });
            let whole = known.then(|| whole_units(&given, &needed)).flatten();
            match whole {
                Some(whole) => units = units.saturating_add(whole),
                None => return self.add_not_together(gpu, found),
            }
        }
        let per_unit = sum(instances.values().map(|&n| u64::from(n)));
        self.judge_total(self.needed(per_unit), units.saturating_mul(per_unit), found);
    }

    /// Instances of any profile that will do, those of one unit all of the same name.
    fn judge_equal_instances(&self, per_unit: u32, together: Together, found: &mut Vec<Violation>) {
        let is_whole = |n: u64| n.checked_rem(u64::from(per_unit)).is_none_or(|rest| rest == 0);
        if together == Together::Gpu {
            for (gpu, given) in self.by_gpu() {
                if !given.values().all(|&n| is_whole(n)) {
                    return self.add_not_together(gpu, found);
                }
            }
        }
        let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
        for &share in &self.serving.shares {
            let count = by_name.entry(self.show(share)).or_insert(0);
            *count = count.saturating_add(u64::from(share.instances));
        }
        if let Some((name, n)) = by_name.into_iter().find(|(_, n)| !is_whole(*n)) {
            found.push(Violation::MixedUnit {
                demand: self.demand.full_name(),
                node: self.piece.place(),
                profile: name,
                found: n,
                per_unit,
            });
            return;
        }
        self.judge_total(self.needed(u64::from(per_unit)), self.instances(), found);
    }

    fn judge_total(&self, expected: u64, there: u64, found: &mut Vec<Violation>) {
        if there != expected {
            found.push(Violation::WrongInstances {
                demand: self.demand.full_name(),
                node: self.piece.place(),
                units: self.serving.units,
                asked: asked(&self.demand.request),
                expected,
                found: there,
            });
        }
    }

    fn add_not_together(&self, gpu: usize, found: &mut Vec<Violation>) {
        found.push(Violation::NotTogether {
            demand: self.demand.full_name(),
            place: self.piece.place().gpu(gpu),
            asked: asked(&self.demand.request),
        });
    }

    fn needed(&self, per_unit: u64) -> u64 {
        u64::from(self.serving.units).saturating_mul(per_unit)
    }

    fn instances(&self) -> u64 {
        sum(self.serving.shares.iter().map(|share| u64::from(share.instances)))
    }

    /// Instances of each profile on each GPU.
    fn by_gpu(&self) -> BTreeMap<usize, BTreeMap<ProfileId, u64>> {
        let mut by_gpu: BTreeMap<usize, BTreeMap<ProfileId, u64>> = BTreeMap::new();
        for share in &self.serving.shares {
            let Some(id) = share.profile else { continue };
            let count = by_gpu.entry(usize::from(share.gpu)).or_default().entry(id).or_insert(0);
            *count = count.saturating_add(u64::from(share.instances));
        }
        by_gpu
    }
}

/// How often exactly `needed` fits into `given`, without rest.
fn whole_units(given: &BTreeMap<ProfileId, u64>, needed: &BTreeMap<ProfileId, u64>) -> Option<u64> {
    let (first, per_unit) = needed.iter().next()?;
    let units = given.get(first).copied().unwrap_or(0).checked_div(*per_unit)?;
    let exact = |id: &ProfileId| {
        let needed = needed.get(id).copied().unwrap_or(0).checked_mul(units);
        needed == Some(given.get(id).copied().unwrap_or(0))
    };
    given.keys().chain(needed.keys()).all(exact).then_some(units)
}

fn sum(amounts: impl Iterator<Item = u64>) -> u64 {
    amounts.fold(0, u64::saturating_add)
}
