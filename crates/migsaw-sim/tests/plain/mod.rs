//! The plainest simulator there can be: second by second, every GPU a list of instances, every pod tried on every GPU at
//! every start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::geometry::{Layout, Model, Placement, ProfileName};
use migsaw::present::RecutUnit;
use migsaw_sim::{Eviction, Limits, NewCuts, Pod, Recutting};

/// What pods a policy expects: of each profile that is asked for, how many in a million.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) profiles: Vec<(ProfileName, u64)>,
}

/// What is lost by placing an instance, plainly.
pub(crate) type Loss = fn(&Expected, &Model, &Layout, &Layout) -> f64;

/// What to simulate.
pub(crate) struct Plain<'a> {
    pub(crate) models: &'a [Arc<Model>],
    pub(crate) gpus_per_node: usize,
    /// The pool of each GPU.
    pub(crate) pools: &'a [usize],
    pub(crate) limits: &'a [Limits],
    pub(crate) profiles: &'a [ProfileName],
    pub(crate) pods: &'a [Pod],
    pub(crate) loss: Loss,
    pub(crate) waits: bool,
    pub(crate) preempts: bool,
    pub(crate) eviction: Eviction,
    pub(crate) learnt: Option<usize>,
    /// How each GPU is cut, if it is.
    pub(crate) cuts: Option<Vec<Layout>>,
    /// What the planner answers, one time after the other.
    pub(crate) script: Vec<NewCuts>,
    pub(crate) recutting: Option<Recutting>,
}

/// Where the instances of a pod are put.
type Places = Vec<(usize, Placement)>;
/// Who makes way, and where a pod goes then.
type Way = (Vec<usize>, Places);

/// What came of it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Result {
    /// Of each pod: how long it waited in all, if it was done in the end.
    pub(crate) done: Vec<Option<u64>>,
    /// How many times it was evicted.
    pub(crate) evictions: Vec<u64>,
    pub(crate) recuts: u64,
    pub(crate) closed: u64,
}

struct State<'a> {
    this: &'a Plain<'a>,
    now: u64,
    on: Vec<Vec<(Placement, usize)>>,
    cuts: Option<Vec<Layout>>,
    shut_until: Vec<u64>,
    /// Of each pod: when it began to run and when it ends, while it runs.
    runs: BTreeMap<usize, (u64, u64)>,
    /// Of each pod: how long it stays from its start, and how long it has waited.
    stays: Vec<u64>,
    waited: Vec<u64>,
    /// Since when it waits.
    since: Vec<u64>,
    line: Vec<usize>,
    expected: Expected,
    result: Result,
}

impl Plain<'_> {
    pub(crate) fn run(&self) -> Result {
        let count = self.pods.len();
        let gpus = self.models.len();
        let mut state = State {
            this: self,
            now: 0,
            on: vec![Vec::new(); gpus],
            cuts: self.cuts.clone(),
            shut_until: vec![0; gpus],
            runs: BTreeMap::new(),
            stays: self.pods.iter().map(|pod| pod.stays).collect(),
            waited: vec![0; count],
            since: self.pods.iter().map(|pod| pod.arrives).collect(),
            line: Vec::new(),
            expected: self.expected(self.learnt.map_or(count, |_| 0)),
            result: Result { done: vec![None; count], evictions: vec![0; count], ..Result::default() },
        };
        state.run();
        state.result
    }

    /// What is expected after so many pods have come, if that is learnt; what all ask for if it is known.
    fn expected(&self, came: usize) -> Expected {
        let all: u64 = self.weights(came).iter().map(|(asks, weight)| instances(asks) * weight).sum();
        let of = |at: usize| -> u64 {
            let asked = |(asks, weight): (&Vec<(u16, u8)>, &u64)| -> u64 {
                asks.iter()
                    .filter(|(profile, _)| usize::from(*profile) == at)
                    .map(|(_, n)| u64::from(*n) * weight)
                    .sum()
            };
            self.weights(came).iter().map(asked).sum()
        };
        let name = |(at, name): (usize, &ProfileName)| (name.clone(), of(at) * 1_000_000 / all.max(1));
        Expected { profiles: self.profiles.iter().enumerate().map(name).filter(|(_, share)| *share > 0).collect() }
    }

    fn weights(&self, came: usize) -> BTreeMap<Vec<(u16, u8)>, u64> {
        let window = self.learnt.unwrap_or(self.pods.len());
        let mut weights = BTreeMap::new();
        for pod in &self.pods[came.saturating_sub(window)..came] {
            *weights.entry(pod.asks.to_vec()).or_default() += self.profiles.len() as u64;
        }
        for at in 0..u16::try_from(self.profiles.len()).unwrap() {
            *weights.entry(vec![(at, 1)]).or_default() += window.saturating_sub(came) as u64;
        }
        weights
    }
}

