//! `migsaw quota`.

use anyhow::Result;
use migsaw::document::quota::{HonouredForm, QuotasDocument};
use migsaw::quota::{proposals, quotas};
use migsaw_report::counted;

use super::asking::{self, Report};
use crate::args::QuotaArgs;
use crate::failure::{Failure, Problem as Wrong};
use crate::io::Io;
use crate::output::{self, say};
use crate::publish::publish_file;
use crate::{Answer, USAGE};

pub(super) fn run(mut args: QuotaArgs, io: &mut Io<'_>) -> Result<Answer> {
    let selection = asking::selection(&args.selection, args.format)?;
    if selection.is_some() && args.propose && args.out.is_none() {
        let wrong = Wrong::new(USAGE, "--propose prints a manifest, of which --sort-by and --filter choose nothing");
        return Err(Failure::from(wrong.help("give --out FILE for the manifest")).into());
    }
    args.asking.settle();
    let problem = asking::read(&args.asking, io)?;
    let answer =
        asking::within(&args.asking, "holding quotas against the fleet", io, |options| quotas(&problem, options));
    let answer = answer.map_err(asking::refused)?;
    let proposals = proposals(&problem, &answer.plan, args.headroom, args.nothing_else);
    let document = QuotasDocument::new(&problem, &answer, args.headroom, &proposals);
    if args.propose {
        let remark = format!("What a plan serves of each namespace, and {} more.", args.headroom);
        let manifest = migsaw_kube::quota::manifest(&proposals, &remark);
        let Some(path) = &args.out else {
            output::text(io, &manifest)?;
            return Ok(Answer::yes_if(document.served == document.asked));
        };
        publish_file(path, manifest.as_bytes())?;
        say(io, &format!("wrote {}  {}", path.display(), counted(proposals.len() as u64, "quota")));
    }
    let report = Report {
        document: &document,
        text: &|style| migsaw_report::quota::text(&document, style),
        csv: &|| migsaw_report::quota::csv(&document),
        markdown: &|| migsaw_report::quota::markdown(&document),
        html: &|origin| migsaw_report::quota::html(&document, origin),
        list: &|| migsaw_report::quota::list(&document),
    };
    report.print(args.format, selection.as_ref(), io)?;
    let honoured = document.grants.iter().all(|grant| grant.honoured != HonouredForm::Never);
    let possible = document.refused == 0 && document.impossible.is_empty();
    Ok(Answer::yes_if(possible && honoured && document.together.percent_least == 100))
}
