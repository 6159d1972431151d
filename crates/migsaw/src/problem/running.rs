//! What is said to run today can run that way.

use std::collections::{BTreeMap, BTreeSet};

use super::{InputProblem, Problem, Subject};
use crate::demand::{Demand, Request, Together};
use crate::fleet::{GpuState, NodeGroup, Pool, Strategy};
use crate::geometry::Model;
use crate::present::{Held, Present, Running};

/// Everything about what runs today that makes no sense.
pub(super) fn validate(problem: &Problem, found: &mut Vec<(Subject, InputProblem)>) {
    let mut running: BTreeMap<usize, u64> = BTreeMap::new();
    for (index, pool) in problem.fleet.pools.iter().enumerate() {
        let models: Vec<&Model> = pool.gpu_models().map(AsRef::as_ref).collect();
        for (range, group) in pool.node_ranges().filter(|(range, _)| !range.is_empty()) {
            let Some(present) = &group.present else { continue };
            let node = group.names.get(0);
            let mut add = |problem| found.push((Subject::Pool(index), problem));
            validate_layouts(&node, group, present, &models, &mut add);
            if pool.strategy == Strategy::Single && !is_uniform(present, &models) {
                add(InputProblem::StateNotSingle { node: node.clone() });
            }
            validate_units(problem, pool, &node, present, &models, &mut add);
            for unit in &present.running {
                *running.entry(unit.demand).or_insert(0) += u64::from(range.end - range.start);
            }
        }
    }
    for (index, running) in running {
        let Some(demand) = problem.demands.get(index).filter(|demand| running > demand.count) else { continue };
        let (demand, count) = (demand.full_name(), demand.count);
        found.push((Subject::Demand(index), InputProblem::RunningTooMany { demand, running, count }));
    }
}

/// Whether all GPUs carry one profile, or none does.
fn is_uniform(present: &Present, models: &[&Model]) -> bool {
    let placements = |gpu: usize| present.layout(gpu).map_or(&[][..], |layout| layout.placements());
    let name =
        |gpu: usize| placements(gpu).iter().map(move |p| models[gpu].profiles.get(p.profile.index()).map(|p| &p.name));
    let names: BTreeSet<_> = (0..models.len()).flat_map(name).collect();
    let cut = (0..models.len()).filter(|&gpu| !placements(gpu).is_empty()).count();
    names.len() <= 1 && (cut == 0 || cut == models.len())
}

fn validate_layouts(
    node: &str,
    group: &NodeGroup,
    present: &Present,
    models: &[&Model],
    add: &mut impl FnMut(InputProblem),
) {
    if present.gpus.len() > models.len() {
        let (found, most) = (present.gpus.len(), models.len());
        add(InputProblem::StateTooMany { node: node.to_owned(), found, most });
    }
    for (gpu, (layout, model)) in present.gpus.iter().zip(models).enumerate() {
        if let Some(Err(error)) = layout.as_ref().map(|layout| layout.occupancy(model)) {
            add(InputProblem::StateLayout { node: node.to_owned(), gpu, error });
        }
    }
    for (gpu, state) in group.pinned.iter().enumerate() {
        let there = present.layout(gpu).map_or(&[][..], |layout| layout.placements());
        let is_right = match state {
            GpuState::Pinned(pinned) => pinned.placements().iter().all(|instance| there.contains(instance)),
            GpuState::Taken => there.is_empty(),
            GpuState::Idle => true,
        };
        if !is_right {
            add(InputProblem::StateWithoutPinned { node: node.to_owned(), gpu });
        }
    }
    let mut held = BTreeSet::new();
    let pinned = group.pinned.iter().enumerate().flat_map(|(gpu, state)| match state {
        GpuState::Pinned(layout) => layout.placements().iter().map(|&instance| (gpu, Some(instance))).collect(),
        GpuState::Taken => vec![(gpu, None)],
        GpuState::Idle => Vec::new(),
    });
    held.extend(pinned);
    for unit in &present.running {
        for &Held { gpu, instance } in &unit.holds {
            if !held.insert((usize::from(gpu), instance)) {
                add(InputProblem::RunningTwice { node: node.to_owned(), gpu });
            }
        }
    }
}

fn validate_units(
    problem: &Problem,
    pool: &Pool,
    node: &str,
    present: &Present,
    models: &[&Model],
    add: &mut impl FnMut(InputProblem),
) {
    let mut on_node: BTreeMap<usize, u32> = BTreeMap::new();
    for unit in &present.running {
        let Some(demand) = problem.demands.get(unit.demand) else {
            add(InputProblem::RunningUnknown { node: node.to_owned(), demand: unit.demand });
            continue;
        };
        *on_node.entry(unit.demand).or_insert(0) += 1;
        let (node, name) = (node.to_owned(), demand.full_name());
        let is_there = |held: &Held| {
            let layout = present.layout(usize::from(held.gpu));
            usize::from(held.gpu) < models.len()
                && held.instance.map_or(layout.is_none_or(crate::geometry::Layout::is_empty), |instance| {
                    layout.is_some_and(|layout| layout.placements().contains(&instance))
                })
        };
        if let Some(held) = unit.holds.iter().find(|held| !is_there(held)) {
            add(InputProblem::RunningNotThere { node, demand: name, gpu: held.gpu });
        } else if demand.eligible.admits(pool).is_err() || !is_asked_for(demand, unit, models) {
            add(InputProblem::RunningMismatch { node, demand: name });
        }
    }
    for (demand, running) in on_node {
        let demand = &problem.demands[demand];
        if let Some(most) = demand.max_per_node.filter(|&most| running > most) {
            let (node, demand) = (node.to_owned(), demand.full_name());
            add(InputProblem::RunningPerNode { node, demand, running, most });
        }
    }
}

/// Whether what a unit holds is what its demand asks for.
fn is_asked_for(demand: &Demand, unit: &Running, models: &[&Model]) -> bool {
    let on_one_gpu = unit.holds.windows(2).all(|pair| pair[0].gpu == pair[1].gpu);
    let profiles: Option<Vec<_>> = unit
        .holds
        .iter()
        .map(|held| held.instance.map(|instance| (models[usize::from(held.gpu)], instance.profile)))
        .collect();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    match (&demand.request, profiles) {
        (Request::WholeGpus { gpus }, None) => {
            unit.holds.iter().all(|held| held.instance.is_none()) && number(unit.holds.len()) == *gpus
        }
        (Request::Profiles { instances, together }, Some(profiles)) => {
            let of_name = |name| profiles.iter().filter(|(model, id)| model.profile(name) == Some(*id)).count();
            let total: u32 = instances.values().sum();
            instances.iter().all(|(name, &n)| number(of_name(name)) == n)
                && number(profiles.len()) == total
                && (*together == Together::Node || on_one_gpu)
        }
        (Request::AtLeast { memory_mib, compute_slices, instances, together }, Some(profiles)) => {
            let gives = |&(model, id): &(&Model, _)| {
                let profile = model.get(id);
                profile.compute_slices >= *compute_slices
                    && profile.memory_mib.value.is_some_and(|mib| u64::from(mib) >= *memory_mib)
            };
            let name = |&(model, id): &(&Model, crate::geometry::ProfileId)| model.get(id).name.clone();
            profiles.iter().all(gives)
                && number(profiles.len()) == *instances
                && profiles.windows(2).all(|pair| name(&pair[0]) == name(&pair[1]))
                && (*together == Together::Node || on_one_gpu)
        }
        _ => false,
    }
}
