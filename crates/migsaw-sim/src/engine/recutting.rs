//! GPUs that are cut anew, as a planner says.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use migsaw::geometry::{Layout, ProfileName, StateId};
use migsaw::present::RecutUnit;

use super::fragmentation::Fragmentation;
use super::{Options, Simulation};
use crate::learning::Learning;
use crate::recut::{AskedStanding, NewCuts, NodeStanding, PodStanding, Recut, Recutting, Standing};
use crate::site::{Node, Site};
use crate::workload::Pod;

/// From how many pods that came last a planner learns what is asked for, if the policy knows.
const WINDOW: u32 = 1000;

/// Who says how GPUs are cut, when, and which are being cut.
pub(super) struct Recuts<'a> {
    planner: &'a dyn Recut,
    how: Recutting,
    lately: Learning,
    /// When it may be asked next.
    next: u64,
    /// Whether a pod fits nowhere.
    is_unmet: bool,
    /// Whether a pod has come or left since it was asked. Without that it is not asked again, so that all ends.
    is_news: bool,
    /// Which GPUs have been cut when.
    opens: BTreeMap<u64, Vec<u32>>,
}

impl<'a> Recuts<'a> {
    pub(super) fn new(site: &'a Site, options: &Options, profiles: &[ProfileName]) -> Option<Recuts<'a>> {
        let (planner, how) = site.recut.as_ref()?;
        Some(Recuts {
            planner: planner.as_ref(),
            how: *how,
            lately: Learning::new(options.learnt.unwrap_or(WINDOW), profiles),
            next: 0,
            is_unmet: false,
            is_news: false,
            opens: BTreeMap::new(),
        })
    }

    pub(super) fn came(&mut self, pod: &Pod) {
        self.lately.came(&pod.asks, pod.limits);
        self.is_news = true;
    }

    pub(super) fn left(&mut self) {
        self.is_news = true;
    }

    /// What must be idle together on a node, and is closed together.
    fn unit(&self, node: &Node) -> RecutUnit {
        self.how.unit.unwrap_or(node.unit)
    }
}

impl Simulation<'_> {
    /// When something happens next of which the pods do not know.
    pub(super) fn recuts_at(&self) -> Option<u64> {
        let recuts = self.recuts.as_ref()?;
        let opens = recuts.opens.first_key_value().map(|(at, _)| *at);
        let asks = (recuts.is_unmet && recuts.is_news).then(|| recuts.next.max(self.now));
        opens.into_iter().chain(asks).min()
    }

    /// Whether a pod fits nowhere.
    pub(super) fn set_unmet(&mut self, is_unmet: bool) {
        if let Some(recuts) = &mut self.recuts {
            recuts.is_unmet = is_unmet;
        }
    }

    /// GPUs that have been cut by now are there again.
    pub(super) fn reopen(&mut self) {
        let Some(recuts) = &mut self.recuts else { return };
        while let Some(first) = recuts.opens.first_entry().filter(|first| *first.key() <= self.now) {
            first.remove().into_iter().for_each(|gpu| self.cluster.reopen(gpu));
            if let Some(queue) = &mut self.queue {
                queue.has_room();
            }
        }
    }

    /// Asks the planner if it is time to, and has done what it says; says whether anything was.
    pub(super) fn recut(&mut self) -> bool {
        let now = self.now;
        let Some(recuts) = &mut self.recuts else { return false };
        if !recuts.is_unmet || !recuts.is_news || now < recuts.next {
            return false;
        }
        recuts.next = now.saturating_add(recuts.how.every.max(1));
        recuts.is_news = false;
        let (planner, how) = (recuts.planner, recuts.how);
        let answer = planner.recut(&self.standing());
        let (changed, evicted) = self.cut(answer, how);
        self.set_unmet(!self.waiting.is_empty());
        if changed == 0 {
            return false;
        }
        self.counting.recut(changed, now);
        self.fragmentation = Fragmentation::new(self.known, &self.cluster);
        match self.learning.as_ref().map(Learning::mix) {
            Some(mix) => self.expect(&mix, true),
            None => self.expect(self.known, true),
        }
        if let Some(mut queue) = self.queue.take() {
            self.line_up(evicted, queue.as_mut());
            self.queue = Some(queue);
        }
        // What takes no time is there at once.
        self.reopen();
        true
    }

