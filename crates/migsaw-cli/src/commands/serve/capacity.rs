//! How much more fits, asked beside the requests and shown as metrics.
//!
//! What is asked about is the fleet that the watch tells of ([`Site`]), not one that is listed again: a list of all
//! pods every half minute would cost the API server of a large cluster more than all that is answered here, and the
//! watch has what is needed. What it lacks, [`Site`] says; none of it matters while nothing that runs is moved, which
//! is all that is asked here.
//!
//! One question at a time, on a thread of its own, and after each a rest of `--capacity-every`. If nothing has changed
//! in between, the last answer is still right, and nothing is computed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use migsaw::capacity::{CapacityError, Freedom, Mix, Query, Wanted, capacity, slices, waiting};
use migsaw::demand::Request;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::Catalog;
use migsaw::plan::{Budget, Options};
use migsaw::problem::Problem;
use migsaw_extender::service::{Capacity, Metrics};
use migsaw_kube::scheduling::{Seen, Site};
use migsaw_report::clean;

/// Most pools shown one by one; where there are more, those of a model are shown as one.
const MOST_POOLS: usize = 64;
/// The label of GPUs with MIG off, where others have a profile.
const WHOLE_GPU: &str = "whole_gpu";

/// Asks, every now and then.
pub(super) struct Asking {
    pub(super) site: Arc<Mutex<Site>>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) metrics: Arc<Metrics>,
    /// How long ago the watch that is furthest behind was heard of.
    pub(super) heard: Box<dyn Fn() -> Duration + Send + Sync>,
    /// How long to rest after an answer.
    pub(super) every: Duration,
    /// How long an answer may take.
    pub(super) limit: Duration,
}

impl Asking {
    /// Asks until the future is dropped; what is being computed then comes to its end soon.
    pub(super) async fn run(self) {
        let stop = Stop::default();
        let mut answered = None;
        self.metrics.capacity_is_asked(Instant::now());
        loop {
            let (catalog, limit, told) = (Arc::clone(&self.catalog), self.limit, Arc::clone(&stop.0));
            self.once(&mut answered, move |seen| {
                let budget = |limit: Duration| Until { begun: Instant::now(), limit, stop: &told };
                answer(&seen.problem(&catalog), &budget(limit / 4), &budget(limit))
            })
            .await;
            tokio::time::sleep(self.every).await;
        }
    }

