//! Each pool as a bar.

use migsaw::fleet::{GpuGroup, Pool};
use migsaw::problem::Problem;

use super::usage::Usage;
use crate::bar::{Part, bar, legend};
use crate::clean::clean;
use crate::number::{counted, grouped, percent};
use crate::page::Page;
use crate::style::Style;
use crate::table::Table;

/// Most pools shown, the fullest of them.
const MOST_ROWS: usize = 60;
/// Narrowest and widest bar, in characters.
const LEAST_BAR: usize = 16;
const MOST_BAR: usize = 40;

/// A bar for each pool, with what it means in numbers.
pub(super) fn text(problem: &Problem, usage: &Usage, style: Style) -> String {
    let pools = &problem.fleet.pools;
    let names: Vec<String> = pools.iter().map(|pool| clean(&pool.name).into_owned()).collect();
    let models: Vec<String> = pools.iter().map(model_names).collect();
    let widest =
        |texts: &[String], title: &str| texts.iter().map(|t| t.chars().count()).max().unwrap_or(0).max(title.len());
    let gpus: Vec<String> = pools
        .iter()
        .zip(&usage.pools)
        .map(|(pool, used)| format!("{} of {}", grouped(used.gpus_used), grouped(pool.gpu_count())))
        .collect();
    let (used, there) = (usage.pools.iter().map(|u| u.gpus_used).sum(), pools.iter().map(Pool::gpu_count).sum());
    let all_gpus = format!("{} of {}", grouped(used), grouped(there));
    let occurring = usage.pools.iter().fold([0; 5], |mut sum: [u128; 5], pool| {
        sum.iter_mut().zip(pool.parts).for_each(|(s, p)| *s += p);
        sum
    });
    let occurring_parts: Vec<Part> = Part::ALL.into_iter().filter(|part| occurring[part.index()] > 0).collect();
    let numbers = occurring_parts.iter().map(|part| part.title().len().max(4) + 2).sum::<usize>();
    let fixed = widest(&names, "Pool") + widest(&gpus, "GPUs").max(all_gpus.len()) + 6 + numbers;
    let with_models = fixed + widest(&models, "model") + 2;
    // Where it is narrow, the bar is worth more than the models.
    let show_models = with_models + LEAST_BAR <= style.columns();
    let taken = if show_models { with_models } else { fixed };
    let width = style.columns().saturating_sub(taken).clamp(LEAST_BAR, MOST_BAR);

    let mut header = vec!["Pool"];
    header.extend(show_models.then_some("model"));
    header.extend([">GPUs", "|memory slices"]);
    let titles: Vec<String> = occurring_parts.iter().map(|part| format!(">{}", part.title())).collect();
    header.extend(titles.iter().map(String::as_str));
    let mut table = Table::new(&header);
    let mut line = |name: &str, model: &str, gpus: &str, parts: &[u128; 5]| {
        let whole: u128 = parts.iter().sum();
        let mut row = vec![name.to_owned()];
        row.extend(show_models.then(|| model.to_owned()));
        row.extend([gpus.to_owned(), bar(parts, width, style)]);
        row.extend(occurring_parts.iter().map(|part| percent(parts[part.index()], whole)));
        table.row(row);
    };
    for (i, pool) in usage.pools.iter().enumerate().take(MOST_ROWS) {
        line(&names[i], &models[i], &gpus[i], &pool.parts);
    }
    if pools.len() > 1 {
        line("all", "", &all_gpus, &occurring);
    }
    let mut page = Page::new(style);
    page.push(&table.print(style));
    if pools.len() > MOST_ROWS {
        page.line(format!("and {} (see -o json)", counted((pools.len() - MOST_ROWS) as u64, "more pool")));
    }
    page.line(legend(&occurring, style));
    page.finish()
}

/// The models of a pool's nodes: `H100-80GB`, or `2 H100-80GB + 1 A30-24GB` where they are mixed.
pub(super) fn model_names(pool: &Pool) -> String {
    let one = pool.gpus.len() == 1;
    let name = |group: &GpuGroup| {
        if one { clean(&group.model.id).into_owned() } else { format!("{} {}", group.count, clean(&group.model.id)) }
    };
    pool.gpus.iter().map(name).collect::<Vec<_>>().join(" + ")
}
