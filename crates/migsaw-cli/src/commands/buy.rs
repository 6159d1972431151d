//! `migsaw buy`.

use anyhow::Result;
use migsaw::buy::{BuyError, Candidate, Order, Survive, buy};
use migsaw::document::buy::BuyDocument;
use migsaw::problem::Problem;

use super::asking::{self, Report};
use super::problem;
use crate::Answer;
use crate::args::BuyArgs;
use crate::failure::{Failure, Problem as Wrong};
use crate::io::Io;

pub(super) fn run(mut args: BuyArgs, io: &mut Io<'_>) -> Result<Answer> {
    // Nodes come in weeks: what runs by then is not what runs today.
    args.asking.ignore_running = true;
    let selection = asking::selection(&args.selection, args.format)?;
    args.asking.settle();
    let problem = asking::read(&args.asking, io)?;
    let order = Order {
        candidates: candidates(&args, &problem, io)?,
        growth: args.growth.clone(),
        headroom: args.headroom,
        survive: args.survive.as_deref().map(survive).unwrap_or_default(),
        from_scratch: args.from_scratch,
        by_size: args.by_size,
        like: args.like.clone(),
    };
    let answer =
        asking::within(&args.asking, "asking how many nodes it takes", io, |options| buy(&problem, &order, options));
    let answer = answer.map_err(|error| match error {
        BuyError::Plan(error) => asking::refused(error),
        error => {
            let mut wrong = Wrong::new(error.code(), error.to_string());
            if let BuyError::TooFewValues { key, .. } = &error {
                wrong = wrong.help(format!("--survive {key}=a,b"));
            }
            Failure::from(wrong).into()
        }
    })?;
    let document = BuyDocument::new(&problem, &order, &answer);
    let report = Report {
        document: &document,
        text: &|style| migsaw_report::buy::text(&document, style),
        csv: &|| migsaw_report::buy::csv(&document),
        markdown: &|| migsaw_report::buy::markdown(&document),
        html: &|origin| migsaw_report::buy::html(&document, origin),
        list: &|| migsaw_report::buy::list(&document),
    };
    report.print(args.format, selection.as_ref(), io)?;
    Ok(Answer::yes_if(document.offers.iter().any(|offer| offer.nodes.most.is_some())))
}

/// The models that can be bought, each once: those named, those with a price, or else those of the fleet.
fn candidates(args: &BuyArgs, problem: &Problem, io: &mut Io<'_>) -> Result<Vec<Candidate>> {
    let catalog = problem::catalog(&args.asking.problem.geometry, io)?;
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut wrong = Vec::new();
    let priced = args.price.iter().map(|(model, price)| (model, Some(*price)));
    for (name, price) in args.model.iter().map(|model| (model, None)).chain(priced) {
        match problem::model(&catalog, name) {
            Ok(model) => match candidates.iter_mut().find(|candidate| *candidate.model == *model) {
                Some(candidate) => candidate.price = price.or(candidate.price),
                None => candidates.push(Candidate { model, gpus_per_node: args.gpus_per_node, price }),
            },
            Err(Failure(found)) => wrong.extend(found),
        }
    }
    if !wrong.is_empty() {
        return Err(Failure(wrong).into());
    }
    if candidates.is_empty() {
        for model in problem.fleet.pools.iter().flat_map(|pool| &pool.gpus).map(|group| &group.model) {
            if !candidates.iter().any(|candidate| candidate.model == *model) {
                let model = model.clone();
                candidates.push(Candidate { model, gpus_per_node: args.gpus_per_node, price: None });
            }
        }
    }
    Ok(candidates)
}

/// `node`, or a label with or without values.
fn survive(text: &str) -> Survive {
    match text.split_once('=') {
        None if text == "node" => Survive::Node,
        None => Survive::Label { key: text.to_owned(), values: std::collections::BTreeSet::new() },
        Some((key, values)) => {
            let values = values.split(',').map(str::trim).filter(|value| !value.is_empty());
            Survive::Label { key: key.to_owned(), values: values.map(str::to_owned).collect() }
        }
    }
}