    /// Cuts what can be cut; says how many GPUs that is, and who was evicted for it.
    fn cut(&mut self, NewCuts { cuts, evicts }: NewCuts, how: Recutting) -> (u64, Vec<u32>) {
        let mut wanted: BTreeMap<u32, Layout> = BTreeMap::new();
        let site = self.cluster.site();
        for (node, slot, layout) in cuts {
            let gpus = site.nodes.get(node).map_or(0..0, |node| node.gpus.clone());
            let gpu = gpus.into_iter().find(|gpu| site.gpus[*gpu as usize].slot == slot);
            wanted.extend(gpu.filter(|gpu| is_change(site, *gpu, &layout)).map(|gpu| (gpu, layout)));
        }
        let units: BTreeSet<(u32, u32)> = wanted
            .keys()
            .map(|gpu| {
                let unit = self.unit_of(*gpu);
                (unit.start, unit.end)
            })
            .collect();
        let (mut changed, mut evicted) = (0, Vec::new());
        let mut opens = Vec::new();
        for unit in units.into_iter().map(|(start, end)| start..end) {
            let pods: BTreeSet<u32> = unit.clone().flat_map(|gpu| self.on_gpu(gpu)).collect();
            let is_shut = unit.clone().any(|gpu| self.cluster.gpus().is_shut(gpu));
            if is_shut || !pods.is_subset(&evicts) || evicted.len() + pods.len() > how.max_evictions as usize {
                continue;
            }
            for pod in &pods {
                self.evict(*pod);
            }
            evicted.extend(pods);
            for gpu in unit {
                self.cluster.shut(gpu);
                opens.push(gpu);
                if let Some(layout) = wanted.remove(&gpu) {
                    self.cluster.cut_anew(gpu, layout);
                    changed += 1;
                }
            }
        }
        if let Some(recuts) = self.recuts.as_mut().filter(|_| !opens.is_empty()) {
            recuts.opens.entry(self.now.saturating_add(how.time)).or_default().extend(opens);
        }
        (changed, evicted)
    }

    /// The GPUs that must be idle together with one to cut it anew.
    fn unit_of(&self, gpu: u32) -> Range<u32> {
        let site = self.cluster.site();
        let node = &site.nodes[site.node_of(gpu)];
        match self.recuts.as_ref().map(|recuts| recuts.unit(node)) {
            Some(RecutUnit::Node) => node.gpus.clone(),
            _ => gpu..gpu + 1,
        }
    }

    /// What there is.
    fn standing(&self) -> Standing<'_> {
        let site = self.cluster.site();
        let slot = |gpu: u32| site.gpus[gpu as usize].slot;
        let cut = |gpu: u32| (slot(gpu), site.kind(gpu).cut.clone().unwrap_or_default());
        let unit = |node: &Node| self.recuts.as_ref().map_or(RecutUnit::Node, |recuts| recuts.unit(node));
        let node = |node: &Node| NodeStanding {
            pool: node.pool,
            number: node.number,
            unit: unit(node),
            gpus: node.gpus.clone().map(cut).collect(),
        };
        let mut running = Vec::new();
        for (at, node) in site.nodes.iter().enumerate() {
            let pods: BTreeSet<u32> = node.gpus.clone().flat_map(|gpu| self.on_gpu(gpu)).collect();
            running.extend(pods.into_iter().map(|pod| {
                let this = self.pod(pod);
                let holds = self.places[pod as usize].iter().map(|(gpu, placement)| (slot(*gpu), *placement)).collect();
                PodStanding { pod, asks: &this.asks, limits: this.limits, priority: this.priority, node: at, holds }
            }));
        }
        let asked = self.recuts.iter().flat_map(|recuts| recuts.lately.asked());
        Standing {
            profiles: &self.workload.profiles,
            sizes: site.sizes(),
            units: site.units(),
            limits: &self.workload.limits,
            asked: asked.map(|(asks, limits, weight)| AskedStanding { asks, limits, weight }).collect(),
            nodes: site.nodes.iter().map(node).collect(),
            running,
            max_evictions: self.recuts.as_ref().map_or(0, |recuts| recuts.how.max_evictions),
        }
    }
}

/// Whether a GPU has something pinned, is cut at will, or has the same instances already: then it stays as it is.
fn is_change(site: &Site, gpu: u32, layout: &Layout) -> bool {
    let is_free = site.gpus[gpu as usize].first == StateId::EMPTY;
    is_free && site.kind(gpu).cut.as_ref().is_some_and(|cut| cut.counts() != layout.counts())
}
