//! A failing problem made as small as it can be, and shown in a few lines.

use migsaw::demand::{Demand, Eligibility, Request, Together};
use migsaw::fleet::{GpuState, NodeGroup, NodeNames, Pool, Strategy};
use migsaw::geometry::{Layout, Model, Placement};
use migsaw::present::{Present, Running};
use migsaw::problem::Problem;

/// Repeats the first simplification after which the problem still fails, until there is none.
pub fn minimise(problem: &Problem, fails: impl Fn(&Problem) -> bool) -> Problem {
    let mut smallest = problem.clone();
    while let Some(smaller) = simpler(&smallest).into_iter().find(|p| p.validate().is_empty() && fails(p)) {
        smallest = smaller;
    }
    smallest
}

/// The problem in a few lines.
pub fn describe(problem: &Problem) -> String {
    let mut lines = Vec::new();
    for pool in &problem.fleet.pools {
        let Pool { name, strategy, labels, taints, cost_per_gpu: cost, .. } = pool;
        let gpus: Vec<String> = pool.gpus.iter().map(|group| format!("{}x{}", group.count, group.model.id)).collect();
        let taints: Vec<String> = taints.iter().map(ToString::to_string).collect();
        lines.push(format!("{name} {} {strategy} {labels:?} {taints:?} cost {cost:?}", gpus.join("+")));
        for group in &pool.nodes {
            let states: Vec<String> = group.pinned.iter().zip(pool.gpu_models()).map(|(s, m)| state(s, m)).collect();
            lines.push(format!("  {} nodes {states:?}", group.names.count()));
            lines.extend(group.present.iter().map(|present| running(present, pool)));
        }
    }
    for Demand { name, count, priority, request, eligible, max_per_node, .. } in &problem.demands {
        lines.push(format!("{name} x{count} priority {priority} {request:?} most {max_per_node:?} {eligible:?}"));
    }
    for budget in &problem.budgets {
        lines.push(format!("budget {} for {:?} allows {}", budget.name, budget.demands, budget.allowed));
    }
    lines.join("\n") + "\n"
}

fn running(present: &Present, pool: &Pool) -> String {
    let layouts: Vec<String> = present
        .gpus
        .iter()
        .zip(pool.gpu_models())
        .map(|(layout, model)| layout.as_ref().map_or("off".to_owned(), |layout| layout.display(model).to_string()))
        .collect();
    let held = |unit: &Running| {
        let holds: Vec<String> = unit
            .holds
            .iter()
            .map(|held| match held.instance {
                Some(Placement { profile, start }) => format!("{}:#{}@{start}", held.gpu, profile.0),
                None => held.gpu.to_string(),
            })
            .collect();
        format!("d{}{} on {}", unit.demand, if unit.stays { "!" } else { "" }, holds.join("+"))
    };
    let units: Vec<String> = present.running.iter().map(held).collect();
    format!("    cut {layouts:?} by {:?}, running [{}]", present.unit, units.join(", "))
}

fn state(state: &GpuState, model: &Model) -> String {
    match state {
        GpuState::Pinned(layout) => layout.display(model).to_string(),
        other => format!("{other:?}"),
    }
}

