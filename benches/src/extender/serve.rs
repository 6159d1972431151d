//! Both extenders in a process of their own, which ends with the one that started it.
//!
//! That process is the same program again, with [`ROLE`] as its first argument: it keeps a fleet, begins to listen,
//! prints where, and answers until its standard input ends. What it does is what `migsaw serve` does, but for
//! watching a cluster: two threads for requests, logging at `info`, the fleet refreshed twice a second, and
//! pods that come and go meanwhile.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use migsaw_extender::fleet::Keeper;
use migsaw_extender::service::{Answers, App, Config, Health, Metrics, Service, TlsFiles};
use migsaw_extender::{Extender, Settings};
use migsaw_kube::scheduling::{Change, Pod};
use serde_json::{Value, json};

use super::fleet::{Shape, Took, keeper, pods};
use super::pass_through::PassThrough;
use crate::memory;

/// The first argument of the process that serves.
pub const ROLE: &str = "serve";

/// How often the fleet is refreshed.
const REFRESH: Duration = Duration::from_millis(500);
/// How often changes are taken.
const TICK: Duration = Duration::from_millis(10);

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The extender.
    Migsaw,
    /// [`PassThrough`].
    PassThrough,
}

/// What is served.
#[derive(Debug, Clone)]
pub struct Served {
    /// The fleet.
    pub shape: Shape,
    /// Pods that go in a second, while as many come.
    pub churn: u32,
    /// The most requests in work.
    pub max_in_flight: usize,
    /// A certificate and its key, PEM. The log is written beside them.
    pub tls: (PathBuf, PathBuf),
}

/// A process that serves.
#[derive(Debug)]
pub struct Server {
    child: Child,
    addresses: Value,
    /// How long it took to keep the fleet.
    pub took: Took,
    /// Memory resident once it listened.
    pub resident_kib: u64,
    /// The most memory resident until then.
    pub peak_kib: u64,
}

