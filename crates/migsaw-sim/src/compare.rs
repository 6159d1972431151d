//! Several policies on the same pods, over several runs.

use std::collections::BTreeMap;

use migsaw::document::API_VERSION;
use migsaw::document::simulation::{
    CutForm, DrainingForm, EstimateForm, EvictionForm, KIND, MomentForm, PolicyForm, QueueForm, RecutForm, ShareForm,
    SimulationDocument, SourceForm, UnitForm,
};
use migsaw::present::RecutUnit;
use migsaw::score::Mix;

use crate::engine::{Eviction, Misfits, Options, SimulationError, simulate};
use crate::outcome::{Outcome, Tally};
use crate::policy::Policy;
use crate::queue::Queue;
use crate::recut::Recutting;
use crate::site::Site;
use crate::workload::Workload;

/// What came of the same pods under several policies.
#[derive(Debug, Clone)]
pub struct Comparison {
    profiles: Vec<String>,
    namespaces: Vec<String>,
    gpus: u64,
    units: u64,
    recut: Option<Recutting>,
    options: Options,
    /// Each policy with how the GPUs are cut, and the outcome of each run.
    pub policies: Vec<(Policy, CutForm, Vec<Outcome>)>,
}

impl Comparison {
    /// Lets every policy place the pods of every run, on its own site; all of them see the same pods, and expect `mix`.
    /// The sites are the same fleet, cut in different ways.
    ///
    /// # Errors
    /// [`SimulationError`] if one of them cannot be simulated on this site.
    pub fn of(
        policies: &[(&Site, Policy)],
        mix: &Mix,
        runs: impl IntoIterator<Item = (Workload, Options)>,
    ) -> Result<Comparison, SimulationError> {
        let mut comparison = Comparison {
            profiles: Vec::new(),
            namespaces: Vec::new(),
            gpus: policies.first().map_or(0, |(site, _)| site.gpus() as u64),
            units: policies.first().map_or(0, |(site, _)| site.units()),
            recut: policies.iter().find_map(|(site, _)| site.recut.as_ref()).map(|(_, how)| *how),
            options: Options::default(),
            policies: policies.iter().map(|(site, policy)| (*policy, site.cut_form(), Vec::new())).collect(),
        };
        for (workload, options) in runs {
            for ((site, _), (policy, _, outcomes)) in policies.iter().zip(&mut comparison.policies) {
                outcomes.push(simulate(site, &workload, policy, mix, &options)?);
            }
            comparison.options = options;
            comparison.profiles = workload.profiles.iter().map(ToString::to_string).collect();
            comparison.namespaces = workload.namespaces;
        }
        Ok(comparison)
    }

    /// The document of it.
    pub fn document(&self, source: SourceForm) -> SimulationDocument {
        let first = self.policies.first().map_or(&[][..], |(_, _, outcomes)| outcomes);
        let is_one_cut = self.policies.iter().all(|(_, cut, _)| *cut == self.policies[0].1);
        let units = |outcomes: &[Outcome]| -> Vec<f64> { outcomes.iter().map(|o| o.all.by_units()).collect() };
        let base = units(first);
        let policies = self.policies.iter().enumerate().map(|(number, (policy, cut, outcomes))| {
            let each = |of: fn(&Outcome) -> f64| form(&outcomes.iter().map(of).collect::<Vec<_>>());
            PolicyForm {
                name: if is_one_cut { policy.name.to_owned() } else { format!("{}/{}", policy.name, called(*cut)) },
                about: policy.about.to_owned(),
                cut: *cut,
                placed_units: each(|o| o.all.by_units()),
                placed_units_more: (number > 0).then(|| rounded(Estimate::of_differences(&units(outcomes), &base))),
                placed_pods: each(|o| o.all.by_count()),
                mean_wait: each(|o| o.waits.mean),
                p95_wait: each(|o| as_float(o.waits.p95)),
                longest_wait: each(|o| as_float(o.waits.longest)),
                used: each(|o| o.used),
                active_gpus: each(|o| o.active),
                fragmented: each(|o| o.fragmented),
                moves: each(|o| per_hundred(o.moves, o.all.pods)),
                evictions: each(|o| per_hundred(o.all.evictions, o.all.pods)),
                recuts: each(|o| as_float(o.recuts)),
                closed_gpu_hours: each(|o| as_float(o.closed) / 3600.0),
                by_profile: shares(outcomes, &self.profiles, |o, at| o.by_profile[at]),
                by_priority: by_priority(outcomes),
                by_namespace: shares(outcomes, &self.namespaces, |o, at| o.by_namespace[at]),
                series: outcomes.first().map_or_else(Vec::new, series),
            }
        });
        SimulationDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            gpus: self.gpus,
            units: self.units,
            pods: first.first().map_or(0, |outcome| outcome.all.pods),
            source,
            queue: match self.options.misfits {
                Misfits::Refused => None,
                Misfits::Wait(how) => Some(queue(how)),
            },
            recut: self.recut.map(recut),
            eviction: (self.options.preempts || self.recut.is_some_and(|how| how.max_evictions > 0)).then(|| {
                let Eviction { cost, loses_work } = self.options.eviction;
                EvictionForm { preempts: self.options.preempts, cost, loses_work }
            }),
            learnt: self.options.learnt,
            runs: u32::try_from(first.len()).unwrap_or(u32::MAX),
            policies: policies.collect(),
        }
    }
}

