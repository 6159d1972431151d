//! A picture with its title, what it says in words, and its figures.

use maud::{Markup, html};

use crate::chart::{Drawing, NARROW, Picture, WIDE};
use crate::clean::clean;

/// A picture of a page.
pub(crate) struct Figure<'a> {
    /// Names it in links, and its file.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// How to read it.
    pub(crate) caption: String,
    /// What it shows, for those who do not see it.
    pub(crate) description: String,
    /// Draws it so wide.
    pub(crate) draw: Box<dyn Fn(f64) -> Drawing + 'a>,
}

impl Figure<'_> {
    /// The picture for wide and for narrow screens, of which one is shown, and `more` below it.
    pub(crate) fn show(&self, more: &Markup) -> Markup {
        let description = clean(&self.description);
        let picture = |width| {
            let drawing = (self.draw)(width);
            Picture { title: self.title, description: &description, drawing: &drawing }.inline()
        };
        html! {
            figure id=(self.name) {
                figcaption {
                    h3 { (self.title) }
                    p { (clean(&self.caption)) }
                }
                div class="wide" { (picture(WIDE)) }
                div class="narrow" { (picture(NARROW)) }
                (more)
            }
        }
    }

    /// The picture as a file.
    pub(crate) fn file(&self) -> String {
        let drawing = (self.draw)(WIDE);
        Picture { title: self.title, description: &clean(&self.description), drawing: &drawing }.file()
    }
}
