//! What can be said about an entry whatever the model.

use migsaw::geometry::Catalog;

use super::finding::{Finding, FindingKind};
use crate::mig_parted::config::{Devices, Entry, Rule};
use crate::mig_parted::device_filter::DeviceFilter;

/// Longest value of a Kubernetes label, in characters.
const LONGEST_LABEL: usize = 63;

pub(super) fn remarks(entry: &Entry, catalog: &Catalog) -> Vec<Finding> {
    let name = no_label_value(&entry.name).map(|reason| FindingKind::NoLabelValue { reason });
    let of_entry = name.into_iter().map(|kind| (entry.line, kind));
    let of_rules = entry.rules.iter().flat_map(|rule| about(rule, catalog).into_iter().map(|kind| (rule.line, kind)));
    of_entry.chain(of_rules).map(|(line, kind)| Finding { line, model: None, kind }).collect()
}

fn about(rule: &Rule, catalog: &Catalog) -> Vec<FindingKind> {
    let mut found: Vec<FindingKind> =
        rule.device_filter.iter().filter_map(|filter| about_filter(filter, catalog)).collect();
    if matches!(&rule.devices, Devices::Indices(indices) if indices.is_empty()) {
        found.push(FindingKind::NoDevices);
    }
    let zero = rule.mig_devices.iter().filter(|&(_, &n)| n == 0);
    found.extend(zero.map(|(profile, _)| FindingKind::ZeroCount { profile: profile.clone() }));
    found
}

fn about_filter(filter: &DeviceFilter, catalog: &Catalog) -> Option<FindingKind> {
    let text = filter.0.chars().take(80).collect();
    let Some(board) = filter.id() else {
        return Some(FindingKind::MalformedFilter { filter: text, suggestion: filter.suggestion() });
    };
    match catalog.by_device_filter(&board.to_string()) {
        None => Some(FindingKind::UnknownDevice { filter: text }),
        Some(Err(error)) => Some(FindingKind::ModelWithoutGeometry { filter: text, reason: error.to_string() }),
        Some(Ok(_)) => None,
    }
}

/// What keeps a name from being a label's value.
fn no_label_value(name: &str) -> Option<&'static str> {
    let ends = [name.chars().next(), name.chars().last()];
    if name.is_empty() {
        Some("it is empty")
    } else if name.chars().count() > LONGEST_LABEL {
        Some("it has more than 63 characters")
    } else if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        Some("a label's value has letters, digits, `-`, `_` and `.` only")
    } else if !ends.iter().flatten().all(char::is_ascii_alphanumeric) {
        Some("a label's value begins and ends with a letter or digit")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_must_be_label_values() {
        let long = "a".repeat(LONGEST_LABEL);
        for name in ["a", "all-1g.10gb.me", "1", &long] {
            assert_eq!(no_label_value(name), None, "{name}");
        }
        for name in ["", "a b", "a/b", "-a", "a.", "\u{e9}", &format!("{long}a")] {
            assert!(no_label_value(name).is_some(), "{name}");
        }
    }
}
