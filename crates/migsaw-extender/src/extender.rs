//! The verbs, as kube-scheduler calls them, on a fleet.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use migsaw_kube::scheduling::{Budget, Pod};

use crate::decide::{self, Gone, Held, Reason, Victim};
use crate::explain::{Decision, Journal};
use crate::fleet::{Asked, Budgets, Fleet, Holder, Labels, View};
use crate::wire::{FilterResult, HostPriority, KeptNodes, MetaPod, Offered, PreemptArgs, PreemptResult, Text, Victims};

/// How an extender behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether the scheduler does not count slices itself (`ignoredByScheduler: true`): a pod then claims every node it
    /// may go to until it is seen on one, because nobody else keeps two pods from the same slice.
    pub ignored_by_scheduler: bool,
    /// How long a claim lasts if its pod is not seen on a node.
    pub claim_ttl: Duration,
    /// How many of the nodes that can take a pod are passed on, the best ones; 0 for all. All are, too, if the pod
    /// prefers some nodes itself, if some of the nodes would rather not have pods (`PreferNoSchedule`), and if pods claim
    /// nodes.
    pub shortlist: usize,
}

/// What [`Settings::shortlist`] is if nothing is said.
pub const SHORTLIST: usize = 100;

impl Default for Settings {
    fn default() -> Settings {
        Settings { ignored_by_scheduler: false, claim_ttl: Duration::from_secs(30), shortlist: SHORTLIST }
    }
}

/// An extender: answers from what is known, without I/O and without waiting for anybody.
#[derive(Debug)]
pub struct Extender {
    fleet: Arc<Fleet>,
    settings: Settings,
    journal: Journal,
}

/// What became of the nodes of a request, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Nodes offered.
    pub offered: usize,
    /// Nodes passed on.
    pub kept: usize,
    /// Nodes turned away, by reason.
    pub reasons: Vec<(Reason, usize)>,
}

impl Tally {
    fn of(verdicts: &[Result<(), Reason>], kept: usize) -> Tally {
        let mut counts = [0; Reason::ALL.len()];
        for reason in verdicts.iter().filter_map(|verdict| verdict.as_ref().err()) {
            counts[*reason as usize] += 1;
        }
        let reasons = Reason::ALL.into_iter().zip(counts).filter(|(_, n)| *n > 0);
        Tally { offered: verdicts.len(), kept, reasons: reasons.collect() }
    }

    /// Nodes that could have taken the pod and were not passed on, because others are better.
    pub fn left_out(&self) -> usize {
        self.offered - self.kept - self.reasons.iter().map(|(_, n)| n).sum::<usize>()
    }
}

impl Extender {
    /// An extender for a fleet.
    pub fn new(fleet: Arc<Fleet>, settings: Settings) -> Extender {
        Extender { fleet, settings, journal: Journal::default() }
    }