    /// Asks once, unless it is the fleet of the last answer.
    async fn once<F>(&self, answered: &mut Option<u64>, ask: F)
    where
        F: FnOnce(&Seen) -> Result<Capacity, CapacityError> + Send + 'static,
    {
        let begun = Instant::now();
        // A watch that has heard nothing for a while may have missed as much.
        let as_of = begun.checked_sub((self.heard)()).unwrap_or(begun);
        let Some(seen) = self.site.lock().unwrap_or_else(PoisonError::into_inner).now() else { return };
        if *answered == Some(seen.changes) {
            self.metrics.capacity_holds(as_of);
            return;
        }
        *answered = None;
        let changes = seen.changes;
        let failed = match tokio::task::spawn_blocking(move || ask(&seen)).await {
            Ok(Ok(capacity)) => {
                self.metrics.capacity_is(capacity, as_of, begun.elapsed());
                *answered = Some(changes);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        self.metrics.capacity_failed();
        tracing::error!(error = %clean(&failed), "how much more fits could not be worked out; it is tried again");
    }
}

/// What fits, waits and is lost, with the labels under which it is shown.
fn answer(problem: &Problem, to_wait: &dyn Budget, to_fit: &dyn Budget) -> Result<Capacity, CapacityError> {
    let mut shown = Capacity::default();
    if problem.fleet.pools.is_empty() {
        return Ok(shown);
    }
    let titles = titles(&problem.fleet);
    let mut at: BTreeMap<(&str, &'static str), u64> = BTreeMap::new();
    for (title, of) in titles.iter().zip(slices(problem)) {
        let states = [("held", of.held), ("offered", of.offered), ("idle", of.idle), ("stranded", of.stranded)];
        for (state, n) in states.into_iter().chain([("unknown", of.unknown)]) {
            *at.entry((title, state)).or_default() += n;
        }
    }
    shown.slices = at.into_iter().map(|((pool, state), n)| (pool.to_owned(), state, n)).collect();

    let mut units: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for of in waiting(problem, &Options { budget: to_wait, ..Options::default() })? {
        shown.unproven += u64::from(!of.unserved.is_proven());
        for profile in profiles(&problem.demands[of.demand].request) {
            let (all, unserved) = units.entry(profile).or_default();
            *all += of.units;
            *unserved += of.unserved.least;
        }
    }
    shown.waiting = units.into_iter().map(|(profile, (all, unserved))| (profile, all, unserved)).collect();

    let query = Query { mix: Mix::None, undisturbed_only: true, ..Query::default() };
    let found = capacity(problem, &query, &Options { budget: to_fit, ..Options::default() })?;
    // By title: the number, and whether no pool's part of it is open.
    let mut fits: BTreeMap<(&str, String, &'static str), (u64, bool)> = BTreeMap::new();
    for row in &found.rows {
        for pool in &row.pools {
            for fit in &pool.fits {
                shown.unproven += u64::from(!fit.room.is_proven());
                let key = (titles[pool.pool].as_str(), label(&row.wanted), freedom(fit.freedom));
                let (n, is_proven) = fits.entry(key).or_insert((0, true));
                *n += fit.room.least;
                *is_proven &= fit.room.is_proven();
            }
        }
    }
    // Where nothing was found, and it is not proven that there is nothing: no number is better than a wrong 0.
    fits.retain(|_, (n, is_proven)| *n > 0 || *is_proven);
    let shown_of = |((pool, profile, freedom), (n, _)): ((&str, String, _), _)| (pool.to_owned(), profile, freedom, n);
    shown.fits = fits.into_iter().map(shown_of).collect();
    Ok(shown)
}

/// What each pool is called. A node's name is no label: a pool that only that tells apart goes with those of its model.
fn titles(fleet: &Fleet) -> Vec<String> {
    let models = |pool: &Pool| pool.gpus.iter().map(|group| group.model.id.as_str()).collect::<Vec<_>>().join("+");
    let is_node = |pool: &Pool| {
        let mut groups = pool.nodes.iter();
        match (groups.next(), groups.next()) {
            (Some(only), None) => pool.name.ends_with(&format!("-{}", only.names.get(0))),
            _ => false,
        }
    };
    let are_many = fleet.pools.len() > MOST_POOLS;
    let title = |pool: &Pool| if are_many || is_node(pool) { models(pool) } else { pool.name.clone() };
    fleet.pools.iter().map(title).collect()
}

/// The profiles of which a unit needs instances. Pods name theirs.
fn profiles(request: &Request) -> Vec<String> {
    match request {
        Request::Profiles { instances, .. } => instances.keys().map(ToString::to_string).collect(),
        Request::WholeGpus { .. } => vec![WHOLE_GPU.to_owned()],
        Request::AtLeast { .. } => Vec::new(),
    }
}

fn label(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Profile(name) => name.to_string(),
        Wanted::WholeGpu => WHOLE_GPU.to_owned(),
    }
}

fn freedom(freedom: Freedom) -> &'static str {
    match freedom {
        Freedom::AsCut => "now",
        Freedom::CutIdle | Freedom::Evict(_) | Freedom::MoveAll => "idle_cut",
    }
}

/// Tells when it is dropped.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// So much time from a moment on, and none after it was told to stop.
struct Until<'a> {
    begun: Instant,
    limit: Duration,
    stop: &'a AtomicBool,
}

impl Budget for Until<'_> {
    fn remaining(&self) -> Duration {
        if self.stop.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        self.limit.saturating_sub(self.begun.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use migsaw::fleet::{NodeGroup, NodeNames};
    use migsaw::plan::PlanError;
    use migsaw_extender::service::Health;
    use migsaw_kube::dump::{DumpOptions, Source, read_dump};
    use migsaw_kube::scheduling::Change;

    use super::*;

    /// The nodes and pods of the example, one of the pods pending for want of room.
    fn items() -> Vec<serde_json::Value> {
        let dump: serde_json::Value = serde_json::from_str(include_str!("../../../../../examples/dump.json")).unwrap();
        let of_kind = |item: &&serde_json::Value| ["Node", "Pod"].contains(&item["kind"].as_str().unwrap());
        let mut items: Vec<_> = dump["items"].as_array().unwrap().iter().filter(of_kind).cloned().collect();
        items.push(serde_json::json!({
            "kind": "Pod", "metadata": {"name": "huge", "namespace": "team"}, "status": {"phase": "Pending"},
            "spec": {"containers": [{"resources": {"limits": {"nvidia.com/mig-3g.40gb": "500"}}}]},
        }));
        for (number, item) in items.iter_mut().enumerate() {
            item["metadata"]["uid"] = serde_json::json!(format!("u{number}"));
        }
        items
    }

    fn site(items: &[serde_json::Value]) -> Site {
        let mut site = Site::default();
        for item in items {
            let change = if item["kind"] == "Node" {
                Change::Node(serde_json::from_value(item.clone()).unwrap())
            } else {
                Change::Pod(serde_json::from_value(item.clone()).unwrap())
            };
            site.take(&change);
        }
        let all = |kind: &str, field: &str| {
            let of_kind = items.iter().filter(|item| item["kind"] == kind);
            of_kind.map(|item| item["metadata"][field].as_str().unwrap().to_owned()).collect()
        };
        site.take(&Change::NodesAre(all("Node", "name")));
        site.take(&Change::PodsAre(all("Pod", "uid")));
        site
    }

    fn dumped(items: &[serde_json::Value]) -> Problem {
        let text = serde_json::json!({"kind": "List", "apiVersion": "v1", "items": items}).to_string();
        let source = Source { name: "dump", bytes: text.as_bytes(), optional: false };
        let options = DumpOptions { running: true, ..DumpOptions::default() };
        read_dump(&[source], &Catalog::builtin(), &options).unwrap().problem
    }

    fn asking(site: Site) -> Asking {
        Asking {
            site: Arc::new(Mutex::new(site)),
            catalog: Arc::new(Catalog::builtin()),
            metrics: Arc::default(),
            heard: Box::new(|| Duration::ZERO),
            every: Duration::ZERO,
            limit: Duration::MAX,
        }
    }

    fn text(asking: &Asking) -> String {
        let health = Health::new(Box::new(Vec::new), Duration::MAX, false);
        let text = asking.metrics.text(&health);
        text.split_inclusive('\n').filter(|line| line.starts_with("migsaw_capacity_")).collect()
    }

    /// The numbers under a name, with their labels.
    fn samples(text: &str, name: &str) -> BTreeMap<String, u64> {
        let of_name = text.lines().filter_map(|line| line.strip_prefix(name));
        let sample = |line: &str| {
            let (labels, value) = line.rsplit_once(' ').unwrap();
            (labels.to_owned(), value.strip_suffix(".0").unwrap_or(value).parse().unwrap())
        };
        of_name.filter(|line| line.starts_with(['{', ' '])).map(sample).collect()
    }

    struct Unlimited;

    impl Budget for Unlimited {
        fn remaining(&self) -> Duration {
            Duration::MAX
        }
    }

    struct Nothing;

    impl Budget for Nothing {
        fn remaining(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[tokio::test]
    async fn the_metrics_say_what_the_library_answers() {
        let items = items();
        let asking = asking(site(&items));
        let catalog = Arc::clone(&asking.catalog);
        asking.metrics.capacity_is_asked(Instant::now());
        assert!(samples(&text(&asking), "migsaw_capacity_fits").is_empty());
        asking.once(&mut None, move |seen| answer(&seen.problem(&catalog), &Unlimited, &Unlimited)).await;
        let text = text(&asking);

        let problem = dumped(&items);
        let found = capacity(&problem, &Query { mix: Mix::None, ..Query::default() }, &Options::default()).unwrap();
        let mut expected = BTreeMap::new();
        for row in &found.rows {
            for of in &row.pools {
                for fit in &of.fits {
                    let freedom = match fit.freedom {
                        Freedom::AsCut => "now",
                        Freedom::CutIdle => "idle_cut",
                        _ => continue,
                    };
                    let pool = &problem.fleet.pools[of.pool].name;
                    let profile = row.wanted.to_string().replace("whole GPU", "whole_gpu");
                    let labels = format!("{{pool=\"{pool}\",profile=\"{profile}\",freedom=\"{freedom}\"}}");
                    expected.insert(labels, fit.room.least);
                }
            }
        }
        assert!(expected.values().any(|n| *n > 0));
        assert_eq!(samples(&text, "migsaw_capacity_fits"), expected);

        let all = samples(&text, "migsaw_capacity_slices").into_values().sum::<u64>();
        let gpus: u64 = problem.fleet.pools.iter().map(Pool::gpu_count).sum();
        assert_eq!(all, 8 * gpus, "every GPU of the example has eight slices");
        let lacks = |name: &str| samples(&text, name).get("{profile=\"3g.40gb\"}").copied();
        assert!(lacks("migsaw_capacity_pending_units").unwrap() >= 1);
        assert_eq!(lacks("migsaw_capacity_unservable_units"), Some(1), "{text}");
        assert_eq!(samples(&text, "migsaw_capacity_unproven"), BTreeMap::from([(String::new(), 0)]));
        assert!(text.contains("migsaw_capacity_age_seconds ") && text.contains("migsaw_capacity_duration_seconds "));
        assert_eq!(samples(&text, "migsaw_capacity_failures_total"), BTreeMap::from([(String::new(), 0)]));
        assert!(
            !items.iter().any(|item| text.contains(&format!("\"{}\"", item["metadata"]["name"].as_str().unwrap())))
        );
    }

    #[tokio::test]
    async fn a_failure_is_counted_and_leaves_nothing_old() {
        let asking = asking(site(&items()));
        let right = || Ok(Capacity { unproven: 7, ..Capacity::default() });
        let mut answered = None;
        asking.once(&mut answered, move |_| right()).await;
        assert!(text(&asking).contains("migsaw_capacity_unproven 7"));
        asking.once(&mut answered, |_| panic!("nothing has changed, so nothing is asked")).await;
        assert!(text(&asking).contains("migsaw_capacity_unproven 7"));

        asking.site.lock().unwrap().take(&Change::PodGone("u4".to_owned()));
        asking.once(&mut answered, |_| Err(PlanError::Internal("wrong".to_owned()).into())).await;
        let failed = text(&asking);
        assert!(!failed.contains("unproven") && failed.contains("migsaw_capacity_age_seconds "), "{failed}");
        assert!(failed.contains("migsaw_capacity_failures_total 1"), "{failed}");
        asking.once(&mut answered, |_| panic!("a defect")).await;
        assert!(text(&asking).contains("migsaw_capacity_failures_total 2"));
        asking.once(&mut answered, move |_| right()).await;
        assert!(text(&asking).contains("migsaw_capacity_unproven 7"), "it is asked again after a failure");
    }

    #[tokio::test]
    async fn before_all_is_known_nothing_is_asked() {
        let asking = asking(Site::default());
        asking.once(&mut None, |_| panic!("not yet")).await;
        assert_eq!(text(&asking), "migsaw_capacity_failures_total 0\n");
    }

    #[test]
    fn without_time_no_zero_is_claimed() {
        let problem = dumped(&items());
        let shown = answer(&problem, &Nothing, &Nothing).unwrap();
        let proven = answer(&problem, &Unlimited, &Unlimited).unwrap();
        for (pool, profile, freedom, n) in &shown.fits {
            let is_it =
                |other: &&(String, String, &str, u64)| (&other.0, &other.1, &other.2) == (pool, profile, freedom);
            let right = proven.fits.iter().find(is_it).unwrap().3;
            assert!(*n <= right && (*n > 0 || right == 0), "{pool} {profile} {freedom}");
        }
        assert!(shown.waiting.iter().all(|(_, all, unserved)| unserved <= all));
        assert_eq!(proven.unproven, 0);
        assert_eq!(
            answer(&Problem::default(), &Nothing, &Nothing).unwrap(),
            Capacity::default(),
            "no GPUs, no numbers"
        );
    }

    #[test]
    fn no_label_is_a_nodes_name() {
        let model = Catalog::builtin().model("H100-80GB").unwrap();
        let pool = |name: &str, nodes: &[&str]| {
            let names = NodeNames::Listed(nodes.iter().map(|&node| node.to_owned()).collect());
            Pool {
                name: name.to_owned(),
                nodes: vec![NodeGroup::idle(names)],
                ..Pool::new("", Arc::clone(&model), 1, 8)
            }
        };
        let mut fleet = Fleet { pools: vec![pool("H100-80GB-gold", &["a", "b"]), pool("H100-80GB-c", &["c"])] };
        assert_eq!(titles(&fleet), ["H100-80GB-gold", "H100-80GB"]);
        fleet.pools.extend((0..MOST_POOLS).map(|i| pool(&format!("H100-80GB-{i}"), &["x", "y"])));
        assert!(titles(&fleet).iter().all(|title| title == "H100-80GB"));
    }
}
