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
    pub(super) terms: Vec<Term>,
    /// The profile that every alternative asks for by its product.
    pub(super) profile: Option<ProfileName>,
    /// The labels whose conditions were dropped.
    pub(super) dropped: BTreeSet<String>,
}

/// Rewrites the conditions of a selector.
pub(super) fn lasting(terms: &[Term]) -> Lasting {
    let mut dropped = BTreeSet::new();
    let mut profiles = BTreeSet::new();
    let mut rewritten: Vec<Term> = Vec::with_capacity(terms.len());
    for term in terms {
        let mut kept = Vec::with_capacity(term.len());
        let mut profile = None;
        for requirement in term {
            let mut requirement = requirement.clone();
            if changes(&requirement.key) {
                dropped.insert(requirement.key);
                continue;
            }
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
        kept.sort();
        kept.dedup();
        rewritten.push(kept);
    }
    rewritten.sort();
    rewritten.dedup();
    if rewritten.iter().any(Vec::is_empty) {
        rewritten.clear();
    }
    let profile = if profiles.len() == 1 { profiles.pop_first().flatten() } else { None };
    Lasting { terms: rewritten, profile, dropped }
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
            assert_eq!(found.terms, expected, "{name}");
            assert_eq!(found.profile, profile.map(|p| p.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn a_selector_of_changing_labels_only_accepts_every_node() {
        let found =
            lasting(&[vec![requirement("nvidia.com/mig.config in all-1g.18gb")], vec![requirement("zone in a")]]);
        assert!(found.terms.is_empty());
        assert_eq!(found.dropped.into_iter().collect::<Vec<_>>(), ["nvidia.com/mig.config"]);
    }
}
