//! `migsaw plan`.

use std::path::Path;

use anyhow::Result;
use migsaw::check::{self, Violation};
use migsaw::document::curve::CurveDocument;
use migsaw::document::plan::PlanDocument;
use migsaw::document::rollout::RolloutDocument;
use migsaw::geometry::Catalog;
use migsaw::plan::{Budget as _, Depth, Moving, Options, Plan, PlanError, Prefer, Status, Tier, TierName, plan};
use migsaw::problem::Problem;
use migsaw::rollout::{Limits, Rollout, Times};
use migsaw_kube::autoscaler;
use migsaw_kube::gpu_operator::{ConfigMap, NodeLabels, plan_config};
use migsaw_report::{Selection, counted, plan as report};

use super::watching::{self, Between, Input};
use super::{asking, problem};
use crate::args::{ClusterArgs, Format, MovingArgs, PlanArgs, PlanningArgs};
use crate::budget::{Deadline, heed_interrupts, interrupted};
use crate::failure::{Failure, Problem as Wrong, Step};
use crate::fetch::without_secrets;
use crate::input::is_stdin;
use crate::io::Io;
use crate::output::{self, say};
use crate::progress::Progress;
use crate::publish::{Draft, publish};
use crate::shell::word;
use crate::{Answer, USAGE};

/// The files of `--out`.
const CONFIG_MAP: &str = "mig-config.yaml";
const LABELS: &str = "node-labels.yaml";
const SCRIPT: &str = "node-labels.sh";
const AUTOSCALER: &str = "autoscaler.yaml";
const PLAN: &str = "plan.json";

pub(super) fn run(args: &PlanArgs, io: &mut Io<'_>) -> Result<Answer> {
    if !args.watch.watch {
        return once(args, io);
    }
    let between = if args.format == Format::Json { Between::Nothing } else { Between::Line };
    let input = Input::of(&args.planning.problem, args.planning.positional.as_deref());
    watching::watch(&args.watch, &input, between, io, |io| once(args, io))
}

fn once(args: &PlanArgs, io: &mut Io<'_>) -> Result<Answer> {
    let selection = asking::selection(&args.selection, args.format)?;
    let problem = read(&args.planning, args.curve, io)?;
    if args.curve {
        return curve(&problem, args, io);
    }
    let Solved { plan, was_stopped } = solve(&problem, &args.planning, io)?;
    let served: u64 = plan.served(problem.demands.len()).iter().sum();
    let asked: u64 = problem.demands.iter().map(|demand| demand.count).sum();
    // A plan that serves nothing would switch MIG off everywhere: nothing to hand out.
    let useful = !matches!(plan.status, Status::Infeasible | Status::Unknown) && (served > 0 || asked == 0);
    match &args.out {
        Some(folder) if useful => write_files(folder, &problem, &plan, io)?,
        Some(folder) => say(io, &format!("nothing was written to `{}`: the plan serves nothing", folder.display())),
        None => {}
    }
    // Of a plan the nodes are the table.
    let is_table = matches!(args.format, Format::Csv | Format::Markdown);
    if let Some(selection) = selection.or_else(|| is_table.then(Selection::default)) {
        asking::list(report::list(&problem, &plan), &selection, args.format, io)?;
        return Ok(Answer::yes_if(served == asked));
    }
    match args.format {
        Format::Text | Format::Html => {
            let gain = if served < asked { gain(&problem, served, &args.planning, io)? } else { None };
            let next = next_steps(&args.planning, was_stopped, useful && args.out.is_none(), gain.as_ref());
            if args.format == Format::Text {
                output::text(io, &report::text(&problem, &plan, &next, io.style()))?;
            } else {
                let rollout = problem.is_running_known().then(|| rollout(&problem, &plan));
                let beside = report::Beside { rollout: rollout.as_ref(), next: &next, origin: io.origin() };
                output::text(io, &report::html(&problem, &plan, &beside))?;
            }
        }
        Format::Svg => output::text(io, &report::svg(&problem, &plan))?,
        format => output::document(io, &PlanDocument::streamed(&problem, &plan), format)?,
    }
    Ok(Answer::yes_if(served == asked))
}

