//! The fewest nodes to buy, so that all of a target is served: by model, with growth and headroom, and also when a
//! node or all nodes with one value of a label are lost.
//!
//! One model is bought at a time, and the models are compared. What runs today may move: nodes come in weeks, pods
//! in minutes. More nodes never serve less, so the fewest are found by bisection over the planner's "all of it is
//! served", and proven by its proof that one less is too few ([`Need`]).
//!
//! With `T` the fewest nodes if nothing is lost, and `T(c)` the same with one existing node of class `c` gone:
//!
//! - any one node lost: the most of all `T(c)`, and `T + 1` unless `T` is 0, because a new node may be the one;
//! - any one of `k` values of a label lost, `T(v)` being the fewest outside `v`: new nodes are spread over the
//!   values so that `N - n(v) ≥ T(v)` and `Σ n(v) = N`, which is possible just from
//!   `N = max(max T(v), ⌈Σ T(v) / (k - 1)⌉)` on.
//!
//! ```
//! use migsaw::buy::{Candidate, Need, Order, Survive, buy};
//! use migsaw::capacity::Bounded;
//! use migsaw::demand::Demand;
//! use migsaw::fleet::{Fleet, Pool};
//! use migsaw::geometry::Catalog;
//! use migsaw::plan::Options;
//! use migsaw::problem::Problem;
//!
//! let a30 = Catalog::builtin().model("A30")?;
//! let problem = Problem {
//!     fleet: Fleet { pools: vec![Pool::new("lab", a30.clone(), 1, 2)] },
//!     demands: vec![Demand::of_profile("notebooks", "1g.6gb".parse()?, 10)],
//!     ..Problem::default()
//! };
//! let order = Order {
//!     candidates: vec![Candidate { model: a30, gpus_per_node: Some(2), price: None }],
//!     growth: vec![(None, "20%".parse()?)],
//!     survive: Survive::Node,
//!     ..Order::default()
//! };
//! let answer = buy(&problem, &order, &Options::default())?;
//! // Twelve need two nodes, one of which is there; and one more, for the one that may be lost.
//! assert_eq!(answer.offers[0].need, Need::Nodes(Bounded { least: 2, most: 2 }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod loss;
mod target;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::capacity::search::{Verdict, fewest};
use crate::capacity::{Bounded, Lack, all_served, judged};
use crate::fleet::{Cost, GpuGroup, NodeGroup, NodeNames, Pool, Strategy};
use crate::geometry::{Model, nearest};
use crate::plan::{Depth, Options, Plan, PlanError};
use crate::problem::{MAX_NODES, Problem};
use crate::whatif::{BasisPoints, ChangeError};

pub use loss::Lost;
pub use target::TargetLine;

/// GPUs of a new node where nothing says how many.
pub const GPUS_PER_NODE: u32 = 8;

/// What is to be bought, and for what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// The nodes that can be bought, one model at a time.
    pub candidates: Vec<Candidate>,
    /// How much each demand grows; `None` for those that are not named.
    pub growth: Vec<(Option<String>, BasisPoints)>,
    /// So much more than that of every demand.
    pub headroom: BasisPoints,
    /// What may be lost.
    pub survive: Survive,
    /// Whether the fleet there is does not count.
    pub from_scratch: bool,
    /// Takes profiles by name for as much memory and compute, so that other models may give them.
    pub by_size: bool,
    /// New nodes have labels, taints and strategy of this pool; `None` for one with the same model, or the only
    /// pool, or else none of these.
    pub like: Option<String>,
}

/// A kind of node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its GPUs' model.
    pub model: Arc<Model>,
    /// How many GPUs; `None` for as many as the pool has which it is like.
    pub gpus_per_node: Option<u32>,
    /// Price of a node.
    pub price: Option<Cost>,
}

/// What may be lost without anything going unserved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Survive {
    /// Nothing.
    #[default]
    Nothing,
    /// Any one node, new or not.
    Node,
    /// All nodes with any one value of a label, such as a zone.
    Label {
        /// The label.
        key: String,
        /// Values that new nodes may have, besides those of the fleet.
        values: BTreeSet<String>,
    },
}

/// How many nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// So many: `most` suffice, fewer than `least` do not.
    Nodes(Bounded),
    /// No number suffices.
    Impossible,
    /// No number was found to suffice in time; fewer than this do not.
    Unknown {
        /// Fewer do not suffice.
        least: u64,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// What is asked for, and has to be served.
    pub target: Vec<TargetLine>,
    /// The fleet that counts.
    pub nodes: u64,
    /// Its GPUs.
    pub gpus: u64,
    /// One for each candidate.
    pub offers: Vec<Offer>,
}

/// What makes an offer the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// Least cost.
    Cost,
    /// Fewest nodes.
    Nodes,
}

