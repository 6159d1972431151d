//! How much more fits, for the terminal.

use migsaw::document::capacity::{
    CapacityDocument, CopiesForm, FitForm, FreedomForm, MixForm, PoolFitsForm, PoolForm, ProfileForm,
};

use super::{answer, footing, name, range, title};
use crate::clean::clean;
use crate::number::{counted, grouped, percent};
use crate::page::Page;
use crate::style::{Style, Tone};
use crate::table::Table;

/// Most pools shown one by one.
const MOST_POOLS: usize = 40;

/// The answer in line one, then what is behind it.
///
/// ```text
/// 1 more copy of (4 small) fits as the GPUs are cut, 2 if all may move
/// beside 3 units that run, on 4 GPUs of 2 nodes
///
/// Profile …     how many more of each fit, with what may be done to make room; in per cent of an empty fleet
/// What binds …  the GPUs by what keeps them from taking one more
/// One copy …    what would be missing for one copy more
/// Pools …       the same, pool by pool
/// ```
///
/// The same answer gives the same bytes.
pub fn text(document: &CapacityDocument, style: Style) -> String {
    let mut page = Page::new(style);
    page.wrapped(&answer(document), 0, 2);
    page.wrapped(&style.paint(Tone::Faint, footing(document)), 0, 2);
    for note in notes(document) {
        page.wrapped(&note, 0, 2);
    }
    let columns = columns(document);
    if document.profiles.is_empty() || columns.is_empty() {
        page.line("no profile was asked about");
    } else {
        page.line("");
        page.push(&profiles(document, &columns, style));
        page.push(&binding(document, &columns, style));
    }
    if let Some(mix) = &document.mix {
        page.push(&copies(mix, style));
    }
    page.push(&pools(document, &columns, style));
    page.finish()
}

/// What is not proven, and what is not counted.
pub(super) fn notes(document: &CapacityDocument) -> Vec<String> {
    let mut found = Vec::new();
    let has = |freedom| document.profiles.iter().flat_map(|p| &p.fits).any(|fit| fit.freedom == freedom);
    if document.unknown_nodes > 0 && has(FreedomForm::AsCut) {
        let nodes = counted(document.unknown_nodes, "node");
        found.push(format!("`now` counts nothing on {nodes} of which it is not known how they are cut"));
    } else if document.unknown_nodes > 0 {
        found.push("it is not known how the GPUs are cut today, so all that is not pinned counts as idle".to_owned());
    }
    let of_profiles = document.profiles.iter().flat_map(|profile| &profile.fits).map(|fit| (fit.least, fit.most));
    let of_mix = document.mix.iter().flat_map(|mix| &mix.fits).map(|fit| (fit.least, fit.most));
    let all: Vec<(u64, u64)> = of_profiles.chain(of_mix).collect();
    let open = all.iter().filter(|(least, most)| least != most).count();
    if open > 0 {
        let line = format!(
            "{open} of {} not proven: so many fit, and more than the second one do not",
            counted(all.len() as u64, "number")
        );
        found.push(line);
    }
    let tainted = document.pools.iter().filter(|pool| !pool.taints.is_empty()).count();
    if tainted > 0 {
        let pools = if tainted == 1 { "1 pool is".to_owned() } else { format!("{tainted} pools are") };
        found.push(format!("{pools} tainted: what is added is taken to tolerate that"));
    }
    found
}

pub(super) type Column = (FreedomForm, Option<u64>);

pub(super) fn columns(document: &CapacityDocument) -> Vec<Column> {
    let first = document.profiles.first().map(|profile| &profile.fits);
    first.into_iter().flatten().map(|fit| (fit.freedom, fit.max_evictions)).collect()
}

/// What may be done, as titles of columns, each behind a mark.
pub(super) fn titles(columns: &[Column], mark: &str) -> Vec<String> {
    let only = columns.len() == 1;
    let one = |(freedom, evictions): &Column| if only { "fit".to_owned() } else { title(*freedom, *evictions) };
    columns.iter().map(|column| format!("{mark}{}", one(column))).collect()
}

fn cells(fits: &[FitForm], empty: u64) -> Vec<String> {
    let share = |fit: &FitForm| percent(u128::from(fit.least), u128::from(empty));
    fits.iter().map(|fit| format!("{} {:>4}", range(fit.least, fit.most), share(fit))).collect()
}

