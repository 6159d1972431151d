//! The queue for pods whose stay is known when they come.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::{Placement, StateId, Step};
use migsaw::score::{Mix, Room};

use super::whole::{Alike, Whole};
use super::{Discipline, Line, Stays, Turn};
use crate::cluster::Cluster;
use crate::gpus::Places;
use crate::site::Site;
use crate::workload::Pod;

/// Whoever takes least room for as long as it stays goes first, and longer waits weigh more.
///
/// With the stays known, so is what each GPU will hold at any time t to come, `o(t)`, unless more is placed there. An
/// instance that stays from now to e takes
///
/// > L = ∫ (F(o(t)) − F(o(t) with the instance)) dt from now to e
///
/// of the GPU's room now, F ([`Room::now`]), over that time. Every pod that waits has its cheapest place, and the one
/// with the greatest
///
/// > (S/8 + wait)^1.5 / L
///
/// starts, where S is the mean stay; and so on until nobody fits. With waits alike that is Smith's rule, the least of
/// what is scarce first, with room over time for processing time; the wait makes up for it in the end.
///
/// Pods that have waited `after` mean stays go ahead of all others, who waits longest first. For each of them that needs
/// a whole GPU one is drained, up to `gpus`: those that lose least until they are empty. Others may start there if they
/// have left by then (EASY backfilling: Lifka, "The ANL/IBM SP Scheduling System", JSSPP 1995).
#[derive(Debug)]
pub(super) struct Known {
    whole: Whole,
    /// By kind of GPU.
    rooms: Vec<Room>,
    gpus: usize,
    after: u32,
    came: Stays,
    left: Stays,
    /// The GPUs that are drained.
    held: Vec<u32>,
    /// Whether something has come or left since they were chosen.
    is_due: bool,
}

/// What is on a GPU, and until when; who leaves first comes first.
type Until = Vec<(u64, Placement)>;
/// Who goes first, the greatest: priority; the wait, if it is too long; and what the pod is worth for what it takes, a
/// float that is not negative as its bits, which are in the same order.
type Rank = (i32, Option<u64>, u64);

impl Known {
    pub(super) fn new(site: &Site, mix: &Mix, gpus: u32, after: u32) -> Known {
        Known {
            whole: Whole::new(site),
            rooms: site.rooms(mix),
            gpus: gpus as usize,
            after,
            came: Stays::default(),
            left: Stays::default(),
            held: Vec::new(),
            is_due: true,
        }
    }

    /// How long pods stay on average: those that have left, or those that have come while none has.
    fn stays(&self) -> Stays {
        if self.left.pods > 0 { self.left } else { self.came }
    }

    fn starves(&self, pod: &Pod, line: &Line<'_>) -> bool {
        self.stays().passed(line.wait(pod), self.after)
    }

    /// Chooses the GPUs to drain; says who starts on one of them.
    fn look(&mut self, now: &Now<'_>, cluster: &mut Cluster) -> Option<(usize, Places)> {
        self.held.drain(..).for_each(|gpu| cluster.open(gpu));
        let alike: BTreeSet<Alike> = now.line.waiting().filter_map(|(_, pod)| Alike::of(pod)).collect();
        for alike in alike.into_iter().filter(|alike| self.whole.has(alike.profile)) {
            let waiting: Vec<(usize, &Pod)> =
                now.line.waiting().filter(|(_, pod)| Alike::of(pod) == Some(alike)).collect();
            let starving = waiting.iter().filter(|(_, pod)| self.starves(pod, now.line)).count();
            if starving.min(self.gpus) == 0 {
                continue;
            }
            let allowed = cluster.allowed(alike.limits);
            let is_free = |gpu: &u32| !self.held.contains(gpu) && allowed.may_use(*gpu);
            let free = self.whole.gpus(alike.profile).filter(is_free);
            let mut by_loss: Vec<(u128, u32)> = free.map(|gpu| (now.idle(cluster.site(), gpu), gpu)).collect();
            by_loss.sort_unstable();
            let mut chosen: Vec<u32> = by_loss.into_iter().take(starving.min(self.gpus)).map(|(_, gpu)| gpu).collect();
            chosen.sort_unstable();
            for &gpu in &chosen {
                cluster.close(gpu);
                self.held.push(gpu);
            }
            if let Some(gpu) =
                chosen.into_iter().find(|gpu| cluster.state(*gpu) == StateId::EMPTY && !cluster.gpus().is_shut(*gpu))
            {
                return waiting.first().map(|(at, _)| (*at, self.whole.on(alike.profile, gpu)));
            }
        }
        None
    }

    /// Who starts next, and where.
    fn best(&self, now: &Now<'_>, cluster: &mut Cluster) -> Option<(usize, Places)> {
        let mut known: BTreeMap<_, Vec<Places>> = BTreeMap::new();
        let mut best: Option<(Rank, usize, &Places)> = None;
        for (_, pod) in now.line.waiting() {
            known.entry((pod.asks.as_slice(), pod.limits)).or_insert_with(|| Known::places(pod, cluster));
        }
        for (at, pod) in now.line.waiting() {
            let places = known[&(pod.asks.as_slice(), pod.limits)].iter();
            let losses = places.filter_map(|places| Some((self.loss(places, pod, now, cluster)?, places)));
            // Of equal places, the first.
            let Some((loss, places)) = losses.min_by_key(|(loss, _)| *loss) else { continue };
            let rank = self.rank(pod, loss, now.line);
            // Of equals, who came first.
            if best.as_ref().is_none_or(|(greatest, _, _)| rank > *greatest) {
                best = Some((rank, at, places));
            }
        }
        best.map(|(_, at, places)| (at, places.clone()))
    }

