//! `migsaw simulate`.

mod recut;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use migsaw::demand::{Demand, Request, Together};
use migsaw::document::simulation::SourceForm;
use migsaw::fleet::Pool;
use migsaw::geometry::{Layout, ProfileName};
use migsaw::plan::{GpuTarget, Options as PlanOptions, Plan, plan};
use migsaw::problem::Problem;
use migsaw_report::{counted, grouped, simulation as report};
use migsaw_sim::{
    Comparison, Draw, Eviction, Lifetimes, Limits, Misfits, Moves, Options, Policy, Queue, Recutting, Share,
    SimulationError, Site, TraceError, Workload,
};

use super::asking::{self, Report};
use super::problem;
use crate::Answer;
use crate::args::{Cut, Expected, Law, MOST_PODS, SimulateArgs, Wait};
use crate::budget::Deadline;
use crate::failure::{Failure, Problem as Wrong, Step};
use crate::input;
use crate::io::Io;
use crate::output::say;
use crate::progress::Progress;

/// Largest trace.
const MOST_TRACE: u64 = 4 << 30;
/// Most GPUs that are simulated, each by itself: a few hundred MiB.
const MOST_GPUS: u64 = 1_000_000;
/// Moments of the series.
const SAMPLES: u32 = 121;
/// How long a plan may be sought.
const PLANNING: std::time::Duration = std::time::Duration::from_secs(30);

pub(super) fn run(args: &SimulateArgs, io: &mut Io<'_>) -> Result<Answer> {
    refuse_idle_flags(args)?;
    let selection = asking::selection(&args.selection, args.format)?;
    let problem = problem::read(&args.problem, args.positional.as_deref(), io)?;
    let trace = args.trace.as_deref().map(|path| read_trace(path, args, io)).transpose()?;
    let shares = shares(&problem, trace.is_none(), io)?;
    let profiles = profiles(&shares, trace.as_ref());
    refuse_unknown(&problem, &profiles)?;
    let gpus: u64 = problem.fleet.pools.iter().map(Pool::gpu_count).sum();
    if gpus > MOST_GPUS {
        let message =
            format!("{} are too many to simulate one by one (at most {})", counted(gpus, "GPU"), grouped(MOST_GPUS));
        return Err(too_large(message, "simulate a part of the fleet: a policy places alike on more").into());
    }
    let sites = sites(&problem, &profiles, args)?;
    if problem.is_running_known() {
        say(io, "what runs today is left out: the simulation begins with idle GPUs, but for what is pinned");
    }
    if trace.is_some() && shares.iter().any(|share| share.limits != Limits::default()) {
        say(io, "the pods of a trace may go anywhere: where the scenario's demands may is not said of them");
    }
    let policies: Vec<(&Site, Policy)> = sites
        .iter()
        .flat_map(|(cut, site)| policies(args, *cut, site).into_iter().map(move |policy| (site, policy)))
        .collect();
    let misfits = match args.wait {
        None => Misfits::Refused,
        Some(Wait::Backfill) => Misfits::Wait(Queue::Backfill),
        Some(Wait::Drain) => Misfits::Wait(Queue::DRAIN),
        Some(Wait::Known) => Misfits::Wait(Queue::KNOWN),
    };
    let moves = (args.moves > 0.0).then(|| Moves::few(args.moves));
    let learnt = match args.mix {
        Expected::Known => None,
        Expected::Learnt(pods) => Some(pods),
    };
    let eviction = Eviction { cost: args.eviction_cost.as_secs(), loses_work: args.lose_work };
    let options =
        Options { misfits, moves, preempts: args.preempt, eviction, learnt, samples: SAMPLES, ..Options::default() };
    let source = match &args.trace {
        Some(path) => SourceForm::Trace(path.display().to_string()),
        None => SourceForm::Load(args.load),
    };
    let progress = Progress::start("simulating".to_owned(), io.terminal.stderr, io.terminal.unicode);
    let compared = match trace {
        Some(trace) => {
            let mix = trace.mix();
            Comparison::of(&policies, &mix, [(trace, options)]).map_err(refused)?
        }
        None => drawn(shares, &policies, args, &options)?,
    };
    drop(progress);
    let document = compared.document(source);
    let report = Report {
        document: &document,
        text: &|style| report::text(&document, style),
        csv: &|| report::csv(&document),
        markdown: &|| report::markdown(&document),
        html: &|origin| report::html(&document, origin),
        list: &|| report::list(&document),
    };
    report.print(args.format, selection.as_ref(), io)?;
    Ok(Answer::Yes)
}

