//! `migsaw capacity`.

use std::collections::BTreeMap;

use anyhow::Result;
use migsaw::capacity::{Beside, Capacity, CapacityError, Mix, Query, capacity};
use migsaw::document::capacity::CapacityDocument;
use migsaw::geometry::ProfileName;
use migsaw::problem::MAX_COUNT;

use super::asking::{self, Report};
use super::watching::{self, Between, Input};
use crate::Answer;
use crate::args::{CapacityArgs, Format};
use crate::failure::{Failure, Problem as Wrong};
use crate::io::Io;

pub(super) fn run(mut args: CapacityArgs, io: &mut Io<'_>) -> Result<Answer> {
    args.asking.settle();
    if !args.watch.watch {
        return once(&args, io);
    }
    let between = if args.format == Format::Json { Between::Nothing } else { Between::Line };
    let input = Input::of(&args.asking.problem, args.asking.positional.as_deref());
    watching::watch(&args.watch, &input, between, io, |io| once(&args, io))
}

fn once(args: &CapacityArgs, io: &mut Io<'_>) -> Result<Answer> {
    let selection = asking::selection(&args.selection, args.format)?;
    let query = query(args)?;
    let problem = asking::read(&args.asking, io)?;
    let answer =
        asking::within(&args.asking, "asking how much more fits", io, |options| capacity(&problem, &query, options));
    let answer = answer.map_err(|error| match error {
        CapacityError::Plan(error) => asking::refused(error),
        error => Failure::from(Wrong::new(error.code(), error.to_string())).into(),
    })?;
    let document = CapacityDocument::new(&problem, &answer);
    let report = Report {
        document: &document,
        text: &|style| migsaw_report::capacity::text(&document, style),
        csv: &|| migsaw_report::capacity::csv(&document),
        markdown: &|| migsaw_report::capacity::markdown(&document),
        html: &|origin| migsaw_report::capacity::html(&document, origin),
        list: &|| migsaw_report::capacity::list(&document),
    };
    report.print(args.format, selection.as_ref(), io)?;
    Ok(Answer::yes_if(fits(&answer, args.mix.is_some())))
}

/// Whether something of what was asked for fits, with as much freedom as there is.
fn fits(answer: &Capacity, is_mix: bool) -> bool {
    let mix = answer.mix.as_ref().and_then(|mix| mix.total.last()).is_some_and(|copies| copies.room.least > 0);
    if is_mix {
        return mix;
    }
    mix || answer.rows.iter().filter_map(|row| row.total.last()).any(|fit| fit.room.least > 0)
}

fn query(args: &CapacityArgs) -> Result<Query, Failure> {
    let mut wrong = Vec::new();
    let mut profiles = Vec::new();
    for text in args.profile.iter().flat_map(|text| text.split(',')) {
        match asking::profile(text) {
            Ok(name) => profiles.push(name),
            Err(Failure(found)) => wrong.extend(found),
        }
    }
    let mix = match &args.mix {
        None => Mix::Demands,
        Some(text) => {
            let mut copy = BTreeMap::new();
            for item in text.split(',') {
                match part(item) {
                    Ok((name, count)) => *copy.entry(name).or_insert(0) += count,
                    Err(Failure(found)) => wrong.extend(found),
                }
            }
            Mix::Profiles(copy)
        }
    };
    if !wrong.is_empty() {
        return Err(Failure(wrong));
    }
    let beside = if args.with_demand { Beside::Demand } else { Beside::Running };
    let profiles = (!profiles.is_empty()).then_some(profiles);
    Ok(Query { beside, profiles, mix, max_evictions: args.max_evictions, ..Query::default() })
}

/// `3g.40gb=1`, or a name alone for one.
fn part(item: &str) -> Result<(ProfileName, u64), Failure> {
    let (name, count) = item.split_once(['=', ':']).unwrap_or((item, "1"));
    let number = count.trim().parse::<u64>().ok().filter(|&n| n <= MAX_COUNT);
    let Some(number) = number else {
        let shown: String = item.trim().chars().take(80).collect();
        let message = format!("`{shown}` has no count of at most {MAX_COUNT} (expected like `1g.10gb=4,3g.40gb=1`)");
        return Err(Wrong::new("layout-count", message).into());
    };
    Ok((asking::profile(name)?, number))
}
