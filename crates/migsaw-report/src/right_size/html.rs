//! What could be smaller, as a page.

use maud::html as markup;
use migsaw::document::right_size::RightSizeDocument;

use super::{answer, cells, footing, notes};
use crate::html::{Frame, Origin, Section, Table, counting, facts, paragraphs};
use crate::number::grouped;

/// The answer as one HTML file that needs no network: each who holds a slice, what of it was used, and the smaller
/// profile that would do. It has the document in it, for programs.
///
/// The same answer gives the same bytes.
pub fn html(document: &RightSizeDocument, origin: &Origin) -> String {
    let (header, rows) = cells(document);
    let table = Table::of("What was used of each slice", &header, &rows);
    let smaller = document.advice.iter().filter(|advice| advice.smaller.is_some()).count() as u64;
    let unmeasured = document.advice.iter().filter(|advice| !advice.gaps.is_empty()).count() as u64;
    let figures = [
        (grouped(smaller), "could be smaller".to_owned()),
        counting(document.advice.len() as u64, "slice was held", "slices were held"),
        counting(unmeasured, "was not measured in full", "were not measured in full"),
    ];
    let frame = Frame {
        command: "migsaw right-size",
        answer: &answer(document),
        setting: &footing(document),
        origin,
        document: [&document.api_version, &document.kind],
    };
    let first = markup! { (facts(&figures)) (paragraphs(&notes(document))) };
    frame.page(&first, &[Section::new("slices", "Slice by slice", table.show())], document)
}