fn profiles(document: &CapacityDocument, columns: &[Column], style: Style) -> String {
    let titles = titles(columns, ">");
    let mut header = vec!["Profile"];
    header.extend(titles.iter().map(String::as_str));
    header.push(">if empty");
    let mut table = Table::new(&header);
    for profile in &document.profiles {
        let mut row = vec![name(profile)];
        row.extend(cells(&profile.fits, profile.empty));
        row.push(grouped(profile.empty));
        table.row(row);
    }
    table.print(style)
}

/// The GPUs by what binds there, for each profile and freedom.
fn binding(document: &CapacityDocument, columns: &[Column], style: Style) -> String {
    let titles = titles(columns, "");
    let mut header = vec!["|Profile"];
    header.extend(titles.iter().map(String::as_str));
    let mut table = Table::new(&header);
    for profile in &document.profiles {
        let mut row = vec![name(profile)];
        row.extend(profile.fits.iter().map(limits));
        table.row(row);
    }
    format!("\n{}\n{}", style.paint(Tone::Strong, "What binds, in GPUs"), table.print(style))
}

/// `3 memory, 1 running pods`, most GPUs first.
pub(super) fn limits(fit: &FitForm) -> String {
    let mut limits: Vec<(&String, u64)> = fit.limits.iter().map(|(code, gpus)| (code, *gpus)).collect();
    limits.sort_by_key(|&(code, gpus)| (std::cmp::Reverse(gpus), code.clone()));
    let parts = limits.iter().map(|(code, gpus)| format!("{} {}", grouped(*gpus), words(code)));
    parts.collect::<Vec<_>>().join(", ")
}

/// A limit in few words.
pub(super) fn words(code: &str) -> &str {
    match code {
        "memory-slices" => "memory",
        "compute-slices" => "compute",
        "media-engines" => "engines",
        "most-per-gpu" => "maximum",
        "starts" => "starts",
        "in-use" => "in use",
        "cut" => "as cut",
        "mig-off" => "MIG off",
        "cut-unknown" => "unknown",
        "running-pods" => "running",
        "pods-that-must-stay" => "must stay",
        "strategy-single" => "single",
        "not-decided" => "undecided",
        other => other,
    }
}

/// Copies of a mix, and what one more would lack.
fn copies(mix: &MixForm, style: Style) -> String {
    let mut page = Page::new(style);
    page.line("");
    let part =
        |copy: &migsaw::document::capacity::CopyForm| format!("{} of {}", grouped(copy.count), clean(&copy.demand));
    let parts: Vec<String> = mix.copy.iter().map(part).collect();
    page.line(style.paint(Tone::Strong, "Copies"));
    page.wrapped(&format!("one is {}", parts.join(", ")), 2, 4);
    let only = mix.fits.len() == 1;
    // What one more lacks is often the same, whatever may be done for it.
    let groups = mix.fits.chunk_by(|a, b| (a.least, a.most, &a.lacks) == (b.least, b.most, &b.lacks));
    let when = |fit: &CopiesForm| if only { "fit".to_owned() } else { title(fit.freedom, fit.max_evictions) };
    let groups: Vec<(String, &CopiesForm)> =
        groups.map(|alike| (alike.iter().map(when).collect::<Vec<_>>().join(", "), &alike[0])).collect();
    let width = groups.iter().map(|(when, _)| when.len()).max().unwrap_or(0);
    for (when, fit) in groups {
        page.line(format!("  {when:<width$}  {}", range(fit.least, fit.most)));
        lacks(fit, &mut page, style);
    }
    page.finish()
}

fn lacks(fit: &CopiesForm, page: &mut Page, style: Style) {
    for lack in fit.lacks.iter().take(3) {
        let head = format!("    {}", style.paint(Tone::Faint, "one more "));
        let sentence = format!(
            "lacks {} of {} ({}): {}",
            grouped(lack.count),
            clean(&lack.demand),
            clean(&lack.code),
            clean(&lack.reason)
        );
        page.wrapped_behind(&head, 13, &sentence, 13);
    }
    if fit.lacks.len() > 3 {
        page.line(format!("             and {}", counted(fit.lacks.len() as u64 - 3, "more demand")));
    }
}

