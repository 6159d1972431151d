//! `migsaw apply`.

use anyhow::Result;
use migsaw::document::applied::{AppliedDocument, OperationForm};
use migsaw::document::rollout::RolloutDocument;
use migsaw::geometry::Catalog;
use migsaw::plan::Plan;
use migsaw::problem::Problem;
use migsaw::rollout::{Limits, Rollout, Times};
use migsaw_kube::apply::{Facts, Job, Outcome, Record, Settings, rehearse, unfinished};
use migsaw_report::{clean, counted};

use super::acting::{NO_POLICY, acting, report, settings, with_lease};
use super::{diff, plan, problem};
use crate::Answer;
use crate::args::{ApplyArgs, DryRun, Format};
use crate::budget::forget_interrupt;
use crate::cluster::{Connection, not_applied};
use crate::failure::{Failure, Problem as Wrong};
use crate::io::Io;
use crate::output::{self, say};

pub(super) fn run(mut args: ApplyArgs, io: &mut Io<'_>) -> Result<Answer> {
    let planning = &mut args.target.planning;
    if planning.positional.is_some() || planning.problem.scenario.is_some() {
        let wrong = Wrong::new("apply-scenario", "apply acts on the live cluster, not on a scenario");
        return Err(Failure::from(wrong.help("leave the scenario out; --from adds manifests to the cluster")).into());
    }
    planning.problem.cluster.live = true;
    let access = &args.target.planning.problem.cluster.access;
    let connection = Connection::open(access)?;
    // A Ctrl-C counts from here on, whatever is being done.
    forget_interrupt();
    let settings = settings(access, &args.acting, args.roll_back);
    if args.dry_run != DryRun::None {
        return rehearsed(&connection, &args, &settings, io);
    }
    let record = acting(&connection, settings.clone(), io, |settings| {
        with_lease(&connection.cluster, settings, async |applier| applier.unfinished().await)
    })?;
    if let Some(record) = record {
        return go_on(&connection, &args, settings, &record, io);
    }
    let Some(planned) = planned(&args, io)? else { return report(&nothing(), args.format, io) };
    let catalog = problem::catalog(&args.target.planning.problem.geometry, io)?;
    let job = planned.job(&catalog, &args);
    let facts = connection.runtime.block_on(Facts::look(&connection.cluster, job, settings.patience.api));
    let facts = facts.map_err(|error| not_applied(&error, &settings.namespace))?;
    confirm(&args, &planned.question(), io)?;
    let (record, outcome) = acting(&connection, settings, io, |settings| {
        with_lease(&connection.cluster, settings, async |applier| {
            let record = applier.begin(job, &facts).await?;
            let outcome = applier.run(&record).await?;
            Ok((record, outcome))
        })
    })?;
    finish(&record, &outcome, &args, io)
}

/// What is to be applied.
struct Planned {
    problem: Problem,
    plan: Plan,
    rollout: Rollout,
}

impl Planned {
    fn job<'a>(&'a self, catalog: &'a Catalog, args: &'a ApplyArgs) -> Job<'a> {
        Job {
            problem: &self.problem,
            plan: &self.plan,
            rollout: &self.rollout,
            catalog,
            config_map: &args.config_map,
            force: args.force_conflicts,
        }
    }

    fn document(&self) -> RolloutDocument {
        RolloutDocument::new(&self.problem, &self.plan, &self.rollout, Times::default())
    }

    fn question(&self) -> String {
        let steps = || self.rollout.waves.iter().flat_map(|wave| &wave.steps);
        let evicted = steps().map(|step| step.evicts.len() as u64).sum();
        format!("drain {} and evict {}?", counted(steps().count() as u64, "node"), counted(evicted, "pod"))
    }
}

/// Plans, and shows what would be done; `None` if that is nothing.
fn planned(args: &ApplyArgs, io: &mut Io<'_>) -> Result<Option<Planned>> {
    let problem = plan::read(&args.target.planning, true, io)?;
    let plan = diff::given_or_best(&problem, &args.target, io)?;
    let rollout = Rollout::new(&problem, &plan, Limits { max_unavailable: args.order.max_unavailable });
    let planned = Planned { problem, plan, rollout };
    if args.format == Format::Text {
        let diff = migsaw_report::diff::text(&planned.problem, &planned.plan, io.style());
        output::text(io, &format!("{diff}\n"))?;
        output::text(io, &migsaw_report::rollout::text(&planned.document(), io.style()))?;
        output::flush(io)?;
    }
    Ok(Some(planned).filter(|planned| !planned.rollout.waves.is_empty()))
}

