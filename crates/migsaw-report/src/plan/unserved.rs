//! What is not served, why, and what would help.

use migsaw::plan::Plan;
use migsaw::problem::Problem;

use crate::clean::clean;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::style::{Style, Tone};

/// Most demands explained.
const MOST: usize = 30;

/// A paragraph for each demand that is short.
pub(super) fn text(problem: &Problem, plan: &Plan, style: Style) -> String {
    if plan.unserved.is_empty() {
        return String::new();
    }
    let mut page = Page::titled("Not served", style);
    for unserved in plan.unserved.iter().take(MOST) {
        let demand = &problem.demands[unserved.demand];
        let count = style.paint(Tone::Bad, format!("{} of {}", grouped(unserved.count), grouped(demand.count)));
        page.line(format!("  {}  {count}  ({})", clean(&demand.full_name()), unserved.code.as_str()));
        for (mark, sentence) in [("because ", Some(&unserved.reason)), ("try     ", unserved.remedy.as_ref())] {
            let Some(sentence) = sentence else { continue };
            let hang = 4 + mark.len();
            page.wrapped_behind(&format!("    {}", style.paint(Tone::Faint, mark)), hang, &clean(sentence), hang);
        }
    }
    if plan.unserved.len() > MOST {
        page.line(format!("  and {} (see -o json)", counted((plan.unserved.len() - MOST) as u64, "more demand")));
    }
    page.finish()
}