/// The same pool by pool, where there are several.
fn pools(document: &CapacityDocument, columns: &[Column], style: Style) -> String {
    let mut page = Page::new(style);
    if document.pools.len() < 2 {
        return page.finish();
    }
    for pool in document.pools.iter().take(MOST_POOLS) {
        page.line("");
        page.line(heading(pool, style));
        let of_pool = |profile: &'_ ProfileForm| profile.pools.iter().find(|of| of.pool == pool.name).cloned();
        let rows: Vec<(String, PoolFitsForm)> =
            document.profiles.iter().filter_map(|profile| Some((name(profile), of_pool(profile)?))).collect();
        if rows.is_empty() {
            page.line("  none of these profiles can be on its GPUs");
            continue;
        }
        let titles = titles(columns, ">");
        let mut header = vec!["Profile"];
        header.extend(titles.iter().map(String::as_str));
        header.extend([">if empty", "what binds at most"]);
        let mut table = Table::new(&header);
        for (name, of) in rows {
            let mut row = vec![name];
            row.extend(cells(&of.fits, of.empty));
            row.extend([grouped(of.empty), of.fits.last().map(limits).unwrap_or_default()]);
            table.row(row);
        }
        page.push(&table.print(style));
        let copies = document.mix.iter().flat_map(|mix| &mix.pools).find(|of| of.pool == pool.name);
        if let Some(copies) = copies {
            let only = copies.fits.len() == 1;
            let each = copies.fits.iter().map(|fit| {
                let room = range(fit.least, fit.most);
                if only { room } else { format!("{room} {}", title(fit.freedom, fit.max_evictions)) }
            });
            page.wrapped(&format!("copies alone: {}", each.collect::<Vec<_>>().join(", ")), 0, 2);
        }
    }
    if document.pools.len() > MOST_POOLS {
        page.line("");
        page.line(format!("and {} (see -o csv)", counted((document.pools.len() - MOST_POOLS) as u64, "more pool")));
    }
    page.finish()
}

/// `Pool inference  8 nodes with H100-80GB, tainted nvidia.com/gpu:NoSchedule`
fn heading(pool: &PoolForm, style: Style) -> String {
    let models: Vec<String> = pool.models.iter().map(|model| clean(model).into_owned()).collect();
    let single = if pool.strategy == "single" { ", strategy single" } else { "" };
    let taints: Vec<String> = pool.taints.iter().map(|taint| clean(taint).into_owned()).collect();
    let tainted = if taints.is_empty() { String::new() } else { format!(", tainted {}", taints.join(" ")) };
    let title = style.paint(Tone::Strong, format!("Pool {}", clean(&pool.name)));
    let nodes = counted(u64::from(pool.nodes), "node");
    format!("{title}  {nodes} with {}{single}{tainted}", models.join(" + "))
}

#[cfg(test)]
mod tests {
    use migsaw::capacity::{Query, capacity};
    use migsaw::fleet::{Fleet, Pool};
    use migsaw::geometry::Catalog;
    use migsaw::plan::Options;
    use migsaw::problem::Problem;

    use super::super::{csv, html, markdown};
    use super::*;
    use crate::html::Origin;

    #[test]
    fn what_is_open_in_one_of_two_pools_is_shown_there() {
        let a30 = Catalog::builtin().model("A30").expect("a model of the catalogue");
        let pools = vec![Pool::new("left", a30.clone(), 2, 2), Pool::new("right", a30, 2, 2)];
        let problem = Problem { fleet: Fleet { pools }, ..Problem::default() };
        let answer = capacity(&problem, &Query::default(), &Options::default()).expect("it is valid");
        let mut document = CapacityDocument::new(&problem, &answer);
        let small = document.profiles.iter_mut().find(|of| of.profile.as_deref() == Some("1g.6gb"));
        let of_pools = &mut small.expect("A30 has it").pools;
        assert_eq!(of_pools.iter().map(|of| (of.fits[0].least, of.fits[0].most)).collect::<Vec<_>>(), [(16, 16); 2]);
        of_pools[1].fits[0].least = 0;
        let style = Style::plain();
        let page = text(&document, style);
        let (_, right) = page.split_once("Pool right").unwrap();
        let line = right.lines().find(|line| line.contains("1g.6gb")).unwrap();
        assert!(line.contains("0 to 16"), "{right}");
        for (name, page) in [("markdown", markdown(&document)), ("html", html(&document, &Origin::default()))] {
            assert_eq!(page.matches("0 to 16").count(), 1, "{name}: {page}");
        }
        let row = csv(&document).lines().find(|row| row.contains("right") && row.contains("1g.6gb")).map(str::to_owned);
        assert!(row.as_ref().is_some_and(|row| row.contains(",0,16,")), "{row:?}");
    }
}
