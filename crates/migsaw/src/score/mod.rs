//! What free capacity is worth to the pods that are still to come, and so which node to take for this one.
//!
//! # Nodes that are cut
//!
//! A [`Mix`] `Q` says which requests are expected: of each `q` its share `w(q)` of all slices asked for, and the
//! instances `q(p)` of each profile `p` that one pod takes. For a node let
//!
//! - `f(p)` be its free instances of `p`, as its GPUs are cut now,
//! - `g` its GPUs and `r` the pods that hold some of them,
//! - `n(q, f) = min_p ⌊f(p) / q(p)⌋` the pods like `q` that still fit as the node is cut,
//! - `n(q)` the pods like `q` that an idle GPU fits if it is cut for them.
//!
//! A node's worth is what of the mix it can still serve: as it is cut, and cut anew, for which it has to be idle.
//! Pods come and go, and each one that runs there is taken to halve the chance of that:
//!
//! ```text
//! W(f, r) = Σ_q w(q) · n(q, f)  +  2⁻ʳ · g · Σ_q w(q) · n(q)
//! ```
//!
//! A pod with request `a` goes where least is lost, `W(f, r) − W(f − a, r + 1)`. The first sum makes it leave alone
//! what several instances of one expected pod need together; the second fills nodes that are broken up already and
//! keeps idle ones whole, since the first pod of a node costs half of all that it could become, and each further
//! one half of that.
//!
//! Under strategy `mixed` it is kubelet that picks the GPU within the node. Both sums are the same whichever it
//! takes.
//!
//! # GPUs that are cut as pods ask
//!
//! A dynamic DRA driver cuts instances one by one, and then it matters where they start. For the state `s` of a GPU, with
//! instances `i` in it, let `n(p, s)` be the instances of `p` that can be added at once and `u(p)` their placement units.
//! What can be placed now is `F(s) = Σ_p u(p) · n(p, s)`, over the profiles that are expected. Instances leave, so what
//! counts is how it will be when the next pod comes: each instance is taken to leave at rate 1 and the next pod to
//! come at rate `θ`, and the room of a state is `F` at that moment,
//!
//! ```text
//! V(s) = (θ · F(s) + Σ_i V(s − i)) / (θ + |s|),   θ = 16
//! ```
//!
//! which one pass over the states solves, those with fewer instances first ([`Room`]). An instance goes to the GPU where
//! `V(s) − V(s + i)` is least. It is the same idea as above: what can be served now, and what could be once those
//! that are there have gone. `u` weighs a place by what it holds rather than by how often it is asked for: whoever
//! asks for much is refused first, whether often or not.
//!
//! `V` counts each profile as if it had the GPU to itself. That is right between GPUs, as another pod can go to another
//! GPU, but where an instance starts on its GPU concerns only what comes there after it. So its start is chosen by how
//! full this one GPU can become. Let pods of each expected profile come to it at rate `φ` until time is up, at rate 1,
//! and let it take those that it had better take. What it still takes is, in placement units,
//!
//! ```text
//! H(s) = max over sets T of profiles of  Σ_{p ∈ T} φ · (u(p) + max_{i of p} H(s + i)) / (1 + φ · |T|),   φ = 4
//! ```
//!
//! another pass, those with more instances first: the Bellman equation of one GPU from which nobody leaves, in which it
//! never waits for what it takes. The start is where `H(s + i)` is greatest. Where GPUs lose equal room, as they often do,
//! the one goes first that loses least of `H`, then the fullest. Of all orders in which what fits together on one GPU
//! can come, only one more is refused than must be (`BENCHMARKS.md`, B12). What `V` gains over the policies that are
//! published, and how far it is from what moving everything would give, is said there too (B5).
//!
//! ```
//! use migsaw::geometry::{Catalog, Counts};
//! use migsaw::score::{Mix, State, Worth};
//! let h100 = Catalog::builtin().model("H100-80GB")?;
//! let mut mix = Mix::default();
//! mix.add([("1g.10gb".parse()?, 1)], 30);
//! mix.add([("3g.40gb".parse()?, 1)], 10);
//! let worth = Worth::new(&h100, &mix);
//! let free = Counts::parse(&h100, "1g.10gb=4,3g.40gb=1")?;
//! let ask = Counts::parse(&h100, "1g.10gb=1")?;
//! let loss = |pods| worth.loss(&State { free, gpus: 1, pods }, &ask);
//! assert!(loss(0) > loss(1) && loss(1) > loss(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fill;
mod mix;
mod room;
mod worth;

pub use mix::Mix;
pub use room::Room;
pub use worth::{State, Worth};
