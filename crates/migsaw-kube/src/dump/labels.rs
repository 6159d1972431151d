//! Node selectors as they hold for a node that is cut anew.
//!
//! Some labels describe how a node is cut now. A plan changes them, so it cannot keep to them: a pod
//! that selects the product `NVIDIA-H200-MIG-1g.18gb` wants that profile on that board, wherever it is.

use std::collections::BTreeSet;

use migsaw::demand::Operator;
use migsaw::geometry::{ProfileName, product_of};

use super::constraints::Term;
use super::nodes::{PRODUCT, changes};

/// Alternatives that do not depend on how nodes are cut now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lasting {
    terms: Vec<Term>,
    /// The same for slices of strategy `single`, whose labels say less.
    terms_on_slices: Vec<Term>,
    /// The profile that every alternative asks for by its product.
    pub(super) profile: Option<ProfileName>,
    dropped: BTreeSet<String>,
    dropped_on_slices: BTreeSet<String>,
}

impl Lasting {
    /// The alternatives, for slices of strategy `single` or for anything else.
    pub(super) fn terms(&self, on_slices: bool) -> &[Term] {
        if on_slices { &self.terms_on_slices } else { &self.terms }
    }

    /// The labels whose conditions were dropped.
    pub(super) fn dropped(&self, on_slices: bool) -> &BTreeSet<String> {
        if on_slices { &self.dropped_on_slices } else { &self.dropped }
    }
}

/// Labels that describe slices on a node cut under strategy `single`, and boards elsewhere.
const OF_DEVICES: [&str; 2] = ["nvidia.com/gpu.count", "nvidia.com/gpu.memory"];

/// Rewrites the conditions of a selector.
pub(super) fn lasting(terms: &[Term]) -> Lasting {
    let mut profiles = BTreeSet::new();
    let mut rewritten: Vec<Term> = Vec::with_capacity(terms.len());
    for term in terms {
        let mut kept = Vec::with_capacity(term.len());
        let mut profile = None;
        for requirement in term {
            let mut requirement = requirement.clone();
            if requirement.key == PRODUCT {
                match requirement.operator {
                    Operator::In => profile = common_profile(&requirement.values).or(profile),
                    Operator::NotIn => requirement.values.retain(|value| sliced_as(value).is_none()),
                    _ => {}
                }
                if requirement.operator == Operator::NotIn && requirement.values.is_empty() {
                    continue;
                }
                for value in &mut requirement.values {
                    *value = product_of(value).to_owned();
                }
                requirement.values.sort();
                requirement.values.dedup();
            }
            kept.push(requirement);
        }
        profiles.insert(profile);
        rewritten.push(kept);
    }
    let profile = if profiles.len() == 1 { profiles.pop_first().flatten() } else { None };
    let (terms, dropped) = without(rewritten.clone(), changes);
    let (terms_on_slices, dropped_on_slices) =
        without(rewritten, |label| changes(label) || OF_DEVICES.contains(&label));
    Lasting { terms, terms_on_slices, profile, dropped, dropped_on_slices }
}

/// Alternatives without the conditions on some labels, and the labels that had any.
fn without(mut terms: Vec<Term>, unwanted: impl Fn(&str) -> bool) -> (Vec<Term>, BTreeSet<String>) {
    let mut dropped = BTreeSet::new();
    for term in &mut terms {
        dropped.extend(term.iter().map(|requirement| &requirement.key).filter(|key| unwanted(key)).cloned());
        term.retain(|requirement| !unwanted(&requirement.key));
        term.sort();
        term.dedup();
    }
    terms.sort();
    terms.dedup();
    // An alternative without conditions accepts every node.
    if terms.iter().any(Vec::is_empty) {
        terms.clear();
    }
    (terms, dropped)
}

/// The profile a product label of a node cut under strategy `single` ends with.
fn sliced_as(product: &str) -> Option<ProfileName> {
    let product = product.strip_suffix("-SHARED").unwrap_or(product);
    ProfileName::from_label_form(product.split_once("-MIG-")?.1)
}

fn common_profile(products: &[String]) -> Option<ProfileName> {
    let profiles: BTreeSet<Option<ProfileName>> = products.iter().map(|product| sliced_as(product)).collect();
    if profiles.len() == 1 { profiles.into_iter().next().flatten() } else { None }
}

#[cfg(test)]
mod tests {
    use migsaw::demand::LabelRequirement;

    use super::*;

    fn requirement(text: &str) -> LabelRequirement {
        let mut words = text.split(' ');
        let key = words.next().unwrap().replace("PRODUCT", PRODUCT);
        let operator = if words.next() == Some("in") { Operator::In } else { Operator::NotIn };
        LabelRequirement { key, operator, values: words.map(str::to_owned).collect() }
    }

    #[test]
    fn keeps_what_lasts() {
        for (name, term, expected, profile) in [
            ("ordinary labels", &["zone in a b"][..], &["zone in a b"][..], None),
            ("a board", &["PRODUCT in NVIDIA-H200"], &["PRODUCT in NVIDIA-H200"], None),
            ("a shared board", &["PRODUCT in NVIDIA-H200-SHARED"], &["PRODUCT in NVIDIA-H200"], None),
            (
                "slices of a board",
                &["PRODUCT in NVIDIA-H200-MIG-1g.18gb"],
                &["PRODUCT in NVIDIA-H200"],
                Some("1g.18gb"),
            ),
            (
                "the same slices of two boards",
                &["PRODUCT in NVIDIA-H20-3e-MIG-1g.18gb NVIDIA-H200-MIG-1g.18gb"],
                &["PRODUCT in NVIDIA-H20-3e NVIDIA-H200"],
                Some("1g.18gb"),
            ),
            ("slices or whole", &["PRODUCT in NVIDIA-H200 NVIDIA-H200-MIG-1g.18gb"], &["PRODUCT in NVIDIA-H200"], None),
            ("not these slices", &["PRODUCT notin NVIDIA-H200-MIG-1g.18gb", "zone in a"], &["zone in a"], None),
            ("the configuration", &["nvidia.com/mig.config in all-1g.18gb", "zone in a"], &["zone in a"], None),
        ] {
            let found = lasting(&[term.iter().map(|r| requirement(r)).collect()]);
            let expected: Vec<Term> = vec![expected.iter().map(|r| requirement(r)).collect()];
            assert_eq!(found.terms(false), expected, "{name}");
            assert_eq!(found.profile, profile.map(|p| p.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn a_selector_of_changing_labels_only_accepts_every_node() {
        let found =
            lasting(&[vec![requirement("nvidia.com/mig.config in all-1g.18gb")], vec![requirement("zone in a")]]);
        assert!(found.terms(false).is_empty());
        assert_eq!(found.dropped(false).iter().collect::<Vec<_>>(), ["nvidia.com/mig.config"]);
    }

    #[test]
    fn memory_and_count_last_for_boards_only() {
        let found = lasting(&[vec![requirement("nvidia.com/gpu.memory in 9984"), requirement("zone in a")]]);
        assert_eq!(found.terms(false)[0].len(), 2);
        assert!(found.dropped(false).is_empty());
        assert_eq!(found.terms(true), [vec![requirement("zone in a")]]);
        assert_eq!(found.dropped(true).iter().collect::<Vec<_>>(), ["nvidia.com/gpu.memory"]);
    }
}
