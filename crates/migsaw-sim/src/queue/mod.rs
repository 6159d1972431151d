//! The queues: who of those that wait starts next, and which GPUs are kept free for whom.
//!
//! A queue stands beside the policy. It names a pod, and the policy says where that goes; or it names the place as well.
//! Whatever the queue, pods of higher priority come before all others, and those that come later may start where earlier
//! ones do not fit.

mod backfill;
mod drain;
mod known;
mod whole;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Debug;

use migsaw::geometry::Placement;
use migsaw::score::Mix;
use smallvec::SmallVec;

use crate::cluster::Cluster;
use crate::gpus::Places;
use crate::site::Site;
use crate::workload::Pod;
use backfill::Backfill;
use drain::Drain;
use known::Known;

/// In which order pods that wait are started, and what is kept free for some of them.
///
/// # Complexity
/// At each moment linear in the pods that wait, and for `Drain` in the GPUs; for `Known`, for each pod that starts, in
/// the pods that wait times the places where one of them fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Queue {
    /// First come, first served; later pods start where earlier ones do not fit. Pods that need a whole GPU may starve.
    #[default]
    Backfill,
    /// The same, but some GPUs are drained for pods that need a whole one and have waited long: those that are expected
    /// to be idle least until they are empty, as if no stay said anything about its end.
    Drain {
        /// GPUs drained at once, at most, for each profile that takes a whole GPU and pods with the same limits.
        gpus: u32,
        /// How long a pod has to have waited for that: so many times as long as pods that have left stayed on average.
        after: u32,
    },
    /// For pods whose stay is known when they come: who takes least room for as long as it stays goes first (Smith's
    /// rule), and longer waits weigh more. On a GPU that is drained others start if they have left in time (EASY
    /// backfilling: Lifka, "The ANL/IBM SP Scheduling System", JSSPP 1995). It also says where pods of one instance go;
    /// the policy places those of several. A pod that was evicted counts with its whole stay, and waits since it came.
    Known {
        /// GPUs drained at once, at most, for each profile that takes a whole GPU and pods with the same limits.
        gpus: u32,
        /// After how many mean stays a pod goes ahead of all others, and GPUs are drained.
        after: u32,
    },
}

impl Queue {
    /// [`Queue::Drain`] with one GPU after five mean stays.
    pub const DRAIN: Queue = Queue::Drain { gpus: 1, after: 5 };
    /// [`Queue::Known`] with two GPUs after nine mean stays.
    pub const KNOWN: Queue = Queue::Known { gpus: 2, after: 9 };

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Queue::Backfill => "backfill",
            Queue::Drain { .. } => "drain",
            Queue::Known { .. } => "known",
        }
    }

    /// What decides while a simulation goes on.
    pub(crate) fn discipline(self, site: &Site, mix: &Mix) -> Box<dyn Discipline> {
        match self {
            Queue::Backfill => Box::new(Backfill::default()),
            Queue::Drain { gpus, after } => Box::new(Drain::new(site, gpus, after)),
            Queue::Known { gpus, after } => Box::new(Known::new(site, mix, gpus, after)),
        }
    }
}

/// What decides for a queue.
pub(crate) trait Discipline: Debug {
    /// A pod has come and stands in the line at this place.
    fn came(&mut self, at: usize, pod: &Pod);

    /// A pod has left.
    fn left(&mut self, pod: &Pod);

    /// What to do next. It is asked after all that comes and leaves at a moment, again and again until it rests.
    fn next(&mut self, line: &Line<'_>, cluster: &mut Cluster) -> Turn;

    /// There is room that was not there, though nobody has left: a pod was evicted, or a GPU has been cut.
    fn has_room(&mut self);

    /// GPUs are cut otherwise from now on, or other pods are expected.
    fn learn(&mut self, cluster: &mut Cluster, mix: &Mix);

    /// The pod that was to be tried fits nowhere.
    fn refused(&mut self, _pod: &Pod) {}
}

/// What a queue does next.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The pod at this place in the line goes where the policy puts it, if it fits.
    Try(usize),
    /// The pod at this place in the line goes there.
    Put(usize, Places),
    /// Nobody can start.
    Rest,
}

/// Who waits and who runs, at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) now: u64,
    pub(crate) pods: &'a [Pod],
    /// By priority, then by arrival.
    pub(crate) waiting: &'a [u32],
    /// When who leaves.
    pub(crate) leaving: &'a BinaryHeap<Reverse<(u64, u32)>>,
    /// Where each pod that runs is.
    pub(crate) places: &'a [SmallVec<[(u32, Placement); 2]>],
}

impl<'a> Line<'a> {
    /// Who waits at a place in the line.
    fn at(&self, place: usize) -> Option<&'a Pod> {
        self.waiting.get(place).map(|pod| &self.pods[*pod as usize])
    }

    /// Who waits, each with its place in the line.
    fn waiting(&self) -> impl Iterator<Item = (usize, &'a Pod)> + use<'a> {
        let pods = self.pods;
        self.waiting.iter().map(|pod| &pods[*pod as usize]).enumerate()
    }

    /// How long somebody has waited.
    fn wait(&self, pod: &Pod) -> u64 {
        self.now - pod.arrives
    }
}

/// How long pods stay on average.
#[derive(Debug, Clone, Copy, Default)]
struct Stays {
    pods: u32,
    sum: u128,
}

impl Stays {
    fn add(&mut self, pod: &Pod) {
        self.pods += 1;
        self.sum += u128::from(pod.stays);
    }

    /// Whether a wait is so many mean stays long. Nothing is where no stay is known.
    fn passed(self, wait: u64, times: u32) -> bool {
        self.pods > 0 && u128::from(wait) * u128::from(self.pods) >= u128::from(times) * self.sum
    }
}
