//! `migsaw serve` beside a real kube-scheduler, with exactly the rights that the chart gives it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod away;
mod balancer;
mod bind;
mod chart;
mod doctor;
mod placing;
mod preempting;
mod replicas;
mod site;
