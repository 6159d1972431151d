//! Many who ask at once, while what is known changes: no node is ever promised twice.
//!
//! Threads play schedulers and clusters: they ask, choose a node of the answer and bind, or die in between. One thread
//! plays the watch and applies what became of it, late. It keeps its own books of what each node has to give.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use common::objects::{H100, labelled, node, pod};
use common::{World, ignored};
use migsaw_extender::fleet::{Fleet, Keeper};
use migsaw_extender::wire::Offered;
use migsaw_extender::{Extender, Settings};
use migsaw_kube::scheduling::{Change, Pod};

const THREADS: u64 = 64;
const NODES: u64 = 8;
const SLICES: u64 = 14;
const RESOURCE: &str = "nvidia.com/mig-1g.10gb";
const TTL: Duration = Duration::from_secs(3600);

/// What a scheduler and its cluster may do beside asking and binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Every pod that is promised a node comes there, and stays.
    Calm,
    /// Pods are deleted, before and after, annotated, asked about twice, and forgotten.
    Rough,
}

/// Numbers by lot, the same in every run.
struct Lot(u64);

impl Lot {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

fn name(i: u64) -> String {
    format!("n{i}")
}

fn offers() -> String {
    format!("1g.10gb={SLICES}")
}

fn asking(uid: &str, slices: u64) -> Pod {
    serde_json::from_value(pod(uid, &format!("1g.10gb={slices}"))).unwrap()
}

fn held(fleet: &Fleet, node: &str) -> u64 {
    let view = fleet.view(node).unwrap();
    view.holders.iter().filter_map(|holder| holder.asks.resources.get(RESOURCE)).sum()
}

/// The nodes that the pod may go to, asked for in an order by lot.
fn ask(extender: &Extender, pod: &Pod, lot: &mut Lot) -> Vec<String> {
    let first = lot.below(NODES);
    let names: Vec<Cow<'_, str>> = (0..NODES).map(|i| name((first + i) % NODES).into()).collect();
    let offered = Offered::Names(names);
    let (answer, tally) = extender.filter(pod, &offered);
    // Where others have claimed all of them it has to wait.
    let kept: Vec<String> = answer.node_names.unwrap_or_default().into_iter().map(str::to_owned).collect();
    assert_eq!((tally.kept, tally.offered), (kept.len(), usize::try_from(NODES).unwrap()));
    if kept.len() > 1 && lot.below(2) == 0 {
        let kept = Offered::Names(kept.iter().map(|name| name.as_str().into()).collect());
        assert_eq!(extender.prioritize(pod, &kept).len(), kept.names().len());
    }
    kept
}

/// One thread of those that ask.
struct Asker<'a> {
    life: Life,
    is_counted: bool,
    extender: &'a Extender,
    tell: SyncSender<Change>,
    lot: Lot,
    /// Pods that have been told where to go, and are not seen there yet.
    coming: VecDeque<Pod>,
    bound: Vec<Pod>,
    /// Pods whose scheduler died before it bound them.
    lost: Vec<Pod>,
}

impl Asker<'_> {
    fn live(mut self, number: u64, rounds: u64) {
        for round in 0..rounds {
            let pod = asking(&format!("{number}-{round}"), 1 + self.lot.below(3));
            let kept = ask(self.extender, &pod, &mut self.lot);
            for node in &kept {
                assert!(held(self.extender.fleet(), node) <= SLICES || !self.is_counted, "{node} holds too much");
            }
            let kept = if self.life == Life::Rough { self.meddle(&pod, kept) } else { kept };
            if let Some(node) = self.one_of(kept.len()).map(|at| kept[at].clone()) {
                // The watch shows it pending, which may be after the scheduler has asked about it.
                if self.lot.below(2) == 0 {
                    self.say(Change::Pod(Box::new(pod.clone())));
                }
                self.coming.push_back(Pod { node: Some(node), ..pod });
            }
            if self.coming.len() as u64 > self.lot.below(3) {
                self.bind();
            }
        }
        while !self.coming.is_empty() {
            self.bind();
        }
    }

    /// What else happens: to this pod, which may go to these nodes, and to another one. Where the pod may go then.
    fn meddle(&mut self, pod: &Pod, kept: Vec<String>) -> Vec<String> {
        if let Some(at) = self.one_of(self.bound.len()) {
            if self.lot.below(4) == 0 {
                let gone = self.bound.swap_remove(at).uid;
                self.say(Change::PodGone(gone));
            } else {
                self.bound[at].asks.together ^= true;
                self.say(Change::Pod(Box::new(self.bound[at].clone())));
            }
        }
        if self.lot.below(2) == 0
            && let Some(lost) = self.lost.pop()
        {
            self.say(Change::PodGone(lost.uid));
        }
        match self.lot.below(8) {
            // It is deleted before it is bound.
            0 => self.say(Change::PodGone(pod.uid.clone())),
            // The scheduler dies.
            1 => self.lost.push(pod.clone()),
            // The scheduler asks again: an answer got lost.
            2 => return ask(self.extender, pod, &mut self.lot),
            _ => return kept,
        }
        Vec::new()
    }

    /// The pod that has waited longest is seen on its node.
    fn bind(&mut self) {
        let Some(pod) = self.coming.pop_front() else { return };
        self.say(Change::Pod(Box::new(pod.clone())));
        self.bound.push(pod);
    }

    fn say(&self, change: Change) {
        self.tell.send(change).unwrap();
    }

    fn one_of(&mut self, n: usize) -> Option<usize> {
        (n > 0).then(|| usize::try_from(self.lot.below(n as u64)).unwrap())
    }
}

