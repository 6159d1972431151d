//! What stands for something without colour: stripes, dots and crosses.

use maud::{Markup, html};

/// The patterns that pictures of fleets refer to, once in each page or file.
pub(crate) fn patterns() -> Markup {
    html! {
        pattern id="pattern-spare" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
            rect class="pattern-paper" width="6" height="6" {}
            line class="pattern-spare" x1="0" x2="0" y1="0" y2="6" {}
        }
        pattern id="pattern-idle" width="7" height="7" patternUnits="userSpaceOnUse" {
            rect class="pattern-paper" width="7" height="7" {}
            circle class="pattern-idle" cx="3.5" cy="3.5" r="0.8" {}
        }
        pattern id="pattern-stranded" width="7" height="7" patternUnits="userSpaceOnUse" {
            rect class="pattern-paper" width="7" height="7" {}
            path class="pattern-stranded" d="M0 0l7 7M7 0l-7 7" {}
        }
        pattern id="pattern-change" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)" {
            line class="pattern-change" x1="0" x2="0" y1="0" y2="9" {}
        }
    }
}
