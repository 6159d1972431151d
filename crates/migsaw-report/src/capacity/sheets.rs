//! How much more fits, as tables for other programs.

use std::fmt::Write as _;

use migsaw::document::capacity::{CapacityDocument, CopiesForm, FitForm, FreedomForm};

use super::text::{notes, words};
use super::{answer, footing, name, range, title};
use crate::list::List;
use crate::number::{grouped, percent};
use crate::sheet::{Sheet, markdown_cell, marked};
use crate::statement::Statement;

/// One row for each pool, profile and freedom; the whole fleet is pool `*`, copies of the mix are profile `mix`.
pub fn csv(document: &CapacityDocument) -> String {
    sheet(document).csv()
}

/// A row for each profile on the fleet and in each pool, and the rows of [`csv`].
pub fn list(document: &CapacityDocument) -> List {
    let (titles, rows) = fits(document);
    let (answer, setting) = (answer(document), footing(document));
    List::new(Statement { answer, setting, titles, rows, notes: notes(document) }, sheet(document))
}

fn sheet(document: &CapacityDocument) -> Sheet {
    let columns = ["pool", "tainted", "profile", "freedom", "max_evictions", "least", "most", "if_empty", "limits"];
    let mut sheet = Sheet::new(&columns);
    let tainted = |pool: &str| {
        let of = document.pools.iter().find(|of| of.name == pool);
        of.map_or_else(String::new, |of| of.taints.join(" "))
    };
    let mut add = |pool: &str, profile: &str, of: Of<'_>, empty: String| {
        let evictions = of.max_evictions.map_or_else(String::new, |n| n.to_string());
        let [least, most] = [of.least, of.most].map(|n| n.to_string());
        sheet.row(vec![
            pool.to_owned(),
            tainted(pool),
            profile.to_owned(),
            word(of.freedom).to_owned(),
            evictions,
            least,
            most,
            empty,
            of.limits,
        ]);
    };
    for profile in &document.profiles {
        let empty = profile.empty.to_string();
        profile.fits.iter().for_each(|fit| add("*", &name(profile), Of::fit(fit), empty.clone()));
        for of in &profile.pools {
            of.fits.iter().for_each(|fit| add(&of.pool, &name(profile), Of::fit(fit), of.empty.to_string()));
        }
    }
    if let Some(mix) = &document.mix {
        mix.fits.iter().for_each(|copies| add("*", "mix", Of::copies(copies), String::new()));
        for of in &mix.pools {
            of.fits.iter().for_each(|copies| add(&of.pool, "mix", Of::copies(copies), String::new()));
        }
    }
    sheet
}

/// What a row says of a freedom.
struct Of<'a> {
    freedom: FreedomForm,
    max_evictions: &'a Option<u64>,
    least: u64,
    most: u64,
    limits: String,
}

impl Of<'_> {
    fn fit(fit: &FitForm) -> Of<'_> {
        let limits: Vec<String> = fit.limits.iter().map(|(code, gpus)| format!("{code}={gpus}")).collect();
        let FitForm { freedom, max_evictions, least, most, .. } = fit;
        Of { freedom: *freedom, max_evictions, least: *least, most: *most, limits: limits.join(" ") }
    }

    fn copies(copies: &CopiesForm) -> Of<'_> {
        let lacks: Vec<String> =
            copies.lacks.iter().map(|lack| format!("{} lacks {} ({})", lack.demand, lack.count, lack.code)).collect();
        let CopiesForm { freedom, max_evictions, least, most, .. } = copies;
        Of { freedom: *freedom, max_evictions, least: *least, most: *most, limits: lacks.join("; ") }
    }
}

fn word(freedom: FreedomForm) -> &'static str {
    match freedom {
        FreedomForm::AsCut => "as-cut",
        FreedomForm::CutIdle => "cut-idle",
        FreedomForm::Evict => "evict",
        FreedomForm::MoveAll => "move-all",
    }
}

/// How many more of each profile fit, on the fleet and in each pool if there are several: titles, marked as those of a
/// [`Table`](crate::table::Table), and rows.
fn fits(document: &CapacityDocument) -> (Vec<String>, Vec<Vec<String>>) {
    let fits: Vec<_> = document.profiles.first().into_iter().flat_map(|profile| &profile.fits).collect();
    let only = fits.len() == 1;
    let fit = |fit: &FitForm| if only { "fit".to_owned() } else { title(fit.freedom, fit.max_evictions) };
    let mut titles = vec!["pool".to_owned(), "profile".to_owned()];
    titles.extend(fits.iter().map(|of| format!(">{}", fit(of))));
    titles.extend([">if empty".to_owned(), "what binds at most, in GPUs".to_owned()]);
    let mut rows = Vec::new();
    let mut add = |pool: &str, profile: &str, fits: &[FitForm], empty: u64| {
        let share = |fit: &FitForm| percent(u128::from(fit.least), u128::from(empty));
        let mut row = vec![pool.to_owned(), profile.to_owned()];
        row.extend(fits.iter().map(|fit| format!("{} ({})", range(fit.least, fit.most), share(fit))));
        let limits = fits.last().map(|fit| {
            let each = fit.limits.iter().map(|(code, gpus)| format!("{} {}", grouped(*gpus), words(code)));
            each.collect::<Vec<_>>().join(", ")
        });
        row.extend([grouped(empty), limits.unwrap_or_default()]);
        rows.push(row);
    };
    for profile in &document.profiles {
        add("all", &name(profile), &profile.fits, profile.empty);
    }
    for pool in document.pools.iter().filter(|_| document.pools.len() > 1) {
        let tainted =
            if pool.taints.is_empty() { String::new() } else { format!(" (tainted {})", pool.taints.join(" ")) };
        for profile in &document.profiles {
            let of = profile.pools.iter().find(|of| of.pool == pool.name);
            if let Some(of) = of {
                add(&format!("{}{tainted}", pool.name), &name(profile), &of.fits, of.empty);
            }
        }
    }
    (titles, rows)
}

/// The answer, and a table for each pool that has something to say.
pub fn markdown(document: &CapacityDocument) -> String {
    let mut text = format!("**{}**\n\n{}\n", markdown_cell(&answer(document)), markdown_cell(&footing(document)));
    let (titles, rows) = fits(document);
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    write!(text, "\n{}", marked(&titles, rows)).expect("a string grows");
    if let Some(mix) = &document.mix {
        let mut sheet = Sheet::new(&["copies", "fit", "one more lacks"]);
        for fit in &mix.fits {
            let lacks: Vec<String> =
                fit.lacks.iter().map(|lack| format!("{} of {}: {}", lack.count, lack.demand, lack.reason)).collect();
            let when = if mix.fits.len() == 1 { "all".to_owned() } else { title(fit.freedom, fit.max_evictions) };
            sheet.row(vec![when, range(fit.least, fit.most), lacks.join("; ")]);
        }
        write!(text, "\n{}", sheet.markdown(&[false, true, false])).expect("a string grows");
    }
    text
}
