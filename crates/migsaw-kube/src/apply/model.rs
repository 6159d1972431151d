//! Every state a node can come to, whatever pods, MIG Manager, device plugin and interruptions do in between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::pods::{Holder, PodRef};
use super::record::StepRecord;
use super::step::{Aim, Mark, Next, NodeSeen, Seen, next};

const ID: &str = "r";

/// What a node's label and slices are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Old,
    New,
    /// While the device plugin is away.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Manager {
    /// It has not seen the label's change yet: there is no state.
    Unaware,
    Pending,
    Success,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pod {
    Runs,
    Ends,
    Gone,
}

/// A node with one pod on it, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    label: Cut,
    manager: Manager,
    offers: Cut,
    is_cordoned: bool,
    /// Whether its mark says that its label was changed.
    is_labelled: bool,
    pod: Pod,
    aim: u8,
}

const AIMS: [Aim; 3] = [Aim::Forward, Aim::LetGo, Aim::Back];

fn step() -> StepRecord {
    StepRecord {
        node: "a".to_owned(),
        uid: "u".to_owned(),
        from: Some("old".to_owned()),
        offers: offered(Cut::Old),
        to: Some("new".to_owned()),
        becomes: offered(Cut::New),
        ..StepRecord::default()
    }
}

fn offered(cut: Cut) -> BTreeMap<String, u64> {
    let (old, new) = match cut {
        Cut::Old => (7, 0),
        Cut::New => (0, 2),
        Cut::None => (0, 0),
    };
    let all = [("nvidia.com/mig-1g.10gb", old), ("nvidia.com/mig-3g.40gb", new)];
    all.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name.to_owned(), n)).collect()
}

impl World {
    const FIRST: World = World {
        label: Cut::Old,
        manager: Manager::Success,
        offers: Cut::Old,
        is_cordoned: false,
        is_labelled: false,
        pod: Pod::Runs,
        aim: 0,
    };

    fn seen(self) -> Seen {
        let state = match self.manager {
            Manager::Unaware => None,
            Manager::Pending => Some("pending"),
            Manager::Success => Some("success"),
            Manager::Failed => Some("failed"),
        };
        let node = NodeSeen {
            uid: "u".to_owned(),
            config: Some(if self.label == Cut::New { "new" } else { "old" }.to_owned()),
            state: state.map(str::to_owned),
            is_cordoned: self.is_cordoned,
            mark: self.is_cordoned.then(|| Mark { id: ID.to_owned(), is_labelled: self.is_labelled }),
            offers: offered(self.offers),
            ..NodeSeen::default()
        };
        let name = PodRef { namespace: "n".to_owned(), name: "p".to_owned(), uid: "1".to_owned() };
        let holder = Holder { name, is_ending: self.pod == Pod::Ends, stays: None };
        Seen { node: Some(node), holders: if self.pod == Pod::Gone { Vec::new() } else { vec![holder] } }
    }

    fn next(self) -> Next {
        next(&step(), ID, AIMS[usize::from(self.aim)], &self.seen())
    }

    /// What the world is after our next act; checks that it may be done.
    fn acted(mut self) -> World {
        match self.next() {
            Next::Cordon => (self.is_cordoned, self.is_labelled) = (true, false),
            Next::Evict(_) => self.pod = Pod::Ends,
            Next::Label(to) => {
                assert!(self.is_cordoned, "{self:?}: labelled, but not cordoned");
                assert_eq!(self.pod, Pod::Gone, "{self:?}: labelled under a pod");
                self.label = if to == "new" { Cut::New } else { Cut::Old };
                self.manager = Manager::Unaware;
                self.is_labelled = true;
            }
            Next::Uncordon => {
                // Before its label is changed nobody is at work on it.
                if self.is_labelled {
                    assert_eq!(self.manager, Manager::Success, "{self:?}: uncordoned before MIG Manager is done");
                    assert_eq!(self.offers, self.label, "{self:?}: uncordoned before the slices are there");
                }
                let is_right = AIMS[usize::from(self.aim)] != Aim::Forward || self.label == Cut::New;
                assert!(is_right, "{self:?}: uncordoned too early");
                self.is_cordoned = false;
            }
            _ => {}
        }
        self
    }

    /// What others may do.
    fn others(self) -> Vec<World> {
        let mut worlds = Vec::new();
        let mut may = |is_possible: bool, world: World| worlds.extend(is_possible.then_some(world));
        may(self.pod == Pod::Ends, World { pod: Pod::Gone, ..self });
        may(self.pod == Pod::Runs, World { pod: Pod::Ends, ..self });
        // A pod comes where there is room for it.
        may(self.pod == Pod::Gone && !self.is_cordoned && self.offers != Cut::None, World { pod: Pod::Runs, ..self });
        let is_pending = self.manager == Manager::Pending;
        may(self.manager == Manager::Unaware, World { manager: Manager::Pending, offers: Cut::None, ..self });
        may(is_pending, World { manager: Manager::Failed, ..self });
        may(is_pending, World { manager: Manager::Success, ..self });
        // It was restarted.
        may(self.manager == Manager::Failed, World { manager: Manager::Pending, ..self });
        may(self.manager == Manager::Success && self.offers == Cut::None, World { offers: self.label, ..self });
        // An abort, a rollback, or an apply that goes on.
        for aim in 0..3 {
            may(aim != self.aim, World { aim, ..self });
        }
        worlds
    }
}

#[test]
fn nothing_that_others_do_makes_an_act_wrong_or_leaves_no_way_out() {
    let mut ways: BTreeMap<World, BTreeSet<World>> = BTreeMap::new();
    let mut queue = VecDeque::from([World::FIRST]);
    while let Some(world) = queue.pop_front() {
        if ways.contains_key(&world) {
            continue;
        }
        let mut after = world.others();
        after.push(world.acted());
        queue.extend(&after);
        ways.insert(world, after.into_iter().collect());
    }
    assert!(ways.len() > 50, "{} states were come to", ways.len());
    // From wherever it is, it can come to its end, whichever that is: without a change of aim.
    for aim in 0..3 {
        let mut good: BTreeSet<World> =
            ways.keys().filter(|world| world.aim == aim && world.next() == Next::Done).copied().collect();
        loop {
            let leads = |world: &World| ways[world].iter().any(|after| good.contains(after));
            let more: Vec<World> =
                ways.keys().filter(|w| w.aim == aim && !good.contains(w) && leads(w)).copied().collect();
            if more.is_empty() {
                break;
            }
            good.extend(more);
        }
        let lost: Vec<&World> = ways.keys().filter(|world| world.aim == aim && !good.contains(world)).collect();
        assert!(lost.is_empty(), "no way out of {lost:?}");
    }
}
