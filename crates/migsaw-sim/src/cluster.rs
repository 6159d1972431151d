//! The GPUs as they are at a moment, and the places that a policy chooses among them.

use fixedbitset::FixedBitSet;
use migsaw::geometry::{Layout, Placement, StateId};
use migsaw::score::{Mix, Worth};

use crate::gpus::{Gpus, Place, Places};
use crate::limits::{Allowed, Limits};
use crate::policy::{NodeUse, Policy, Rule};
use crate::ranks::Ranks;
use crate::rng::Rng;
use crate::site::Site;

/// The state of each GPU, and the policy's view of them.
#[derive(Debug)]
pub(crate) struct Cluster {
    gpus: Gpus,
    rule: Rule,
    chooser: Chooser,
    lots: Rng,
    /// By the limits of pods: where they may go.
    allowed: Vec<Allowed>,
}

#[derive(Debug)]
enum Chooser {
    Ranked(Ranks),
    Scored(fn(&NodeUse) -> i64),
    /// What each kind's GPUs are worth to the mix.
    Worth(Vec<Worth>),
    None,
}

impl Chooser {
    fn new(rule: Rule, gpus: &Gpus, mix: &Mix) -> Chooser {
        match rule {
            Rule::Gpu { losses, ties, .. } => Chooser::Ranked(Ranks::new(gpus, losses, mix, ties)),
            Rule::Node(score) => Chooser::Scored(score),
            Rule::Extender => Chooser::Worth(gpus.site.kinds.iter().map(|kind| Worth::new(&kind.model, mix)).collect()),
            Rule::Repacked => Chooser::None,
        }
    }
}

impl Cluster {
    pub(crate) fn new(site: &Site, policy: &Policy, mix: &Mix, limits: &[Limits], seed: u64) -> Cluster {
        let gpus = Gpus::new(site);
        let chooser = Chooser::new(policy.rule, &gpus, mix);
        let allowed = limits.iter().map(|limits| Allowed::new(site, limits)).collect();
        Cluster { gpus, rule: policy.rule, chooser, lots: Rng::new(seed), allowed }
    }

    /// The policy expects another mix from now on, or knows kinds of GPUs that it did not know.
    pub(crate) fn expect(&mut self, mix: &Mix) {
        let next = if let Chooser::Ranked(ranks) = &self.chooser { ranks.next } else { 0 };
        self.chooser = Chooser::new(self.rule, &self.gpus, mix);
        if let Chooser::Ranked(ranks) = &mut self.chooser {
            ranks.next = next;
        }
    }

    pub(crate) fn gpus(&self) -> &Gpus {
        &self.gpus
    }

    pub(crate) fn site(&self) -> &Site {
        &self.gpus.site
    }

    pub(crate) fn state(&self, gpu: u32) -> StateId {
        self.gpus.state(gpu)
    }

    /// Where pods with such limits may go.
    pub(crate) fn allowed(&self, limits: u16) -> &Allowed {
        &self.allowed[usize::from(limits)]
    }

    /// A pod with such limits comes to the node of a GPU.
    pub(crate) fn joins(&mut self, limits: u16, gpu: u32) {
        self.allowed[usize::from(limits)].joins(&self.gpus.site, gpu);
    }

    /// A pod with such limits leaves the node of a GPU.
    pub(crate) fn leaves(&mut self, limits: u16, gpu: u32) {
        self.allowed[usize::from(limits)].leaves(&self.gpus.site, gpu);
    }

    /// A GPU of each state that one is in, among some, if the policy ranks GPUs.
    pub(crate) fn one_of_each(&self, among: Option<&FixedBitSet>) -> impl Iterator<Item = u32> {
        let ranks = if let Chooser::Ranked(ranks) = &self.chooser { Some(ranks) } else { None };
        ranks.into_iter().flat_map(move |ranks| ranks.one_of_each(among))
    }

    /// Where the policy would put an instance among some GPUs if others were not there.
    pub(crate) fn best_except(&self, profile: u16, except: &[u32], among: Option<&FixedBitSet>) -> Option<Place> {
        let Chooser::Ranked(ranks) = &self.chooser else { return None };
        ranks.best_except(profile, except, among)
    }

    /// Keeps the policy from a GPU.
    pub(crate) fn close(&mut self, gpu: u32) {
        self.change_doors(gpu, |gpus| gpus.set_held(gpu, true));
    }