/// The problem with one thing less, each thing once.
fn simpler(problem: &Problem) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut add = |change: &dyn Fn(&mut Problem)| {
        let mut next = problem.clone();
        change(&mut next);
        if next != *problem {
            found.push(next);
        }
    };
    for i in 0..problem.fleet.pools.len() {
        add(&|p| {
            p.fleet.pools.remove(i);
        });
    }
    for i in 0..problem.demands.len() {
        add(&|p| {
            p.demands.remove(i);
            for present in p.fleet.pools.iter_mut().flat_map(|pool| &mut pool.nodes).filter_map(|g| g.present.as_mut())
            {
                present.running.retain(|unit| unit.demand != i);
                present.running.iter_mut().filter(|unit| unit.demand > i).for_each(|unit| unit.demand -= 1);
            }
            for budget in &mut p.budgets {
                let left = budget.demands.iter().filter(|&&demand| demand != i);
                budget.demands = left.map(|&demand| demand - usize::from(demand > i)).collect();
            }
        });
    }
    for (i, budget) in problem.budgets.iter().enumerate() {
        add(&|p| {
            p.budgets.remove(i);
        });
        add(&|p| p.budgets[i].allowed = p.budgets[i].allowed.max(1));
        for &demand in &budget.demands {
            add(&|p| {
                p.budgets[i].demands.remove(&demand);
            });
        }
    }
    for (i, pool) in problem.fleet.pools.iter().enumerate() {
        for j in 0..pool.nodes.len() {
            add(&|p| {
                p.fleet.pools[i].nodes.remove(j);
            });
            add(&|p| less_nodes(&mut p.fleet.pools[i].nodes[j]));
            add(&|p| p.fleet.pools[i].nodes[j].present = None);
            let units = pool.nodes[j].present.as_ref().map_or(0, |present| present.running.len());
            for k in 0..units {
                add(&|p| {
                    let present = p.fleet.pools[i].nodes[j].present.as_mut();
                    present.map(|present| present.running.remove(k));
                });
                add(&|p| {
                    let present = p.fleet.pools[i].nodes[j].present.as_mut();
                    if let Some(present) = present {
                        present.running[k].stays = false;
                    }
                });
            }
            for (k, state) in pool.nodes[j].pinned.iter().enumerate() {
                add(&|p| p.fleet.pools[i].nodes[j].pinned[k] = GpuState::Idle);
                let GpuState::Pinned(layout) = state else { continue };
                for instance in layout.placements() {
                    let rest = without(layout, *instance, &pool.gpus);
                    add(&|p| p.fleet.pools[i].nodes[j].pinned[k] = GpuState::Pinned(rest.clone()));
                }
            }
        }
        for j in 0..pool.gpus.len() {
            add(&|p| {
                p.fleet.pools[i].gpus.remove(j);
            });
            add(&|p| p.fleet.pools[i].gpus[j].count -= 1);
        }
        add(&|p| p.fleet.pools[i].taints.clear());
        add(&|p| p.fleet.pools[i].labels.clear());
        add(&|p| p.fleet.pools[i].strategy = Strategy::Mixed);
        add(&|p| p.fleet.pools.iter_mut().for_each(|pool| pool.cost_per_gpu = None));
    }
    for (i, demand) in problem.demands.iter().enumerate() {
        add(&|p| p.demands[i].count = demand.count / 2);
        add(&|p| p.demands[i].count = demand.count.saturating_sub(1));
        add(&|p| p.demands[i].eligible = Eligibility::default());
        add(&|p| p.demands[i].max_per_node = None);
        add(&|p| p.demands[i].priority = 0);
        add(&|p| simplify(&mut p.demands[i].request));
        if let Request::Profiles { instances, .. } = &demand.request {
            for name in instances.keys() {
                add(&|p| {
                    let Request::Profiles { instances, .. } = &mut p.demands[i].request else { return };
                    if instances[name] > 1 || instances.len() > 1 {
                        match instances[name] {
                            1 => drop(instances.remove(name)),
                            n => drop(instances.insert(name.clone(), n - 1)),
                        }
                    }
                });
            }
        }
    }
    found
}

fn less_nodes(group: &mut NodeGroup) {
    match &mut group.names {
        NodeNames::Numbered { count, .. } => *count = count.saturating_sub(1),
        NodeNames::Listed(names) => drop(names.pop()),
    }
}

fn without(layout: &Layout, instance: Placement, gpus: &[migsaw::fleet::GpuGroup]) -> Layout {
    let rest: Vec<Placement> = layout.placements().iter().copied().filter(|placement| *placement != instance).collect();
    let made = gpus.iter().find_map(|group| Layout::new(&group.model, rest.iter().copied()).ok());
    made.unwrap_or_else(|| layout.clone())
}

fn simplify(request: &mut Request) {
    match request {
        Request::Profiles { together: Together::Node, .. } => {}
        Request::Profiles { together, .. } | Request::AtLeast { together: together @ Together::Gpu, .. } => {
            *together = Together::Node;
        }
        Request::AtLeast { instances, .. } if *instances > 1 => *instances -= 1,
        Request::AtLeast { compute_slices, .. } => *compute_slices = 0,
        Request::WholeGpus { gpus } => *gpus = 1.max(*gpus - 1),
    }
}
