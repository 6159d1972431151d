//! Which nodes can take a pod, and why the others cannot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use migsaw::fleet::Strategy;
use migsaw::geometry::{Counts, Model, ProfileName};
use migsaw_kube::scheduling::{Asks, GPU, Pod, Rollout};

use super::Reason;
use crate::fleet::{Asked, Cell, Fleet, View};

/// Why a pod has to be tried again, rather than be turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Not all nodes and pods have been listed. Turned away, it would sleep until something happens in the cluster.
    Unlisted,
    /// Others were evicted for it, and what they held is not seen to be free yet. Turned away, it would have more
    /// pods evicted on another node.
    Victims,
    /// Wherever it could go, others are on their way. Turned away, it would sleep although one of them may not come:
    /// that a claim ends is no event.
    Claims,
}

impl Waiting {
    /// The sentence for people.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Waiting::Unlisted => "the cluster's nodes and pods are not all known yet",
            Waiting::Claims => "pods that are on their way have claimed every node this one could go to",
            Waiting::Victims => "pods evicted for this one are not seen to be gone from its nominated node yet",
        }
    }
}

/// A verdict on each node, in the order of the request. With `claim` the pod claims each node that can take it, for so
/// long.
///
/// # Errors
/// [`Waiting`] if nothing can be said yet; then the pod claims nothing.
pub(crate) fn filter(
    fleet: &Fleet,
    pod: &Pod,
    nodes: &[Asked<'_>],
    claim: Option<Duration>,
    now: Instant,
) -> Result<Vec<Result<(), Reason>>, Waiting> {
    if pod.asks.is_nothing() {
        return Ok(vec![Ok(()); nodes.len()]);
    }
    if !fleet.is_listed() {
        return Err(Waiting::Unlisted);
    }
    // The scheduler asks anew, so nothing came of what it was told before.
    fleet.claims.release(&pod.uid);
    let mut claiming = claim.filter(|_| !pod.uid.is_empty()).map(|ttl| Claiming::of(pod, (now, ttl)));
    let mut known = fleet.verdicts.recall(&(pod.asks.clone(), pod.selector.clone()));
    let mut is_waiting = false;
    let verdict = |&Asked { name, cell }: &Asked<'_>| {
        let cell = cell.ok_or(Reason::Unknown)?;
        let verdict = if let Some(claiming) = &mut claiming {
            claiming.claim(cell, pod)
        } else {
            let claimed = cell.claimed.by_others(&pod.uid, now);
            if claimed.is_empty() {
                known.of(cell, |view| judge(view, pod, &[]))
            } else {
                judge(&cell.view(), pod, &claimed)
            }
        };
        is_waiting |= pod.nominated.as_deref() == Some(name) && verdict == Err(Reason::Taken);
        verdict
    };
    let verdicts: Vec<Result<(), Reason>> = nodes.iter().map(verdict).collect();
    known.keep();
    let is_beaten = claiming.as_ref().is_some_and(|claiming| claiming.cells.is_empty() && claiming.is_beaten);
    if let Some(claiming) = claiming {
        fleet.claims.note(&claiming.uid, claiming.cells);
    }
    if is_waiting {
        fleet.claims.release(&pod.uid);
        return Err(Waiting::Victims);
    }
    if is_beaten { Err(Waiting::Claims) } else { Ok(verdicts) }
}

/// A pod that claims nodes.
struct Claiming {
    uid: Arc<str>,
    asks: Arc<Asks>,
    lasting: (Instant, Duration),
    cells: Vec<Arc<Cell>>,
    /// Whether it could go to a node, had nobody claimed it.
    is_beaten: bool,
}

impl Claiming {
    fn of(pod: &Pod, lasting: (Instant, Duration)) -> Claiming {
        let (uid, asks) = (Arc::from(pod.uid.as_str()), Arc::new(pod.asks.clone()));
        Claiming { uid, asks, lasting, cells: Vec::new(), is_beaten: false }
    }

    fn claim(&mut self, cell: &Arc<Cell>, pod: &Pod) -> Result<(), Reason> {
        let mut verdict = Ok(());
        let fits = |claimed: &[Arc<Asks>]| {
            let view = cell.view();
            verdict = judge_alone(&view, pod, claimed);
            self.is_beaten |= verdict == Err(Reason::Taken) && judge_alone(&view, pod, &[]).is_ok();
            verdict.is_ok()
        };
        if cell.claimed.claim(&self.uid, &self.asks, self.lasting, fits) {
            self.cells.push(Arc::clone(cell));
        }
        verdict
    }
}

