//! A cluster, those who serve it, and a scheduler that asks them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use migsaw_kube::scheduling::Pod;
use migsaw_sim::Rng;
use serde_json::Value;

use super::Common;
use crate::extender::api_server::{ApiServer, Kind};
use crate::extender::connection::{Connection, Question, Wire};
use crate::extender::fleet::{self, Shape};
use crate::extender::requests::{WAYS, asks, bound, of_names, order, pending, uid};
use crate::memory;

/// How long something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster whose pods come and go.
pub(super) struct Site {
    pub(super) api: ApiServer,
    pub(super) names: Vec<String>,
    books: Books,
    /// Pods that were placed here, by how they ask.
    living: Vec<Vec<(u32, String)>>,
    /// Of each way to ask no more pods stay than this.
    most: usize,
    rng: Rng,
    next: u32,
    /// Whether the scheduler counts slices itself, so that it asks only about nodes with room.
    counts: bool,
    folder: tempfile::TempDir,
    migsaw: PathBuf,
    cores: Option<String>,
}

/// What starts `migsaw serve` for a site.
pub(super) struct Starter {
    migsaw: PathBuf,
    cores: Option<String>,
    kubeconfig: PathBuf,
    counts: bool,
}

/// What became of a pod.
pub(super) enum Became {
    /// It was put on a node; so long it took to ask about it.
    Placed(Duration),
    /// No node could take it.
    Rejected(Duration),
    /// The answer was none, or an error.
    Failed(String),
}

impl Site {
    /// A fleet with pods on it, as [`Shape::of`] has it, whose scheduler leaves counting to the extender.
    pub(super) fn start(common: &Common) -> io::Result<Site> {
        Site::made(common, false)
    }

    /// The same with a scheduler that counts slices itself.
    pub(super) fn counting(common: &Common) -> io::Result<Site> {
        Site::made(common, true)
    }

    fn made(common: &Common, counts: bool) -> io::Result<Site> {
        let shape = Shape { seed: common.seed, ..Shape::of(common.nodes) };
        let (api, mut books) = (ApiServer::start()?, Books::default());
        for number in 0..shape.nodes {
            let node = fleet::node(&shape, number);
            api.put(Kind::Nodes, &node.name, &node.json());
            books.free.insert(node.name.clone(), node.offers().map(|(profile, n)| (resource(profile), n)).collect());
        }
        for text in fleet::pods(&shape) {
            let pod: Pod = serde_json::from_str(&text)?;
            let (resource, n) = pod.asks.resources.iter().next().ok_or_else(|| io::Error::other("a pod without"))?;
            books.take(&pod.uid, pod.node.as_deref().unwrap_or_default(), resource, *n);
            api.put(Kind::Pods, &pod.uid, &text);
        }
        if books.overcommitted > 0 {
            return Err(io::Error::other("the fleet is overcommitted from the beginning"));
        }
        let beside = || Ok::<_, io::Error>(std::env::current_exe()?.with_file_name("migsaw"));
        let migsaw = common.migsaw.clone().map_or_else(beside, Ok)?;
        if !migsaw.exists() {
            return Err(io::Error::other(format!("{} is not there: build migsaw-cli first", migsaw.display())));
        }
        let names = order(shape.nodes).into_iter().map(fleet::name).collect();
        let most = (shape.nodes / 4).max(1) as usize;
        let (rng, folder) = (Rng::new(common.seed), tempfile::tempdir()?);
        let (living, cores) = (vec![Vec::new(); WAYS], common.serve_on.clone());
        Ok(Site { api, names, books, living, most, rng, next: 0, counts, folder, migsaw, cores })
    }

    /// What starts `migsaw serve`.
    pub(super) fn starter(&self) -> io::Result<Starter> {
        let kubeconfig = self.api.kubeconfig(self.folder.path())?;
        Ok(Starter { migsaw: self.migsaw.clone(), cores: self.cores.clone(), kubeconfig, counts: self.counts })
    }

