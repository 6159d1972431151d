//! `migsaw rollout`.

use anyhow::Result;
use migsaw::document::rollout::RolloutDocument;
use migsaw::rollout::{Limits, Rollout, Times};
use migsaw_kube::gpu_operator::runbook;

use super::{diff, plan};
use crate::args::{Format, RolloutArgs};
use crate::io::Io;
use crate::{Answer, output};

pub(super) fn run(args: &RolloutArgs, io: &mut Io<'_>) -> Result<Answer> {
    let problem = plan::read(&args.target.planning, true, io)?;
    let plan = diff::given_or_best(&problem, &args.target, io)?;
    let rollout = Rollout::new(&problem, &plan, Limits { max_unavailable: args.order.max_unavailable });
    let times = Times { evict: args.evict_seconds, recut: args.recut_seconds };
    let document = RolloutDocument::new(&problem, &plan, &rollout, times);
    match args.format {
        _ if args.commands => output::text(io, &runbook(&document))?,
        Format::Text => output::text(io, &migsaw_report::rollout::text(&document, io.style()))?,
        Format::Html => {
            let page = migsaw_report::rollout::html(&document, &io.origin());
            output::text(io, &page)?;
        }
        format => output::document(io, &document, format)?,
    }
    Ok(Answer::yes_if(rollout.homeless() == 0))
}
