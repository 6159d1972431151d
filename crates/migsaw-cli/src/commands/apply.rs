//! `migsaw apply`.

use anyhow::Result;
use migsaw::document::applied::{AppliedDocument, OperationForm};
use migsaw::document::rollout::RolloutDocument;
use migsaw::plan::Plan;
use migsaw::problem::Problem;
use migsaw::rollout::{Limits, Rollout, Times};
use migsaw_kube::apply::{Job, Outcome, Record, rehearse};
use migsaw_report::{clean, counted};

use super::acting::{acting, patience, report, settings, with_lease};
use super::{diff, plan, problem};
use crate::Answer;
use crate::args::{ApplyArgs, DryRun, Format};
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
    if args.dry_run == DryRun::None
        && let Some(record) = unfinished(&connection, &args, io)?
    {
        return go_on(&connection, &args, &record, io);
    }
    let problem = plan::read(&args.target.planning, true, io)?;
    let plan = diff::given_or_best(&problem, &args.target, io)?;
    let rollout = Rollout::new(&problem, &plan, Limits { max_unavailable: args.max_unavailable });
    if args.format == Format::Text {
        show(&problem, &plan, &rollout, io)?;
    }
    if rollout.waves.is_empty() {
        let nothing = AppliedDocument::new(OperationForm::Apply, None, true, Vec::new());
        return if args.format == Format::Text { Ok(Answer::Yes) } else { report(&nothing, args.format, io) };
    }
    let catalog = problem::catalog(&args.target.planning.problem.geometry, io)?;
    let job = Job {
        problem: &problem,
        plan: &plan,
        rollout: &rollout,
        catalog: &catalog,
        config_map: &args.config_map,
        force: args.force_conflicts,
    };
    match args.dry_run {
        DryRun::Client => return Ok(Answer::Yes),
        DryRun::Server => return rehearsed(&connection, &args, job, io),
        DryRun::None => confirm(&args, &rollout, io)?,
    }
    let settings = settings(access, &args.acting, args.roll_back);
    let (record, outcome) = acting(&connection, settings, io, |settings| {
        with_lease(&connection.cluster, settings, async |applier| {
            // Somebody may have begun one in the meantime.
            let record = match applier.unfinished().await? {
                Some(record) => record,
                None => applier.begin(job).await?.0,
            };
            let outcome = applier.run(&record).await?;
            Ok((record, outcome))
        })
    })?;
    finish(&record, &outcome, &args, io)
}

/// The rollout that was begun and is not at its end.
fn unfinished(connection: &Connection, args: &ApplyArgs, io: &mut Io<'_>) -> Result<Option<Record>> {
    let access = &args.target.planning.problem.cluster.access;
    let settings = settings(access, &args.acting, args.roll_back);
    acting(connection, settings, io, |settings| {
        with_lease(&connection.cluster, settings, async |applier| applier.unfinished().await)
    })
}

/// Goes on with a rollout.
fn go_on(connection: &Connection, args: &ApplyArgs, record: &Record, io: &mut Io<'_>) -> Result<Answer> {
    let nodes = counted(record.steps().count() as u64, "node");
    say(
        io,
        &format!(
            "going on with rollout {} of {nodes}, begun {} by {} (what was asked for now is not looked at)",
            clean(&record.id),
            record.begun.strftime("%Y-%m-%d %H:%M:%SZ"),
            clean(&record.by)
        ),
    );
    let access = &args.target.planning.problem.cluster.access;
    let settings = settings(access, &args.acting, args.roll_back);
    let outcome = acting(connection, settings, io, |settings| {
        with_lease(&connection.cluster, settings, async |applier| applier.run(record).await)
    })?;
    finish(record, &outcome, args, io)
}

/// What would be done, for people.
fn show(problem: &Problem, plan: &Plan, rollout: &Rollout, io: &mut Io<'_>) -> Result<()> {
    let document = RolloutDocument::new(problem, plan, rollout, Times::default());
    let diff = migsaw_report::diff::text(problem, plan, io.style());
    output::text(io, &format!("{diff}\n"))?;
    output::text(io, &migsaw_report::rollout::text(&document, io.style()))?;
    output::flush(io)
}

/// Asks, unless it was answered already.
fn confirm(args: &ApplyArgs, rollout: &Rollout, io: &mut Io<'_>) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    let steps = || rollout.waves.iter().flat_map(|wave| &wave.steps);
    let evicted = steps().map(|step| step.evicts.len() as u64).sum();
    let question = format!("drain {} and evict {}?", counted(steps().count() as u64, "node"), counted(evicted, "pod"));
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

/// Has the API server check it all.
fn rehearsed(connection: &Connection, args: &ApplyArgs, job: Job<'_>, io: &mut Io<'_>) -> Result<Answer> {
    let namespace = &args.target.planning.problem.cluster.access.operator_namespace;
    let result = connection.runtime.block_on(rehearse(&connection.cluster, namespace, patience(&args.acting), job));
    let (published, refusals) = result.map_err(|error| not_applied(&error, namespace))?;
    let change = if published.has_changed { "would change" } else { "stays as it is" };
    let mut text = format!("\ndry run: ConfigMap {} {change}\n", published.name);
    if !published.is_policy_known {
        text.push_str("no ClusterPolicy can be seen: make sure that MIG Manager reads that ConfigMap\n");
    }
    for refusal in &refusals {
        let when = if refusal.is_for_now { " (now; it is tried again when its time comes)" } else { "" };
        let line = [clean(&refusal.node), clean(&refusal.message)].join(": ");
        text.push_str(&line);
        text.push_str(when);
        text.push('\n');
    }
    let is_fine = refusals.iter().all(|refusal| refusal.is_for_now);
    text.push_str(if is_fine { "the API server would let all of it happen\n" } else { "" });
    output::text(io, &text)?;
    Ok(Answer::yes_if(is_fine))
}

/// Says how it ended.
fn finish(record: &Record, outcome: &Outcome, args: &ApplyArgs, io: &mut Io<'_>) -> Result<Answer> {
    let namespace = &args.target.planning.problem.cluster.access.operator_namespace;
    report(&outcome.document(OperationForm::Apply, Some(record), namespace), args.format, io)
}