    /// `migsaw serve`, which is ready when this comes back.
    pub(super) fn serve(&self, more: &[&str]) -> io::Result<Serving> {
        self.starter()?.start(more)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A pod comes, is asked about, and put where that is best. Then as many are there as should be: others go.
    pub(super) fn place(&mut self, scheduler: &mut Scheduler) -> Became {
        let number = self.next;
        self.next += 1;
        let (uid, text) = (uid(number), pending(number));
        self.api.put(Kind::Pods, &uid, &text);
        let with_room;
        let names = if self.counts {
            let (profile, n) = asks(number);
            with_room = self.books.with_room(&self.names, &resource(profile), n);
            &with_room
        } else {
            &self.names
        };
        let (answered, took) = match scheduler.decide(&text, names) {
            Ok(answered) => answered,
            Err(error) => {
                self.api.remove(Kind::Pods, &uid);
                return Became::Failed(error.to_string());
            }
        };
        let way = number as usize % WAYS;
        let most = if answered.is_some() { self.most } else { self.most.min(self.living[way].len()).saturating_sub(1) };
        let became = if let Some(node) = answered {
            let (profile, n) = asks(number);
            self.books.take(&uid, &node, &resource(profile), n);
            self.api.put(Kind::Pods, &uid, &bound(number, &node));
            self.living[way].push((number, uid));
            Became::Placed(took)
        } else {
            self.api.remove(Kind::Pods, &uid);
            Became::Rejected(took)
        };
        while self.living[way].len() > most {
            let at = usize::try_from(self.rng.below(self.living[way].len() as u64)).unwrap_or(0);
            let (_, uid) = self.living[way].swap_remove(at);
            self.books.give_back(&uid);
            self.api.remove(Kind::Pods, &uid);
        }
        became
    }

    /// Pods of which a node has more than it can have, since the beginning.
    pub(super) fn overcommitted(&self) -> usize {
        self.books.overcommitted
    }
}

impl Starter {
    /// `migsaw serve`, which is ready when this comes back.
    pub(super) fn start(&self, more: &[&str]) -> io::Result<Serving> {
        let mut command = match &self.cores {
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", cores]).arg(&self.migsaw);
                command
            }
            None => Command::new(&self.migsaw),
        };
        command.arg("serve").env("KUBECONFIG", &self.kubeconfig).args(["--log-format", "json"]);
        if !self.counts {
            command.arg("--ignored-by-scheduler");
        }
        for listen in ["--listen", "--health-listen", "--metrics-listen"] {
            command.args([listen, "127.0.0.1:0"]);
        }
        command.args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Serving::start(command)
    }
}

fn resource(profile: &str) -> String {
    format!("nvidia.com/mig-{profile}")
}

/// What every node has left, by the scheduler's own count.
#[derive(Debug, Default)]
struct Books {
    free: BTreeMap<String, BTreeMap<String, u64>>,
    held: HashMap<String, (String, String, u64)>,
    overcommitted: usize,
}

impl Books {
    /// Of these nodes, those that have so much left.
    fn with_room(&self, names: &[String], resource: &str, n: u64) -> Vec<String> {
        let left = |name: &String| self.free.get(name).and_then(|free| free.get(resource)).copied().unwrap_or(0);
        names.iter().filter(|name| left(name) >= n).cloned().collect()
    }

    fn take(&mut self, uid: &str, node: &str, resource: &str, n: u64) {
        match self.free.get_mut(node).and_then(|free| free.get_mut(resource)).filter(|free| **free >= n) {
            Some(free) => {
                *free -= n;
                self.held.insert(uid.to_owned(), (node.to_owned(), resource.to_owned(), n));
            }
            None => self.overcommitted += 1,
        }
    }

    fn give_back(&mut self, uid: &str) {
        let Some((node, resource, n)) = self.held.remove(uid) else { return };
        if let Some(free) = self.free.get_mut(&node).and_then(|free| free.get_mut(&resource)) {
            *free += n;
        }
    }
}

/// A scheduler: asks on a connection that it keeps, and comes anew where it is told to.
pub(super) struct Scheduler {
    wire: Wire,
    address: SocketAddr,
    ca: PathBuf,
    connection: Option<Connection>,
}

impl Scheduler {
    pub(super) fn new(wire: Wire, address: SocketAddr, ca: &Path) -> Scheduler {
        Scheduler { wire, address, ca: ca.to_owned(), connection: None }
    }

    /// Without TLS.
    pub(super) fn plain(address: SocketAddr) -> Scheduler {
        Scheduler::new(Wire::Http, address, Path::new(""))
    }

    /// Asks others from the next new connection on.
    pub(super) fn turn_to(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// Lets its connection go.
    pub(super) fn hang_up(&mut self) {
        self.connection = None;
    }

    /// The certificate that its connection was shown.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        self.connection.as_ref()?.certificate()
    }