/// How many nodes of one model it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The model.
    pub model: Arc<Model>,
    /// GPUs of a node.
    pub gpus_per_node: u32,
    /// Price of a node.
    pub price: Option<Cost>,
    /// The pool which the new nodes are like.
    pub like: Option<String>,
    /// How many nodes.
    pub need: Need,
    /// What each loss takes by itself. A lost new node takes one more than no loss, and is not among these.
    pub cases: Vec<Case>,
}

/// How many nodes it takes besides what is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What is lost.
    pub lost: Lost,
    /// Nodes that must be left of the new ones.
    pub need: Need,
    /// What would not be served with one less; or, if no number suffices, at all.
    pub lacks: Vec<Lack>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuyError {
    /// Growth of a demand that is not there, or a pool that is not there.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Where a demand may go depends on what may be lost.
    #[error("demand `{demand}` selects nodes by label `{key}`, so no other value of it can stand in for a lost one")]
    SelectsByLost {
        /// The demand.
        demand: String,
        /// The label.
        key: String,
    },
    /// The label has fewer than two values.
    #[error("label `{key}` has {found} values, and of one or none nothing is left when it is lost (name more of them)")]
    TooFewValues {
        /// The label.
        key: String,
        /// Values there are.
        found: usize,
    },
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl BuyError {
    /// A stable code for programs; `docs/errors.md` lists them.
    pub fn code(&self) -> &'static str {
        match self {
            BuyError::Change(error) => error.code(),
            BuyError::SelectsByLost { .. } => "selects-by-lost",
            BuyError::TooFewValues { .. } => "too-few-values",
            BuyError::Plan(PlanError::Invalid(found)) => found.first().map_or("invalid", |(_, p)| p.code()),
            BuyError::Plan(_) => "internal",
        }
    }
}

/// The fewest nodes of each candidate.
///
/// # Errors
/// Names that are not there, a loss that cannot be survived by buying nodes, and what planning refuses. That no
/// number of nodes suffices is an answer.
///
/// # Complexity
/// For each candidate and each loss about twice as many plans as the number of nodes has binary digits.
pub fn buy(problem: &Problem, order: &Order, options: &Options<'_>) -> Result<Purchase, BuyError> {
    let invalid = problem.validate();
    if !invalid.is_empty() {
        return Err(PlanError::Invalid(invalid).into());
    }
    if let Some(like) = &order.like
        && !problem.fleet.pools.iter().any(|pool| pool.name == *like)
    {
        let nearest = nearest(like, problem.fleet.pools.iter().map(|pool| pool.name.clone()));
        return Err(ChangeError::UnknownPool { pool: like.clone(), nearest }.into());
    }
    let (base, target) = target::target(problem, order)?;
    let losses = loss::losses(&base, &order.survive)?;
    let shop = Shop { base: &base, losses: &losses, order, options };
    let offers: Result<Vec<Offer>, BuyError> = order.candidates.iter().map(|candidate| shop.offer(candidate)).collect();
    Ok(Purchase {
        target,
        nodes: base.fleet.pools.iter().map(|pool| u64::from(pool.node_count())).sum(),
        gpus: base.fleet.pools.iter().map(Pool::gpu_count).sum(),
        offers: offers?,
    })
}

/// What all offers have in common.
struct Shop<'a> {
    base: &'a Problem,
    losses: &'a [Lost],
    order: &'a Order,
    options: &'a Options<'a>,
}

impl Shop<'_> {
    fn offer(&self, candidate: &Candidate) -> Result<Offer, BuyError> {
        let like = self.like(&candidate.model);
        let gpus_per_node = candidate.gpus_per_node.or(like.map(Pool::gpus_per_node)).unwrap_or(GPUS_PER_NODE);
        let stock = Stock { shop: self, model: &candidate.model, gpus_per_node, like };
        let mut cases: Vec<Case> = Vec::new();
        for lost in self.losses {
            // With something lost it never takes fewer.
            let from = cases.first().map_or(0, |case| case.need.least());
            cases.push(stock.case(lost, from)?);
        }
        Ok(Offer {
            model: Arc::clone(&candidate.model),
            gpus_per_node,
            price: candidate.price,
            like: like.map(|pool| pool.name.clone()),
            need: loss::combined(&self.order.survive, &cases),
            cases,
        })
    }

    /// The pool which new nodes are like.
    fn like(&self, model: &Model) -> Option<&Pool> {
        let pools = &self.base.fleet.pools;
        if let Some(name) = &self.order.like {
            return pools.iter().find(|pool| pool.name == *name);
        }
        let of_model = |pool: &&Pool| pool.gpus.len() == 1 && *pool.gpus[0].model == *model;
        let only = if pools.len() == 1 { pools.first() } else { None };
        pools.iter().find(of_model).or(only)
    }
}

/// Nodes of one model, as many as it takes.
struct Stock<'a> {
    shop: &'a Shop<'a>,
    model: &'a Arc<Model>,
    gpus_per_node: u32,
    like: Option<&'a Pool>,
}

