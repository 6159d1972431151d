//! The fleet of a plan as one picture.

use maud::html;
use migsaw::plan::Plan;
use migsaw::problem::Problem;

use super::answer;
use super::html::{Looks, Nodes, classes, nodes, stacks};
use super::nodes::NodeIndex;
use super::usage::Usage;
use crate::chart::{BOARD_HEIGHT, BOARD_WIDTH, Drawing, Picture, Stacks, WIDE, count, patterns, px};
use crate::clean::clean;
use crate::number::counted;

/// Kinds of GPUs drawn of each pool, those of most GPUs.
const MOST_KINDS: usize = 12;
/// Pools whose GPUs are drawn.
const MOST_POOLS: usize = 40;
/// GPUs side by side.
const COLUMNS: usize = 3;
const ROW: f64 = BOARD_HEIGHT + 26.0;
const HEAD: f64 = 30.0;

/// The fleet as an SVG file that stands alone: the answer as its title, each pool as a bar, and below it the GPUs
/// of each pool as their slices, those that look alike once, with how many there are.
///
/// The same plan gives the same bytes.
///
/// # Panics
/// If the plan is not one for the problem, as [`migsaw::check::check`] judges.
pub fn svg(problem: &Problem, plan: &Plan) -> String {
    let index = NodeIndex::of(problem);
    let nodes = nodes(problem, plan, &index, &mut Looks::of(problem));
    let bars = Stacks { rows: &stacks(problem, &Usage::of(problem, plan, &index)) }.draw(WIDE);
    let column = WIDE / count(COLUMNS);
    let mut top = bars.height + 24.0;
    let mut said = Vec::new();
    let mut pools = Vec::new();
    for (at, pool) in problem.fleet.pools.iter().enumerate().take(MOST_POOLS) {
        let here: Vec<&Nodes<'_>> = nodes.iter().filter(|nodes| nodes.alike.pool == at).collect();
        let classes = classes(&here);
        let name = format!("{}: {}", clean(&pool.name), counted(pool.gpu_count(), "GPU"));
        let rest: u64 = classes.iter().skip(MOST_KINDS).map(|(_, gpus, _)| gpus).sum();
        let shown = classes.len().min(MOST_KINDS);
        said.extend(
            classes
                .iter()
                .take(MOST_KINDS)
                .map(|(look, gpus, _)| format!("{}: {} with {}", clean(&pool.name), counted(*gpus, "GPU"), look.words)),
        );
        pools.push(html! {
            text class="strong" x="0" y=(px(top + 14.0)) {
                (name)
                @if rest > 0 { tspan class="faint small" { "  and " (counted(rest, "GPU")) " that look otherwise" } }
            }
            @for (at, (look, gpus, _)) in classes.iter().take(MOST_KINDS).enumerate() {
                @let (x, y) = (column * count(at % COLUMNS), top + HEAD + ROW * count(at / COLUMNS));
                text class="small faint" x=(px(x)) y=(px(y + 10.0)) { (counted(*gpus, "GPU")) }
                g class="gpu" transform={ "translate(" (px(x)) " " (px(y + 15.0)) ")" } { (look.board.shapes()) }
            }
        });
        top += HEAD + ROW * count(shown.div_ceil(COLUMNS)) + 10.0;
    }
    debug_assert!(BOARD_WIDTH < column);
    let shapes = html! { defs { (patterns()) } (bars.shapes) @for pool in &pools { (pool) } };
    let drawing = Drawing { width: WIDE, height: top, shapes };
    let title = answer::sentence(problem, plan);
    Picture { title: &title, description: &said.join("; "), drawing: &drawing }.file()
}