    /// All places where a pod of one instance could go, by GPU and start; for several, those that the policy chooses.
    fn places(pod: &Pod, cluster: &mut Cluster) -> Vec<Places> {
        let [(profile, 1)] = pod.asks[..] else {
            return cluster.choose(&pod.asks, pod.limits).into_iter().collect();
        };
        let allowed = cluster.allowed(pod.limits);
        let mut places = Vec::new();
        for gpu in cluster.gpus().all().filter(|gpu| !cluster.gpus().is_shut(*gpu) && allowed.may_use(*gpu)) {
            let kind = cluster.site().kind(gpu);
            let Some(id) = kind.profiles[usize::from(profile)] else { continue };
            let additions = kind.states.additions(cluster.state(gpu)).iter();
            let mut fitting: Vec<Step> = additions.filter(|step| step.placement.profile == id).copied().collect();
            fitting.sort_unstable_by_key(|step| step.placement.start);
            places.extend(fitting.into_iter().map(|step| Places::from_elem((gpu, step), 1)));
        }
        places
    }

    /// The room that a pod takes there for as long as it stays; `None` if it may not go there.
    fn loss(&self, places: &Places, pod: &Pod, now: &Now<'_>, cluster: &Cluster) -> Option<u128> {
        let mut loss = 0;
        for (at, (gpu, step)) in places.iter().enumerate() {
            let until = &now.until[*gpu as usize];
            if self.held.contains(gpu) && now.ends(pod) > until.last().map_or(now.line.now, |(end, _)| *end) {
                return None;
            }
            // The last step on a GPU comes after all others there.
            if places[at + 1..].iter().all(|(other, _)| other != gpu) {
                loss += self.taken(*gpu, step.to, cluster, now, now.ends(pod));
            }
        }
        Some(loss)
    }

    /// The room of a GPU that is less in a state than in the one that it is in until `end`, while what is there leaves.
    fn taken(&self, gpu: u32, mut with: StateId, cluster: &Cluster, now: &Now<'_>, end: u64) -> u128 {
        let (site, mut without) = (cluster.site(), cluster.state(gpu));
        let kind = site.gpus[gpu as usize].kind as usize;
        let (room, states) = (&self.rooms[kind], &site.kinds[kind].states);
        let over = |without: StateId, with: StateId, time: u64| {
            u128::from(room.now(without).saturating_sub(room.now(with))) * u128::from(time)
        };
        let (mut from, mut taken) = (now.line.now, 0);
        for (leaves, placement) in now.until[gpu as usize].iter().take_while(|(leaves, _)| *leaves < end) {
            taken += over(without, with, leaves - from);
            from = *leaves;
            let gone = |state| states.without(state, *placement).expect("it is there until it leaves");
            (without, with) = (gone(without), gone(with));
        }
        taken + over(without, with, end - from)
    }

    #[expect(clippy::cast_precision_loss, reason = "only the order counts, and is the same everywhere")]
    fn rank(&self, pod: &Pod, loss: u128, line: &Line<'_>) -> Rank {
        let wait = line.wait(pod);
        if self.starves(pod, line) {
            return (pod.priority, Some(wait), 0);
        }
        let Stays { pods, sum } = self.stays();
        let urgency = sum as f64 / f64::from(pods.max(1)) / 8.0 + wait as f64;
        // A power of 3/2 by operations that are rounded alike on all machines.
        (pod.priority, None, (urgency * urgency.sqrt() / loss.max(1) as f64).to_bits())
    }
}

impl Discipline for Known {
    fn came(&mut self, _at: usize, pod: &Pod) {
        self.is_due = true;
        self.came.add(pod);
    }

    fn left(&mut self, pod: &Pod) {
        self.is_due = true;
        self.left.add(pod);
    }

    fn has_room(&mut self) {
        self.is_due = true;
    }

    fn learn(&mut self, cluster: &mut Cluster, mix: &Mix) {
        self.is_due = true;
        self.rooms = cluster.site().rooms(mix);
        self.whole = Whole::new(cluster.site());
    }

    fn next(&mut self, line: &Line<'_>, cluster: &mut Cluster) -> Turn {
        if line.waiting.is_empty() {
            return Turn::Rest;
        }
        let now = Now::new(line, cluster.site());
        if self.is_due {
            if let Some((at, places)) = self.look(&now, cluster) {
                return Turn::Put(at, places);
            }
            self.is_due = false;
        }
        self.best(&now, cluster).map_or(Turn::Rest, |(at, places)| Turn::Put(at, places))
    }
}

/// Who runs where, and until when.
#[derive(Debug)]
struct Now<'a> {
    line: &'a Line<'a>,
    until: Vec<Until>,
}

impl<'a> Now<'a> {
    fn new(line: &'a Line<'a>, site: &Site) -> Now<'a> {
        let mut until: Vec<Until> = vec![Vec::new(); site.gpus.len()];
        for Reverse((end, pod)) in line.leaving {
            for (gpu, placement) in &line.places[*pod as usize] {
                until[*gpu as usize].push((*end, *placement));
            }
        }
        for until in &mut until {
            until.sort_unstable();
        }
        Now { line, until }
    }

    fn ends(&self, pod: &Pod) -> u64 {
        self.line.now.saturating_add(pod.stays)
    }

    /// The placement units of a GPU that are free until it is empty, if nobody comes, summed over time.
    fn idle(&self, site: &Site, gpu: u32) -> u128 {
        let (model, until) = (&site.kind(gpu).model, &self.until[gpu as usize]);
        let left = |end: u64| u128::from(end - self.line.now);
        let all = until.last().map_or(0, |(end, _)| u128::from(model.units) * left(*end));
        let used: u128 = until.iter().map(|(end, there)| u128::from(model.get(there.profile).size) * left(*end)).sum();
        all - used
    }
}
