//! Judges an entry on the boards its rules are about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::geometry::{Catalog, Model, ProfileName};

use super::EntryReport;
use super::boards::{Board, Filters};
use super::finding::{Finding, FindingKind};
use super::modes::{ModeConflict, conflict};
use super::remarks::remarks;
use super::verdict::Verdicts;
use crate::mig_parted::config::{Devices, Entry, Rule};

pub(super) fn judge(entry: &Entry, catalog: &Catalog, asked: Option<&[Arc<Model>]>) -> EntryReport {
    let models: Vec<Arc<Model>> = asked.map_or_else(|| catalog.models().cloned().collect(), <[Arc<Model>]>::to_vec);
    let filters = Filters::of(&entry.rules);
    let boards = filters.boards(&models, catalog);
    let mut findings = remarks(entry, catalog);
    findings.extend(modes(entry, &filters, asked.map(|_| &boards)));

    let is_idle = |rule: &Rule| matches!(&rule.devices, Devices::Indices(indices) if indices.is_empty());
    let asks = entry.rules.iter().any(|rule| !is_idle(rule) && names(rule).next().is_some());
    if asks && asked.is_some() && boards.is_empty() {
        findings.push(Finding { line: entry.line, model: None, kind: FindingKind::NotJudged });
    }
    let mut judge = Judge {
        entry,
        filters: &filters,
        all_asked_for: asked.is_some(),
        verdicts: Verdicts::new(&entry.rules, &models),
        standings: BTreeMap::new(),
        without_model: Vec::new(),
        models_assumed: false,
    };
    judge.instances(&boards);
    findings.extend(judge.findings(catalog));
    findings.sort_by_key(|finding| !finding.kind.is_error());
    let judged: BTreeSet<usize> = judge.standings.keys().map(|&(model, _)| model).collect();
    EntryReport {
        name: entry.name.clone(),
        line: entry.line,
        is_judged: !asks || !judged.is_empty() || !judge.without_model.is_empty(),
        models: judged.into_iter().map(|model| models[model].id.clone()).collect(),
        models_assumed: judge.models_assumed,
        findings,
    }
}

/// The rules at which mig-parted fails because a later one has set another mode, whatever the model.
fn modes(entry: &Entry, filters: &Filters, asked: Option<&BTreeSet<Board>>) -> Vec<Finding> {
    let rules = &entry.rules;
    if rules.iter().all(|rule| rule.mig_enabled == rules[0].mig_enabled) {
        return Vec::new();
    }
    let about: BTreeSet<Vec<usize>> = match asked {
        Some(boards) => boards.iter().map(|board| board.rules.clone()).collect(),
        None => filters.named().into_iter().map(|id| filters.admitting(id)).chain([filters.open()]).collect(),
    };
    let conflicts: BTreeSet<ModeConflict> = about.iter().filter_map(|about| conflict(rules, about)).collect();
    let finding = |ModeConflict { rule, later }: ModeConflict| Finding {
        line: rules[rule].line,
        model: None,
        kind: FindingKind::ModeConflict { enables: rules[rule].mig_enabled, later: rules[later].line },
    };
    conflicts.into_iter().map(finding).collect()
}

/// What it means if a rule cannot be created on a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// The GPU may be another model, on which it can.
    Possible,
    /// The entry is wrong.
    Required,
}

struct Judge<'a> {
    entry: &'a Entry,
    filters: &'a Filters,
    /// Whether somebody said which models there are, and not just the catalogue.
    all_asked_for: bool,
    verdicts: Verdicts<'a>,
    /// The rules judged, by model and rule.
    standings: BTreeMap<(usize, usize), Standing>,
    /// Rules about one GPU that name profiles no model has all of.
    without_model: Vec<Vec<usize>>,
    models_assumed: bool,
}

/// A board with what its rules for `devices: all` come to.
struct Everywhere<'b> {
    board: &'b Board,
    rules: Vec<usize>,
    names_boards: bool,
    asks: bool,
    prospect: Prospect,
    /// The highest standing its rules have got.
    standing: Option<Standing>,
}

/// A board that a GPU given by its index may be, by position, and the rules that give the index.
struct Candidate {
    board: usize,
    indexed: Vec<usize>,
    prospect: Prospect,
}

/// What some rules come to on a board.
#[derive(Debug, Clone, Copy)]
struct Prospect {
    has_names: bool,
    is_creatable: bool,
}

impl Prospect {
    fn and(self, other: Prospect) -> Prospect {
        Prospect { has_names: self.has_names && other.has_names, is_creatable: self.is_creatable && other.is_creatable }
    }
}

