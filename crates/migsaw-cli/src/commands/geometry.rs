//! `migsaw geometry`.

use anyhow::Result;
use migsaw::geometry::{Counts, Layout, LayoutError, Model};
use migsaw_report::geometry::{fits, layouts, list, show};
use std::sync::Arc;

use super::problem::{catalog, model};
use crate::args::{Format, GeometryCommand, ModelArgs};
use crate::failure::{Failure, Problem as Wrong};
use crate::io::Io;
use crate::{Answer, output};

pub(super) fn run(command: &GeometryCommand, io: &mut Io<'_>) -> Result<Answer> {
    match command {
        GeometryCommand::List { geometry, format } => {
            let catalog = catalog(geometry, io)?;
            match format {
                Format::Text => output::text(io, &list::text(&catalog, io.style()))?,
                format => output::document(io, &list::document(&catalog), *format)?,
            }
            Ok(Answer::Yes)
        }
        GeometryCommand::Show { of } => {
            let model = asked(of, io)?;
            match of.format {
                Format::Text => output::text(io, &show::text(&model, io.style()))?,
                format => output::document(io, &show::document(&model), format)?,
            }
            Ok(Answer::Yes)
        }
        GeometryCommand::Layouts { of, maximal, counts } => {
            let model = asked(of, io)?;
            let selection = layouts::Selection { maximal: *maximal, counts: *counts };
            match of.format {
                Format::Text => output::text(io, &layouts::text(&model, selection, io.style()))?,
                format => output::document(io, &layouts::document(&model, selection), format)?,
            }
            Ok(Answer::Yes)
        }
        GeometryCommand::Fits { of, wanted, pinned } => {
            let model = asked(of, io)?;
            let wanted = Counts::parse(&model, wanted);
            let pinned = Layout::parse(&model, pinned);
            let (wanted, pinned) = match (wanted, pinned) {
                (Ok(wanted), Ok(pinned)) => (wanted, pinned),
                (wanted, pinned) => {
                    let wrong = [("COUNTS", wanted.err()), ("--pinned", pinned.err())];
                    let wrong = wrong.into_iter().filter_map(|(place, error)| Some(refused(place, &error?, &model)));
                    return Err(Failure(wrong.collect()).into());
                }
            };
            let fit = fits::Fit::of(&model, wanted, pinned)?;
            match of.format {
                Format::Text => output::text(io, &fits::text(&model, &fit, io.style()))?,
                format => output::document(io, &fits::document(&model, &fit), format)?,
            }
            Ok(Answer::yes_if(fit.fits()))
        }
    }
}

fn asked(of: &ModelArgs, io: &mut Io<'_>) -> Result<Arc<Model>> {
    Ok(model(&catalog(&of.geometry, io)?, &of.model)?)
}

fn refused(place: &str, error: &LayoutError, model: &Model) -> Wrong {
    let wrong = Wrong::new(error.code(), format!("{place}: {error}"));
    if matches!(error, LayoutError::UnknownProfile { .. }) {
        let names: Vec<String> = model.profiles.iter().map(|p| p.name.to_string()).collect();
        return wrong.help(format!("{} has {}", model.id, names.join(", ")));
    }
    wrong
}
