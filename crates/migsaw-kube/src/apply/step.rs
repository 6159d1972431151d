//! What to do next with a node: a function of what is to become of it and of how it is seen to be now.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Taint;

use super::pods::{Holder, PodRef};
use super::record::StepRecord;
use super::trouble::Trouble;

/// Where a node is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// To what the rollout wants.
    Forward,
    /// To where the way is shortest: what has been begun is brought to its end, nothing is begun.
    LetGo,
    /// To what it was.
    Back,
}

/// How a node is seen to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    /// `None` if it is not there.
    pub(super) node: Option<NodeSeen>,
    /// The pods on it that hold slices.
    pub(super) holders: Vec<Holder>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct NodeSeen {
    pub(super) uid: String,
    pub(super) config: Option<String>,
    pub(super) state: Option<String>,
    pub(super) is_cordoned: bool,
    pub(super) mark: Option<Mark>,
    /// Whether it is reserved: by the taint that keeps pods away from nodes whose turn will come.
    pub(super) is_reserved: bool,
    /// What it offers of NVIDIA's resources.
    pub(super) offers: BTreeMap<String, u64>,
    /// Its taints, and the version they are of, for those who change them.
    pub(super) taints: Vec<Taint>,
    pub(super) version: Option<String>,
}

/// What a node is marked with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The rollout's id.
    pub(super) id: String,
    /// Whether the label has been changed since the node was cordoned.
    pub(super) is_labelled: bool,
}

impl Mark {
    const LABELLED: &str = "/labelled";

    pub(super) fn parse(text: &str) -> Mark {
        let labelled = text.strip_suffix(Mark::LABELLED);
        Mark { id: labelled.unwrap_or(text).to_owned(), is_labelled: labelled.is_some() }
    }

