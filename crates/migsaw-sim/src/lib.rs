//! What would become of pods on a fleet: an event simulator for policies that place MIG instances.
//!
//! A [`Site`] is a fleet with the states that each GPU can be in, a [`Workload`] the pods that come, read from a trace or
//! drawn from a seed, a [`Policy`] the way to place them, and a [`Queue`] the order in which those start that have to
//! wait. [`simulate`] lets virtual time pass and gives an [`Outcome`]: who was placed, how long the others waited, and how
//! full and how broken up the GPUs were. The same input gives the same outcome.
//!
//! ```
//! use migsaw::fleet::{Fleet, Pool};
//! use migsaw::geometry::Catalog;
//! use migsaw_sim::{Draw, Lifetimes, Limits, Options, Policy, Share, Site, simulate};
//! let model = Catalog::builtin().model("A100-80GB")?;
//! let fleet = Fleet { pools: vec![Pool::new("a", model, 1, 8)] };
//! let profiles = ["1g.10gb".parse()?, "3g.40gb".parse()?, "7g.80gb".parse()?];
//! let site = Site::at_will(&fleet, &profiles);
//! let share = |profile| Share {
//!     asks: vec![(profile, 1)],
//!     weight: 1.0,
//!     priority: 0,
//!     namespace: "default".into(),
//!     limits: Limits::default(),
//! };
//! let shares = profiles.into_iter().map(share).collect();
//! let draw = Draw { shares, load: 1.0, every: 60, lifetimes: Lifetimes::Uniform };
//! let pods = draw.pods(&site, 2000, 1);
//! let placed = |policy| {
//!     let policy = Policy::named(policy).expect("a policy");
//!     simulate(&site, &pods, &policy, &pods.mix(), &Options::default()).map(|outcome| outcome.all.by_units())
//! };
//! assert!(placed("room")? > placed("load-balanced")?);
//! assert!(placed("repacked")? > placed("room")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bound;
mod cluster;
mod compare;
mod engine;
mod gpus;
mod learning;
mod limits;
mod moves;
mod outcome;
mod policy;
mod queue;
mod ranks;
mod recut;
mod rng;
mod site;
mod workload;

pub use compare::{Comparison, Estimate};
pub use engine::{Eviction, Misfits, Options, SimulationError, simulate};
pub use limits::Limits;
pub use moves::Moves;
pub use outcome::{Outcome, Point, Tally, Waits};
pub use policy::Policy;
pub use queue::Queue;
pub use recut::{AskedStanding, NewCuts, NodeStanding, PodStanding, Recut, Recutting, Standing};
pub use rng::Rng;
pub use site::Site;
pub use workload::{Draw, Lifetimes, Pod, Share, TraceError, Workload};