/// Whether a node can take a pod beside those that hold something there and those that have claimed something.
pub(crate) fn judge(view: &View, pod: &Pod, claimed: &[Arc<Asks>]) -> Result<(), Reason> {
    let asks = &pod.asks;
    if asks.is_nothing() {
        return Ok(());
    }
    if asks.odd.is_some() {
        return Err(Reason::OddQuantity);
    }
    if !view.node.labels.are_selected_by(&pod.selector) {
        return Err(Reason::NotSelected);
    }
    // There the scheduler itself knows what is free, by claims.
    if view.by_claims {
        return under_way(view);
    }
    by_offers(view, asks, claimed)
}

/// The same where the scheduler does not count resources itself, so that nobody else sees what a node lacks.
fn judge_alone(view: &View, pod: &Pod, claimed: &[Arc<Asks>]) -> Result<(), Reason> {
    judge(view, pod, claimed)?;
    if view.by_claims && !pod.asks.resources.is_empty() { by_offers(view, &pod.asks, claimed) } else { Ok(()) }
}

/// Whether a node can take this by the resources that it offers.
fn by_offers(view: &View, asks: &Asks, claimed: &[Arc<Asks>]) -> Result<(), Reason> {
    // What the node offers goes before what is known of its GPUs.
    let is_free = view.has_free(asks, claimed);
    let is_offered = is_free || view.offers(asks);
    if !is_offered {
        never(view, asks)?;
    }
    under_way(view)?;
    if !is_offered {
        return Err(Reason::CutOtherwise);
    }
    // Before what is taken, whose holders could be evicted: no eviction changes this.
    if asks.together && !is_on_one_gpu(view, asks) {
        return Err(Reason::NotTogether);
    }
    if is_free { Ok(()) } else { Err(Reason::Taken) }
}

/// Whether this is free beside what is claimed, and the node stays as it is.
pub(crate) fn has_room(view: &View, asks: &Asks, claimed: &[Arc<Asks>]) -> bool {
    under_way(view).is_ok() && (view.by_claims || view.has_free(asks, claimed))
}

fn under_way(view: &View) -> Result<(), Reason> {
    match view.node.rollout {
        Some(Rollout::Now) => Err(Reason::Rollout),
        _ if view.node.is_recut => Err(Reason::Recut),
        Some(Rollout::Later) | None => Ok(()),
    }
}

/// Why the node could never offer this, if so.
fn never(view: &View, asks: &Asks) -> Result<(), Reason> {
    let Some(gpus) = &view.node.gpus else {
        // Whatever its GPUs are: what it offers some of it could offer more of.
        let is_its_kind = asks.resources.keys().all(|resource| view.node.offers.contains_key(resource));
        return if is_its_kind { Ok(()) } else { Err(Reason::NoGpus) };
    };
    let mut wanted = Counts::EMPTY;
    for (resource, n) in &asks.resources {
        let Some(name) = ProfileName::from_resource(resource) else {
            // Whole GPUs, or slices of a node of strategy `single`.
            let most_slices = || gpus.model.profiles.iter().map(|p| u64::from(p.max_instances)).max().unwrap_or(1);
            let each = if gpus.strategy == Strategy::Single { most_slices() } else { 1 };
            if *n > u64::from(gpus.count) * each {
                return Err(Reason::MoreThanItHolds);
            }
            continue;
        };
        if gpus.strategy == Strategy::Single {
            return Err(Reason::Strategy);
        }
        let profile = gpus.model.profile(&name.gpu_instance()).ok_or(Reason::NoSuchProfile)?;
        if *n > u64::from(gpus.model.get(profile).max_instances) * u64::from(gpus.count) {
            return Err(Reason::MoreThanItHolds);
        }
        wanted[profile] = wanted[profile].saturating_add(u8::try_from(*n).unwrap_or(u8::MAX));
    }
    // On one GPU all of it has to be there at once.
    let fits =
        |model: &Model| model.place(&wanted, &migsaw::geometry::Layout::empty()).is_ok_and(|found| found.is_some());
    if (gpus.count == 1 || asks.together) && !fits(&gpus.model) { Err(Reason::MoreThanItHolds) } else { Ok(()) }
}

/// Whether kubelet has no choice but one GPU: only one of them has any of what is asked for.
fn is_on_one_gpu(view: &View, asks: &Asks) -> bool {
    let instances: u64 = asks.resources.values().sum();
    if instances <= 1 {
        return true;
    }
    let Some(gpus) = &view.node.gpus else { return false };
    // GPUs that are offered whole have no slices; several shares may be of one.
    let whole = view.node.offers.get(GPU).copied().filter(|_| !gpus.are_shared).unwrap_or(0);
    if gpus.count == 1 || (gpus.strategy == Strategy::Mixed && u64::from(gpus.count).saturating_sub(whole) <= 1) {
        return true;
    }
    let (Some(cut), Some(wanted), true) = (&gpus.cut, view.counts(asks), gpus.is_told) else { return false };
    cut.iter().filter(|counts| wanted.iter().any(|(profile, _)| counts[profile] > 0)).count() <= 1
}