    /// The mark of a node whose label is changed for a rollout.
    pub(super) fn labelled(id: &str) -> String {
        format!("{id}{}", Mark::LABELLED)
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: it is as it is to be, and not cordoned by us.
    Done,
    /// Nothing: it is not there any more.
    Gone,
    Cordon,
    Evict(Vec<PodRef>),
    /// Pods were told to end.
    AwaitPods(Vec<PodRef>),
    /// Change the label to this.
    Label(String),
    /// MIG Manager is at it, or says that it failed.
    AwaitCut(Option<String>),
    /// The slices are to be offered; what differs.
    AwaitSlices(Vec<String>),
    /// Which takes the reservation away too.
    Uncordon,
    /// Uncordon it, once that has been next for a while: its state may be that of the change before.
    Settle,
    /// Take the reservation away, and nothing else.
    Release,
    /// It cannot be done.
    Refuse(Trouble),
}

/// Decides what to do next.
pub(super) fn next(step: &StepRecord, id: &str, aim: Aim, seen: &Seen) -> Next {
    let Some(node) = seen.node.as_ref().filter(|node| node.uid == step.uid) else { return Next::Gone };
    let is_ours = node.mark.as_ref().is_some_and(|mark| mark.id == id);
    match aim {
        Aim::Forward if is_ours => forward(step, node, seen),
        Aim::Forward => begin(step, node, seen),
        _ if !is_ours => done(node),
        Aim::LetGo if step.to.is_some() && node.config == step.to => await_slices(node, &step.becomes),
        Aim::LetGo | Aim::Back => back(step, node),
    }
}

/// A node that is not marked: nothing is done to it yet, or everything.
fn begin(step: &StepRecord, node: &NodeSeen, seen: &Seen) -> Next {
    let is_done = if step.to.is_some() {
        // A label that does not change says nothing about how the node is cut.
        let is_cut = step.to != step.from || differing(&step.becomes, &node.offers).is_empty();
        node.config == step.to && node.state.as_deref() == Some("success") && is_cut
    } else {
        // Who has come to a node that is not cut anew since it was done is none of ours: that it was to be cleared is
        // known by its reservation.
        let is_evicted = !seen.holders.iter().any(|holder| step.evicts.contains(&holder.name));
        is_evicted && !(step.clears && node.is_reserved)
    };
    if let Some(mark) = &node.mark {
        return Next::Refuse(Trouble::OtherRollout { id: mark.id.clone() });
    }
    if node.is_cordoned {
        return Next::Refuse(Trouble::Cordoned);
    }
    if is_done {
        return done(node);
    }
    if step.to.is_some() && step.to == step.from {
        return Next::Refuse(Trouble::SameLabel);
    }
    if step.to.is_some() && node.config != step.from && node.config != step.to {
        return Next::Refuse(Trouble::Relabelled { found: node.config.clone() });
    }
    match who_stays(&leaving(step, seen)) {
        Some(trouble) => Next::Refuse(trouble),
        None => Next::Cordon,
    }
}

fn done(node: &NodeSeen) -> Next {
    if node.is_reserved { Next::Release } else { Next::Done }
}

/// Whether a node is to be kept free until its turn comes: nothing is done to it yet.
pub(super) fn is_to_be_reserved(step: &StepRecord, id: &str, seen: &Seen) -> bool {
    let is_reserved = seen.node.as_ref().is_some_and(|node| node.is_reserved);
    !is_reserved && next(step, id, Aim::Forward, seen) == Next::Cordon
}

/// A node that is cordoned by us.
fn forward(step: &StepRecord, node: &NodeSeen, seen: &Seen) -> Next {
    if !node.is_cordoned {
        return Next::Cordon;
    }
    if step.to.is_some() && node.config == step.to {
        return await_slices(node, &step.becomes);
    }
    if step.to.is_some() && node.config != step.from {
        return Next::Refuse(Trouble::Relabelled { found: node.config.clone() });
    }
    let leaving = leaving(step, seen);
    if let Some(trouble) = who_stays(&leaving) {
        return Next::Refuse(trouble);
    }
    let names = |is_ending: bool| -> Vec<PodRef> {
        leaving.iter().filter(|holder| holder.is_ending == is_ending).map(|holder| holder.name.clone()).collect()
    };
    match (names(false), names(true), &step.to) {
        (staying, _, _) if !staying.is_empty() => Next::Evict(staying),
        (_, ending, _) if !ending.is_empty() => Next::AwaitPods(ending),
        (_, _, Some(to)) => Next::Label(to.clone()),
        (_, _, None) => Next::Uncordon,
    }
}

/// A node that is cordoned by us and is to be what it was.
fn back(step: &StepRecord, node: &NodeSeen) -> Next {
    let is_labelled = node.mark.as_ref().is_some_and(|mark| mark.is_labelled);
    if !is_labelled && (step.to.is_none() || node.config != step.to) {
        return if node.config == step.from { Next::Uncordon } else { await_manager(node) };
    }
    if step.to.is_some() && node.config == step.to {
        return match &step.from {
            Some(from) => Next::Label(from.clone()),
            None => Next::Refuse(Trouble::NoWayBack),
        };
    }
    // What somebody else has made of it, or an unknown rollout, is not known: MIG Manager has to be done with it.
    if step.to.is_some() && node.config == step.from { await_slices(node, &step.offers) } else { await_manager(node) }
}

/// MIG Manager has to be done, whatever it makes of the node; without a label it has nothing to do.
fn await_manager(node: &NodeSeen) -> Next {
    match node.state.as_deref() {
        Some("success") => Next::Settle,
        None if node.config.is_none() => Next::Settle,
        _ => Next::AwaitCut(node.state.clone()),
    }
}

/// The label says what it is to say: MIG Manager, then the device plugin, have to follow.
fn await_slices(node: &NodeSeen, wanted: &BTreeMap<String, u64>) -> Next {
    if node.state.as_deref() != Some("success") {
        return Next::AwaitCut(node.state.clone());
    }
    let differs = differing(wanted, &node.offers);
    if differs.is_empty() { Next::Uncordon } else { Next::AwaitSlices(differs) }
}

/// Resources of which too few are offered (more where they are shared), or some that are not wanted.
fn differing(wanted: &BTreeMap<String, u64>, offered: &BTreeMap<String, u64>) -> Vec<String> {
    let mut found = Vec::new();
    for (resource, &n) in wanted {
        let there = offered.get(resource).copied().unwrap_or(0);
        if there < n {
            found.push(format!("{resource} {there} of {n}"));
        }
    }
    let unwanted = offered.iter().filter(|(resource, n)| **n > 0 && !wanted.contains_key(*resource));
    found.extend(unwanted.map(|(resource, n)| format!("{resource} {n} of 0")));
    found
}

/// The pods that have to leave the node.
fn leaving<'a>(step: &StepRecord, seen: &'a Seen) -> Vec<&'a Holder> {
    let leaves = |holder: &&Holder| {
        if step.to.is_some() || step.clears {
            !step.stays.contains(&holder.name)
        } else {
            step.evicts.contains(&holder.name)
        }
    };
    seen.holders.iter().filter(leaves).collect()
}