/// The way to the plan, node by node.
fn rollout(problem: &Problem, plan: &Plan) -> RolloutDocument {
    let rollout = Rollout::new(problem, plan, Limits::default());
    RolloutDocument::new(problem, plan, &rollout, Times::default())
}

/// The problem of the arguments, without what runs if that does not count.
pub(super) fn read(args: &PlanningArgs, needs_running: bool, io: &mut Io<'_>) -> Result<Problem> {
    let mut problem = problem::read(&args.problem, args.positional.as_deref(), io)?;
    if (needs_running || args.moving.is_given()) && !problem.is_running_known() {
        let hint = match (args.problem.cluster.is_live(), args.problem.from.is_empty()) {
            (true, _) => "the cluster does not tell how any node is cut",
            (false, true) => "the scenario has no `state`",
            (false, false) => "read it from the dump with --running",
        };
        say(io, &format!("nothing is known to run: {hint}"));
    }
    if args.moving.ignore_running {
        problem.forget_running();
    }
    if let Some(priority) = args.moving.keep_priority {
        problem.keep_running(priority);
    }
    Ok(problem)
}

/// A plan, and whether the time limit or an interrupt ended the search for a better one.
pub(super) struct Solved {
    pub(super) plan: Plan,
    was_stopped: bool,
}

pub(super) fn solve(problem: &Problem, args: &PlanningArgs, io: &mut Io<'_>) -> Result<Solved> {
    let gpus = problem.fleet.pools.iter().map(migsaw::fleet::Pool::gpu_count).sum();
    let hint = if io.terminal.stderr { " (Ctrl-C takes the best so far)" } else { "" };
    let message = format!("planning {}{hint}", counted(gpus, "GPU"));
    if io.terminal.stderr {
        heed_interrupts();
    }
    let progress = Progress::start(message, io.terminal.stderr, io.terminal.unicode);
    let deadline = Deadline::after(args.time_limit);
    let planned = plan(problem, &options(args, &deadline));
    drop(progress);
    if interrupted() {
        say(io, "interrupted: this is the best plan found until then");
    }
    let was_stopped = deadline.remaining().is_zero();
    let plan = planned.map_err(refused)?;
    let wrong = |violation: &Violation| Wrong::new("internal", format!("the plan is wrong: {violation}"));
    refuse_if_wrong(problem, &plan, wrong)?;
    Ok(Solved { plan, was_stopped })
}

/// Nothing is handed out that the checker, which shares no code with the planner, finds wrong.
pub(super) fn refuse_if_wrong(problem: &Problem, plan: &Plan, wrong: impl Fn(&Violation) -> Wrong) -> Result<()> {
    let violations = check::check(problem, plan);
    if violations.is_empty() { Ok(()) } else { Err(Failure(violations.iter().map(wrong).collect()).into()) }
}

/// How to plan, by the arguments.
fn options<'a>(args: &PlanningArgs, deadline: &'a Deadline) -> Options<'a> {
    let max_evictions = if args.moving.keep_running { Some(0) } else { args.moving.max_evictions };
    let prefer = if args.moving.compact { Prefer::LowCost } else { Prefer::FewEvictions };
    Options { budget: deadline, moving: Moving { prefer, max_evictions, ..Moving::default() }, ..Options::default() }
}

fn refused(error: PlanError) -> anyhow::Error {
    match error {
        PlanError::Invalid(found) => {
            let wrong = found.iter().map(|(_, problem)| Wrong::new(problem.code(), problem.to_string()));
            Failure(wrong.collect()).into()
        }
        error => anyhow::Error::new(error).context(Step::new("internal", "planning failed")),
    }
}

/// What is gained by evictions that the arguments do not allow.
struct Gain {
    evictions: u64,
    /// Units served besides.
    served: u64,
}

