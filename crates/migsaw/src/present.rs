//! What runs today: how the GPUs of a node are cut, and which units of the demands hold what.
//!
//! Running units are units of a demand and count towards its `count`. Planning lets each of them stay where
//! it is or evicts it, to be served again elsewhere if there is room.

use crate::geometry::{Layout, Placement};

/// What runs on a node today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// What must be idle together to be cut anew.
    pub unit: RecutUnit,
    /// How each GPU is cut, by index; `None` for MIG off, like the GPUs behind the end of the list.
    pub gpus: Vec<Option<Layout>>,
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

    /// Indices of what runs on a GPU.
    pub fn on_gpu(&self, gpu: usize) -> impl Iterator<Item = usize> + '_ {
        let is_there = move |running: &Running| running.holds.iter().any(|held| usize::from(held.gpu) == gpu);
        self.running.iter().enumerate().filter(move |(_, running)| is_there(running)).map(|(index, _)| index)
    }
}
