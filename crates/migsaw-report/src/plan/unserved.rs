//! What is not served, why, and what would help.

use migsaw::plan::{Plan, Unserved};
use migsaw::problem::Problem;

use crate::clean::clean;
use crate::names::listed;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::style::{Style, Tone};

/// Most reasons given.
const MOST: usize = 30;

/// A paragraph for each reason, with the demands that are short for it.
pub(super) fn text(problem: &Problem, plan: &Plan, style: Style) -> String {
    if plan.unserved.is_empty() {
        return String::new();
    }
    let reasons = reasons(plan);
    let mut page = Page::titled("Not served", style);
    for (first, all) in reasons.iter().take(MOST) {
        let names: Vec<String> =
            all.iter().map(|u| clean(&problem.demands[u.demand].full_name()).into_owned()).collect();
        let short: u64 = all.iter().map(|u| u.count).sum();
        let asked: u64 = all.iter().map(|u| problem.demands[u.demand].count).sum();
        let count = format!("{} of {}", grouped(short), grouped(asked));
        let code = first.code.as_str();
        let room = style.columns().saturating_sub(count.len() + code.len() + 8);
        page.line(format!("  {}  {}  ({code})", listed(&names, room), style.paint(Tone::Bad, count)));
        for (mark, sentence) in [("because ", Some(&first.reason)), ("try     ", first.remedy.as_ref())] {
            let Some(sentence) = sentence else { continue };
            let hang = 4 + mark.len();
            page.wrapped_behind(&format!("    {}", style.paint(Tone::Faint, mark)), hang, &clean(sentence), hang);
        }
    }
    if reasons.len() > MOST {
        let left: usize = reasons[MOST..].iter().map(|(_, all)| all.len()).sum();
        page.line(format!("  and {} (see -o json)", counted(left as u64, "more demand")));
    }
    page.finish()
}

/// What is not served, together what is short for the same reason.
pub(super) fn reasons(plan: &Plan) -> Vec<(&Unserved, Vec<&Unserved>)> {
    let mut reasons: Vec<(&Unserved, Vec<&Unserved>)> = Vec::new();
    let same = |a: &Unserved, b: &Unserved| (a.code, &a.reason, &a.remedy) == (b.code, &b.reason, &b.remedy);
    for unserved in &plan.unserved {
        match reasons.iter_mut().find(|(first, _)| same(first, unserved)) {
            Some((_, all)) => all.push(unserved),
            None => reasons.push((unserved, vec![unserved])),
        }
    }
    reasons
}