fn read_trace(path: &std::path::Path, args: &SimulateArgs, io: &mut Io<'_>) -> Result<Workload> {
    let catalog = problem::catalog(&args.problem.geometry, io)?;
    let input = input::read(path, "trace", MOST_TRACE, io)?;
    Workload::read(input.bytes.as_slice(), &catalog).map_err(|error| match error {
        TraceError::Form(_) => {
            anyhow::Error::new(error).context(Step::new("trace-form", format!("cannot read `{}`", input.name)))
        }
        error => Failure::from(Wrong::new(error.code(), error.to_string()).in_file(&input.name)).into(),
    })
}

/// The policies that were asked for, or those that tell most on such GPUs.
fn policies(args: &SimulateArgs, cut: Cut, site: &Site) -> Vec<Policy> {
    if !args.policies.is_empty() {
        return args.policies.clone();
    }
    let names: &[&str] = match cut {
        Cut::AtWill => &["room", "mfi", "best-fit", "first-fit", "load-balanced", "repacked"],
        Cut::Planned | Cut::Recut => &["extender", "most-allocated", "least-allocated", "dra"],
    };
    let known = names.iter().filter(|name| **name != "repacked" || (site.has_bound() && !args.preempt));
    known.filter_map(|name| Policy::named(name)).collect()
}

/// A profile that no GPU has would count for nothing among what is asked for.
fn refuse_unknown(problem: &Problem, profiles: &[ProfileName]) -> Result<(), Failure> {
    let models = || problem.fleet.pools.iter().flat_map(|pool| pool.gpus.iter().map(|group| &group.model));
    let wrong = |name: &&ProfileName| !models().any(|model| model.profile(name).is_some());
    let wrong = profiles.iter().filter(wrong).map(|name| {
        let nearest = models().flat_map(|model| model.nearest_profiles(&name.to_string())).collect::<BTreeSet<_>>();
        let nearest = nearest.into_iter().collect::<Vec<_>>().join(", ");
        Wrong::new("unknown-profile", format!("no GPU of the fleet has a profile `{name}` (nearest: {nearest})"))
    });
    let wrong: Vec<Wrong> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(Failure(wrong)) }
}

/// The demands as pods to draw. Whole GPUs are not shared, so they are left out.
fn shares(problem: &Problem, are_needed: bool, io: &mut Io<'_>) -> Result<Vec<Share>> {
    let mut shares = Vec::new();
    let mut left_out = Vec::new();
    for demand in problem.demands.iter().filter(|demand| demand.count > 0) {
        match asks(problem, demand) {
            Some(asks) => shares.push(Share {
                asks,
                weight: as_weight(demand.count),
                priority: demand.priority,
                namespace: demand.namespace.clone().unwrap_or_else(|| "default".to_owned()),
                limits: limits(problem, demand),
            }),
            None => left_out.push(demand.full_name()),
        }
    }
    if are_needed && !left_out.is_empty() {
        let names: Vec<_> = left_out.iter().map(|name| migsaw_report::clean(name)).collect();
        say(
            io,
            &format!(
                "left out, since no slice that it may use serves it (whole GPUs are not shared): {}",
                names.join(", ")
            ),
        );
    }
    if are_needed && shares.is_empty() {
        let wrong = Wrong::new("nothing-to-draw", "no demand asks for slices, so there are no pods to draw");
        return Err(Failure::from(wrong.help("give a demand with a profile, or --trace")).into());
    }
    Ok(shares)
}

