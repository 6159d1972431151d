//! How much more fits, as a page.

use maud::{Markup, html as markup};
use migsaw::document::capacity::{CapacityDocument, CopiesForm, FitForm, MixForm, PoolForm};

use super::text::{columns, limits, notes, titles};
use super::{answer, footing, name, range, title};
use crate::chart::{Bar, Bars, Ink, Panel, ratio};
use crate::clean::clean;
use crate::html::{Column, Figure, Frame, Origin, Row, Section, Table, facts};
use crate::number::{counted, grouped, percent};

/// Most profiles in the picture; the tables have them all.
const MOST_PANELS: usize = 24;

/// The answer as one HTML file that needs no network: how much more of each profile fits the more may be done for
/// it, what binds, copies of the mix, and each pool. It has the document in it, for programs.
///
/// The same answer gives the same bytes.
pub fn html(document: &CapacityDocument, origin: &Origin) -> String {
    let mut sections = Vec::new();
    if document.profiles.first().is_some_and(|profile| !profile.fits.is_empty()) {
        sections.push(Section::new("profiles", "How many more fit", profiles(document)));
        sections.push(Section::new("binding", "What binds", binding(document)));
    }
    if let Some(mix) = &document.mix {
        sections.push(Section::new("copies", "Copies", copies(mix)));
    }
    if document.pools.len() > 1 {
        sections.push(Section::new(
            "pools",
            "Pool by pool",
            markup! {
                @for pool in &document.pools { (of_pool(document, pool)) }
            },
        ));
    }
    let notes = notes(document);
    let first = markup! {
        (facts(&most_important(document)))
        @if !notes.is_empty() { ul class="bounds" { @for note in notes { li { (note) } } } }
    };
    let frame = Frame {
        command: "migsaw capacity",
        answer: &answer(document),
        setting: &format!("{}.", footing(document)),
        origin,
        document: [&document.api_version, &document.kind],
    };
    frame.page(&first, &sections, document)
}

/// Copies of the mix, or of the first profile, for each freedom.
fn most_important(document: &CapacityDocument) -> Vec<(String, String)> {
    let of_mix = document.mix.iter().flat_map(|mix| &mix.fits);
    let found: Vec<(String, String)> = of_mix
        .map(|fit| (range(fit.least, fit.most), format!("copies, {}", title(fit.freedom, fit.max_evictions))))
        .collect();
    if !found.is_empty() {
        return found;
    }
    let Some(first) = document.profiles.first() else { return found };
    let fits = first.fits.iter();
    fits.map(|fit| (range(fit.least, fit.most), format!("{}, {}", name(first), title(fit.freedom, fit.max_evictions))))
        .collect()
}

