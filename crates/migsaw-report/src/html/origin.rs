//! What a page says of where it is from.

use maud::{Markup, html};

use crate::clean::clean;

/// What a page says of where it is from. Nothing of it is found out here; what is empty is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The version of what made it.
    pub version: String,
    /// The command that made it, as it was typed.
    pub command_line: String,
}

impl Origin {
    /// The end of a page.
    pub(crate) fn show(&self, command: &str, [version, kind]: [&str; 2], has_document: bool) -> Markup {
        html! {
            p {
                "Made by " (command)
                @if !self.version.is_empty() { ", version " (clean(&self.version)) }
                "."
                @if !self.command_line.is_empty() { " Command: " code { (clean(&self.command_line)) } }
            }
            p {
                @if has_document {
                    "The whole result, as " (clean(version)) " " (clean(kind)) " in JSON, is in this file, in the element \
                     with the id “document”."
                } @else {
                    "The whole result would make this file too large; " code { "-o json" } " prints it."
                }
            }
        }
    }
}
