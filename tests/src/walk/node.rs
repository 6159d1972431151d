//! What of a node units can take on their way: slots that the plan keeps for them, and spots that it does not use.

use migsaw::demand::{Demand, Request};
use migsaw::fleet::{GpuState, NodeGroup, Pool};
use migsaw::geometry::{Counts, Layout, ProfileId, ProfileName};
use migsaw::plan::{GpuTarget, PlannedNodes};
use migsaw::present::Present;

use super::At;

/// A place on a node where a unit of a demand is to run that does not run there today.
pub(super) struct Slot {
    pub(super) demand: usize,
    pub(super) node: At,
    /// Whether it is there and free before anything happens.
    pub(super) is_there: bool,
    pub(super) is_taken: bool,
}

/// An instance that the plan does not use, at least for some time.
pub(super) struct Spot {
    pub(super) node: At,
    pub(super) profile: ProfileName,
    /// Whether it is there only once its node is done.
    pub(super) begins: bool,
    /// Whether it is there only until its node's turn comes.
    pub(super) ends: bool,
    pub(super) is_over: bool,
    pub(super) taken_by: Option<usize>,
}

/// An instance by its GPU and profile; a GPU as a whole without.
type Key = (u16, Option<ProfileId>);

/// The profile of which a unit needs one and nothing else, with no limit per node.
pub(super) fn needs_one(demand: &Demand) -> Option<&ProfileName> {
    match &demand.request {
        Request::Profiles { instances, .. }
            if instances.values().sum::<u32>() == 1 && demand.max_per_node.is_none() =>
        {
            instances.keys().next()
        }
        _ => None,
    }
}

/// Slots and spots of a node.
pub(super) fn of(
    planned: &PlannedNodes,
    group: &NodeGroup,
    present: &Present,
    pool: &Pool,
    node: At,
    is_touched: bool,
) -> (Vec<Slot>, Vec<Spot>) {
    let (slots, left) = slots_of(planned, group, present, node);
    let models: Vec<_> = pool.gpu_models().collect();
    let spot = |(gpu, id): Key, begins: bool| {
        let profile = models[usize::from(gpu)].get(id?).name.clone();
        Some(Spot { node, profile, begins, ends: is_touched && !begins, is_over: false, taken_by: None })
    };
    let mut today: Vec<Key> = left;
    // What is cut anew is there until then, up to what units hold.
    for (gpu, target) in (0u16..).zip(&planned.gpus) {
        let layout = present.layout(usize::from(gpu)).filter(|_| group.present.is_some());
        // On a GPU that is left alone no slot is.
        let stays = self::today(group, usize::from(gpu)) == target.counts() && !matches!(target, GpuTarget::Left(_));
        for placement in layout.filter(|_| !stays).into_iter().flat_map(Layout::placements) {
            let mut held = present.running.iter().flat_map(|unit| &unit.holds);
            let is_held = held.any(|held| held.gpu == gpu && held.instance == Some(*placement));
            let is_pinned = match group.state(usize::from(gpu)) {
                GpuState::Pinned(pinned) => pinned.placements().contains(placement),
                _ => false,
            };
            if !is_held && !is_pinned {
                today.push((gpu, Some(placement.profile)));
            }
        }
    }
    let mut unused: Vec<Spot> = today.into_iter().filter_map(|key| spot(key, false)).collect();
    if is_touched {
        let mut then: Vec<Key> = Vec::new();
        for (gpu, target) in (0u16..).zip(&planned.gpus) {
            for (id, n) in target.counts().iter().flat_map(Counts::iter) {
                then.extend((0..n).map(|_| (gpu, Some(id))));
            }
            for id in pinned(group, gpu) {
                remove(&mut then, (gpu, id));
            }
        }
        for share in planned.serves.iter().flat_map(|serving| &serving.shares) {
            (0..share.instances).for_each(|_| {
                remove(&mut then, (share.gpu, share.profile));
            });
        }
        unused.extend(then.into_iter().filter_map(|key| spot(key, true)));
    }
    (slots, unused)
}

/// The profiles of what is pinned on a GPU.
fn pinned(group: &NodeGroup, gpu: u16) -> Vec<Option<ProfileId>> {
    match group.state(usize::from(gpu)) {
        GpuState::Pinned(layout) => layout.placements().iter().map(|placement| Some(placement.profile)).collect(),
        _ => Vec::new(),
    }
}

fn remove(from: &mut Vec<Key>, key: Key) -> bool {
    let at = from.iter().position(|other| *other == key);
    at.map(|at| from.swap_remove(at)).is_some()
}

pub(super) fn today(group: &NodeGroup, gpu: usize) -> Option<Counts> {
    let layout = match (&group.present, group.state(gpu)) {
        (Some(present), _) => present.layout(gpu).cloned(),
        (None, GpuState::Pinned(layout)) => Some(layout.clone()),
        _ => None,
    };
    layout.filter(|layout| !layout.is_empty()).map(|layout| layout.counts())
}

/// The slots of a node, one for each unit that does not run there today, and what of today's instances is left that
/// stay and that neither a unit holds nor a slot uses.
fn slots_of(planned: &PlannedNodes, group: &NodeGroup, present: &Present, node: At) -> (Vec<Slot>, Vec<Key>) {
    // What is there and stays there, and nobody holds: one entry for each instance and whole GPU.
    let mut free: Vec<Key> = Vec::new();
    for (gpu, target) in (0u16..).zip(&planned.gpus) {
        let index = usize::from(gpu);
        if group.present.is_none() || today(group, index) != target.counts() || matches!(target, GpuTarget::Left(_)) {
            // A GPU with MIG off that stays so is there even where nothing is known.
            if !(group.present.is_none() && *target == GpuTarget::MigOff && today(group, index).is_none()) {
                continue;
            }
        }
        match present.layout(index) {
            Some(layout) => free.extend(layout.placements().iter().map(|p| (gpu, Some(p.profile)))),
            None => free.push((gpu, None)),
        }
    }
    for held in present.running.iter().flat_map(|unit| &unit.holds) {
        remove(&mut free, (held.gpu, held.instance.map(|instance| instance.profile)));
    }
    for (gpu, id) in
        (0u16..).zip(&planned.gpus).flat_map(|(gpu, _)| pinned(group, gpu).into_iter().map(move |id| (gpu, id)))
    {
        remove(&mut free, (gpu, id));
    }
    let mut slots = Vec::new();
    for serving in &planned.serves {
        let stay: Vec<_> = (present.running.iter().enumerate())
            .filter(|(index, unit)| unit.demand == serving.demand && !planned.evicts.contains(index))
            .map(|(_, unit)| unit)
            .collect();
        let new = u64::from(serving.units) - stay.len() as u64;
        let mut uses: Vec<Key> = Vec::new();
        for share in &serving.shares {
            uses.extend((0..share.instances).map(|_| (share.gpu, share.profile)));
        }
        for held in stay.iter().flat_map(|unit| &unit.holds) {
            let key = (held.gpu, held.instance.map(|instance| instance.profile));
            let at = uses.iter().position(|other| *other == key).expect("what stays is served where it is");
            uses.swap_remove(at);
        }
        let all = uses.len();
        let there = uses.into_iter().filter(|key| remove(&mut free, *key)).count();
        let each = if new == 0 { 1 } else { all / usize::try_from(new).expect("few units") };
        // Units of several instances count only together.
        let ready = if each == 1 {
            there as u64
        } else if there == all {
            new
        } else {
            0
        };
        slots.extend((0..new).map(|n| Slot { demand: serving.demand, node, is_there: n < ready, is_taken: false }));
    }
    (slots, free)
}
