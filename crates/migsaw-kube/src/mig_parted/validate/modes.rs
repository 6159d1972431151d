//! Rules that disagree about the mode of a GPU.

use std::collections::BTreeMap;

use crate::mig_parted::config::{Devices, Rule};

/// A rule at which mig-parted fails, since a later one has set the mode of the same GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ModeConflict {
    /// The rule that fails, by index.
    pub(super) rule: usize,
    /// The rule whose mode was set.
    pub(super) later: usize,
}

/// The first rule at which mig-parted would fail on a node where these rules are about every GPU.
pub(super) fn conflict(rules: &[Rule], about: &[usize]) -> Option<ModeConflict> {
    let last = Last::of(rules, about);
    let with_mode = [false, true].map(|enabled| last.with_mode(rules, enabled));
    about.iter().find_map(|&rule| {
        let enables = rules[rule].mig_enabled;
        let later = match &rules[rule].devices {
            Devices::All => with_mode[usize::from(!enables)],
            Devices::Indices(indices) => {
                let mut last = indices.iter().filter_map(|&index| last.about(index));
                last.find(|&last| rules[last].mig_enabled != enables)
            }
        };
        Some(ModeConflict { rule, later: later? })
    })
}

/// The last rule about each GPU.
#[derive(Default)]
struct Last {
    /// About a GPU that is not in `by_index`.
    elsewhere: Option<usize>,
    by_index: BTreeMap<u32, usize>,
}

impl Last {
    fn of(rules: &[Rule], about: &[usize]) -> Last {
        let mut last = Last::default();
        for &rule in about {
            match &rules[rule].devices {
                Devices::All => last = Last { elsewhere: Some(rule), by_index: BTreeMap::new() },
                Devices::Indices(indices) => last.by_index.extend(indices.iter().map(|&index| (index, rule))),
            }
        }
        last
    }

    fn about(&self, index: u32) -> Option<usize> {
        self.by_index.get(&index).copied().or(self.elsewhere)
    }

    fn with_mode(&self, rules: &[Rule], enabled: bool) -> Option<usize> {
        self.elsewhere.iter().chain(self.by_index.values()).copied().find(|&rule| rules[rule].mig_enabled == enabled)
    }
}
