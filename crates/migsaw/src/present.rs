//! What runs today: how the GPUs of a node are cut, and which units of the demands hold what.
//!
//! Running units are units of a demand and count towards its `count`. Planning lets each of them stay where
//! it is or evicts it, to be served again elsewhere if there is room.

use crate::demand::{Request, Together};
use crate::geometry::{Layout, Model, Placement, ProfileName};

/// What runs on a node today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// What must be idle together to be cut anew.
    pub unit: RecutUnit,
    /// How each GPU is cut, by index; `None` for MIG off, like the GPUs behind the end of the list.
    pub gpus: Vec<Option<Layout>>,
    /// Whether it is not known which of the GPUs is cut which way, only how they are cut together. Such a node
    /// must not be told anew what it is, lest its GPUs change places.
    pub in_any_order: bool,
    /// What runs there.
    pub running: Vec<Running>,
}

/// What must be idle together to be cut anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecutUnit {
    /// The node: MIG Manager cuts it, and nobody knows which GPU a pod is on.
    #[default]
    Node,
    /// The GPU: MIG Manager clears a GPU whole, and leaves those alone that change nothing.
    Gpu,
    /// The instance: a dynamic DRA driver makes and removes them one by one.
    Instance,
}

/// A unit of a demand that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The pod's name, for reports.
    pub name: Option<String>,
    /// Index of the demand in the problem.
    pub demand: usize,
    /// What it holds. Where the node is what is cut anew, which of its GPUs hold it makes no difference.
    pub holds: Vec<Held>,
    /// Whether it must not be moved.
    pub stays: bool,
}

/// An instance or a GPU that a running unit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Held {
    /// Index of the GPU in its node.
    pub gpu: u16,
    /// The instance; `None` for the GPU as a whole, MIG off.
    pub instance: Option<Placement>,
}

impl Present {
    /// How a GPU is cut; `None` for MIG off.
    pub fn layout(&self, gpu: usize) -> Option<&Layout> {
        self.gpus.get(gpu)?.as_ref()
    }

    /// Whether nobody has to cut it: a dynamic DRA driver makes instances when pods come, and takes those away that
    /// nobody holds.
    pub fn is_cut_by_driver(&self) -> bool {
        self.unit == RecutUnit::Instance
    }

    /// Indices of what runs on a GPU.
    pub fn on_gpu(&self, gpu: usize) -> impl Iterator<Item = usize> + '_ {
        let is_there = move |running: &Running| running.holds.iter().any(|held| usize::from(held.gpu) == gpu);
        self.running.iter().enumerate().filter(move |(_, running)| is_there(running)).map(|(index, _)| index)
    }
}

/// What of a node nothing holds yet: instances, and GPUs with MIG off.
#[derive(Debug, Clone)]
pub struct Room(Vec<Held>);

impl Room {
    /// Everything there is on a node with so many GPUs, whatever runs there.
    pub fn of(present: &Present, gpus: usize) -> Room {
        let mut free = Vec::new();
        for (number, gpu) in (0u16..).zip(0..gpus) {
            match present.layout(gpu).filter(|layout| !layout.is_empty()) {
                Some(layout) => {
                    free.extend(layout.placements().iter().map(|&i| Held { gpu: number, instance: Some(i) }));
                }
                None => free.push(Held { gpu: number, instance: None }),
            }
        }
        Room(free)
    }

    /// Takes the first that is accepted.
    pub fn take_first(&mut self, accepts: impl FnMut(&Held) -> bool) -> Option<Held> {
        let at = self.0.iter().position(accepts)?;
        Some(self.0.remove(at))
    }

    /// Takes just these, if they are free and what a unit that asks for this could hold.
    pub fn take_these(&mut self, wanted: &[Held], request: &Request, models: &[&Model]) -> Option<Vec<Held>> {
        let mut these = Room(self.0.iter().filter(|held| wanted.contains(held)).copied().collect());
        let taken = these.take(request, models).filter(|taken| taken.len() == wanted.len())?;
        self.0.retain(|held| !taken.contains(held));
        Some(taken)
    }

    /// Takes what a unit that asks for this could hold, the first there is. `models` are those of the GPUs, by
    /// index.
    pub fn take(&mut self, request: &Request, models: &[&Model]) -> Option<Vec<Held>> {
        let (lines, together): (Vec<(Wanted<'_>, u32)>, Together) = match request {
            Request::WholeGpus { gpus } => (vec![(Wanted::Whole, *gpus)], Together::Node),
            Request::Profiles { instances, together } => {
                (instances.iter().map(|(name, &n)| (Wanted::Profile(name), n)).collect(), *together)
            }
            &Request::AtLeast { memory_mib, compute_slices, instances, together } => {
                (vec![(Wanted::AtLeast { memory_mib, compute_slices }, instances)], together)
            }
        };
        let is_named = !matches!(request, Request::AtLeast { .. });
        let name = |held: &Held| Some(&models[usize::from(held.gpu)].get(held.instance?.profile).name);
        let accepts = |wanted: Wanted<'_>, held: &Held| wanted.accepts(*held, models);
        for first in self.0.iter().filter(|held| lines.iter().any(|(wanted, _)| accepts(*wanted, held))) {
            // All of a unit has one name where it names none, and is on one GPU if it must be.
            let fits = |held: &Held| {
                (together == Together::Node || held.gpu == first.gpu) && (is_named || name(held) == name(first))
            };
            let mut taken: Vec<Held> = Vec::new();
            for (wanted, n) in &lines {
                let here = self.0.iter().filter(|held| !taken.contains(held) && fits(held) && accepts(*wanted, held));
                let here: Vec<Held> = here.take(*n as usize).copied().collect();
                taken.extend(here);
            }
            if taken.len() == lines.iter().map(|(_, n)| *n as usize).sum::<usize>() {
                self.0.retain(|held| !taken.contains(held));
                return Some(taken);
            }
        }
        None
    }
}

/// What serves one line of a request.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Whole,
    Profile(&'a ProfileName),
    AtLeast { memory_mib: u64, compute_slices: u8 },
}

impl Wanted<'_> {
    fn accepts(self, held: Held, models: &[&Model]) -> bool {
        let model = models[usize::from(held.gpu)];
        match (self, held.instance) {
            (Wanted::Whole, None) => true,
            (Wanted::Profile(name), Some(instance)) => model.profile(name) == Some(instance.profile),
            (Wanted::AtLeast { memory_mib, compute_slices }, Some(instance)) => {
                let profile = model.get(instance.profile);
                let memory = profile.memory_mib.value.is_some_and(|mib| u64::from(mib) >= memory_mib);
                memory && profile.compute_slices >= compute_slices
            }
            _ => false,
        }
    }
}