/// What is said where nothing is to be done.
fn nothing() -> AppliedDocument {
    AppliedDocument::new(OperationForm::Apply, None, true, Vec::new())
}

/// Goes on with a rollout.
fn go_on(
    connection: &Connection,
    args: &ApplyArgs,
    settings: Settings,
    record: &Record,
    io: &mut Io<'_>,
) -> Result<Answer> {
    let what = described(record);
    say(io, &format!("going on with {what}; what was asked for now is not looked at"));
    confirm(args, &format!("go on with {what}?"), io)?;
    let outcome = acting(connection, settings, io, |settings| {
        with_lease(&connection.cluster, settings, async |applier| applier.run(record).await)
    })?;
    finish(record, &outcome, args, io)
}

fn described(record: &Record) -> String {
    let nodes = counted(record.steps().count() as u64, "node");
    let (id, by) = (clean(&record.id), clean(&record.by));
    format!("rollout {id} of {nodes}, begun {} by {by}", record.begun.strftime("%Y-%m-%d %H:%M:%SZ"))
}

/// Asks, unless it was answered already.
fn confirm(args: &ApplyArgs, question: &str, io: &mut Io<'_>) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    if !io.terminal.stdin {
        let wrong = Wrong::new("not-confirmed", format!("nobody can be asked: {question}"));
        return Err(Failure::from(wrong.help("--yes says so beforehand; --dry-run shows it only")).into());
    }
    // Nobody is left to ask if this fails.
    let _ = write!(io.stderr, "\n{question} [y/N] ").and_then(|()| io.stderr.flush());
    let mut answer = String::new();
    let _ = std::io::BufRead::read_line(&mut std::io::BufReader::new(&mut io.stdin), &mut answer);
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::from(Wrong::new("not-confirmed", "nothing was changed")).into())
}

/// Shows what would be done, and has the API server check it all if that is asked for.
fn rehearsed(connection: &Connection, args: &ApplyArgs, settings: &Settings, io: &mut Io<'_>) -> Result<Answer> {
    let Settings { namespace, patience, .. } = settings;
    let block_on = |future| connection.runtime.block_on(future);
    let unfinished = block_on(unfinished(&connection.cluster, namespace, patience.api));
    if let Some(record) = unfinished.map_err(|error| not_applied(&error, namespace))? {
        say(io, &format!("without --dry-run this would go on with {}", described(&record)));
    }
    let Some(planned) = planned(args, io)? else { return report(&nothing(), args.format, io) };
    if args.format != Format::Text {
        output::document(io, &planned.document(), args.format)?;
    }
    if args.dry_run == DryRun::Client {
        return Ok(Answer::Yes);
    }
    let catalog = problem::catalog(&args.target.planning.problem.geometry, io)?;
    let job = planned.job(&catalog, args);
    let result = connection.runtime.block_on(rehearse(&connection.cluster, namespace, *patience, job));
    let (published, refusals) = result.map_err(|error| not_applied(&error, namespace))?;
    let change = if published.has_changed { "would change" } else { "stays as it is" };
    say(io, &format!("dry run: ConfigMap {} {change}", published.name));
    if !published.is_policy_known {
        say(io, NO_POLICY);
    }
    for refusal in &refusals {
        let when = if refusal.is_for_now { " (now; it is tried again when its time comes)" } else { "" };
        say(io, &format!("{}: {}{when}", clean(&refusal.node), clean(&refusal.message)));
    }
    let is_fine = refusals.iter().all(|refusal| refusal.is_for_now);
    if is_fine {
        say(io, "the API server would let all of it happen");
    }
    Ok(Answer::yes_if(is_fine))
}

/// Says how it ended.
fn finish(record: &Record, outcome: &Outcome, args: &ApplyArgs, io: &mut Io<'_>) -> Result<Answer> {
    let namespace = &args.target.planning.problem.cluster.access.operator_namespace;
    report(&outcome.document(OperationForm::Apply, Some(record), namespace), args.format, io)
}
