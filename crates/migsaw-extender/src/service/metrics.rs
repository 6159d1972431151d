//! What is measured.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::answer::{Outcome, Verb};
use super::capacity::{Capacity, Shown};
use super::health::Health;
use crate::extender::Tally;
use crate::fleet::Known;

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The metrics of a service. Names begin with `migsaw_`; no label holds the name of a pod or a node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<2>, Histogram, fn() -> Histogram>,
    nodes_in: Family<Labels<1>, Counter>,
    nodes_out: Family<Labels<1>, Counter>,
    rejections: Family<Labels<1>, Counter>,
    in_flight: Gauge,
    reservations: Gauge,
    cache_age: Family<Labels<1>, Gauge<f64, AtomicU64>>,
    ready: Gauge,
    nodes: Gauge,
    pods: Gauge,
    budgets: Family<Labels<0>, Gauge>,
    watch_errors: Family<Labels<1>, Counter>,
    plan_age: Family<Labels<0>, Gauge<f64, AtomicU64>>,
    plan_errors: Counter,
    plan_unreadable: Gauge,
    pub(crate) certificate_expiry: Family<Labels<0>, Gauge<i64, AtomicI64>>,
    pub(crate) certificate_errors: Counter,
    capacity: Shown,
    capacity_failures: Counter,
}