/// The pools that the demand may use, each with its index.
fn pools<'a>(problem: &'a Problem, demand: &'a Demand) -> impl Iterator<Item = (usize, &'a Pool)> {
    let pools = problem.fleet.pools.iter().enumerate();
    pools.filter(|(_, pool)| demand.eligible.admits(pool).is_ok())
}

/// Where a unit of the demand may go.
fn limits(problem: &Problem, demand: &Demand) -> Limits {
    let may_use: BTreeSet<usize> = pools(problem, demand).map(|(at, _)| at).collect();
    let on_one_gpu = match &demand.request {
        Request::Profiles { together, instances } => {
            *together == Together::Gpu && instances.values().map(|n| u64::from(*n)).sum::<u64>() > 1
        }
        Request::AtLeast { together, instances, .. } => *together == Together::Gpu && *instances > 1,
        Request::WholeGpus { .. } => false,
    };
    let pools = (may_use.len() < problem.fleet.pools.len()).then_some(may_use);
    Limits { pools, on_one_gpu, max_per_node: demand.max_per_node }
}

/// The instances that a unit of the demand takes where it may go; of those that would do, the smallest.
fn asks(problem: &Problem, demand: &Demand) -> Option<Vec<(ProfileName, u8)>> {
    let models = || pools(problem, demand).flat_map(|(_, pool)| pool.gpus.iter().map(|group| &group.model));
    match &demand.request {
        Request::Profiles { instances, .. } => {
            let known = |name: &ProfileName| models().any(|model| model.profile(name).is_some());
            let ask = |(name, n): (&ProfileName, &u32)| {
                Some((name.gpu_instance(), u8::try_from(*n).ok()?)).filter(|(name, _)| known(name))
            };
            instances.iter().map(ask).collect()
        }
        Request::AtLeast { memory_mib, compute_slices, instances, .. } => {
            let does = models().flat_map(|model| &model.profiles).filter(|profile| {
                let memory = profile.memory_mib.value.unwrap_or(0);
                u64::from(memory) >= *memory_mib && profile.compute_slices >= *compute_slices
            });
            let smallest =
                does.min_by_key(|profile| (profile.size, profile.engines.decoders, profile.compute_slices))?;
            Some(vec![(smallest.name.clone(), u8::try_from(*instances).ok()?)])
        }
        Request::WholeGpus { .. } => None,
    }
}

/// The profiles that pods ask for; a trace's pods name them by their index.
fn profiles(shares: &[Share], trace: Option<&Workload>) -> Vec<ProfileName> {
    let drawn = || shares.iter().flat_map(|share| &share.asks).map(|(name, _)| name).collect::<BTreeSet<_>>();
    trace.map_or_else(|| drawn().into_iter().cloned().collect(), |trace| trace.profiles.clone())
}

/// The fleet, cut in each way that was asked for.
fn sites(problem: &Problem, profiles: &[ProfileName], args: &SimulateArgs) -> Result<Vec<(Cut, Site)>> {
    let mut sites: Vec<(Cut, Site)> = Vec::new();
    let mut planned: Option<Site> = None;
    for &cut in &args.cut {
        if sites.iter().any(|(other, _)| *other == cut) {
            continue;
        }
        let site = match (cut, &planned) {
            (Cut::AtWill, _) => Site::at_will(&problem.fleet, profiles),
            (_, Some(site)) => site.clone(),
            (_, None) => planned.insert(cut_as_planned(problem, profiles)?).clone(),
        };
        let site = if cut == Cut::Recut {
            site.with_recut(Arc::new(recut::Replanning::new(&problem.fleet)), recutting(args))
        } else {
            site
        };
        sites.push((cut, site));
    }
    Ok(sites)
}