    /// The fleet it answers for.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// What it said lately.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Answers `filter`: which of the nodes can take the pod, and why the others cannot.
    pub fn filter<'a>(&self, pod: &Pod, offered: &'a Offered<'_>) -> (FilterResult<'a>, Tally) {
        let claim = self.settings.ignored_by_scheduler.then_some(self.settings.claim_ttl);
        let now = Instant::now();
        let directory = self.fleet.directory();
        let nodes = directory.look_up(offered.names());
        let filtered = decide::filter(&self.fleet, pod, &nodes, claim, now);
        match filtered {
            Err(waiting) => {
                self.journal.note(pod, Decision::Waiting(waiting.sentence()));
                let error = Cow::Borrowed(waiting.sentence());
                (
                    FilterResult { error, ..FilterResult::default() },
                    Tally { offered: offered.names().len(), ..Tally::default() },
                )
            }
            Ok(verdicts) => {
                let kept = self.kept(pod, &nodes, &verdicts, now);
                let tally = Tally::of(&verdicts, kept.len());
                // The scheduler does not ask for scores of one node.
                if let [only] = kept[..] {
                    self.expect(pod, offered.name(only), now);
                }
                if !pod.asks.is_nothing() {
                    self.journal.note(pod, Decision::Filtered(tally.clone()));
                }
                (answer(offered, &verdicts, &kept), tally)
            }
        }
    }

    /// The places of the nodes that are passed on: of those that can take the pod the best.
    fn kept(&self, pod: &Pod, nodes: &[Asked<'_>], verdicts: &[Result<(), Reason>], now: Instant) -> Vec<usize> {
        let Settings { ignored_by_scheduler, shortlist: most, .. } = self.settings;
        let can: Vec<usize> = (0..verdicts.len()).filter(|&place| verdicts[place].is_ok()).collect();
        let all_count = pod.asks.is_nothing() || pod.has_preferences || ignored_by_scheduler;
        if most == 0 || can.len() <= most || all_count || are_some_avoided(can.iter().map(|&place| nodes[place])) {
            return can;
        }
        let ranks = decide::rank(&self.fleet, pod, can.iter().map(|&place| nodes[place]), now);
        let best = decide::shortlist(&ranks, |place| nodes[can[place]].name, most);
        best.into_iter().map(|place| can[place]).collect()
    }

    /// Answers `prioritize`: how good each node is for the pod.
    pub fn prioritize<'a>(&self, pod: &Pod, offered: &'a Offered<'_>) -> Vec<HostPriority<'a>> {
        if pod.asks.is_nothing() {
            return offered.names().map(|host| HostPriority { host, score: 0 }).collect();
        }
        let now = Instant::now();
        let directory = self.fleet.directory();
        let nodes = directory.look_up(offered.names());
        let ranks = decide::rank(&self.fleet, pod, nodes.into_iter(), now);
        let best = decide::best(&ranks, offered.names());
        if let Some(name) = best.and_then(|best| offered.names().nth(best)) {
            self.expect(pod, name, now);
        }
        let scores = decide::scores(&ranks, best);
        let answer: Vec<HostPriority<'a>> =
            offered.names().zip(scores).map(|(host, score)| HostPriority { host, score }).collect();
        self.journal.note(pod, Decision::scored(&answer));
        answer
    }

    /// Expects a pod on a node, so that those who come next are placed as if it were there already.
    fn expect(&self, pod: &Pod, name: &str, now: Instant) {
        let directory = self.fleet.directory();
        if let Some(cell) = directory.get(name).filter(|_| !pod.asks.is_nothing() && !pod.uid.is_empty()) {
            let uid: Arc<str> = Arc::from(pod.uid.as_str());
            let asks = Arc::new(pod.asks.clone());
            let demand = format!("{}/{}", pod.namespace, pod.demand);
            cell.claimed.expect(&uid, (&asks, &demand), (now, self.settings.claim_ttl));
            self.fleet.claims.note(&uid, vec![Arc::clone(cell)]);
        }
    }

    /// Answers `preempt`: on which nodes evictions would help, and which of the victims have to go there.
    pub fn preempt(&self, pod: &Pod, args: PreemptArgs<'_>) -> PreemptResult {
        let (mut answer, mut sets) = (PreemptResult::default(), decide::MOST_SETS);
        let by_uid = args.meta_victims.into_iter().flatten().filter_map(|(node, victims)| {
            let Victims { pods, violations } = victims?;
            let pods: Vec<_> = pods.into_iter().flatten().map(|pod| (pod.uid, None)).collect();
            Some((node, pods, violations))
        });
        let whole = args.victims.into_iter().flatten().filter_map(|(node, victims)| {
            let Victims { pods, violations } = victims?;
            let pods: Vec<_> = pods.into_iter().flatten().map(|pod| (pod.uid.clone(), Some(pod))).collect();
            Some((node, pods, violations))
        });
        for (Text(node), pods, violations) in by_uid.chain(whole) {
            let gone = self.preempt_on(pod, &node, pods, violations, &mut sets);
            answer.node_name_to_meta_victims.extend(gone.map(|gone| (node.into_owned(), gone)));
        }
        answer
    }

    fn preempt_on(
        &self,
        pod: &Pod,
        node: &str,
        victims: Vec<(String, Option<Pod>)>,
        violations: i64,
        sets: &mut usize,
    ) -> Option<Victims<MetaPod>> {
        let directory = self.fleet.directory();
        let cell = directory.get(node)?;
        let claimed = cell.claimed.by_others(&pod.uid, Instant::now());
        let view = cell.view();
        let mut counted = Counted::of(&self.fleet);
        let victims: Vec<Victim> = victims.into_iter().map(|(uid, whole)| counted.victim(&view, uid, whole)).collect();
        let gone = decide::preempt(&view, pod, &claimed, (&victims, &counted.limits), sets);
        // The scheduler takes a node without victims for an error, and then evicts nobody anywhere.
        let Gone { uids, violations: known } = gone.filter(|gone| !gone.uids.is_empty())?;
        let pods: Vec<MetaPod> = uids.into_iter().map(|uid| MetaPod { uid }).collect();
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        // Where budgets are not known, no more than the scheduler found, and no more than go.
        let violations = known.map_or_else(|| violations.min(count(pods.len())), count);
        Some(Victims { pods: Some(pods), violations })
    }
}