impl Server {
    /// Starts one, and waits until it listens.
    ///
    /// # Errors
    /// If that cannot be.
    pub fn start(served: &Served) -> io::Result<Server> {
        let Shape { nodes, slice_pods, other_pods, ways, seed } = served.shape;
        let (certificate, key) = &served.tls;
        let slice_pods = slice_pods.map_or_else(|| "-".to_owned(), |pods| pods.to_string());
        let log = certificate.with_file_name("server.log");
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .args([nodes.to_string(), slice_pods, other_pods.to_string(), ways.to_string(), seed.to_string()])
            .args([served.churn.to_string(), served.max_in_flight.to_string()])
            .args([certificate, key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .spawn()?;
        let mut said = String::new();
        let out = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        BufReader::new(out).read_line(&mut said)?;
        let not_served = |error| {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            io::Error::other(format!("the server said `{said}` ({error})\n{log}"))
        };
        let addresses: Value = serde_json::from_str(&said).map_err(not_served)?;
        let number = |name: &str| addresses[name].as_u64().unwrap_or_default();
        let took = Took {
            objects: u32::try_from(number("objects")).unwrap_or(u32::MAX),
            read: Duration::from_micros(number("read_us")),
            keep: Duration::from_micros(number("keep_us")),
        };
        let (resident_kib, peak_kib) = (number("resident_kib"), number("peak_kib"));
        Ok(Server { child, addresses, took, resident_kib, peak_kib })
    }

    /// Where somebody answers, with TLS or without.
    ///
    /// # Panics
    /// Never: the server said so when it was started.
    pub fn address(&self, who: Who, is_tls: bool) -> SocketAddr {
        let address = self.addresses[key(who, is_tls)].as_str().and_then(|text| text.parse().ok());
        address.expect("the server says where it listens")
    }

    /// Memory that is resident now, and the most that was.
    pub fn memory_kib(&self) -> Option<(u64, u64)> {
        let process = self.child.id().to_string();
        Some((memory::resident_kib_of(&process)?, memory::peak_kib_of(&process)?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn key(who: Who, is_tls: bool) -> &'static str {
    match (who, is_tls) {
        (Who::Migsaw, false) => "migsaw",
        (Who::Migsaw, true) => "migsaw_tls",
        (Who::PassThrough, false) => "pass_through",
        (Who::PassThrough, true) => "pass_through_tls",
    }
}

/// Serves, as the arguments behind [`ROLE`] say.
///
/// # Errors
/// If it cannot.
#[expect(clippy::print_stdout, reason = "by that the other process learns where")]
pub fn serve(arguments: &[String]) -> io::Result<()> {
    let [nodes, slice_pods, other_pods, ways, seed, churn, max_in_flight, certificate, key_file] = arguments else {
        return Err(io::Error::other("takes nine arguments"));
    };
    let number = |text: &String| text.parse::<u32>().map_err(io::Error::other);
    let shape = Shape {
        nodes: number(nodes)?,
        slice_pods: if slice_pods == "-" { None } else { Some(number(slice_pods)?) },
        other_pods: number(other_pods)?,
        ways: number(ways)?.into(),
        seed: seed.parse().map_err(io::Error::other)?,
    };
    let (churn, max_in_flight) = (number(churn)?, number(max_in_flight)? as usize);
    let tls = TlsFiles { certificate: certificate.into(), key: key_file.into(), client_ca: None };
    log_to_stderr();

    let (keeper, took) = keeper(&shape);
    let extender = || Extender::new(Arc::clone(keeper.fleet()), Settings::default());
    let services = [
        (Who::Migsaw, false, Kind::Migsaw(Box::new(extender()))),
        (Who::Migsaw, true, Kind::Migsaw(Box::new(extender()))),
        (Who::PassThrough, false, Kind::PassThrough),
        (Who::PassThrough, true, Kind::PassThrough),
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut said = json!({
            "objects": took.objects,
            "read_us": u64::try_from(took.read.as_micros()).unwrap_or(u64::MAX),
            "keep_us": u64::try_from(took.keep.as_micros()).unwrap_or(u64::MAX),
        });
        for (who, is_tls, kind) in services {
            let tls = is_tls.then(|| tls.clone());
            let address = match kind {
                Kind::Migsaw(extender) => listen(*extender, tls, max_in_flight)?,
                Kind::PassThrough => listen(PassThrough, tls, max_in_flight)?,
            };
            said[key(who, is_tls)] = json!(address);
        }
        said["resident_kib"] = json!(memory::resident_kib_of("self"));
        said["peak_kib"] = json!(memory::peak_kib());
        println!("{said}");
        tokio::spawn(keep(keeper, coming_and_going(&shape, churn), churn));
        let ended = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
        ended.await.map_err(io::Error::other)?.map(drop)
    })?;
    runtime.shutdown_background();
    Ok(())
}

/// Some of the pods, spread over the fleet.
fn coming_and_going(shape: &Shape, churn: u32) -> Vec<Pod> {
    let most = if churn == 0 { 0 } else { 2_000 };
    let read = |text: String| serde_json::from_str(&text).expect("a pod");
    pods(shape).step_by(7).take(most).map(read).collect()
}

/// Keeps the fleet, from which so many pods go in a second and come back.
async fn keep(mut keeper: Keeper, pods: Vec<Pod>, churn: u32) {
    let mut tick = tokio::time::interval(TICK);
    let mut refreshed = Instant::now();
    let mut pods = pods.iter().cycle();
    let mut due = 0.0;
    loop {
        tick.tick().await;
        due += f64::from(churn) * TICK.as_secs_f64();
        while due >= 1.0 {
            due -= 1.0;
            let Some(pod) = pods.next() else { continue };
            for change in [Change::PodGone(pod.uid.clone()), Change::Pod(Box::new(pod.clone()))] {
                keeper.apply(change).expect("no plan is told of");
            }
        }
        if refreshed.elapsed() >= REFRESH {
            refreshed = Instant::now();
            keeper.refresh(refreshed);
        }
    }
}

enum Kind {
    Migsaw(Box<Extender>),
    PassThrough,
}

/// Answers from now on; where is what comes back.
fn listen<A: Answers>(answers: A, tls: Option<TlsFiles>, max_in_flight: usize) -> io::Result<SocketAddr> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let service = Service::bind(Config {
        verbs: any,
        health: any,
        metrics: any,
        tls,
        insecure_http: false,
        shutdown_delay: Duration::ZERO,
        drain_timeout: Duration::ZERO,
    });
    let service = service.map_err(io::Error::other)?;
    let address = service.addresses()?.verbs;
    let health = Health::new(Box::new(Vec::new), Duration::from_secs(90), false);
    health.synced();
    let app = Arc::new(App {
        answers,
        bind: None,
        metrics: Arc::new(Metrics::default()),
        health: Arc::new(health),
        client_names: Vec::new(),
        follow: None,
        debug: false,
        max_body: 32 << 20,
        max_in_flight,
        timeout: Duration::from_secs(10),
    });
    tokio::spawn(service.run(app, std::future::pending()));
    Ok(address)
}

fn log_to_stderr() {
    let logs = tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false);
    let _ = logs.with_env_filter(tracing_subscriber::EnvFilter::new("info")).try_init();
}

/// Writes a certificate for `localhost` and its key into a folder.
///
/// # Errors
/// If they cannot be made or written.
pub fn certificate(folder: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
    let files = (folder.join("tls.crt"), folder.join("tls.key"));
    std::fs::write(&files.0, made.cert.pem())?;
    std::fs::write(&files.1, made.signing_key.serialize_pem())?;
    Ok(files)
}
