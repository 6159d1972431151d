//! What a page says of where it is from.

use maud::{Markup, html};

use crate::clean::clean;
use crate::number::counted;

/// What a page says of where it is from. Nothing of it is found out here; what is empty is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The version of what made it.
    pub version: String,
    /// The command that made it, as it was typed.
    pub command_line: String,
    /// How many files were read.
    pub files: u64,
    /// SHA-256 of their bytes, one file behind the other in the order in which they were read, in hexadecimal digits.
    pub sha256: String,
    /// The newest time that the files tell, in RFC 3339.
    pub as_of: String,
    /// When a cluster or a server was read, in RFC 3339.
    pub read_at: String,
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
            @if self.files > 0 || !self.read_at.is_empty() { p id="input" { (self.input()) } }
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

    /// What was read, and from when it is.
    fn input(&self) -> Markup {
        html! {
            @if self.files > 0 {
                "Input: " (counted(self.files, "file"))
                @if self.files > 1 { ", one behind the other" }
                ", SHA-256 " code { (clean(&self.sha256)) } "."
                @if !self.as_of.is_empty() { " As of " (time(&self.as_of)) ", the newest time in it." }
                @if !self.read_at.is_empty() { " " }
            }
            @if !self.read_at.is_empty() {
                "Read live at " (time(&self.read_at)) "; what is live has no hash, and is another the next time."
            }
        }
    }
}

fn time(text: &str) -> Markup {
    html! { time datetime=(clean(text)) { (clean(text)) } }
}