fn instances(asks: &[(u16, u8)]) -> u64 {
    asks.iter().map(|(_, n)| u64::from(*n)).sum()
}

impl State<'_> {
    fn run(&mut self) {
        let pods = self.this.pods;
        let (mut came, mut told, mut compared) = (0, 0, 0);
        let (mut next, mut asked, mut is_unmet, mut is_news) = (0, 0, false, false);
        loop {
            let done: Vec<usize> =
                self.runs.iter().filter(|(_, (_, end))| *end == self.now).map(|(pod, _)| *pod).collect();
            for pod in done {
                self.stop(pod);
                self.result.done[pod] = Some(self.waited[pod]);
                is_news = true;
            }
            while came < pods.len() && pods[came].arrives == self.now {
                let pod = came;
                came += 1;
                is_news = true;
                if let Some(window) = self.this.learnt
                    && came - compared >= window.div_ceil(20)
                {
                    compared = came;
                    if self.has_moved(told, came) {
                        told = came;
                        self.expected = self.this.expected(came);
                    }
                }
                if self.this.waits {
                    let at = self.line.iter().filter(|other| pods[**other].priority >= pods[pod].priority).count();
                    self.line.insert(at, pod);
                } else if !self.start(pod) {
                    is_unmet = true;
                }
            }
            self.serve();
            if self.this.waits {
                is_unmet = !self.line.is_empty();
            }
            if let Some(how) = &self.this.recutting
                && is_unmet
                && is_news
                && self.now >= next
            {
                next = self.now + how.every;
                is_news = false;
                if let Some(answer) = self.this.script.get(asked) {
                    self.recut(answer, how);
                }
                asked += 1;
                self.serve();
                is_unmet = !self.line.is_empty();
            }
            let is_shut = self.shut_until.iter().any(|until| *until > self.now);
            let asks = self.this.recutting.is_some() && is_unmet && is_news;
            if came == pods.len() && self.runs.is_empty() && !is_shut && !asks {
                break;
            }
            self.result.closed += self.shut_until.iter().filter(|until| **until > self.now).count() as u64;
            self.now += 1;
        }
    }

    /// Whether more than one in twenty of what was expected is something else.
    fn has_moved(&self, told: usize, came: usize) -> bool {
        let (before, now) = (self.this.weights(told), self.this.weights(came));
        let asks: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        let of = |weights: &BTreeMap<Vec<(u16, u8)>, u64>, asks| weights.get(asks).copied().unwrap_or(0);
        let more: u64 = asks.iter().map(|asks| of(&now, *asks).saturating_sub(of(&before, *asks))).sum();
        more * 20 > now.values().sum()
    }

    fn serve(&mut self) {
        while let Some(at) = (0..self.line.len()).find(|at| self.start(self.line[*at])) {
            // Whoever was evicted stands behind.
            self.line.remove(at);
        }
    }

    fn is_open(&self, gpu: usize) -> bool {
        self.now >= self.shut_until[gpu]
    }

    fn layout(&self, gpu: usize, without: &[usize]) -> Layout {
        let there = self.on[gpu].iter().filter(|(_, pod)| !without.contains(pod)).map(|(placement, _)| *placement);
        Layout::new(&self.this.models[gpu], there).unwrap()
    }

    /// Every way to add an instance to a layout.
    fn additions(&self, gpu: usize, from: &Layout, profile: u16) -> Vec<(Placement, Layout)> {
        let model = &self.this.models[gpu];
        let Some(profile) = model.profile(&self.this.profiles[usize::from(profile)]) else { return Vec::new() };
        let way = |&start: &u8| {
            let placement = Placement { start, profile };
            let is_cut = self.cuts.as_ref().is_none_or(|cuts| cuts[gpu].placements().contains(&placement));
            let to = Layout::new(model, from.placements().iter().copied().chain([placement])).ok();
            to.filter(|_| is_cut && !from.placements().contains(&placement)).map(|to| (placement, to))
        };
        model.get(profile).starts.iter().filter_map(way).collect()
    }

    fn each(&self, pod: usize) -> Vec<u16> {
        let asks = &self.this.pods[pod].asks;
        let mut each: Vec<u16> = asks.iter().flat_map(|&(at, n)| vec![at; usize::from(n)]).collect();
        let size = |at: &u16| {
            let name = &self.this.profiles[usize::from(*at)];
            let model = self.this.models.iter().find(|model| model.profile(name).is_some());
            std::cmp::Reverse(model.map_or(0, |model| model.get(model.profile(name).unwrap()).size))
        };
        each.sort_by_key(size);
        each
    }

    fn nodes(&self) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let n = self.this.gpus_per_node;
        (0..self.this.models.len() / n).map(move |node| node * n..(node + 1) * n)
    }

    fn limits(&self, pod: usize) -> &Limits {
        &self.this.limits[usize::from(self.this.pods[pod].limits)]
    }

    /// Whether a pod may come to the node of a GPU, beside those that run there.
    fn may_use(&self, pod: usize, gpu: usize) -> bool {
        let Limits { pools, max_per_node, .. } = self.limits(pod);
        let node = self.nodes().find(|node| node.contains(&gpu)).unwrap();
        let there: BTreeSet<usize> = node.flat_map(|gpu| &self.on[gpu]).map(|(_, pod)| *pod).collect();
        let is_one = |other: &&usize| self.this.pods[**other].limits == self.this.pods[pod].limits;
        let count = there.iter().filter(is_one).count();
        let is_its_pool = pools.as_ref().is_none_or(|pools| pools.contains(&self.this.pools[gpu]));
        is_its_pool && max_per_node.is_none_or(|most| count < most as usize)
    }

    /// All sequences of places for instances on one GPU, each with how many of its steps the policy would not take alone
    /// and what the others lose; lowest starts first.
    fn sequences(&self, gpu: usize, from: &Layout, each: &[u16]) -> Vec<(u32, f64, Places)> {
        let Some((&profile, rest)) = each.split_first() else { return vec![(0, 0.0, Vec::new())] };
        let mut all = Vec::new();
        let mut additions = self.additions(gpu, from, profile);
        additions.sort_by_key(|(placement, _)| placement.start);
        for (placement, to) in additions {
            let costs = (self.this.loss)(&self.expected, &self.this.models[gpu], from, &to);
            for (others, lost, mut places) in self.sequences(gpu, &to, rest) {
                places.insert(0, (gpu, placement));
                let is_last = costs.is_infinite();
                all.push((others + u32::from(is_last), if is_last { lost } else { lost + costs }, places));
            }
        }
        all
    }

    /// Where all instances go on one GPU.
    fn best_on_one_gpu(&self, pod: usize) -> Option<Places> {
        let mut best: Option<(u32, f64, Places)> = None;
        for gpu in (0..self.this.models.len()).filter(|gpu| self.is_open(*gpu) && self.may_use(pod, *gpu)) {
            for way in self.sequences(gpu, &self.layout(gpu, &[]), &self.each(pod)) {
                let is_less = |best: &(u32, f64, Places)| (way.0, way.1 + 1e-9) < (best.0, best.1);
                if best.as_ref().is_none_or(is_less) {
                    best = Some(way);
                }
            }
        }
        best.map(|(.., places)| places)
    }

    /// A pod starts where least is lost, or in the place of others.
    fn start(&mut self, pod: usize) -> bool {
        let places = self.best(pod).or_else(|| {
            let (victims, places) = self.this.preempts.then(|| self.preempted(pod)).flatten()?;
            for victim in victims {
                self.evict(victim);
                self.line_up(victim);
            }
            Some(places)
        });
        let Some(places) = places else { return false };
        for (gpu, placement) in places {
            self.on[gpu].push((placement, pod));
        }
        self.waited[pod] += self.now - self.since[pod];
        self.runs.insert(pod, (self.now, self.now + self.stays[pod]));
        true
    }

    fn best(&self, pod: usize) -> Option<Places> {
        let each = self.each(pod);
        if each.len() > 1 && self.limits(pod).on_one_gpu {
            return self.best_on_one_gpu(pod);
        }
        let all = 0..self.this.models.len();
        // One instance may go anywhere; several go to one node.
        let groups =
            if each.len() == 1 { all.map(|gpu| gpu..gpu + 1).collect() } else { self.nodes().collect::<Vec<_>>() };
        let mut best: Option<(f64, Places)> = None;
        for gpus in groups.into_iter().filter(|gpus| self.may_use(pod, gpus.start)) {
            let first = gpus.start;
            let mut here: Vec<Layout> = gpus.clone().map(|gpu| self.layout(gpu, &[])).collect();
            let (mut lost, mut places) = (0.0, Vec::new());
            for &profile in &each {
                let mut least: Option<(f64, usize, Placement, Layout)> = None;
                for gpu in gpus.clone().filter(|gpu| self.is_open(*gpu)) {
                    let from = &here[gpu - first];
                    for (placement, to) in self.additions(gpu, from, profile) {
                        let costs = (self.this.loss)(&self.expected, &self.this.models[gpu], from, &to);
                        if least.as_ref().is_none_or(|(least, ..)| costs < least - 1e-9) {
                            least = Some((costs, gpu, placement, to));
                        }
                    }
                }
                let Some((costs, gpu, placement, to)) = least else { break };
                lost += costs;
                here[gpu - first] = to;
                places.push((gpu, placement));
            }
            if places.len() == each.len() && best.as_ref().is_none_or(|(least, _)| lost < least - 1e-9) {
                best = Some((lost, places));
            }
        }
        best.map(|(_, places)| places)
    }

    /// Who makes way for a pod, and where it goes then.
    fn preempted(&self, pod: usize) -> Option<Way> {
        let each = self.each(pod);
        let mut ways = Vec::new();
        if let [profile] = each[..] {
            for gpu in (0..self.this.models.len()).filter(|gpu| self.is_open(*gpu) && self.may_use(pod, *gpu)) {
                let starts: BTreeSet<Placement> = self
                    .additions(gpu, &Layout::empty(), profile)
                    .into_iter()
                    .map(|(placement, _)| placement)
                    .collect();
                for placement in starts {
                    let fits = |gone: &[usize]| {
                        let from = self.layout(gpu, gone);
                        let there = self.additions(gpu, &from, profile).into_iter().map(|(placement, _)| placement);
                        there.into_iter().any(|other| other == placement).then(|| vec![(gpu, placement)])
                    };
                    ways.extend(self.way(gpu..gpu + 1, pod, fits));
                }
            }
        } else if self.limits(pod).on_one_gpu {
            for gpu in (0..self.this.models.len()).filter(|gpu| self.is_open(*gpu) && self.may_use(pod, *gpu)) {
                let fits = |gone: &[usize]| {
                    let ways = self.sequences(gpu, &self.layout(gpu, gone), &each);
                    ways.into_iter().next().map(|(.., places)| places)
                };
                ways.extend(self.way(gpu..gpu + 1, pod, fits));
            }
        } else {
            for gpus in self.nodes().filter(|gpus| self.may_use(pod, gpus.start)) {
                let fits = |gone: &[usize]| self.first_places(gpus.clone(), &each, gone);
                ways.extend(self.way(gpus.clone(), pod, fits));
            }
        }
        let priority = |pod: &usize| self.this.pods[*pod].priority;
        let harm = |victims: &[usize]| {
            let most = victims.iter().map(priority).max().unwrap();
            let sum: i64 = victims.iter().map(|pod| i64::from(priority(pod)) + (1 << 31)).sum();
            let longest = victims.iter().filter(|pod| priority(pod) == most).map(|pod| self.runs[pod].0).min();
            (most, sum, std::cmp::Reverse(longest))
        };
        ways.into_iter().min_by_key(|(victims, _)| harm(victims))
    }

    fn first_places(&self, gpus: std::ops::Range<usize>, each: &[u16], gone: &[usize]) -> Option<Places> {
        let mut here: BTreeMap<usize, Layout> = gpus.map(|gpu| (gpu, self.layout(gpu, gone))).collect();
        let mut places = Vec::new();
        for &profile in each {
            let open = here.iter().filter(|(gpu, _)| self.is_open(**gpu));
            let (gpu, (placement, to)) =
                open.map(|(gpu, from)| (*gpu, self.additions(*gpu, from, profile))).find_map(|(gpu, mut ways)| {
                    ways.sort_by_key(|(placement, _)| placement.start);
                    Some((gpu, ways.into_iter().next()?))
                })?;
            here.insert(gpu, to);
            places.push((gpu, placement));
        }
        Some(places)
    }

    /// Of all sets of pods of lower priority on a GPU, the one that spares the most important, then the next, and so on.
    /// On a node the pods are spared one by one: what fits there is not tried in every way, so that it may make a
    /// difference.
    fn way(&self, gpus: std::ops::Range<usize>, pod: usize, fits: impl Fn(&[usize]) -> Option<Places>) -> Option<Way> {
        let there = gpus.filter(|gpu| self.is_open(*gpu)).flat_map(|gpu| &self.on[gpu]).map(|(_, pod)| *pod);
        let lower = there.filter(|other| self.this.pods[*other].priority < self.this.pods[pod].priority);
        let mut lower: Vec<usize> = lower.collect::<BTreeSet<_>>().into_iter().collect();
        lower.sort_by_key(|pod| (self.this.pods[*pod].priority, std::cmp::Reverse((self.runs[pod].0, *pod))));
        if self.each(pod).len() > 1 {
            let mut gone = lower.clone();
            let mut places = fits(&gone)?;
            for pod in lower.iter().rev() {
                let rest: Vec<usize> = gone.iter().copied().filter(|other| other != pod).collect();
                if let Some(found) = fits(&rest) {
                    (gone, places) = (rest, found);
                }
            }
            return (!gone.is_empty()).then_some((gone, places));
        }
        // As a binary number, the most important pod is the highest digit, and 1 if it has to go.
        (1..1_u32 << lower.len()).find_map(|set| {
            let gone: Vec<usize> =
                lower.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0).map(|(_, pod)| *pod).collect();
            fits(&gone).map(|places| (gone, places))
        })
    }

    fn stop(&mut self, pod: usize) {
        self.runs.remove(&pod);
        self.on.iter_mut().for_each(|gpu| gpu.retain(|(_, other)| *other != pod));
    }

    fn evict(&mut self, pod: usize) {
        let (_, end) = self.runs[&pod];
        self.stop(pod);
        let Eviction { cost, loses_work } = self.this.eviction;
        self.stays[pod] = cost + if loses_work { self.this.pods[pod].stays } else { end - self.now };
        self.since[pod] = self.now;
        self.result.evictions[pod] += 1;
    }

    /// A pod that was evicted waits again, ahead of others of its priority, or is lost.
    fn line_up(&mut self, pod: usize) {
        if self.this.waits {
            let priority = |pod: usize| self.this.pods[pod].priority;
            let at = self.line.iter().filter(|other| priority(**other) > priority(pod)).count();
            self.line.insert(at, pod);
        }
    }

    fn recut(&mut self, answer: &NewCuts, how: &Recutting) {
        let n = self.this.gpus_per_node;
        let mut evicted = 0;
        let wanted: BTreeMap<usize, &Layout> =
            answer.cuts.iter().map(|(node, gpu, layout)| (node * n + usize::from(*gpu), layout)).collect();
        let units: Vec<Vec<usize>> = match how.unit {
            Some(RecutUnit::Gpu) => (0..self.this.models.len()).map(|gpu| vec![gpu]).collect(),
            _ => self.nodes().map(Iterator::collect).collect(),
        };
        let mut gone = Vec::new();
        for unit in units {
            let cuts = self.cuts.as_ref().unwrap();
            let changed: Vec<usize> = unit
                .iter()
                .copied()
                .filter(|gpu| wanted.get(gpu).is_some_and(|layout| layout.counts() != cuts[*gpu].counts()))
                .collect();
            let pods: BTreeSet<usize> = unit.iter().flat_map(|gpu| &self.on[*gpu]).map(|(_, pod)| *pod).collect();
            let may_go = pods.iter().all(|pod| answer.evicts.contains(&u32::try_from(*pod).unwrap()));
            let is_shut = unit.iter().any(|gpu| !self.is_open(*gpu));
            if changed.is_empty() || !may_go || is_shut || evicted + pods.len() > how.max_evictions as usize {
                continue;
            }
            evicted += pods.len();
            for pod in pods {
                self.evict(pod);
                gone.push(pod);
            }
            for &gpu in &unit {
                self.shut_until[gpu] = self.now + how.time;
            }
            for gpu in changed {
                self.cuts.as_mut().unwrap()[gpu] = (*wanted[&gpu]).clone();
                self.result.recuts += 1;
            }
        }
        // The last one first, so that they stand in the order in which they were evicted.
        for pod in gone.into_iter().rev() {
            self.line_up(pod);
        }
    }
}