/// Whether some of the nodes would rather not have pods, and others would.
fn are_some_avoided<'n>(nodes: impl Iterator<Item = Asked<'n>>) -> bool {
    let mut avoided = nodes.filter_map(|asked| Some(asked.cell?.view().node.is_avoided));
    avoided.next().is_some_and(|first| avoided.any(|other| other != first))
}

/// Budgets against which victims count.
struct Counted {
    /// All there are; `None` if they are not known.
    known: Option<Arc<Budgets>>,
    /// Those against which a victim counts.
    budgets: Vec<Arc<Budget>>,
    /// How many evictions each of these allows.
    limits: Vec<i64>,
}

impl Counted {
    fn of(fleet: &Fleet) -> Counted {
        Counted { known: fleet.budgets.load_full(), budgets: Vec::new(), limits: Vec::new() }
    }

    /// A victim with what it holds: as the request says, else as it is known.
    fn victim(&mut self, view: &View, uid: String, whole: Option<Pod>) -> Victim {
        let (holds, counts) = match (whole, view.holder(&uid)) {
            (Some(pod), _) => {
                let counts = self.counts(&pod.namespace, &pod.name, &pod.labels);
                let Pod { asks, others, priority, is_terminating, .. } = pod;
                (Some(Held { asks: Arc::new(asks), others, priority, is_terminating }), counts)
            }
            (None, Some(holder)) => {
                let others = holder.others.as_ref().map(|others| BTreeMap::clone(others));
                let Holder { priority, is_terminating, .. } = *holder;
                let holds = Held { asks: Arc::clone(&holder.asks), others, priority, is_terminating };
                let (namespace, name) = holder.name.split_once('/').unwrap_or_default();
                (Some(holds), self.counts(namespace, name, &holder.labels))
            }
            (None, None) => (None, None),
        };
        Victim { uid, holds, counts }
    }

    /// The budgets against which a pod counts, as places in the limits.
    fn counts(&mut self, namespace: &str, name: &str, labels: &Labels) -> Option<Vec<usize>> {
        let known = self.known.clone()?;
        let counting = known.counting(namespace, name, labels).map(|budget| {
            let at = self.budgets.iter().position(|known| Arc::ptr_eq(known, budget));
            at.unwrap_or_else(|| {
                self.budgets.push(Arc::clone(budget));
                self.limits.push(budget.allowed);
                self.budgets.len() - 1
            })
        });
        Some(counting.collect())
    }
}

fn answer<'a>(offered: &'a Offered<'_>, verdicts: &[Result<(), Reason>], kept: &[usize]) -> FilterResult<'a> {
    let mut answer = FilterResult::default();
    for (name, verdict) in offered.names().zip(verdicts) {
        let Err(reason) = verdict else { continue };
        let failed =
            if reason.is_final() { &mut answer.failed_and_unresolvable_nodes } else { &mut answer.failed_nodes };
        failed.0.push((name, reason.sentence()));
    }
    match offered {
        Offered::Names(names) => answer.node_names = Some(kept.iter().map(|&place| names[place].as_ref()).collect()),
        Offered::Whole(nodes) => {
            answer.nodes = Some(KeptNodes { items: kept.iter().map(|&place| nodes[place].1).collect() });
        }
    }
    answer
}