/// A pod that has to leave and must not be evicted.
fn who_stays(leaving: &[&Holder]) -> Option<Trouble> {
    let staying = leaving.iter().filter(|holder| !holder.is_ending);
    staying.into_iter().find_map(|holder| Some(Trouble::PodStays { pod: holder.name.clone(), why: holder.stays? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "r";

    fn pod(name: &str) -> PodRef {
        PodRef { namespace: "n".to_owned(), name: name.to_owned(), uid: format!("uid-{name}") }
    }

    fn offers(n: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("nvidia.com/mig-1g.10gb".to_owned(), n), ("nvidia.com/gpu".to_owned(), 0)])
    }

    fn step() -> StepRecord {
        StepRecord {
            node: "a".to_owned(),
            uid: "u".to_owned(),
            from: Some("old".to_owned()),
            offers: offers(7),
            to: Some("new".to_owned()),
            becomes: BTreeMap::from([("nvidia.com/mig-1g.10gb".to_owned(), 14)]),
            evicts: vec![pod("p")],
            clears: false,
            stays: vec![pod("s")],
        }
    }

    fn seen(marked: bool, config: &str, state: &str) -> Seen {
        let node = NodeSeen {
            uid: "u".to_owned(),
            config: Some(config.to_owned()),
            state: Some(state.to_owned()).filter(|state| !state.is_empty()),
            is_cordoned: marked,
            mark: marked.then(|| Mark { id: ID.to_owned(), is_labelled: config == "new" }),
            offers: offers(7),
            ..NodeSeen::default()
        };
        Seen { node: Some(node), holders: Vec::new() }
    }

    fn with(mut seen: Seen, holders: &[(&str, bool, Option<&'static str>)]) -> Seen {
        seen.holders =
            holders.iter().map(|&(name, is_ending, stays)| Holder { name: pod(name), is_ending, stays }).collect();
        seen
    }

    fn changed(mut seen: Seen, change: impl FnOnce(&mut NodeSeen)) -> Seen {
        seen.node.as_mut().map(change);
        seen
    }

    fn label(to: &str) -> Next {
        Next::Label(to.to_owned())
    }

    fn cut(state: &str) -> Next {
        Next::AwaitCut(Some(state.to_owned()).filter(|state| !state.is_empty()))
    }

    #[test]
    fn a_node_that_is_cut_anew_goes_step_by_step() {
        let slices = Next::AwaitSlices(vec!["nvidia.com/mig-1g.10gb 7 of 14".to_owned()]);
        let cordoned = |seen| changed(seen, |node| node.is_cordoned = true);
        let full = |seen| changed(seen, |node| node.offers = offers(14));
        let reserved = |seen| changed(seen, |node| node.is_reserved = true);
        let bare = Some("no controller");
        let stays = Next::Refuse(Trouble::PodStays { pod: pod("p"), why: "no controller" });
        for (what, seen, expected) in [
            ("not there", Seen::default(), Next::Gone),
            ("another of that name", changed(seen(false, "old", "success"), |n| n.uid.clear()), Next::Gone),
            ("as it was", seen(false, "old", "success"), Next::Cordon),
            ("with pods", with(seen(false, "old", "success"), &[("p", false, None)]), Next::Cordon),
            ("with a bare pod", with(seen(false, "old", "success"), &[("p", false, bare)]), stays.clone()),
            ("a bare pod that stays", with(seen(false, "old", "success"), &[("s", false, bare)]), Next::Cordon),
            ("cordoned by others", cordoned(seen(false, "old", "success")), Next::Refuse(Trouble::Cordoned)),
            (
                "relabelled",
                seen(false, "mine", "success"),
                Next::Refuse(Trouble::Relabelled { found: Some("mine".to_owned()) }),
            ),
            (
                "marked by others",
                changed(seen(true, "old", "success"), |node| node.mark = Some(Mark::parse("x"))),
                Next::Refuse(Trouble::OtherRollout { id: "x".to_owned() }),
            ),
            ("uncordoned", changed(seen(true, "old", "success"), |node| node.is_cordoned = false), Next::Cordon),
            (
                "marked, with pods",
                with(seen(true, "old", "success"), &[("p", false, None), ("q", true, None), ("s", false, None)]),
                Next::Evict(vec![pod("p")]),
            ),
            (
                "marked, with a newcomer",
                with(seen(true, "old", "success"), &[("new", false, None)]),
                Next::Evict(vec![pod("new")]),
            ),
            ("marked, with a bare newcomer", with(seen(true, "old", "success"), &[("p", false, bare)]), stays),
            ("ending", with(seen(true, "old", "success"), &[("p", true, bare)]), Next::AwaitPods(vec![pod("p")])),
            ("idle but for those that stay", with(seen(true, "old", "success"), &[("s", false, None)]), label("new")),
            ("labelled", seen(true, "new", ""), cut("")),
            ("pending", seen(true, "new", "pending"), cut("pending")),
            ("failed", seen(true, "new", "failed"), cut("failed")),
            ("cut", seen(true, "new", "success"), slices),
            ("offered", full(seen(true, "new", "success")), Next::Uncordon),
            ("uncordoned in the end", full(seen(false, "new", "success")), Next::Done),
            ("done, its mark removed", cordoned(full(seen(false, "new", "success"))), Next::Refuse(Trouble::Cordoned)),
            ("cut by others, reserved", reserved(seen(false, "new", "success")), Next::Release),
            ("labelled, not marked", seen(false, "new", "pending"), Next::Cordon),
        ] {
            assert_eq!(next(&step(), ID, Aim::Forward, &seen), expected, "{what}");
        }
    }

    #[test]
    fn a_node_that_is_not_cut_loses_only_the_pods_named() {
        let step = StepRecord { to: None, ..step() };
        for (what, seen, expected) in [
            ("others only", with(seen(false, "any", "success"), &[("q", false, None)]), Next::Done),
            ("with it", with(seen(false, "any", "success"), &[("p", false, None)]), Next::Cordon),
            (
                "marked",
                with(seen(true, "any", ""), &[("p", false, None), ("q", false, None)]),
                Next::Evict(vec![pod("p")]),
            ),
            ("gone", with(seen(true, "any", ""), &[("q", false, None)]), Next::Uncordon),
        ] {
            assert_eq!(next(&step, ID, Aim::Forward, &seen), expected, "{what}");
        }
    }

    #[test]
    fn a_node_that_pods_hop_over_loses_all_but_those_that_stay() {
        let step = StepRecord { to: None, clears: true, ..step() };
        let guests = with(seen(true, "any", ""), &[("s", false, None), ("hopped", false, None)]);
        assert_eq!(next(&step, ID, Aim::Forward, &guests), Next::Evict(vec![pod("hopped")]));
        let left = with(seen(true, "any", ""), &[("s", false, None)]);
        assert_eq!(next(&step, ID, Aim::Forward, &left), Next::Uncordon);
        // Its own pods are gone; before its turn it waits for those that hop, after it everybody may come.
        let before = changed(with(seen(false, "any", ""), &[("hopped", false, None)]), |node| node.is_reserved = true);
        assert_eq!(next(&step, ID, Aim::Forward, &before), Next::Cordon);
        let after = with(seen(false, "any", ""), &[("new", false, None)]);
        assert_eq!(next(&step, ID, Aim::Forward, &after), Next::Done);
    }

    #[test]
    fn what_was_begun_is_let_go_or_taken_back() {
        let full = |seen| changed(seen, |node| node.offers = offers(14));
        let reserved = |seen| changed(seen, |node| node.is_reserved = true);
        let labelled = |seen| changed(seen, |node| node.mark = Some(Mark::parse(&Mark::labelled(ID))));
        for (what, seen, let_go, back) in [
            ("not there", Seen::default(), Next::Gone, Next::Gone),
            ("not marked", seen(false, "old", "success"), Next::Done, Next::Done),
            ("reserved", reserved(seen(false, "old", "success")), Next::Release, Next::Release),
            ("drained", seen(true, "old", "success"), Next::Uncordon, Next::Uncordon),
            ("labelled", seen(true, "new", ""), cut(""), label("old")),
            ("failed", seen(true, "new", "failed"), cut("failed"), label("old")),
            ("drained, failed before", seen(true, "old", "failed"), Next::Uncordon, Next::Uncordon),
            ("taken back", labelled(seen(true, "old", "")), cut(""), cut("")),
            ("taken back, failed", labelled(seen(true, "old", "failed")), cut("failed"), cut("failed")),
            ("taken back, done", labelled(seen(true, "old", "success")), Next::Uncordon, Next::Uncordon),
            ("relabelled", labelled(seen(true, "mine", "pending")), cut("pending"), cut("pending")),
            ("relabelled, done", labelled(seen(true, "mine", "success")), Next::Settle, Next::Settle),
            ("offered", full(seen(true, "new", "success")), Next::Uncordon, label("old")),
        ] {
            assert_eq!(next(&step(), ID, Aim::LetGo, &seen), let_go, "{what}");
            assert_eq!(next(&step(), ID, Aim::Back, &seen), back, "{what}");
        }
        let without_label = StepRecord { from: None, ..step() };
        let refused = Next::Refuse(Trouble::NoWayBack);
        assert_eq!(next(&without_label, ID, Aim::Back, &seen(true, "new", "failed")), refused);
    }

    #[test]
    fn a_label_that_does_not_change_is_said() {
        let step = StepRecord { from: Some("new".to_owned()), ..step() };
        let refused = Next::Refuse(Trouble::SameLabel);
        assert_eq!(next(&step, ID, Aim::Forward, &seen(false, "new", "success")), refused);
        let cut_anew = changed(seen(false, "new", "success"), |node| node.offers = offers(14));
        assert_eq!(next(&step, ID, Aim::Forward, &cut_anew), Next::Done);
    }
}
