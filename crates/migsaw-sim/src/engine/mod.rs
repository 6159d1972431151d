//! Virtual time: pods come, are placed or wait, and leave.

mod eviction;
mod fragmentation;
mod preemption;
mod recutting;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use migsaw::geometry::Placement;
use migsaw::score::Mix;
use smallvec::SmallVec;

use crate::bound::Together;
use crate::cluster::Cluster;
use crate::gpus::Places;
use crate::learning::Learning;
use crate::moves::{Moves, Purse, Rescue, Rooms};
use crate::outcome::{Counting, Now, Outcome};
use crate::policy::{Policy, Rule};
use crate::queue::{Discipline, Line, Queue, Turn};
use crate::site::{Site, index};
use crate::workload::{Pod, Workload};
use eviction::Runs;
use fragmentation::Fragmentation;
use recutting::Recuts;

pub use eviction::Eviction;

/// How a simulation goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What becomes of a pod that fits nowhere.
    pub misfits: Misfits,
    /// Only pods that come within this time count, in seconds from the beginning.
    pub measured: Range<u64>,
    /// Running pods that may be moved to make room for one that comes; `None` for none.
    pub moves: Option<Moves>,
    /// Whether a pod that fits nowhere takes the place of running ones of lower priority.
    pub preempts: bool,
    /// What it costs a pod to be evicted, to make way for another or so that its GPU can be cut anew.
    pub eviction: Eviction,
    /// From how many pods that came last it is learnt which are expected; `None` if that is known.
    pub learnt: Option<u32>,
    /// How many moments the outcome's series has.
    pub samples: u32,
    /// Decides what is left to chance.
    pub seed: u64,
}

/// What becomes of a pod that fits nowhere when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Misfits {
    /// It goes away.
    #[default]
    Refused,
    /// It waits until something leaves; who starts then, the queue says.
    Wait(Queue),
}

impl Default for Options {
    fn default() -> Options {
        Options {
            misfits: Misfits::Refused,
            measured: 0..u64::MAX,
            moves: None,
            preempts: false,
            eviction: Eviction::default(),
            learnt: None,
            samples: 0,
            seed: 0,
        }
    }
}

/// A simulation cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The bound is not known for such GPUs.
    #[error(
        "what would fit if everything moved is not known for GPUs that are cut for good, or of boards that share a \
         profile and are cut differently: leave `repacked` out"
    )]
    NoBound,
    /// The bound places pods nowhere, so that none of them can make way.
    #[error("the bound evicts no pod to make way for another: leave `repacked` out where pods are preempted")]
    BoundPreempts,
}

impl SimulationError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        "no-bound"
    }
}

/// What comes of a workload on a site under a policy that expects `mix`.
///
/// # Errors
/// [`SimulationError`] if the policy is `repacked` and there is no bound for the site, or for pods that are preempted.
///
/// # Complexity
/// For policies that rank GPUs, logarithmic in their number for each pod that takes one instance.
pub fn simulate(
    site: &Site,
    workload: &Workload,
    policy: &Policy,
    mix: &Mix,
    options: &Options,
) -> Result<Outcome, SimulationError> {
    let together = match policy.rule {
        Rule::Repacked if options.preempts => return Err(SimulationError::BoundPreempts),
        Rule::Repacked => Some(Together::of(site).ok_or(SimulationError::NoBound)?),
        _ => None,
    };
    Ok(Simulation::new(site, workload, policy, mix, options, together).run())
}