    /// Lets the policy choose a GPU again.
    pub(crate) fn open(&mut self, gpu: u32) {
        self.change_doors(gpu, |gpus| gpus.set_held(gpu, false));
    }

    /// Nothing can be put on a GPU while it is cut anew.
    pub(crate) fn shut(&mut self, gpu: u32) {
        self.change_doors(gpu, |gpus| gpus.set_shut(gpu, true));
    }

    /// It has been cut.
    pub(crate) fn reopen(&mut self, gpu: u32) {
        self.change_doors(gpu, |gpus| gpus.set_shut(gpu, false));
    }

    fn change_doors(&mut self, gpu: u32, change: impl FnOnce(&mut Gpus)) {
        let was_open = self.gpus.is_open(gpu);
        change(&mut self.gpus);
        if let Chooser::Ranked(ranks) = &mut self.chooser {
            match (was_open, self.gpus.is_open(gpu)) {
                (true, false) => ranks.goes(self.gpus.number(gpu), gpu),
                (false, true) => ranks.comes(self.gpus.number(gpu), gpu),
                _ => {}
            }
        }
    }

    /// A GPU that is shut and has nothing on it is cut otherwise; [`Cluster::expect`] makes the policy know it.
    pub(crate) fn cut_anew(&mut self, gpu: u32, cut: Layout) {
        self.gpus.site.cut_anew(gpu, cut);
    }

    /// Where the policy puts a pod that takes these instances and has such limits; `None` if it fits nowhere.
    pub(crate) fn choose(&mut self, asks: &[(u16, u8)], limits: u16) -> Option<Places> {
        let (gpus, allowed) = (&self.gpus, &self.allowed[usize::from(limits)]);
        match (&mut self.chooser, asks) {
            (Chooser::Ranked(ranks), [(profile, 1)]) => {
                let place = ranks.best(gpus, *profile, allowed.gpus())?;
                Some([place].into_iter().collect())
            }
            (Chooser::Ranked(ranks), _) if allowed.is_on_one_gpu => {
                ranks.on_one_gpu(gpus, &gpus.one_by_one(asks), allowed.gpus())
            }
            (Chooser::Ranked(ranks), _) => {
                let each = gpus.one_by_one(asks);
                let nodes = gpus.site.nodes.iter().filter(|node| allowed.may_use(node.gpus.start));
                let ways = nodes.filter_map(|node| ranks.together(gpus, node.gpus.clone(), &each));
                ways.min_by_key(|(loss, _)| *loss).map(|(_, places)| places)
            }
            (Chooser::Scored(score), _) => {
                let mut fitting: Vec<(i64, Places)> = gpus
                    .on_nodes(asks, allowed)
                    .map(|(node, places)| (score(&gpus.used(node, asks)), places))
                    .collect();
                let most = fitting.iter().map(|(points, _)| *points).max()?;
                fitting.retain(|(points, _)| *points == most);
                Some(fitting.swap_remove(self.lots.index(fitting.len())).1)
            }
            (Chooser::Worth(worth), _) => gpus
                .on_nodes(asks, allowed)
                .min_by_key(|(node, places)| gpus.lost(*node, worth, places))
                .map(|(_, places)| places),
            (Chooser::None, _) => None,
        }
    }

    /// Puts a GPU into a state.
    pub(crate) fn set(&mut self, gpu: u32, to: StateId) {
        let from = self.gpus.set(gpu, to);
        if let Chooser::Ranked(ranks) = &mut self.chooser
            && self.gpus.is_open(gpu)
        {
            let base = self.gpus.site.kind(gpu).base;
            ranks.goes(base + from.0, gpu);
            ranks.comes(base + to.0, gpu);
        }
    }

    /// Puts an instance there.
    pub(crate) fn add(&mut self, gpu: u32, placement: Placement) {
        let states = &self.site().kind(gpu).states;
        let step = states.additions(self.state(gpu)).iter().find(|step| step.placement == placement);
        self.set(gpu, step.expect("there is room for the instance").to);
    }

    /// Takes an instance away.
    pub(crate) fn remove(&mut self, gpu: u32, placement: Placement) {
        let to = self.site().kind(gpu).states.without(self.state(gpu), placement);
        self.set(gpu, to.expect("the instance is there"));
    }
}