/// A request in work; its caller may be gone at any time.
pub(crate) struct InWork(Gauge);

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// From a tenth of a millisecond to ten seconds: what the scheduler waits for at most.
fn histogram() -> Histogram {
    Histogram::new([
        0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.5, 1.0, 5.0, 10.0,
    ])
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::default(),
            requests: Family::new_with_constructor(histogram),
            nodes_in: Family::default(),
            nodes_out: Family::default(),
            rejections: Family::default(),
            in_flight: Gauge::default(),
            reservations: Gauge::default(),
            cache_age: Family::default(),
            ready: Gauge::default(),
            nodes: Gauge::default(),
            pods: Gauge::default(),
            budgets: Family::default(),
            watch_errors: Family::default(),
            plan_age: Family::default(),
            plan_errors: Counter::default(),
            plan_unreadable: Gauge::default(),
            certificate_expiry: Family::default(),
            certificate_errors: Counter::default(),
            capacity: Shown::default(),
            capacity_failures: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let build: Family<Labels<1>, Gauge> = Family::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        self.registry.register("migsaw_build_info", "The version that runs", build);
        self.registry.register_collector(Box::new(self.capacity.clone()));
        let failures = "Questions about capacity that got no answer";
        self.registry.register("migsaw_capacity_failures", failures, self.capacity_failures.clone());
        let registry = self.registry.sub_registry_with_prefix("migsaw_extender");
        registry.register("request_duration_seconds", "Time to answer kube-scheduler", self.requests.clone());
        registry.register("nodes_in", "Nodes offered by kube-scheduler", self.nodes_in.clone());
        registry.register("nodes_out", "Nodes of the answers", self.nodes_out.clone());
        registry.register("rejections", "Nodes that a filter turned away, by reason", self.rejections.clone());
        registry.register("in_flight", "Requests in work", self.in_flight.clone());
        registry.register(
            "reservations",
            "Pods that have claimed nodes, or are expected there, and are not seen there yet",
            self.reservations.clone(),
        );
        registry.register(
            "cache_age_seconds",
            "Time since the API server was last heard, by watch",
            self.cache_age.clone(),
        );
        registry.register("ready", "Whether /readyz says yes", self.ready.clone());
        registry.register("nodes", "Nodes that are known", self.nodes.clone());
        registry.register("pods", "Pods that are known to ask for GPUs or slices", self.pods.clone());
        let budgets = "Disruption budgets that are known; missing where they may not be read";
        registry.register("disruption_budgets", budgets, self.budgets.clone());
        let errors = "Watches that failed and were begun again, and objects that could not be read";
        registry.register("watch_errors", errors, self.watch_errors.clone());
        registry.register("plan_age_seconds", "Time since the plan came", self.plan_age.clone());
        registry.register("plan_errors", "Plans that could not be read", self.plan_errors.clone());
        let unreadable = "Whether the plan that is there could not be read, so that the one before stayed";
        registry.register("plan_unreadable", unreadable, self.plan_unreadable.clone());
        let expiry = "When the server certificate ends, in seconds since 1970";
        registry.register("certificate_expiry_timestamp_seconds", expiry, self.certificate_expiry.clone());
        let errors = "Certificates that could not be loaded, so that the one before stayed";
        registry.register("certificate_reload_errors", errors, self.certificate_errors.clone());
    }

    /// Notes an answered request.
    pub(crate) fn answered(&self, verb: Verb, outcome: Outcome, took: Duration, nodes: &Tally) {
        let labels = [("verb", verb.as_str()), ("outcome", outcome.as_str())];
        self.requests.get_or_create(&labels).observe(took.as_secs_f64());
        let verb = [("verb", verb.as_str())];
        self.nodes_in.get_or_create(&verb).inc_by(nodes.offered as u64);
        self.nodes_out.get_or_create(&verb).inc_by(nodes.kept as u64);
        for (reason, n) in &nodes.reasons {
            self.rejections.get_or_create(&[("reason", reason.label())]).inc_by(*n as u64);
        }
    }

    /// Counts a request as in work for as long as what comes back is there.
    pub(crate) fn in_work(&self) -> InWork {
        self.in_flight.inc();
        InWork(self.in_flight.clone())
    }

    /// Notes that a watch has failed and is begun again, or that an object could not be read.
    pub fn watch_failed(&self, kind: &'static str) {
        self.watch_errors.get_or_create(&[("kind", kind)]).inc();
    }

    /// Notes a plan that could not be read.
    pub fn plan_failed(&self) {
        self.plan_errors.inc();
        self.plan_unreadable.set(1);
    }

    /// Notes that the plan is the one that is there, or that there is none.
    pub fn plan_taken(&self) {
        self.plan_unreadable.set(0);
    }

    /// Notes how old the plan is; `None` if there is none.
    pub fn plan_is(&self, age: Option<Duration>) {
        match age {
            Some(age) => drop(self.plan_age.get_or_create(&[]).set(age.as_secs_f64())),
            None => drop(self.plan_age.remove(&[])),
        }
    }

    /// Notes how much is known.
    pub fn known(&self, known: Known, reservations: usize) {
        let gauge = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.nodes.set(gauge(known.nodes));
        self.pods.set(gauge(known.pods));
        match known.budgets {
            Some(budgets) => drop(self.budgets.get_or_create(&[]).set(gauge(budgets))),
            None => drop(self.budgets.remove(&[])),
        }
        self.reservations.set(gauge(reservations));
    }

    /// Notes that from now on there should be an answer about capacity.
    pub fn capacity_is_asked(&self, now: Instant) {
        self.capacity.expect(now);
    }

    /// Notes an answer about capacity: for the fleet as it was, and how long it took.
    pub fn capacity_is(&self, capacity: Capacity, as_of: Instant, took: Duration) {
        self.capacity.set(capacity, as_of, took);
    }

    /// Notes that the last answer about capacity is right for the fleet as it was later, too.
    pub fn capacity_holds(&self, as_of: Instant) {
        self.capacity.holds(as_of);
    }

    /// Notes that there is no answer about capacity. The one before is not shown any more.
    pub fn capacity_failed(&self) {
        self.capacity_failures.inc();
        self.capacity.clear();
    }

    /// All of it, as text in the form of `OpenMetrics`.
    pub fn text(&self, health: &Health) -> String {
        self.ready.set(i64::from(health.readiness().ready));
        for (kind, age) in health.ages() {
            self.cache_age.get_or_create(&[("kind", kind)]).set(age.as_secs_f64());
        }
        let mut text = String::new();
        // A String takes everything.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