impl Stock<'_> {
    fn case(&self, lost: &Lost, from: u64) -> Result<Case, BuyError> {
        let left = lost.taken_from(self.shop.base);
        let asked: u64 = left.demands.iter().map(|demand| demand.count).sum();
        let there: u64 = left.fleet.pools.iter().map(|pool| u64::from(pool.node_count())).sum();
        // A unit that a new node can serve at all finds room on a node of its own.
        let room = u64::from(MAX_NODES).saturating_sub(there);
        let limit = asked.min(room).max(from);
        let ask = |nodes: u64| -> Result<(Verdict, Option<(Problem, Plan)>), BuyError> {
            let problem = self.with(&left, nodes);
            if problem.fleet.pools.iter().all(|pool| pool.gpu_count() == 0) {
                return Ok((if asked == 0 { Verdict::Yes } else { Verdict::No }, None));
            }
            let options = Options { depth: Depth::Served, ..*self.shop.options };
            let plan = judged(&problem, &options)?;
            Ok((all_served(&problem, &plan), Some((problem, plan))))
        };
        let need = match fewest(from, limit, |nodes| ask(nodes).map(|(verdict, _)| verdict))? {
            Some(nodes) if nodes.most <= limit => Need::Nodes(nodes),
            Some(nodes) => Need::Unknown { least: nodes.least },
            None if limit >= asked => Need::Impossible,
            None => Need::Unknown { least: limit + 1 },
        };
        let one_less = match need {
            Need::Nodes(nodes) => nodes.most.checked_sub(1),
            Need::Impossible | Need::Unknown { .. } => Some(limit),
        };
        let lacks = match one_less {
            Some(nodes) => match ask(nodes)?.1 {
                Some((problem, plan)) => Lack::all(&problem, &plan),
                None => Vec::new(),
            },
            None => Vec::new(),
        };
        Ok(Case { lost: lost.clone(), need, lacks })
    }

    /// The problem with so many new nodes.
    fn with(&self, left: &Problem, nodes: u64) -> Problem {
        let mut problem = left.clone();
        let mut name = format!("new-{}", self.model.id);
        while problem.fleet.pools.iter().any(|pool| pool.name == name) {
            name.insert(0, '+');
        }
        let is_meant = |pools: &Vec<String>| self.like.is_none_or(|like| pools.contains(&like.name));
        for pools in problem.demands.iter_mut().filter_map(|demand| demand.eligible.pools.as_mut()) {
            if is_meant(pools) {
                pools.push(name.clone());
            }
        }
        let prefix = problem.fleet.unused_prefix(&format!("{name}/"));
        let count = u32::try_from(nodes).unwrap_or(MAX_NODES);
        problem.fleet.pools.push(Pool {
            name,
            gpus: vec![GpuGroup { model: Arc::clone(self.model), count: self.gpus_per_node }],
            nodes: vec![NodeGroup::idle(NodeNames::Numbered { prefix, first: 0, count })],
            labels: self.like.map(|pool| pool.labels.clone()).unwrap_or_default(),
            taints: self.like.map(|pool| pool.taints.clone()).unwrap_or_default(),
            strategy: self.like.map_or(Strategy::Mixed, |pool| pool.strategy),
            cost_per_gpu: None,
        });
        problem
    }
}

impl Need {
    /// Fewer do not suffice.
    pub fn least(self) -> u64 {
        match self {
            Need::Nodes(nodes) => nodes.least,
            Need::Unknown { least } => least,
            Need::Impossible => 0,
        }
    }

    /// So many suffice, if that is known.
    pub fn enough(self) -> Option<u64> {
        match self {
            Need::Nodes(nodes) => Some(nodes.most),
            Need::Unknown { .. } | Need::Impossible => None,
        }
    }
}

impl Purchase {
    /// What makes an offer the best: the cost if all that may suffice have a price, else the number of nodes.
    pub fn criterion(&self) -> Criterion {
        let mut possible = self.offers.iter().filter(|offer| offer.need != Need::Impossible);
        if possible.all(|offer| offer.price.is_some()) { Criterion::Cost } else { Criterion::Nodes }
    }

    /// The offer that is proven to be the best by the [criterion](Purchase::criterion), then with fewest nodes, then
    /// with fewest GPUs. `None` if nothing suffices, or the proof is missing.
    pub fn best(&self) -> Option<usize> {
        let priced = self.criterion() == Criterion::Cost;
        let worth = |offer: &Offer, nodes: u64| {
            let price = offer.price.map_or(0, |price| u128::from(price.micros.unsigned_abs()));
            let cost = if priced { price * u128::from(nodes) } else { 0 };
            (cost, nodes, nodes.saturating_mul(u64::from(offer.gpus_per_node)))
        };
        let enough =
            self.offers.iter().enumerate().filter_map(|(i, offer)| Some((worth(offer, offer.need.enough()?), i)));
        let (best, index) = enough.min()?;
        let open = |offer: &Offer| offer.need != Need::Impossible && worth(offer, offer.need.least()) < best;
        let is_beaten = self.offers.iter().enumerate().any(|(i, offer)| i != index && open(offer));
        (!is_beaten).then_some(index)
    }
}
