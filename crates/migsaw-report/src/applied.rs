//! What became of a rollout on a cluster, as text.

use migsaw::document::applied::{AppliedDocument, AppliedNodeForm, EndForm, OperationForm};

use crate::clean::clean;
use crate::number::counted;
use crate::page::Page;
use crate::style::{Style, Tone};

/// How it ended in line one, then each node that is not what it was to be, the worst first, and what to do about it.
pub fn text(applied: &AppliedDocument, style: Style) -> String {
    let mut page = Page::new(style);
    let tone = if applied.complete { Tone::Good } else { Tone::Bad };
    page.line(style.paint(tone, verdict(applied)));
    let mut nodes: Vec<&AppliedNodeForm> = applied.nodes.iter().filter(|node| node.end != EndForm::Done).collect();
    nodes.sort_by_key(|node| node.end);
    for node in nodes {
        page.line("");
        let tone = if node.end == EndForm::StillCordoned { Tone::Bad } else { Tone::Warn };
        page.line(format!("{}: {}", style.paint(tone, clean(&node.name)), end(node.end)));
        if let Some(trouble) = &node.trouble {
            page.wrapped(&clean(&trouble.message), 2, 2);
            // Not wrapped: it is there to be pasted.
            page.line(format!("  {} {}", style.paint(Tone::Strong, "help:"), clean(&trouble.advice)));
        }
    }
    page.finish()
}

fn verdict(applied: &AppliedDocument) -> String {
    let done = applied.nodes.iter().filter(|node| node.end == EndForm::Done).count() as u64;
    match (applied.operation, applied.complete) {
        (OperationForm::Apply, true) => format!("done: {} as planned", counted(done, "node")),
        (OperationForm::Apply, false) => format!(
            "stopped: {} as planned so far; `migsaw apply` goes on, `migsaw abort` takes back what is half-done",
            counted(done, "node")
        ),
        (OperationForm::Abort, true) if applied.nodes.is_empty() => {
            "nothing was half-done: no node is cordoned by migsaw".to_owned()
        }
        (OperationForm::Abort, true) => {
            let nodes = counted(applied.nodes.len() as u64, "node");
            format!("taken back: {nodes} let go, none is cordoned by migsaw")
        }
        (OperationForm::Abort, false) => "some nodes are still cordoned".to_owned(),
    }
}

fn end(end: EndForm) -> &'static str {
    match end {
        EndForm::StillCordoned => "still cordoned",
        EndForm::RolledBack => "rolled back to what it was",
        EndForm::AsItWas => "left as it is, not cordoned by migsaw",
        EndForm::NotBegun => "not begun",
        EndForm::Gone => "gone from the cluster",
        EndForm::Done => "done",
    }
}

#[cfg(test)]
mod tests {
    use migsaw::document::applied::TroubleForm;

    use super::*;

    #[test]
    fn the_worst_comes_first() {
        let node = |name: &str, end, trouble| AppliedNodeForm { name: name.to_owned(), end, trouble };
        let trouble = TroubleForm { code: "C".to_owned(), message: "it failed".to_owned(), advice: "look".to_owned() };
        let nodes = vec![
            node("a", EndForm::Done, None),
            node("b", EndForm::NotBegun, None),
            node("c", EndForm::StillCordoned, Some(trouble)),
        ];
        let applied = AppliedDocument::new(OperationForm::Apply, Some("r".to_owned()), false, nodes);
        assert_eq!(
            text(&applied, Style::plain()),
            "stopped: 1 node as planned so far; `migsaw apply` goes on, `migsaw abort` takes back what is half-done\n\
             \nc: still cordoned\n  it failed\n  help: look\n\nb: not begun\n"
        );
        let applied = AppliedDocument::new(OperationForm::Abort, None, true, Vec::new());
        assert_eq!(text(&applied, Style::plain()), "nothing was half-done: no node is cordoned by migsaw\n");
    }
}