struct Simulation<'a> {
    workload: &'a Workload,
    options: &'a Options,
    /// What is asked for in the whole workload.
    known: &'a Mix,
    policy: &'a Policy,
    cluster: Cluster,
    together: Option<Together>,
    /// Where each pod that runs is.
    places: Vec<SmallVec<[(u32, Placement); 2]>>,
    /// Whose instance is at a GPU's start, where that makes a difference.
    owners: Option<HashMap<(u32, u8), u32>>,
    /// What is to be known of pods if they can be evicted.
    runs: Option<Runs>,
    purse: Option<(Purse, Rooms)>,
    learning: Option<Learning>,
    recuts: Option<Recuts<'a>>,
    /// When who leaves.
    leaving: BinaryHeap<Reverse<(u64, u32)>>,
    /// Who waits: by priority, then first come first.
    waiting: Vec<u32>,
    /// Who of them starts; `None` if nobody waits.
    queue: Option<Box<dyn Discipline>>,
    fragmentation: Fragmentation,
    counting: Counting,
    now: u64,
}

impl<'a> Simulation<'a> {
    fn new(
        site: &'a Site,
        workload: &'a Workload,
        policy: &'a Policy,
        mix: &'a Mix,
        options: &'a Options,
        together: Option<Together>,
    ) -> Simulation<'a> {
        let learning = options.learnt.map(|window| Learning::new(window, &workload.profiles));
        let expected = learning.as_ref().map(Learning::mix);
        let expected = expected.as_ref().unwrap_or(mix);
        let cluster = Cluster::new(site, policy, expected, &workload.limits, options.seed);
        let queue = match options.misfits {
            Misfits::Refused => None,
            // The bound knows no GPU that could be kept free.
            Misfits::Wait(_) if together.is_some() => Some(Queue::Backfill.discipline(site, expected)),
            Misfits::Wait(queue) => Some(queue.discipline(site, expected)),
        };
        let recuts = Recuts::new(site, options, &workload.profiles);
        let evicts = options.preempts || recuts.is_some();
        Simulation {
            workload,
            options,
            known: mix,
            policy,
            together,
            places: vec![SmallVec::new(); workload.pods.len()],
            owners: (options.moves.is_some() || evicts).then(HashMap::new),
            runs: evicts.then(Runs::default),
            purse: options.moves.map(|moves| (Purse::new(moves, site), Rooms::new(site, expected))),
            learning,
            recuts,
            leaving: BinaryHeap::new(),
            waiting: Vec::new(),
            queue,
            fragmentation: Fragmentation::new(mix, &cluster),
            counting: Counting::new(workload, site.sizes(), site.units(), options.measured.clone()),
            cluster,
            now: 0,
        }
    }

    fn run(mut self) -> Outcome {
        let pods = &self.workload.pods;
        let last = pods.last().map_or(0, |pod| pod.arrives);
        let mut next_sample = 0;
        let mut came = 0;
        loop {
            let arrives = pods.get(came).map(|pod| pod.arrives);
            let leaves = self.leaving.peek().map(|Reverse((at, _))| *at);
            let Some(at) = arrives.into_iter().chain(leaves).chain(self.recuts_at()).min() else { break };
            while next_sample < self.options.samples && self.sample_at(next_sample, last) <= at {
                let at = self.sample_at(next_sample, last);
                self.counting.sample(at, self.state());
                next_sample += 1;
            }
            self.counting.lasted(self.state(), self.now, at);
            self.now = at;
            // Who leaves makes room for who comes at the same time.
            if leaves == Some(at) {
                while let Some(&Reverse((_, pod))) = self.leaving.peek().filter(|Reverse((when, _))| *when == at) {
                    self.leaving.pop();
                    self.leave(pod);
                }
            }
            self.reopen();
            while let Some(pod) = pods.get(came).filter(|pod| pod.arrives == at) {
                self.counting.came(pod);
                self.learn(pod);
                self.come(index(came));
                came += 1;
            }
            self.serve();
            if self.recut() {
                self.serve();
            }
        }
        self.counting.end(self.now)
    }

    fn sample_at(&self, number: u32, last: u64) -> u64 {
        let at = u128::from(last) * u128::from(number) / u128::from(self.options.samples.saturating_sub(1).max(1));
        u64::try_from(at).unwrap_or(last)
    }

    fn state(&self) -> Now {
        let gpus = self.cluster.gpus();
        let used = self.together.as_ref().map_or(gpus.busy(), Together::used);
        let active = self.together.as_ref().map_or(gpus.active(), Together::fewest_gpus);
        let shut = if self.recuts.is_some() { gpus.shut() } else { 0 };
        Now { used, active, fragmented: self.fragmentation.all, waiting: self.waiting.len() as u64, shut }
    }

    fn pod(&self, pod: u32) -> &'a Pod {
        &self.workload.pods[pod as usize]
    }

    /// A pod that comes is heeded by those who do not know what to expect.
    fn learn(&mut self, pod: &Pod) {
        if let Some(recuts) = &mut self.recuts {
            recuts.came(pod);
        }
        // Where they may go makes no difference to a policy's mix.
        if let Some(mix) = self.learning.as_mut().and_then(|learning| learning.came(&pod.asks, 0)) {
            self.expect(&mix, false);
        }
    }

    /// Others are expected from now on; perhaps there are GPUs of other kinds as well.
    fn expect(&mut self, mix: &Mix, are_cut: bool) {
        if are_cut || self.policy.heeds_mix() {
            self.cluster.expect(mix);
        }
        if let Some((_, rooms)) = &mut self.purse {
            *rooms = Rooms::new(self.cluster.site(), mix);
        }
        if let Some(queue) = &mut self.queue {
            queue.learn(&mut self.cluster, mix);
        }
    }

    fn come(&mut self, pod: u32) {
        let Some(mut queue) = self.queue.take() else {
            let fits = self.place(pod);
            let fits = self.make_room(pod, fits) || fits;
            // Who has to make way is lost.
            if !fits && self.preempt(pod).is_none() {
                self.set_unmet(true);
            }
            return;
        };
        let pods = &self.workload.pods;
        let priority = pods[pod as usize].priority;
        let at = self.waiting.partition_point(|other| pods[*other as usize].priority >= priority);
        self.waiting.insert(at, pod);
        queue.came(at, &pods[pod as usize]);
        self.queue = Some(queue);
    }

    fn place(&mut self, pod: u32) -> bool {
        let Pod { asks, limits, .. } = self.pod(pod);
        if let Some(together) = &mut self.together {
            if !together.take(asks) {
                return false;
            }
        } else {
            let Some(places) = self.cluster.choose(asks, *limits) else { return false };
            self.put(pod, &places);
        }
        self.was_placed(pod);
        true
    }

    /// The pod runs from now on.
    fn was_placed(&mut self, pod: u32) {
        let this = self.pod(pod);
        let stays = if let Some(runs) = &mut self.runs {
            runs.starts(pod, this, self.now)
        } else {
            self.counting.waited(this, self.now - this.arrives);
            this.stays
        };
        self.leaving.push(Reverse((self.now.saturating_add(stays), pod)));
        self.counting.was_placed(this);
    }

    /// Moves others out of the way of a pod that does not fit, if the budget has the moves; says whether it did.
    fn make_room(&mut self, pod: u32, fits: bool) -> bool {
        let (Some((purse, rooms)), Some(owners)) = (&mut self.purse, &self.owners) else { return false };
        let most = purse.offer(self.cluster.gpus().busy(), fits);
        let (cluster, pods) = (&self.cluster, &self.workload.pods);
        let allowed = |pod: u32| cluster.allowed(pods[pod as usize].limits);
        let owner_may_use = |gpu: u32, there: &Placement| allowed(*owners.get(&(gpu, there.start))?).gpus();
        let rescue = match pods[pod as usize].asks[..] {
            [(profile, 1)] if most > 0 => rooms.rescue(cluster, profile, allowed(pod).gpus(), &owner_may_use, most),
            _ => None,
        };
        // What is pinned belongs to no pod, and stays; so do instances that a pod needs together on a node, and those
        // of pods of which only so many may be on one.
        let owner = |rescue: &Rescue, from: &Placement| {
            let owner = owners.get(&(rescue.gpu, from.start)).copied();
            owner.filter(|owner| self.places[*owner as usize].len() == 1 && !allowed(*owner).are_counted())
        };
        let rescue = rescue.filter(|rescue| rescue.moved.iter().all(|(from, _)| owner(rescue, from).is_some()));
        purse.spend(rescue.as_ref().map_or(0, |rescue| rescue.moved.len()));
        let Some(rescue) = rescue else { return false };
        let moved: Vec<(u32, (u32, Placement))> =
            rescue.moved.iter().filter_map(|(from, to)| Some((owner(&rescue, from)?, *to))).collect();
        for ((from, _), (owner, _)) in rescue.moved.iter().zip(&moved) {
            self.take(*owner, (rescue.gpu, *from));
        }
        self.add(pod, (rescue.gpu, rescue.placement));
        for (owner, to) in moved {
            self.add(owner, to);
            self.counting.moved(self.now);
        }
        self.was_placed(pod);
        true
    }

    fn put(&mut self, pod: u32, places: &Places) {
        for (gpu, step) in places {
            self.add(pod, (*gpu, step.placement));
        }
    }

    /// Puts an instance of a pod there.
    fn add(&mut self, pod: u32, (gpu, placement): (u32, Placement)) {
        self.fragmentation.set(&mut self.cluster, gpu, |cluster| cluster.add(gpu, placement));
        if self.places[pod as usize].is_empty() {
            self.cluster.joins(self.pod(pod).limits, gpu);
        }
        self.places[pod as usize].push((gpu, placement));
        if let Some(owners) = &mut self.owners {
            owners.insert((gpu, placement.start), pod);
        }
    }

    /// Takes an instance of a pod away.
    fn take(&mut self, pod: u32, (gpu, placement): (u32, Placement)) {
        self.fragmentation.set(&mut self.cluster, gpu, |cluster| cluster.remove(gpu, placement));
        self.places[pod as usize].retain(|place| *place != (gpu, placement));
        if self.places[pod as usize].is_empty() {
            self.cluster.leaves(self.pod(pod).limits, gpu);
        }
        if let Some(owners) = &mut self.owners {
            owners.remove(&(gpu, placement.start));
        }
    }

    fn leave(&mut self, pod: u32) {
        let this = self.pod(pod);
        if let Some(queue) = &mut self.queue {
            queue.left(this);
        }
        if let Some(together) = &mut self.together {
            together.give(&this.asks);
        }
        if let Some(runs) = &mut self.runs {
            self.counting.waited(this, runs.left(pod, this));
        }
        if let Some(recuts) = &mut self.recuts {
            recuts.left();
        }
        for place in self.places[pod as usize].clone() {
            self.take(pod, place);
        }
    }

    /// Starts who waits, as the queue says.
    fn serve(&mut self) {
        let Some(mut queue) = self.queue.take() else { return };
        loop {
            let line = Line {
                now: self.now,
                pods: &self.workload.pods,
                waiting: &self.waiting,
                leaving: &self.leaving,
                places: &self.places,
            };
            match queue.next(&line, &mut self.cluster) {
                Turn::Try(at) => {
                    let pod = self.waiting[at];
                    if self.place(pod) {
                        self.waiting.remove(at);
                    } else if let Some(victims) = self.preempt(pod) {
                        self.waiting.remove(at);
                        self.line_up(victims, queue.as_mut());
                    } else {
                        queue.refused(self.pod(pod));
                    }
                }
                Turn::Put(at, places) => {
                    let pod = self.waiting.remove(at);
                    self.put(pod, &places);
                    self.was_placed(pod);
                }
                Turn::Rest => match self.first_to_preempt() {
                    Some(victims) => self.line_up(victims, queue.as_mut()),
                    None => break,
                },
            }
        }
        self.set_unmet(!self.waiting.is_empty());
        self.queue = Some(queue);
    }
}
