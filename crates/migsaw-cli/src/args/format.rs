//! How to print.

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// How to print. No command has all of them: [`Format::among`] says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // For people; no doc comments, which would make seven lines of help out of one.
    Text,
    Json,
    Yaml,
    Csv,
    #[value(alias = "md")]
    Markdown,
    Html,
    Svg,
}

impl Format {
    /// What is a document.
    pub(crate) const DOCUMENT: &[Format] = &[Format::Text, Format::Json, Format::Yaml];
    /// What is a document and has a page.
    pub(crate) const PAGE: &[Format] = &[Format::Text, Format::Json, Format::Yaml, Format::Html];
    /// What has a page and is a table.
    pub(crate) const REPORT: &[Format] =
        &[Format::Text, Format::Json, Format::Yaml, Format::Csv, Format::Markdown, Format::Html];
    /// What has a picture as well.
    pub(crate) const PICTURE: &[Format] =
        &[Format::Text, Format::Json, Format::Yaml, Format::Csv, Format::Markdown, Format::Html, Format::Svg];

    /// Reads one of these.
    pub(crate) fn among(formats: &[Format]) -> impl TypedValueParser<Value = Format> + use<> {
        let names: Vec<_> = formats.iter().filter_map(Format::to_possible_value).collect();
        PossibleValuesParser::new(names)
            .map(|name| Format::from_str(&name, false).expect("a name of one of these formats"))
    }
}