/// What could be gained by any number of evictions, if their number is limited.
fn gain(problem: &Problem, served: u64, args: &PlanningArgs, io: &mut Io<'_>) -> Result<Option<Gain>> {
    let deadline = Deadline::after(args.time_limit);
    let mut options = options(args, &deadline);
    if options.moving.max_evictions.take().is_none() || !problem.is_running_known() {
        return Ok(None);
    }
    options.depth = Depth::ServedAndCost;
    let progress =
        Progress::start("asking what evictions would gain".to_owned(), io.terminal.stderr, io.terminal.unicode);
    let freed = plan(problem, &options).map_err(refused)?;
    drop(progress);
    let more = freed.served(problem.demands.len()).iter().sum::<u64>().saturating_sub(served);
    let evicted = |tier: &&Tier| matches!(tier.name, TierName::Evicted { .. });
    let evictions = freed.tiers.iter().filter(evicted).map(|tier| tier.value.unsigned_abs()).sum();
    Ok((more > 0).then_some(Gain { evictions, served: more }))
}

/// Prints what more evictions gain.
fn curve(problem: &Problem, args: &PlanArgs, io: &mut Io<'_>) -> Result<Answer> {
    if !Format::DOCUMENT.contains(&args.format) {
        let wrong = Wrong::new(USAGE, "--curve is a short table, for people or programs");
        return Err(Failure::from(wrong.help("give -o text, json or yaml")).into());
    }
    let deadline = Deadline::after(args.planning.time_limit);
    let points = migsaw::plan::curve(problem, &options(&args.planning, &deadline)).map_err(refused)?;
    let asked: u64 = problem.demands.iter().map(|demand| demand.count).sum();
    match args.format {
        Format::Text => output::text(io, &report::curve(&points, asked, io.style()))?,
        format => output::document(io, &CurveDocument::new(&points), format)?,
    }
    Ok(Answer::yes_if(points.last().is_some_and(|best| best.served() == asked)))
}

/// Writes what a plan makes of the nodes, and how to apply it.
pub(super) fn write_files(folder: &Path, problem: &Problem, plan: &Plan, io: &mut Io<'_>) -> Result<()> {
    let config = plan_config(problem, plan, Some(&Catalog::builtin()));
    let config_map = ConfigMap::new(config);
    let manifest =
        config_map.to_yaml().map_err(|error| Failure::from(Wrong::new("config-map-too-large", error.to_string())))?;
    let labels = NodeLabels::new(problem, plan);
    let groups = autoscaler::node_groups(problem, plan);
    let hints = autoscaler::manifest(&groups);
    let drafts = [
        Draft { name: CONFIG_MAP, write: Box::new(move |out| out.write_all(manifest.as_bytes())) },
        Draft { name: LABELS, write: Box::new(|out| out.write_all(labels.to_yaml().as_bytes())) },
        Draft { name: SCRIPT, write: Box::new(|out| out.write_all(labels.to_script().as_bytes())) },
        Draft { name: AUTOSCALER, write: Box::new(move |out| out.write_all(hints.as_bytes())) },
        Draft {
            name: PLAN,
            write: Box::new(|out| output::write_document(out, &PlanDocument::streamed(problem, plan), Format::Json)),
        },
    ];
    publish(folder, &drafts)?;
    let nodes = labels.nodes.values().map(Vec::len).sum::<usize>() as u64;
    let at = |name: &str| folder.join(name).display().to_string();
    let own = plan.configurations(problem).distinct.len() as u64;
    say(io, &format!("wrote {}  ConfigMap {} with {}", at(CONFIG_MAP), config_map.name, counted(own, "configuration")));
    say(io, &format!("wrote {}  the label nvidia.com/mig.config of {}", at(LABELS), counted(nodes, "node")));
    say(io, &format!("wrote {}  the same as kubectl commands", at(SCRIPT)));
    let cuts_anew = labels.cuts_anew();
    let node_groups = counted(groups.len() as u64, "node group");
    say(io, &format!("wrote {}  what autoscalers must be told of {node_groups}", at(AUTOSCALER)));
    say(io, &format!("wrote {}  the whole plan", at(PLAN)));
    say(io, "\nto apply it:");
    for step in apply(&folder.display().to_string(), &config_map.name, nodes, cuts_anew) {
        say(io, &format!("  {step}"));
    }
    Ok(())
}