    /// Asks; whatever is no answer with status 200 is an error.
    pub(super) fn ask(&mut self, question: &Question) -> io::Result<Vec<u8>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.wire, self.address, &self.ca)?,
        };
        let (status, body) = connection.ask(question)?;
        let body = body.to_vec();
        if !connection.is_closing() {
            self.connection = Some(connection);
        }
        if status == 200 { Ok(body) } else { Err(io::Error::other(format!("status {status}"))) }
    }

    /// The best node for a pod, `None` if none can take it; and how long the questions took.
    pub(super) fn decide(&mut self, pod: &str, names: &[String]) -> io::Result<(Option<String>, Duration)> {
        let question = Question::new("filter", &of_names(pod, names));
        let begun = Instant::now();
        let answer = self.ask(&question)?;
        let mut took = begun.elapsed();
        let verdicts: Value = serde_json::from_slice(&answer)?;
        if verdicts["Error"].as_str().is_some_and(|error| !error.is_empty()) {
            return Err(io::Error::other(format!("filter: {}", verdicts["Error"])));
        }
        let kept: Vec<String> = serde_json::from_value(verdicts["NodeNames"].clone())?;
        if let Some(stranger) = kept.iter().find(|name| !names.contains(name)) {
            return Err(io::Error::other(format!("{stranger} was not offered")));
        }
        if kept.len() < 2 {
            return Ok((kept.into_iter().next(), took));
        }
        let question = Question::new("prioritize", &of_names(pod, &kept));
        let begun = Instant::now();
        let answer = self.ask(&question)?;
        took += begun.elapsed();
        let all: Value = serde_json::from_slice(&answer)?;
        let scores = all.as_array().filter(|scores| scores.len() == kept.len());
        let scores = scores.ok_or_else(|| io::Error::other("not a score for each node"))?;
        let best = scores.iter().max_by_key(|score| score["Score"].as_i64());
        let best = best.and_then(|score| score["Host"].as_str()).map(str::to_owned);
        Ok((best.filter(|best| kept.contains(best)), took))
    }
}

/// A running `migsaw serve`.
pub(super) struct Serving {
    child: Child,
    pub(super) verbs: SocketAddr,
    pub(super) health: SocketAddr,
    pub(super) metrics: SocketAddr,
}

impl Serving {
    fn start(mut command: Command) -> io::Result<Serving> {
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stderr.take().ok_or_else(|| io::Error::other("no log"))?).lines();
        let (mut said, mut last) = (Value::Null, VecDeque::new());
        for line in &mut lines {
            let line = line?;
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            match entry["message"].as_str() {
                Some("listening") => said = entry,
                Some(text) if text.starts_with("ready") => break,
                _ => {}
            }
            last.push_back(line);
        }
        let address = |name: &str| {
            let text = said[name].as_str().unwrap_or_default();
            let text = text.rsplit('/').next().unwrap_or_default();
            text.parse().map_err(|_| io::Error::other(format!("it does not listen: {last:?}")))
        };
        let (verbs, health, metrics) = (address("verbs")?, address("health")?, address("metrics")?);
        // Somebody has to read what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Serving { child, verbs, health, metrics })
    }

    /// Whether `/readyz` says yes, and what else.
    pub(super) fn readiness(&self) -> io::Result<(bool, Value)> {
        let mut connection = Connection::open(Wire::Http, self.health, Path::new(""))?;
        let (status, body) = connection.ask(&Question::read("/readyz"))?;
        Ok((status == 200, serde_json::from_slice(body)?))
    }

    /// A metric that counts, the sum over its labels; 0 if it is not there.
    pub(super) fn count(&self, name: &str) -> io::Result<usize> {
        let mut connection = Connection::open(Wire::Http, self.metrics, Path::new(""))?;
        let (_, body) = connection.ask(&Question::read("/metrics"))?;
        let text = String::from_utf8_lossy(body);
        let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let value = |line: &str| line.rsplit(' ').next()?.trim_end_matches(".0").parse::<usize>().ok();
        Ok(text.lines().filter(is_it).filter_map(value).sum())
    }

    /// Memory resident, in KiB.
    pub(super) fn resident_kib(&self) -> u64 {
        memory::resident_kib_of(&self.child.id().to_string()).unwrap_or_default()
    }

    /// Files and sockets that are open.
    pub(super) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Tells it to stop, as kubelet does.
    pub(super) fn tell_to_stop(&self) -> io::Result<()> {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        if killed.success() { Ok(()) } else { Err(io::Error::other("it cannot be told to stop")) }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// So many times in a second; whoever is late does not wait.
pub(super) struct Pace {
    every: Duration,
    due: Instant,
}

impl Pace {
    pub(super) fn of(per_second: u32) -> Pace {
        Pace { every: Duration::from_secs(1) / per_second.max(1), due: Instant::now() }
    }

    pub(super) fn wait(&mut self) {
        self.due += self.every;
        std::thread::sleep(self.due.saturating_duration_since(Instant::now()));
    }
}

/// Waits until something holds, and says how long that took; `None` if it never did.
pub(super) fn until(mut holds: impl FnMut() -> bool) -> Option<Duration> {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > PATIENCE {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(begun.elapsed())
}