fn cut_as_planned(problem: &Problem, profiles: &[ProfileName]) -> Result<Site> {
    let deadline = Deadline::after(PLANNING);
    let planned = plan(problem, &PlanOptions { budget: &deadline, ..PlanOptions::default() })?;
    Ok(Site::cut(&problem.fleet, profiles, |pool, node, gpu| layout(&planned, pool, node, gpu)))
}

fn recutting(args: &SimulateArgs) -> Recutting {
    Recutting {
        every: args.recut_every.map_or(3600, |every| every.as_secs()),
        time: args.recut_time.map_or(60, |time| time.as_secs()),
        unit: args.recut_unit.map(Into::into),
        max_evictions: args.max_evictions.unwrap_or(0),
    }
}

/// What is said of cutting anew is in vain where nothing is.
fn refuse_idle_flags(args: &SimulateArgs) -> Result<(), Failure> {
    let flags = [
        ("recut-every", args.recut_every.is_some()),
        ("recut-time", args.recut_time.is_some()),
        ("recut-unit", args.recut_unit.is_some()),
        ("max-evictions", args.max_evictions.is_some()),
    ];
    let idle = flags.iter().filter(|(_, is_given)| *is_given && !args.cut.contains(&Cut::Recut));
    let wrong = |(flag, _): &(&str, bool)| {
        Wrong::new("flag-without-recut", format!("--{flag} is about GPUs that are cut anew, and none is"))
            .help("give --cut recut")
    };
    let wrong: Vec<Wrong> = idle.map(wrong).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Failure(wrong)) }
}

/// How the plan cuts a GPU; pinned instances stay where they are.
fn layout(plan: &Plan, pool: usize, node: u32, gpu: usize) -> Layout {
    let group = plan.nodes.iter().find(|group| group.pool == pool && group.nodes.contains(&node));
    let target = group.and_then(|group| group.gpus.get(gpu));
    match target {
        Some(GpuTarget::Mig(layout) | GpuTarget::Left(layout)) => layout.clone(),
        Some(GpuTarget::MigOff) | None => Layout::empty(),
    }
}

/// Every run: pods drawn like the demand, a third of them to warm up.
fn drawn(
    shares: Vec<Share>,
    policies: &[(&Site, Policy)],
    args: &SimulateArgs,
    options: &Options,
) -> Result<Comparison, Failure> {
    let lifetimes = match args.lifetimes {
        Law::Uniform => Lifetimes::Uniform,
        Law::Exponential => Lifetimes::Exponential,
        Law::Fixed => Lifetimes::Fixed,
    };
    // All of them are the same fleet.
    let site = policies[0].0;
    let draw = Draw { shares, load: args.load, every: args.every.as_secs().max(1), lifetimes };
    let pods = args.pods.map_or_else(|| draw.longest(site).saturating_mul(6), u64::from);
    if pods > u64::from(MOST_PODS) {
        let message = format!(
            "six of the longest lifetimes are {} (at most {} a run)",
            counted(pods, "pod"),
            grouped(MOST_PODS.into())
        );
        return Err(too_large(message, "say how many with --pods, or ask for less with --load"));
    }
    let mix = draw.mix();
    let runs = (0..u64::from(args.runs)).map(|run| {
        let seed = args.seed.wrapping_add(run);
        let measured = (pods / 3).saturating_mul(draw.every)..pods.saturating_mul(draw.every);
        let workload = draw.pods(site, usize::try_from(pods).unwrap_or(usize::MAX), seed);
        (workload, Options { measured, seed, ..options.clone() })
    });
    Comparison::of(policies, &mix, runs).map_err(refused)
}

/// What cannot be simulated.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(error: SimulationError) -> Failure {
    Wrong::new(error.code(), error.to_string()).into()
}

fn too_large(message: String, help: &str) -> Failure {
    Wrong::new("simulation-too-large", message).help(help).into()
}

#[expect(clippy::cast_precision_loss, reason = "a weight needs few digits")]
fn as_weight(count: u64) -> f64 {
    count as f64
}
