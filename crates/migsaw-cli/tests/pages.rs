//! Every command that has a page prints one, the same each time; the others say what they have.

mod common;

use common::{example, migsaw};

/// Arguments of each command that has a page, with the file it reads.
const PAGES: [(&[&str], &str); 6] = [
    (&["plan"], "running.yaml"),
    (&["rollout", "--compact"], "running.yaml"),
    (&["capacity", "--profile", "3g.40gb"], "running.yaml"),
    (&["whatif", "--remove-node", "gpu-3"], "running.yaml"),
    (&["buy", "--model", "H100-80GB"], "inference.yaml"),
    (&["simulate", "--runs", "1", "--pods", "300"], "inference.yaml"),
];

#[test]
fn every_page_is_whole_and_the_same_each_time() {
    for (args, file) in PAGES {
        let file = example(file);
        let asked = [args, &[file.as_str(), "-o", "html"]].concat();
        let ran = migsaw(&asked);
        assert!(ran.code < 2, "{}", ran.err);
        let page = &ran.out;
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{args:?}");
        assert!(page.contains(&format!("<p class=\"command\">migsaw {}</p>", args[0])), "{args:?}");
        let typed = format!("<code>migsaw {}", args.join(" "));
        assert!(page.contains(&typed) && page.contains(env!("CARGO_PKG_VERSION")), "{args:?}");
        assert_eq!(migsaw(&asked).out, *page, "{args:?}");
    }
}

#[test]
fn a_plan_is_a_picture_too() {
    let ran = migsaw(&["plan", &example("mixed-fleet.yaml"), "-o", "svg"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.starts_with("<svg xmlns=") && ran.out.ends_with("</svg>\n"));
}

#[test]
fn formats_that_a_command_lacks_are_refused() {
    let running = example("running.yaml");
    for (args, says) in [
        (&["diff", "-o", "html"][..], "text, json, yaml"),
        (&["rollout", "-o", "svg"], "text, json, yaml, html"),
        (&["capacity", "-o", "svg"], "text, json, yaml, csv, markdown, html"),
        (&["plan", "-o", "csv"], "text, json, yaml, html, svg"),
        (&["plan", "--curve", "-o", "html"], "--curve is a table"),
    ] {
        let ran = migsaw(&[args, &[running.as_str()]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains("error[usage]") && ran.err.contains(says), "{args:?}: {}", ran.err);
    }
    let markdown = migsaw(&["capacity", &example("inference.yaml"), "--profile", "3g.40gb", "-o", "md"]);
    assert!(markdown.out.starts_with("**"), "{}", markdown.err);
}