/// A bar for each freedom, profile by profile, and the figures.
fn profiles(document: &CapacityDocument) -> Markup {
    let panels: Vec<Panel> = document
        .profiles
        .iter()
        .take(MOST_PANELS)
        .map(|profile| Panel {
            title: name(profile),
            note: format!("of {}", grouped(profile.empty)),
            bars: profile
                .fits
                .iter()
                .enumerate()
                .map(|(at, fit)| bar(fit, profile.empty, at + 1 == profile.fits.len()))
                .collect(),
        })
        .collect();
    let said: Vec<String> = panels
        .iter()
        .map(|panel| {
            let bars = panel.bars.iter().map(|bar| format!("{} {}", bar.name, bar.figure));
            format!("{} {}: {}", panel.title, panel.note, bars.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let more = document.profiles.len().saturating_sub(MOST_PANELS);
    let more =
        if more > 0 { format!(" {} in the table only.", counted(more as u64, "more profile")) } else { String::new() };
    let figure = Figure {
        name: "freedom",
        title: "How many more fit, the more may be done for it",
        caption: format!("Of each profile alone, in parts of what an empty fleet would hold.{more}"),
        description: said.join("; "),
        draw: Box::new(move |width| Bars { panels: &panels }.draw(width)),
    };
    let columns = columns(document);
    let mut header = vec![Column::text("profile")];
    header.extend(titles(&columns, "").iter().map(|title| Column::number(title)));
    header.push(Column::number("if empty"));
    let mut table = Table::list("How many more of each profile fit", header);
    for profile in &document.profiles {
        let mut cells = cells(&profile.fits, profile.empty);
        cells.push(markup! { (grouped(profile.empty)) });
        table.add(Row::default(), markup! { (name(profile)) }, cells);
    }
    figure.show(&table.show())
}

fn bar(fit: &FitForm, empty: u64, is_last: bool) -> Bar {
    Bar {
        name: title(fit.freedom, fit.max_evictions),
        ink: if is_last { Ink::Best } else { Ink::Other(0) },
        part: ratio(fit.least, empty),
        half_width: 0.0,
        figure: range(fit.least, fit.most),
    }
}

fn cells(fits: &[FitForm], empty: u64) -> Vec<Markup> {
    let share = |fit: &FitForm| percent(u128::from(fit.least), u128::from(empty));
    fits.iter().map(|fit| markup! { (range(fit.least, fit.most)) " (" (share(fit)) ")" }).collect()
}

/// GPUs by what keeps them from taking one more.
fn binding(document: &CapacityDocument) -> Markup {
    let columns = columns(document);
    let mut header = vec![Column::text("profile")];
    header.extend(titles(&columns, "").iter().map(|title| Column::text(title)));
    let mut table = Table::list("What keeps GPUs from taking one more, in GPUs", header);
    for profile in &document.profiles {
        let cells = profile.fits.iter().map(|fit| markup! { (limits(fit)) }).collect();
        table.add(Row::default(), markup! { (name(profile)) }, cells);
    }
    markup! {
        p class="about-section" { "How many GPUs take no further one, by what keeps them from it." }
        (table.show())
    }
}

/// Copies of a mix, and what one more would lack.
fn copies(mix: &MixForm) -> Markup {
    let parts: Vec<String> =
        mix.copy.iter().map(|copy| format!("{} of {}", grouped(copy.count), clean(&copy.demand))).collect();
    let columns = vec![Column::text("what may be done"), Column::number("copies"), Column::text("one more would lack")];
    let mut table = Table::list("Copies of the mix", columns);
    for fit in &mix.fits {
        let when = if mix.fits.len() == 1 { "anything".to_owned() } else { title(fit.freedom, fit.max_evictions) };
        table.add(Row::default(), markup! { (when) }, vec![markup! { (range(fit.least, fit.most)) }, lacks(fit)]);
    }
    markup! {
        p class="about-section" { "One copy is " (parts.join(", ")) "." }
        (table.show())
    }
}

fn lacks(fit: &CopiesForm) -> Markup {
    markup! {
        @for lack in &fit.lacks {
            span class="line" { (grouped(lack.count)) " of " (clean(&lack.demand)) ": " (clean(&lack.reason)) }
        }
    }
}

fn of_pool(document: &CapacityDocument, pool: &PoolForm) -> Markup {
    let columns = columns(document);
    let mut header = vec![Column::text("profile")];
    header.extend(titles(&columns, "").iter().map(|title| Column::number(title)));
    header.extend([Column::number("if empty"), Column::text("what binds at most")]);
    let mut table = Table::list(&format!("How many more fit in pool {}", pool.name), header);
    for profile in &document.profiles {
        let Some(of) = profile.pools.iter().find(|of| of.pool == pool.name) else { continue };
        let mut cells = cells(&of.fits, of.empty);
        cells.extend([markup! { (grouped(of.empty)) }, markup! { (of.fits.last().map(limits).unwrap_or_default()) }]);
        table.add(Row::default(), markup! { (name(profile)) }, cells);
    }
    let mut about = vec![format!("{} with {}", counted(pool.nodes.into(), "node"), pool.models.join(" + "))];
    about.push(counted(pool.gpus, "GPU"));
    if pool.strategy == "single" {
        about.push("strategy single".to_owned());
    }
    if !pool.taints.is_empty() {
        about.push(format!("tainted {}", pool.taints.join(" ")));
    }
    markup! {
        div class="pool" data-scope="" {
            h3 { "Pool " (clean(&pool.name)) }
            p class="about-section" { (clean(&about.join(" · "))) }
            @if table.is_empty() {
                p { "None of these profiles can be on its GPUs." }
            } @else {
                (table.show())
            }
        }
    }
}
