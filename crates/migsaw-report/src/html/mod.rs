//! The frame of reports as one HTML file: page, figures and tables.
//!
//! A report is a file that can be mailed, printed and kept: it has no script, and its policy forbids it
//! to load anything. What it shows is in it twice, for people and as the document that programs read.
//! Colours follow the reader's theme; nothing is told by colour alone; everything can be reached by
//! keyboard and read out. Between `<body>` and `</body>` it is well-formed XML, which the tests use.
//!
//! Text of others passes [`clean`](crate::clean) here, and `maud` escapes all of it.

mod figure;
mod table;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

pub(crate) use figure::Figure;
pub(crate) use table::{Column, Table};

use crate::chart;
use crate::clean::clean;

const STYLE: &str = include_str!("page.css");
/// Nothing may be loaded or sent; the style is within.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// What every report has.
pub(crate) struct Frame<'a> {
    /// The command that it is from.
    pub(crate) command: &'a str,
    /// The answer, in one sentence.
    pub(crate) answer: &'a str,
    /// What the answer holds for.
    pub(crate) setting: &'a str,
    /// Ends the page: what it was made from.
    pub(crate) origin: &'a str,
}

impl Frame<'_> {
    /// The page around `content`, with `document` for programs.
    pub(crate) fn page(&self, content: &Markup, document: &impl Serialize) -> String {
        let answer = clean(self.answer);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { (answer) " – " (self.command) }
                    style { (PreEscaped(chart::STYLE)) (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        p class="command" { (self.command) }
                        h1 { (answer) }
                        p class="setting" { (clean(self.setting)) }
                    }
                    main { (content) }
                    footer { p { (clean(self.origin)) } }
                    script id="document" type="application/json" { (PreEscaped(embedded(document))) }
                }
            }
        };
        page.into_string() + "\n"
    }
}

/// The document as JSON that cannot end the element it stands in.
fn embedded(document: &impl Serialize) -> String {
    let json = serde_json::to_string(document).expect("documents have no maps, so none with keys that are no strings");
    json.replace('&', r"\u0026").replace('<', r"\u003c").replace('>', r"\u003e")
}

/// A few figures in large letters, each with what it is.
pub(crate) fn facts(facts: &[(String, String)]) -> Markup {
    html! {
        dl class="facts" {
            @for (figure, what) in facts {
                div { dt { (clean(what)) } dd { (clean(figure)) } }
            }
        }
    }
}

/// A part of the page with its heading.
pub(crate) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            (content)
        }
    }
}

/// What only some readers want, to be opened.
pub(crate) fn details(summary: &str, content: &Markup) -> Markup {
    html! {
        details { summary { (summary) } (content) }
    }
}