fn queue(queue: Queue) -> QueueForm {
    match queue {
        Queue::Backfill => QueueForm::Backfill,
        Queue::Drain { gpus, after } => QueueForm::Drain(DrainingForm { gpus, after }),
        Queue::Known { gpus, after } => QueueForm::Known(DrainingForm { gpus, after }),
    }
}

fn recut(how: Recutting) -> RecutForm {
    let unit = how.unit.map(|unit| if unit == RecutUnit::Node { UnitForm::Node } else { UnitForm::Gpu });
    RecutForm { every: how.every, time: how.time, unit, max_evictions: how.max_evictions }
}

/// What a cut is called on the command line.
fn called(cut: CutForm) -> &'static str {
    match cut {
        CutForm::AtWill => "at-will",
        CutForm::Planned => "planned",
        CutForm::Recut => "recut",
    }
}

/// What was placed of the pods that have each of these names in common.
fn shares(outcomes: &[Outcome], names: &[String], of: impl Fn(&Outcome, usize) -> Tally) -> Vec<ShareForm> {
    let share = |(at, name): (usize, &String)| ShareForm {
        name: name.clone(),
        pods: outcomes.iter().map(|outcome| of(outcome, at).pods).sum(),
        placed_pods: form(&outcomes.iter().map(|outcome| of(outcome, at).by_count()).collect::<Vec<_>>()),
        evictions: form(&outcomes.iter().map(|outcome| evictions(&of(outcome, at))).collect::<Vec<_>>()),
    };
    names.iter().enumerate().map(share).collect()
}

fn by_priority(outcomes: &[Outcome]) -> Vec<ShareForm> {
    let mut all: BTreeMap<i32, Vec<Tally>> = BTreeMap::new();
    for outcome in outcomes {
        outcome.by_priority.iter().for_each(|(priority, tally)| all.entry(*priority).or_default().push(*tally));
    }
    let share = |(priority, tallies): (&i32, &Vec<Tally>)| ShareForm {
        name: priority.to_string(),
        pods: tallies.iter().map(|tally| tally.pods).sum(),
        placed_pods: form(&tallies.iter().map(Tally::by_count).collect::<Vec<_>>()),
        evictions: form(&tallies.iter().map(evictions).collect::<Vec<_>>()),
    };
    all.iter().map(share).collect()
}

fn evictions(tally: &Tally) -> f64 {
    per_hundred(tally.evictions, tally.pods)
}

fn per_hundred(times: u64, pods: u64) -> f64 {
    100.0 * as_float(times) / as_float(pods.max(1))
}

fn series(outcome: &Outcome) -> Vec<MomentForm> {
    let moment = |point: &crate::outcome::Point| MomentForm {
        at: point.at,
        used: short(point.used),
        active_gpus: point.active,
        waiting: point.waiting,
        placed_pods: short(point.placed),
    };
    outcome.series.iter().map(moment).collect()
}

fn form(values: &[f64]) -> EstimateForm {
    rounded(Estimate::of(values))
}

fn rounded(estimate: Estimate) -> EstimateForm {
    EstimateForm {
        mean: short(estimate.mean),
        half_width: estimate.half_width.map(short),
        least: short(estimate.least),
        most: short(estimate.most),
    }
}

/// With six decimals: nothing here is known better.
fn short(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "what is shown has few digits")]
fn as_float(value: u64) -> f64 {
    value as f64
}

/// A mean, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % interval, by Student's t; `None` for a single value.
    pub half_width: Option<f64>,
    /// The least of the values.
    pub least: f64,
    /// The greatest.
    pub most: f64,
}

/// The two-sided 95 % quantiles of Student's t distribution for 1 to 30 degrees of freedom (any table of it).
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// The same for many.
const NORMAL: f64 = 1.960;

impl Estimate {
    /// The mean of some values. All is zero for none.
    #[expect(clippy::cast_precision_loss, reason = "there are few values")]
    pub fn of(values: &[f64]) -> Estimate {
        let n = values.len() as f64;
        let mean = if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / n };
        let half_width = (values.len() > 1).then(|| {
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
            STUDENT.get(values.len() - 2).copied().unwrap_or(NORMAL) * (variance / n).sqrt()
        });
        let least = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
        let most = values.iter().copied().reduce(f64::max).unwrap_or(0.0);
        Estimate { mean, half_width, least, most }
    }

    /// The mean of the differences between values that belong together.
    pub fn of_differences(these: &[f64], others: &[f64]) -> Estimate {
        let differences: Vec<f64> = these.iter().zip(others).map(|(a, b)| a - b).collect();
        Estimate::of(&differences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_textbook() {
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((estimate.mean - 3.0).abs() < 1e-12);
        // The standard error is √(2.5 / 5), and t for four degrees of freedom 2.776.
        assert!((estimate.half_width.unwrap() - 2.776 * 0.5_f64.sqrt()).abs() < 1e-9);
        assert_eq!((estimate.least, estimate.most), (1.0, 5.0));
        assert_eq!(Estimate::of(&[7.0]).half_width, None);
        let paired = Estimate::of_differences(&[1.0, 5.0, 9.0], &[0.0, 4.0, 8.0]);
        assert_eq!((paired.mean, paired.half_width), (1.0, Some(0.0)));
    }
}