/// The commands that put a written plan to work.
fn apply(folder: &str, config_map: &str, nodes: u64, cuts_anew: bool) -> Vec<String> {
    let remark = if cuts_anew {
        "drain the nodes first: MIG Manager evicts nobody".to_owned()
    } else {
        format!("{} relabelled, none cut anew: no drain", counted(nodes, "node"))
    };
    let patch = format!("{{\"spec\":{{\"migManager\":{{\"config\":{{\"name\":\"{config_map}\"}}}}}}}}");
    vec![
        format!("kubectl apply -f {}", word(&format!("{folder}/{CONFIG_MAP}"))),
        format!("kubectl patch clusterpolicies.nvidia.com/cluster-policy --type merge -p '{patch}'"),
        format!("sh {}   # {remark}", word(&format!("{folder}/{SCRIPT}"))),
    ]
}

/// What to do with a plan that was shown.
fn next_steps(args: &PlanningArgs, was_stopped: bool, to_write: bool, gain: Option<&Gain>) -> Vec<String> {
    let input = match args.positional.as_ref().or(args.problem.scenario.as_ref()) {
        Some(path) if is_stdin(path) => "-f -".to_owned(),
        Some(path) => word(&path.display().to_string()),
        None => {
            let paths: Vec<String> = args.problem.from.iter().map(|p| word(&p.display().to_string())).collect();
            let mut input = live(&args.problem.cluster);
            if !paths.is_empty() {
                let space = if input.is_empty() { "" } else { " " };
                input = format!("{input}{space}--from {}", paths.join(" "));
            }
            if let Some(namespace) = &args.problem.namespace {
                input.push_str(" --namespace ");
                input.push_str(&word(namespace));
            }
            if args.problem.include_unavailable {
                input.push_str(" --include-unavailable");
            }
            if args.problem.running {
                input.push_str(" --running");
            }
            if !args.problem.dcgm.is_empty() {
                let paths = args.problem.dcgm.iter().map(|p| p.display().to_string());
                let paths: Vec<String> = paths.map(|path| word(&without_secrets(&path))).collect();
                input.push_str(" --dcgm ");
                input.push_str(&paths.join(" "));
            }
            input
        }
    };
    let mut geometry = String::new();
    for path in &args.problem.geometry.files {
        geometry.push_str(" --geometry ");
        geometry.push_str(&word(&path.display().to_string()));
    }
    let files = geometry.clone();
    geometry.push_str(&moving(args));
    let mut steps = Vec::new();
    if was_stopped {
        let longer = (args.time_limit.as_secs().saturating_mul(10) / 60).max(1);
        steps.push(format!("migsaw plan {input}{geometry} --time-limit {longer}m   # search longer"));
    }
    if let Some(Gain { evictions, served }) = gain {
        let compact = if args.moving.compact { " --compact" } else { "" };
        let more = counted(*served, "unit");
        let evictions = format!("--max-evictions {evictions}");
        steps.push(format!("migsaw plan {input}{files}{compact} {evictions}   # serves {more} more"));
    }
    if to_write {
        steps.push(format!("migsaw plan {input}{geometry} --out plan"));
        steps.push(format!("kubectl apply -f plan/{CONFIG_MAP}   # then drain nodes and run plan/{SCRIPT}"));
    }
    steps
}

/// The flags about the live cluster, as given.
fn live(args: &ClusterArgs) -> String {
    let context = args.access.context.as_ref().map(|context| format!("--context {}", word(context)));
    let path = args.access.kubeconfig.as_ref().map(|path| path.display().to_string());
    let kubeconfig = path.map(|path| format!("--kubeconfig {}", word(&path)));
    let given: Vec<String> = [context, kubeconfig].into_iter().flatten().collect();
    if given.is_empty() && args.live { "--live".to_owned() } else { given.join(" ") }
}

/// The flags about what runs today, as given.
fn moving(args: &PlanningArgs) -> String {
    let MovingArgs { keep_running, max_evictions, keep_priority, compact, ignore_running } = args.moving;
    let flags = [(keep_running, "keep-running"), (compact, "compact"), (ignore_running, "ignore-running")];
    let given = flags.into_iter().filter(|(is_given, _)| *is_given).map(|(_, flag)| format!(" --{flag}"));
    let most = max_evictions.map(|most| format!(" --max-evictions {most}"));
    let priority = keep_priority.map(|priority| format!(" --keep-priority {priority}"));
    given.chain(most).chain(priority).collect()
}
