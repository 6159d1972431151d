//! How much more fits, as text, as a page, as a table in Markdown, and for spreadsheets.

mod html;
mod sheets;
mod text;

use migsaw::document::capacity::{BesideForm, CapacityDocument, CopiesForm, FitForm, FreedomForm, ProfileForm};

use crate::number::{counted, grouped};

pub use html::html;
pub use sheets::{csv, list, markdown};
pub use text::text;

/// `412`, or `412 to 415`.
pub(crate) fn range(least: u64, most: u64) -> String {
    if least == most { grouped(least) } else { format!("{} to {}", grouped(least), grouped(most)) }
}

/// One line about the outcome: what fits now, and with how much freedom more.
///
/// ```text
/// 2 more copies of the demand fit now, 4 if all that runs may move
/// ```
pub fn answer(document: &CapacityDocument) -> String {
    let rooms = |fits: Vec<(FreedomForm, Option<u64>, u64, u64)>, what: &str| {
        let mut parts: Vec<String> = Vec::new();
        let mut last = None;
        for (freedom, evictions, least, most) in fits {
            let room = range(least, most);
            if last.as_ref() == Some(&room) {
                continue;
            }
            let what = if parts.is_empty() { format!(" {what}") } else { String::new() };
            parts.push(format!("{room}{what}{}", condition(freedom, evictions, document)));
            last = Some(room);
        }
        parts.join(", ")
    };
    let copies = |fit: &CopiesForm| (fit.freedom, fit.max_evictions, fit.least, fit.most);
    let of_profile = |fit: &FitForm| (fit.freedom, fit.max_evictions, fit.least, fit.most);
    let more = if document.units > 0 { "more " } else { "" };
    match (&document.mix, document.profiles.first()) {
        (Some(mix), _) => {
            let is_one = mix.fits.first().is_some_and(|fit| (fit.least, fit.most) == (1, 1));
            let (copy, fits) = if is_one { ("copy", "fits") } else { ("copies", "fit") };
            let what = format!("{more}{copy} of {} {fits}", of_what(document));
            let copies = rooms(mix.fits.iter().map(copies).collect(), &what);
            let best = document.profiles.first().and_then(|first| Some((first, first.fits.last()?)));
            match best.filter(|(_, fit)| fit.least > 0 && mix.fits.iter().all(|fit| fit.most == 0)) {
                Some((first, fit)) => format!("{copies}, but {} of {}", range(fit.least, fit.most), name(first)),
                None => copies,
            }
        }
        (None, Some(first)) => {
            rooms(first.fits.iter().map(of_profile).collect(), &format!("{more}of {} fit", name(first)))
        }
        (None, None) => "nothing was asked for (give --profile or --mix)".to_owned(),
    }
}

/// What the copies are of.
fn of_what(document: &CapacityDocument) -> String {
    match &document.mix {
        Some(mix) if mix.copy.len() <= 3 => {
            let part = |copy: &migsaw::document::capacity::CopyForm| {
                format!("{} {}", grouped(copy.count), crate::clean::clean(&copy.demand))
            };
            format!("({})", mix.copy.iter().map(part).collect::<Vec<_>>().join(" + "))
        }
        _ => "the demand".to_owned(),
    }
}

fn condition(freedom: FreedomForm, evictions: Option<u64>, document: &CapacityDocument) -> String {
    let nothing_runs = document.profiles.iter().flat_map(|p| &p.fits).all(|fit| fit.freedom == FreedomForm::CutIdle);
    match freedom {
        FreedomForm::AsCut => " as the GPUs are cut".to_owned(),
        FreedomForm::CutIdle if nothing_runs => String::new(),
        FreedomForm::CutIdle => " with idle GPUs cut anew".to_owned(),
        FreedomForm::Evict => format!(" with {} evicted", counted(evictions.unwrap_or(0), "pod")),
        FreedomForm::MoveAll => " if all may move".to_owned(),
    }
}

/// A freedom as the title of a column.
fn title(freedom: FreedomForm, evictions: Option<u64>) -> String {
    match freedom {
        FreedomForm::AsCut => "now".to_owned(),
        FreedomForm::CutIdle => "idle cut".to_owned(),
        FreedomForm::Evict => format!("{} evicted", grouped(evictions.unwrap_or(0))),
        FreedomForm::MoveAll => "all moved".to_owned(),
    }
}

/// What is asked for.
fn name(profile: &ProfileForm) -> String {
    profile.profile.as_deref().map_or_else(|| "whole GPU".to_owned(), |name| crate::clean::clean(name).into_owned())
}

/// What all this is beside, and what is not counted.
fn footing(document: &CapacityDocument) -> String {
    let gpus: u64 = document.pools.iter().map(|pool| pool.gpus).sum();
    let nodes: u64 = document.pools.iter().map(|pool| u64::from(pool.nodes)).sum();
    let on = format!("{} of {}", counted(gpus, "GPU"), counted(nodes, "node"));
    let units = counted(document.units, "unit");
    match (document.beside, document.units) {
        (BesideForm::Running, 0) => format!("on {on}, on which nothing is known to run"),
        (BesideForm::Running, _) => format!("beside {units} that run, on {on}"),
        (BesideForm::Demand, _) => format!("beside {units} that run or are asked for, on {on}"),
    }
}
