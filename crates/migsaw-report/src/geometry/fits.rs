//! Does this fit beside that?

use std::collections::BTreeMap;

use migsaw::geometry::{Counts, Creation, Layout, LayoutError, Model};
use serde::Serialize;

use super::layouts::picture;
use super::{API_VERSION, LayoutDocument, PlacementDocument, counts};
use crate::clean::clean;
use crate::page::Page;
use crate::style::{Style, Tone};

/// Whether some instances fit, where, and in which order they can be created; or why not.
#[derive(Debug, Clone)]
pub struct Fit {
    wanted: Counts,
    pinned: Layout,
    outcome: Result<(Layout, Creation), Refusal>,
}

#[derive(Debug, Clone)]
struct Refusal {
    code: String,
    reason: String,
}

/// A [`Fit`] for programs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FitDocument {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// `Fit`.
    pub kind: &'static str,
    /// The board.
    pub model: String,
    /// The instances wanted, by profile.
    pub wanted: BTreeMap<String, u8>,
    /// The instances that stay, in the notation of layouts.
    pub pinned: String,
    /// The answer.
    pub fits: bool,
    /// A legal place for each wanted instance: the one that the creation order leads to, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<LayoutDocument>,
    /// The order in which the driver, choosing the starts itself, creates them all; absent if there is
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_order: Option<Vec<PlacementDocument>>,
    /// Why there is no such order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_creation_order: Option<String>,
    /// The binding limit, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The binding limit, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Sources that contradict the answer, if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disputed: Vec<String>,
}

impl Fit {
    /// Answers for `wanted` beside `pinned` on one GPU.
    ///
    /// # Errors
    /// [`LayoutError`] if `pinned` is no layout of the model.
    pub fn of(model: &Model, wanted: Counts, pinned: Layout) -> Result<Fit, LayoutError> {
        let outcome = match model.place(&wanted, &pinned)? {
            // The layout to show is the one that comes about, where the driver can be brought to it.
            Some(some) => match model.creation_order_beside(&wanted, &pinned)? {
                Creation::Order(order) => Ok((order.layout(), Creation::Order(order))),
                impossible @ Creation::Impossible(_) => Ok((some, impossible)),
            },
            None => Err(model.why_not(&wanted, &pinned).map_or_else(
                || Refusal { code: "does-not-fit".to_owned(), reason: "no assignment of starts exists".to_owned() },
                |misfit| Refusal { code: misfit.code().to_owned(), reason: misfit.to_string() },
            )),
        };
        Ok(Fit { wanted, pinned, outcome })
    }

    /// The answer.
    pub fn fits(&self) -> bool {
        self.outcome.is_ok()
    }

    fn disputed(&self, model: &Model) -> Vec<String> {
        let all = self.wanted.plus(&self.pinned.counts());
        let contradicted = model.disputed.iter().filter(|d| d.counts == all);
        contradicted.map(|d| format!("{} ({})", d.evidence, d.source)).collect()
    }
}

/// The answer as a document.
pub fn document(model: &Model, fit: &Fit) -> FitDocument {
    let mut document = FitDocument {
        api_version: API_VERSION,
        kind: "Fit",
        model: model.id.clone(),
        wanted: counts(model, &fit.wanted),
        pinned: fit.pinned.display(model).to_string(),
        fits: fit.fits(),
        layout: None,
        creation_order: None,
        no_creation_order: None,
        code: None,
        reason: None,
        disputed: if fit.fits() { fit.disputed(model) } else { Vec::new() },
    };
    match &fit.outcome {
        Ok((layout, creation)) => {
            document.layout = Some(LayoutDocument::new(model, layout));
            match creation {
                Creation::Order(order) => {
                    let step = |p: &migsaw::geometry::Placement| PlacementDocument {
                        profile: model.get(p.profile).name.to_string(),
                        start: p.start,
                        size: model.get(p.profile).size,
                    };
                    document.creation_order = Some(order.steps.iter().map(step).collect());
                }
                Creation::Impossible(proof) => document.no_creation_order = Some(proof.display(model).to_string()),
            }
        }
        Err(refusal) => {
            document.code = Some(refusal.code.clone());
            document.reason = Some(refusal.reason.clone());
        }
    }
    document
}

/// The answer as text.
pub fn text(model: &Model, fit: &Fit, style: Style) -> String {
    let wanted = fit.wanted.display(model).to_string();
    let beside = if fit.pinned.is_empty() { String::new() } else { format!(" beside {}", fit.pinned.display(model)) };
    let mut page = Page::new(style);
    let show = |page: &mut Page, layout: &Layout, named: &Layout| {
        page.line(format!("  {}  {}", picture(model, layout, style), named.display(model)));
    };
    match &fit.outcome {
        Ok((layout, creation)) => {
            page.line(style.paint(Tone::Good, format!("yes: {wanted} fits on {}{beside}", model.id)));
            show(&mut page, &fit.pinned.merged(layout), layout);
            match creation {
                Creation::Order(order) if order.steps.len() < 2 => {}
                Creation::Order(order) => {
                    page.wrapped(
                        &format!("create in this order, the driver picks the starts: {}", order.display(model)),
                        2,
                        4,
                    );
                }
                Creation::Impossible(proof) => {
                    let head = "but the driver picks the starts itself, and cannot be brought to create them: ";
                    page.wrapped(&format!("{head}{}", proof.display(model)), 2, 4);
                }
            }
            for disputed in fit.disputed(model) {
                page.wrapped(&format!("disputed: {}", clean(&disputed)), 2, 4);
            }
        }
        Err(refusal) => {
            page.line(style.paint(Tone::Bad, format!("no: {wanted} does not fit on {}{beside}", model.id)));
            page.wrapped(&refusal.reason, 2, 4);
            if !fit.pinned.is_empty() {
                show(&mut page, &fit.pinned, &fit.pinned);
            }
        }
    }
    page.finish()
}
