//! Many who ask at once, while what is known changes: no node is ever promised twice.
//!
//! Threads play schedulers and clusters: they ask, choose a node of the answer and bind, or die in between. One thread
//! plays the watch and applies what became of it, late. It keeps its own books of what each node has to give.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};
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
    let kept: Vec<String> = answer.node_names.unwrap().into_iter().map(str::to_owned).collect();
    assert_eq!((tally.kept, tally.offered), (kept.len(), usize::try_from(NODES).unwrap()));
    if kept.len() > 1 && lot.below(2) == 0 {
        let kept = Offered::Names(kept.iter().map(|name| name.as_str().into()).collect());
        assert_eq!(extender.prioritize(pod, &kept).len(), kept.names().len());
    }
    kept
}

/// One thread of those that ask.
fn live((life, is_counted): (Life, bool), number: u64, rounds: u64, extender: &Extender, tell: &Sender<Change>) {
    let mut lot = Lot(0x9E37_79B9_7F4A_7C15 ^ (number << 32));
    let mut mine: Vec<Pod> = Vec::new();
    let send = |change: Change| tell.send(change).unwrap();
    for round in 0..rounds {
        let pod = asking(&format!("{number}-{round}"), 1 + lot.below(3));
        let mut kept = ask(extender, &pod, &mut lot);
        let turn = if life == Life::Rough { lot.below(10) } else { 9 };
        match turn {
            // It is deleted before it is bound.
            0 => {
                send(Change::PodGone(pod.uid.clone()));
                continue;
            }
            // The scheduler dies.
            1 => continue,
            // The scheduler asks again: an answer got lost.
            2 => kept = ask(extender, &pod, &mut lot),
            // One that was bound before goes, or is annotated.
            3..=5 if !mine.is_empty() => {
                let at = usize::try_from(lot.below(mine.len() as u64)).unwrap();
                if turn == 3 {
                    mine[at].asks.together ^= true;
                    send(Change::Pod(Box::new(mine[at].clone())));
                } else {
                    send(Change::PodGone(mine.swap_remove(at).uid));
                }
            }
            _ => {}
        }
        for node in &kept {
            assert!(held(extender.fleet(), node) <= SLICES || !is_counted, "{node} holds too much");
        }
        if kept.is_empty() {
            continue;
        }
        // The watch shows it pending first, which may be after the scheduler has asked about it.
        if lot.below(2) == 0 {
            send(Change::Pod(Box::new(pod.clone())));
        }
        let node = kept[usize::try_from(lot.below(kept.len() as u64)).unwrap()].clone();
        let bound = Pod { node: Some(node), ..pod };
        send(Change::Pod(Box::new(bound.clone())));
        mine.push(bound);
    }
}

/// The one who writes: applies what happens, and counts what each node has given.
fn watch(mut keeper: Keeper, heard: &Receiver<Change>, is_counted: bool) -> (Keeper, BTreeMap<String, u64>) {
    let mut bound: HashMap<String, (String, u64)> = HashMap::new();
    let mut given: BTreeMap<String, u64> = BTreeMap::new();
    for (count, change) in heard.iter().enumerate() {
        match &change {
            Change::Pod(pod) => {
                if let Some(node) = pod.node.clone().filter(|_| !bound.contains_key(&pod.uid)) {
                    let slices = pod.asks.resources[RESOURCE];
                    let given = given.entry(node.clone()).or_default();
                    *given += slices;
                    assert!(*given <= SLICES || !is_counted, "{node} was promised twice: {given} of {SLICES}");
                    bound.insert(pod.uid.clone(), (node, slices));
                }
            }
            Change::PodGone(uid) => {
                if let Some((node, slices)) = bound.remove(uid) {
                    *given.get_mut(&node).unwrap() -= slices;
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
    given.retain(|_, given| *given > 0);
    (keeper, given)
}

/// Lets them all loose, and returns what is left and what each node has given.
fn race(settings: Settings, life: Life, rounds: u64) -> (World, BTreeMap<String, u64>) {
    let nodes: Vec<_> = (0..NODES).map(|i| node(&name(i), H100, 2, &offers())).collect();
    let World { keeper, extender } = World::new(settings, &nodes, &[]);
    let (tell, heard) = channel();
    let (keeper, given) = thread::scope(|scope| {
        let writer = scope.spawn(move || watch(keeper, &heard, settings.ignored_by_scheduler));
        for number in 0..THREADS {
            let (tell, extender) = (tell.clone(), &extender);
            scope.spawn(move || live((life, settings.ignored_by_scheduler), number, rounds, extender, &tell));
        }
        drop(tell);
        writer.join().unwrap()
    });
    for i in 0..NODES {
        let name = name(i);
        assert_eq!(held(keeper.fleet(), &name), given.get(&name).copied().unwrap_or(0), "{name} at the end");
    }
    (World { keeper, extender }, given)
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
    let (mut world, given) = race(ignored(TTL), Life::Calm, 100);
    assert!(world.keeper.fleet().claims.is_empty(), "everybody who was promised a node came");
    // What is left can be had to the last slice.
    let mut left = NODES * SLICES - given.values().sum::<u64>();
    let mut lot = Lot(7);
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

#[test]
fn no_slice_is_promised_twice_however_rough_it_gets() {
    let (mut world, _) = race(ignored(TTL), Life::Rough, 300);
    settle(&mut world);
}

#[test]
fn a_scheduler_that_counts_itself_leaves_no_expectations_behind() {
    let (mut world, _) = race(Settings { ignored_by_scheduler: false, claim_ttl: TTL }, Life::Rough, 50);
    settle(&mut world);
}
