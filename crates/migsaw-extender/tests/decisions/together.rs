//! Several slices that have to be on one GPU: promised only where kubelet has no other choice.

use migsaw_extender::Settings;
use serde_json::Value;

use super::common::World;
use super::common::objects::{A100, H100, configured, labelled, node, on, pod, single, together};

fn check(name: &str, node: Value, held: &str, asks: &str, said: &str) {
    let on_it = on(node["metadata"]["name"].as_str().unwrap(), pod("x", held));
    let world = World::new(Settings::default(), &[node], &[on_it]);
    assert_eq!(world.filter(&together(pod("p", asks)), &["a"])["a"], said, "{name}");
}

#[test]
fn one_gpu_or_one_that_has_any_is_enough() {
    let h100 = |gpus: u32, offers: &str| node("a", H100, gpus, offers);
    check("one GPU", h100(1, "1g.10gb=7"), "", "1g.10gb=2", "ok");
    check("one GPU with two kinds", h100(1, "1g.10gb=4,3g.40gb=1"), "", "1g.10gb=2,3g.40gb=1", "ok");
    check("a single slice", h100(2, "1g.10gb=14"), "", "1g.10gb=1", "ok");
    check("the other GPU is whole", h100(2, "1g.10gb=7,gpu=1"), "", "1g.10gb=2", "ok");
    check("what is held is not there", h100(1, "1g.10gb=7"), "1g.10gb=6", "1g.10gb=2", "taken");
    check("whoever goes, two GPUs stay", h100(2, "1g.10gb=14"), "1g.10gb=14", "1g.10gb=2", "not_together");
}

#[test]
fn kubelet_may_take_one_of_each_gpu() {
    let h100 = |gpus: u32, offers: &str| node("a", H100, gpus, offers);
    check("two GPUs cut alike", h100(2, "1g.10gb=14"), "", "1g.10gb=2", "not_together");
    check(
        "as told",
        configured("all-balanced", h100(2, "1g.10gb=4,2g.20gb=2,3g.40gb=2")),
        "",
        "1g.10gb=2",
        "not_together",
    );
    check(
        "two kinds, each on a GPU of its own",
        h100(2, "1g.10gb=7,4g.40gb=1"),
        "",
        "1g.10gb=1,4g.40gb=1",
        "not_together",
    );
    let shared = labelled(h100(3, "1g.10gb=8,gpu=4"), "nvidia.com/gpu.replicas", "4");
    check("one whole GPU as four shares, two cut", shared, "", "1g.10gb=2", "not_together");
    check("strategy single", single("a", H100, "1g.10gb", 14), "", "gpu=2", "not_together");
    check("strategy single with one GPU", single("a", H100, "1g.10gb", 7), "", "gpu=2", "ok");
}

#[test]
fn counts_alone_do_not_tell_which_gpu_has_what() {
    // Both 1g.10gb may be on one GPU beside a 3g.40gb, or one on each: nothing says how the node was cut.
    check("2 + 2", node("a", H100, 2, "1g.10gb=2,3g.40gb=2"), "", "1g.10gb=2", "not_together");
    check("7 + 2", node("a", H100, 2, "1g.10gb=7,3g.40gb=2"), "", "1g.10gb=2", "not_together");
    check("3 + 1 + 1", node("a", H100, 2, "1g.10gb=3,2g.20gb=1,3g.40gb=1"), "", "1g.10gb=2", "not_together");
    check("on an A100", node("a", A100, 2, "1g.10gb=2,3g.40gb=1"), "", "1g.10gb=2", "not_together");
}

#[test]
fn more_than_a_gpu_holds_is_never_together() {
    let off = || node("a", H100, 8, "gpu=8");
    check("too many", off(), "", "1g.10gb=8", "more_than_it_holds");
    check("by memory", off(), "", "3g.40gb=2,1g.10gb=1", "more_than_it_holds");
    check("what one can be cut into", off(), "", "3g.40gb=1,1g.10gb=4", "cut_otherwise");
    let world = World::new(Settings::default(), &[off()], &[]);
    assert_eq!(world.filter(&pod("p", "1g.10gb=8"), &["a"])["a"], "cut_otherwise", "apart they could be");
}

#[test]
fn only_the_word_gpu_means_together() {
    let world = World::new(Settings::default(), &[node("a", H100, 2, "1g.10gb=14")], &[]);
    for (word, said) in [("gpu", "not_together"), ("node", "ok"), ("", "ok"), ("GPU", "ok")] {
        let mut pod = together(pod("p", "1g.10gb=2"));
        pod["metadata"]["annotations"]["migsaw.io/together"] = word.into();
        assert_eq!(world.filter(&pod, &["a"])["a"], said, "{word}");
    }
}
