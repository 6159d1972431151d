//! Where a violation is.

use std::fmt;

use crate::fleet::NodeNames;

/// A node, or several that the plan treats alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodePlace {
    /// The first node's name.
    pub name: String,
    /// How many nodes, this one included.
    pub count: u64,
}

/// A GPU of a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GpuPlace {
    /// The node.
    pub node: NodePlace,
    /// The GPU's index in the node.
    pub gpu: usize,
}

impl NodePlace {
    /// The `count` nodes from `index` on.
    pub(super) fn new(names: &NodeNames, index: u64, count: u64) -> NodePlace {
        let name = match names {
            NodeNames::Numbered { prefix, first, .. } => format!("{prefix}{}", u64::from(*first).saturating_add(index)),
            NodeNames::Listed(listed) => {
                let name = usize::try_from(index).ok().and_then(|index| listed.get(index));
                name.cloned().unwrap_or_default()
            }
        };
        NodePlace { name, count }
    }

    /// One of its GPUs.
    pub(super) fn gpu(&self, gpu: usize) -> GpuPlace {
        GpuPlace { node: self.clone(), gpu }
    }
}

impl fmt::Display for NodePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node `{}`", self.name)?;
        match self.count.saturating_sub(1) {
            0 => Ok(()),
            more => write!(f, " (and {more} alike)"),
        }
    }
}

impl fmt::Display for GpuPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, GPU {}", self.node, self.gpu)
    }
}
