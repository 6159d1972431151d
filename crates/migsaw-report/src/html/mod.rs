//! The frame of reports as one HTML file: page, figures and tables.
//!
//! A report is a file that can be mailed, printed and kept. Its policy forbids it to load or send anything, and
//! to run any script but the one that stands beside this file, which searches, sorts and switches themes; without
//! it everything is there all the same. What it shows is in it twice, for people and as the document that
//! programs read. Colours follow the reader's theme; nothing is told by colour alone; everything can be reached
//! by keyboard and read out. Between `<body>` and `</body>` it is well-formed XML, which the tests use.
//!
//! Text of others passes [`clean`](crate::clean) here, and `maud` escapes all of it.

mod embedded;
mod figure;
mod origin;
mod table;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub(crate) use figure::Figure;
pub use origin::Origin;
pub(crate) use table::{Column, Row, Table};

use crate::chart;
use crate::clean::clean;
use crate::number::grouped;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Closed as XML has it, which HTML takes too.
const INPUT: &str = r#"<input type="search" id="filter" autocomplete="off" spellcheck="false"/>"#;
/// Largest page, in bytes; the document within is left out if it would make it larger.
const MOST_BYTES: usize = 19_000_000;

/// What every report has.
pub(crate) struct Frame<'a> {
    /// The command that it is from.
    pub(crate) command: &'a str,
    /// The answer, in one sentence.
    pub(crate) answer: &'a str,
    /// What the answer holds for.
    pub(crate) setting: &'a str,
    /// What the page was made from.
    pub(crate) origin: &'a Origin,
    /// Version and kind of the document within.
    pub(crate) document: [&'a str; 2],
}

/// A part of the page with its heading.
pub(crate) struct Section {
    /// Names it in links.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) content: Markup,
}

impl Section {
    pub(crate) fn new(id: &str, title: &str, content: Markup) -> Section {
        Section { id: id.to_owned(), title: title.to_owned(), content }
    }
}

impl Frame<'_> {
    /// The page around `first` and then its parts, with `document` for programs.
    pub(crate) fn page(&self, first: &Markup, sections: &[Section], document: &impl Serialize) -> String {
        let answer = clean(self.answer);
        let size = first.0.len() + sections.iter().map(|section| section.content.0.len()).sum::<usize>();
        let data = embedded::json(document, MOST_BYTES.saturating_sub(size));
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(policy());
                    title { (answer) " – " (self.command) }
                    style { (PreEscaped(chart::STYLE)) (PreEscaped(STYLE)) }
                }
                body {
                    a class="skip" href="#content" { "Skip to the content" }
                    header {
                        p class="command" { (self.command) }
                        h1 { (answer) }
                        p class="setting" { (clean(self.setting)) }
                    }
                    (Self::tools(sections))
                    main id="content" tabindex="-1" {
                        (first)
                        @for Section { id, title, content } in sections {
                            section id=(id) aria-labelledby={ (id) "-title" } {
                                h2 id={ (id) "-title" } { (title) }
                                (content)
                            }
                        }
                    }
                    footer { (self.origin.show(self.command, self.document, data.is_some())) }
                    @if let Some(data) = data {
                        script id="document" type="application/json" { (PreEscaped(data)) }
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string() + "\n"
    }

    /// Search and theme, which need the script and are hidden without, and the contents.
    fn tools(sections: &[Section]) -> Markup {
        html! {
            div id="tools" role="search" hidden="" {
                label { span { "Search" } (PreEscaped(INPUT)) }
                p id="found" role="status" {}
                button type="button" id="theme" { "Theme" }
            }
            @if sections.len() > 1 {
                nav aria-label="Contents" {
                    ul {
                        @for Section { id, title, .. } in sections {
                            li { a href={ "#" (id) } { (title) } }
                        }
                    }
                }
            }
        }
    }
}

/// Nothing may be loaded or sent; the style is within, and so is the only script that may run.
fn policy() -> String {
    let script = embedded::base64(&Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
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

/// A number with what it counts, of one and of several.
pub(crate) fn counting(number: u64, one: &str, several: &str) -> (String, String) {
    (grouped(number), if number == 1 { one } else { several }.to_owned())
}

/// What only some readers want, to be opened.
pub(crate) fn details(summary: &str, content: &Markup) -> Markup {
    html! {
        details { summary { (summary) } (content) }
    }
}

/// What there is to know besides, each in a paragraph.
pub(crate) fn paragraphs(notes: &[String]) -> Markup {
    html! {
        @for note in notes {
            p class="about-section" { (clean(note)) }
        }
    }
}
