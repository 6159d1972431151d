//! `migsaw schema`.

use anyhow::Result;
use migsaw::document::schema;

use crate::args::{Format, SchemaOf};
use crate::io::Io;
use crate::{Answer, output};

pub(super) fn run(document: SchemaOf, io: &mut Io<'_>) -> Result<Answer> {
    let schema = match document {
        SchemaOf::Scenario => schema::scenario(),
        SchemaOf::Plan => schema::plan(),
        SchemaOf::Curve => schema::curve(),
        SchemaOf::Diff => schema::diff(),
        SchemaOf::Rollout => schema::rollout(),
        SchemaOf::Applied => schema::applied(),
        SchemaOf::Simulation => schema::simulation(),
        SchemaOf::Capacity => schema::capacity(),
        SchemaOf::WhatIf => schema::whatif(),
        SchemaOf::Buy => schema::buy(),
        SchemaOf::Robust => schema::robust(),
        SchemaOf::Chargeback => schema::chargeback(),
        SchemaOf::RightSize => schema::rightsize(),
        SchemaOf::Quotas => schema::quotas(),
        SchemaOf::Advice => schema::advice(),
    };
    output::document(io, schema, Format::Json)?;
    Ok(Answer::Yes)
}