impl Judge<'_> {
    /// Judges each GPU of a node, where GPUs that the same rules are about count once.
    fn instances(&mut self, boards: &BTreeSet<Board>) {
        let mut boards: Vec<Everywhere<'_>> = boards.iter().map(|board| self.everywhere(board)).collect();
        let mut by_index: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (i, rule) in self.entry.rules.iter().enumerate() {
            if let Devices::Indices(indices) = &rule.devices {
                for &index in indices {
                    by_index.entry(index).or_default().push(i);
                }
            }
        }
        let gpus: BTreeSet<Vec<usize>> = by_index.into_values().chain([Vec::new()]).collect();
        for rules in &gpus {
            self.gpu(rules, &mut boards);
        }
    }

    fn everywhere<'b>(&mut self, board: &'b Board) -> Everywhere<'b> {
        let is_all = |&rule: &usize| self.entry.rules[rule].devices == Devices::All;
        let rules: Vec<usize> = board.rules.iter().copied().filter(is_all).collect();
        Everywhere {
            board,
            names_boards: rules.iter().any(|&rule| self.filters.names_boards(rule)),
            asks: rules.iter().any(|&rule| self.asks(rule)),
            prospect: self.prospect(&rules, board),
            rules,
            standing: None,
        }
    }

    fn asks(&self, rule: usize) -> bool {
        names(&self.entry.rules[rule]).next().is_some()
    }

    fn prospect(&mut self, rules: &[usize], board: &Board) -> Prospect {
        let verdicts = rules.iter().map(|&rule| self.verdicts.of(rule, board.model));
        let none = Prospect { has_names: true, is_creatable: true };
        verdicts.fold(none, |all, one| all.and(Prospect { has_names: one.has_names, is_creatable: one.is_creatable() }))
    }

    /// Judges a GPU that these rules and those for all GPUs are about, on each board it may be.
    fn gpu(&mut self, by_index: &[usize], boards: &mut [Everywhere<'_>]) {
        let mut candidates = Vec::new();
        for (position, everywhere) in boards.iter_mut().enumerate() {
            let admits = |rule: &usize| everywhere.board.rules.binary_search(rule).is_ok();
            let indexed: Vec<usize> = by_index.iter().copied().filter(admits).collect();
            let names_boards = everywhere.names_boards || indexed.iter().any(|&rule| self.filters.names_boards(rule));
            // `all` is every GPU there is; a GPU given by its index is one of them.
            let is_every_gpu = indexed.is_empty() || self.verdicts.models.len() == 1;
            if names_boards || self.all_asked_for && is_every_gpu {
                self.stand(everywhere, &indexed, Standing::Required);
            } else if everywhere.asks || indexed.iter().any(|&rule| self.asks(rule)) {
                let prospect = everywhere.prospect.and(self.prospect(&indexed, everywhere.board));
                candidates.push(Candidate { board: position, indexed, prospect });
            }
        }
        self.any_of(&candidates, boards);
    }

    /// Judges a GPU that may be any of some boards: those that have all names, if there are any.
    fn any_of(&mut self, candidates: &[Candidate], boards: &mut [Everywhere<'_>]) {
        let Some(first) = candidates.first() else { return };
        let some_have_names = candidates.iter().any(|candidate| candidate.prospect.has_names);
        if !some_have_names && !self.all_asked_for {
            let mut rules = [&boards[first.board].rules[..], &first.indexed].concat();
            rules.sort_unstable();
            self.without_model.push(rules);
            return;
        }
        self.models_assumed |= !self.all_asked_for;
        let is_somewhere = candidates.iter().any(|candidate| candidate.prospect.is_creatable);
        let standing = if is_somewhere { Standing::Possible } else { Standing::Required };
        for candidate in candidates.iter().filter(|candidate| candidate.prospect.has_names || !some_have_names) {
            self.stand(&mut boards[candidate.board], &candidate.indexed, standing);
        }
    }

    fn stand(&mut self, everywhere: &mut Everywhere<'_>, indexed: &[usize], standing: Standing) {
        let new = if everywhere.standing < Some(standing) { &everywhere.rules[..] } else { &[] };
        for &rule in new.iter().chain(indexed) {
            let highest = self.standings.entry((everywhere.board.model, rule)).or_insert(standing);
            *highest = standing.max(*highest);
        }
        everywhere.standing = everywhere.standing.max(Some(standing));
    }

    fn findings(&mut self, catalog: &Catalog) -> Vec<Finding> {
        let rules = &self.entry.rules;
        let mut findings = Vec::new();
        for (&(model, rule), standing) in &self.standings {
            for kind in &self.verdicts.of(rule, model).findings {
                let kind = match standing {
                    Standing::Possible if kind.is_error() => FindingKind::NotOnThisModel { reason: kind.to_string() },
                    _ => kind.clone(),
                };
                let model = Some(self.verdicts.models[model].id.clone());
                findings.push(Finding { line: rules[rule].line, model, kind });
            }
        }
        for about in &self.without_model {
            let about = || about.iter().map(|&rule| &rules[rule]).filter(|rule| names(rule).next().is_some());
            let profiles: BTreeSet<&ProfileName> = about().flat_map(names).collect();
            let unknown = |name: &&&ProfileName| !catalog.models().any(|m| m.profile(&name.gpu_instance()).is_some());
            let nearest = profiles.iter().find(unknown).map(|name| catalog.nearest_profiles(&name.to_string()));
            findings.push(Finding {
                line: about().next().map_or(self.entry.line, |rule| rule.line),
                model: None,
                kind: FindingKind::NoModel {
                    profiles: profiles.into_iter().cloned().collect(),
                    nearest: nearest.unwrap_or_default(),
                },
            });
        }
        findings
    }
}

fn names(rule: &Rule) -> impl Iterator<Item = &ProfileName> {
    rule.mig_devices.iter().filter(|&(_, &n)| n > 0).map(|(name, _)| name)
}
