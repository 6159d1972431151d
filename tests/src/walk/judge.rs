//! Whether a rollout says what happens in it.

use std::collections::BTreeMap;

use migsaw::plan::Plan;
use migsaw::problem::Problem;
use migsaw::rollout::{Next, OverBudget, Rollout, Wave};

use super::{At, Walk, Woes};

/// Walks through a rollout: what it does to pods.
///
/// # Errors
/// What is wrong with it.
///
/// # Panics
/// If the plan is not one for the problem.
pub fn judge(problem: &Problem, plan: &Plan, rollout: &Rollout, most: usize) -> Result<Woes, String> {
    let mut walk = Walk::new(problem, plan);
    let mut units = Units { problem, at: BTreeMap::new() };
    let mut total = Woes::default();
    for wave in &rollout.waves {
        let nodes: Vec<At> = wave.steps.iter().map(|step| (step.pool, step.node)).collect();
        if nodes.is_empty() || nodes.len() > most {
            return Err(format!("a wave of {} nodes", nodes.len()));
        }
        for step in &wave.steps {
            let planned = plan.nodes.iter().find(|p| p.pool == step.pool && p.nodes.contains(&step.node));
            if planned.is_none_or(|planned| planned.evicts != step.evicts) {
                return Err("a step evicts others than the plan".to_owned());
            }
            if !walk.touched.contains_key(&(step.pool, step.node)) {
                return Err("a node that is done, or to which nothing is to be done".to_owned());
            }
        }
        let mut woes = walk.wave(&nodes);
        let claimed = units.claimed(wave, woes.over.len())?;
        woes.hops.sort_unstable();
        woes.again.sort_unstable();
        if claimed != woes {
            return Err(format!("{claimed:?} is said, but {woes:?} is so"));
        }
        if !woes.is_allowed(nodes.len()) {
            return Err(format!("a wave of {} nodes goes beyond a budget: {:?}", nodes.len(), woes.over));
        }
        total.add(&woes);
    }
    walk.finish()?;
    let (homeless, hops) = (total.homeless.iter().sum::<u64>(), total.hops.len());
    if (rollout.homeless() as u64, rollout.hops()) != (homeless, hops) {
        return Err(format!("{} homeless and {} hops are said", rollout.homeless(), rollout.hops()));
    }
    Ok(total)
}

/// Where the units are that were evicted, by the node where they ran and their index there: on a node, or nowhere.
struct Units<'a> {
    problem: &'a Problem,
    at: BTreeMap<(At, usize), Option<At>>,
}

impl Units<'_> {
    fn demand(&self, node: At, unit: usize) -> Result<usize, String> {
        let mut groups = self.problem.fleet.pools[node.0].node_ranges();
        let group = groups.find(|(range, _)| range.contains(&node.1)).map(|(_, group)| group);
        let present = group.and_then(|group| group.present.as_ref());
        let running = present.and_then(|present| present.running.get(unit));
        running.map(|unit| unit.demand).ok_or_else(|| format!("no unit {unit} runs on {node:?}"))
    }

    /// What a rollout says of a wave.
    fn claimed(&mut self, wave: &Wave, budgets: usize) -> Result<Woes, String> {
        let problem = self.problem;
        let mut homeless: BTreeMap<i64, u64> = problem.demands.iter().map(|d| (-i64::from(d.priority), 0)).collect();
        let mut woes = Woes { over: vec![0; budgets], ..Woes::default() };
        let mut now: Vec<((At, usize), Next)> = Vec::new();
        for step in &wave.steps {
            let here = (step.pool, step.node);
            for OverBudget { budget, units } in &step.over_budget {
                woes.over[*budget] += units;
            }
            for &unit in &step.homeless {
                now.push(((here, unit), Next::Homeless));
            }
            for hop in &step.hops {
                now.push(((here, hop.unit), Next::Waits { pool: hop.pool, node: hop.node }));
            }
            let named = step.homeless.iter().copied().chain(step.hops.iter().map(|hop| hop.unit));
            let mut named: Vec<usize> = named.collect();
            named.sort_unstable();
            if named.windows(2).any(|pair| pair[0] == pair[1]) || named.iter().any(|unit| !step.evicts.contains(unit)) {
                return Err(format!("units {named:?} of {:?} are told from", step.evicts));
            }
            for again in &step.again {
                let unit = ((again.pool, again.node), again.unit);
                woes.again.push((self.demand(unit.0, unit.1)?, here));
                match self.at.get(&unit) {
                    // Whoever was homeless may have come here since.
                    Some(None) => {}
                    Some(Some(at)) if *at == here => {}
                    other => return Err(format!("{unit:?} is evicted again on {here:?}, but is at {other:?}")),
                }
                now.push((unit, again.next));
            }
        }
        for (unit, next) in now {
            let demand = self.demand(unit.0, unit.1)?;
            match next {
                Next::Slot => {
                    self.at.remove(&unit);
                }
                Next::Waits { pool, node } => {
                    self.at.insert(unit, Some((pool, node)));
                    woes.hops.push((demand, (pool, node)));
                }
                Next::Homeless => {
                    self.at.insert(unit, None);
                    *homeless.entry(-i64::from(problem.demands[demand].priority)).or_default() += 1;
                }
            }
        }
        woes.homeless = homeless.into_values().collect();
        woes.hops.sort_unstable();
        woes.again.sort_unstable();
        Ok(woes)
    }
}