/// What came of it by the books of the one who writes.
#[derive(Default)]
struct Books {
    /// The slices that each node has given.
    given: BTreeMap<String, u64>,
    /// How many pods were bound in all.
    pods: u64,
}

/// The one who writes: applies what happens, and counts what each node has given.
fn watch(mut keeper: Keeper, heard: &Receiver<Change>, is_counted: bool) -> (Keeper, Books) {
    let mut bound: HashMap<String, (String, u64)> = HashMap::new();
    let mut books = Books::default();
    for (count, change) in heard.iter().enumerate() {
        match &change {
            Change::Pod(pod) => {
                if let Some(node) = pod.node.clone().filter(|_| !bound.contains_key(&pod.uid)) {
                    let slices = pod.asks.resources[RESOURCE];
                    books.pods += 1;
                    let given = books.given.entry(node.clone()).or_default();
                    *given += slices;
                    assert!(*given <= SLICES || !is_counted, "{node} was promised twice: {given} of {SLICES}");
                    bound.insert(pod.uid.clone(), (node, slices));
                }
            }
            Change::PodGone(uid) => {
                if let Some((node, slices)) = bound.remove(uid) {
                    *books.given.get_mut(&node).unwrap() -= slices;
                }
            }
            _ => {}
        }
        keeper.apply(change).unwrap();
        if count % 64 == 0 {
            keeper.refresh(Instant::now());
            // A node has news of its own.
            let again =
                labelled(node(&name(count as u64 / 64 % NODES), H100, 2, &offers()), "count", &count.to_string());
            keeper.apply(Change::Node(serde_json::from_value(again).unwrap())).unwrap();
        }
    }
    (keeper, books)
}

/// Lets them all loose, and returns what is left and what each node has given.
fn race(settings: Settings, life: Life, (seed, rounds): (u64, u64)) -> (World, Books) {
    let nodes: Vec<_> = (0..NODES).map(|i| node(&name(i), H100, 2, &offers())).collect();
    let World { keeper, extender } = World::new(settings, &nodes, &[]);
    // Short, so that what is known is never far behind what is asked.
    let (tell, heard) = sync_channel(16);
    let (keeper, books) = thread::scope(|scope| {
        let writer = scope.spawn(move || watch(keeper, &heard, settings.ignored_by_scheduler));
        for number in 0..THREADS {
            let asker = Asker {
                life,
                is_counted: settings.ignored_by_scheduler,
                extender: &extender,
                tell: tell.clone(),
                lot: Lot(0x9E37_79B9_7F4A_7C15 ^ (seed << 48) ^ (number << 32)),
                coming: VecDeque::new(),
                bound: Vec::new(),
                lost: Vec::new(),
            };
            scope.spawn(move || asker.live(number, rounds));
        }
        drop(tell);
        writer.join().unwrap()
    });
    for i in 0..NODES {
        let name = name(i);
        assert_eq!(held(keeper.fleet(), &name), books.given.get(&name).copied().unwrap_or(0), "{name} at the end");
    }
    (World { keeper, extender }, books)
}

/// All pods go and all claims run out: nothing is left of any of them.
fn settle(world: &mut World) {
    let uids: Vec<String> = (0..NODES)
        .flat_map(|i| world.keeper.fleet().view(&name(i)).unwrap().holders.to_vec())
        .map(|holder| holder.uid.to_string())
        .collect();
    for uid in uids {
        world.change(Change::PodGone(uid));
    }
    world.keeper.refresh(Instant::now() + 2 * TTL);
    assert_eq!(world.keeper.fleet().claims.len(), 0);
    let (all, mut lot) = (asking("all", SLICES), Lot(1));
    assert_eq!(ask(&world.extender, &all, &mut lot).len() as u64, NODES, "every node is free again");
    world.change(Change::PodGone("all".to_owned()));
    assert!(world.keeper.fleet().claims.is_empty());
}

#[test]
fn no_slice_is_promised_twice_and_none_is_lost() {
    for seed in 1..=20 {
        let (mut world, books) = race(ignored(TTL), Life::Calm, (seed, 10));
        assert!(world.keeper.fleet().claims.is_empty(), "everybody who was promised a node came");
        // What is left can be had to the last slice.
        let mut left = NODES * SLICES - books.given.values().sum::<u64>();
        let mut lot = Lot(seed);
        while left > 0 {
            let pod = asking(&format!("last-{left}"), 1);
            let kept = ask(&world.extender, &pod, &mut lot);
            let node = kept.first().unwrap_or_else(|| panic!("{left} slices are free, and nobody may have them"));
            world.change(Change::Pod(Box::new(Pod { node: Some(node.clone()), ..pod })));
            left -= 1;
        }
        assert!(ask(&world.extender, &asking("late", 1), &mut lot).is_empty());
        settle(&mut world);
    }
}

/// `MIGSAW_CASES` says how many pods each of the 64 threads asks about.
#[test]
fn no_slice_is_promised_twice_however_rough_it_gets() {
    let rounds = std::env::var("MIGSAW_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let (mut world, books) = race(ignored(TTL), Life::Rough, (1, rounds));
    assert!(books.pods > NODES * SLICES, "slices that came back were promised again");
    settle(&mut world);
}

#[test]
fn a_scheduler_that_counts_itself_leaves_no_expectations_behind() {
    let (mut world, _) = race(Settings { claim_ttl: TTL, ..Settings::default() }, Life::Rough, (1, 50));
    settle(&mut world);
}
