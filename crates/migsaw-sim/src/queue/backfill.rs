//! First come, first served, and later ones where earlier ones do not fit.

use std::collections::HashMap;

use migsaw::score::Mix;
use smallvec::SmallVec;

use super::{Discipline, Line, Turn};
use crate::cluster::Cluster;
use crate::workload::Pod;

type Asks = SmallVec<[(u16, u8); 2]>;

/// Every pod that waits is tried, from the head of the line, each time something has left.
#[derive(Debug, Default)]
pub(super) struct Backfill {
    /// So many at the head of the line do not fit.
    tried: usize,
    /// By limits: what does not fit until something leaves, and the highest priority that did not help it.
    refused: Vec<HashMap<Asks, i32>>,
}

impl Backfill {
    /// There may be room where there was none.
    pub(super) fn forget(&mut self) {
        self.tried = 0;
        self.refused.iter_mut().for_each(HashMap::clear);
    }

    /// The pod at this place has left the line, and was not the one to be tried.
    pub(super) fn passed_over(&mut self, at: usize) {
        self.tried -= usize::from(at < self.tried);
    }
}

impl Discipline for Backfill {
    fn came(&mut self, at: usize, _pod: &Pod) {
        self.tried = self.tried.min(at);
    }

    fn left(&mut self, _pod: &Pod) {
        self.forget();
    }

    fn next(&mut self, line: &Line<'_>, _cluster: &mut Cluster) -> Turn {
        while let Some(pod) = line.at(self.tried) {
            let refused = self.refused.get(usize::from(pod.limits)).and_then(|refused| refused.get(&pod.asks));
            if refused.is_none_or(|most| *most < pod.priority) {
                return Turn::Try(self.tried);
            }
            self.tried += 1;
        }
        Turn::Rest
    }

    fn has_room(&mut self) {
        self.forget();
    }

    fn learn(&mut self, _cluster: &mut Cluster, _mix: &Mix) {
        self.forget();
    }

    fn refused(&mut self, pod: &Pod) {
        let limits = usize::from(pod.limits);
        if self.refused.len() <= limits {
            self.refused.resize_with(limits + 1, HashMap::new);
        }
        let most = self.refused[limits].entry(pod.asks.clone()).or_insert(pod.priority);
        *most = pod.priority.max(*most);
    }
}
