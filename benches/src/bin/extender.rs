//! What asking the scheduler extender costs: latency, throughput, overload, memory, and keeping up with changes.
//!
//!     cargo run --release -p migsaw-benches --bin extender -- [--nodes 1000]... [--quick]
//!
//! Beside it, in the same process and asked in turn with it, is an extender that reads the same requests and decides
//! nothing. The process that asks is another than the one that answers. What comes out is a table in Markdown.
//!
//!     cargo build --release -p migsaw-cli && cargo run --release -p migsaw-benches --bin extender -- soak
//!
//! With a subcommand it lets `migsaw serve` itself go through what it should survive
//! ([`trials`](migsaw_benches::extender::trials)), and ends with 1 where something went wrong.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use migsaw_benches::extender::connection::{Connection, Question, Wire};
use migsaw_benches::extender::crowd::{Answered, Crowd, WAITING};
use migsaw_benches::extender::fleet::{Shape, keeper, pods};
use migsaw_benches::extender::requests::{about_kept, by_name, hopeless, pending, whole};
use migsaw_benches::extender::serve::{ROLE, Served, Server, Who, certificate, serve};
use migsaw_benches::extender::trials::Trial;
use migsaw_benches::figures::{Table, Times, count};
use migsaw_kube::scheduling::{Change, Pod};
use serde_json::Value;

/// The most requests in work, as `migsaw serve` has it where nothing else is said.
const MAX_IN_FLIGHT: usize = 64;
/// Pods asked about before it counts.
const WARM_UP: u32 = 20;

/// Measures the scheduler extender.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    trial: Option<Trial>,
    /// Names in a request, and nodes of the fleet; several times for several
    #[arg(long, default_values_t = [100, 1_000, 5_000, 15_000])]
    nodes: Vec<u32>,
    /// The most pods to ask about for one figure
    #[arg(long, default_value_t = 3_000)]
    pods: u32,
    /// Seconds for each figure of throughput
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Pods that go from the fleet in a second, while as many come
    #[arg(long, default_value_t = 200)]
    churn: u32,
    /// From what the fleet is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Small, and done in seconds: whether it still runs
    #[arg(long)]
    quick: bool,
    /// Latency only
    #[arg(long)]
    latency_only: bool,
}

fn main() -> io::Result<ExitCode> {
    let provider = rustls::crypto::ring::default_provider();
    provider.install_default().map_err(|_| io::Error::other("there is a provider of cryptography already"))?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == ROLE) {
        return serve(&arguments[1..]).map(|()| ExitCode::SUCCESS);
    }
    let mut args = Args::parse();
    if let Some(trial) = args.trial {
        let found = trial.run()?;
        println!("{found}\nload: {}", load());
        return Ok(if found.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if args.quick {
        args = Args { nodes: vec![20, 100], pods: 60, seconds: 1, ..args };
    }
    let folder = tempfile::tempdir()?;
    let mut bench = Bench {
        tls: certificate(folder.path())?,
        table: Table::new(&["what", "migsaw", "pass-through", "ratio (p50 / p99)"]),
        args,
    };
    println!("load before: {}", load());
    for nodes in bench.args.nodes.clone() {
        bench.latency(nodes)?;
    }
    if !bench.args.latency_only {
        let nodes = if bench.args.quick { 100 } else { 1_000 };
        bench.whole_nodes(nodes)?;
        bench.throughput(nodes)?;
        bench.overload(nodes)?;
        bench.memory()?;
        bench.keeping(if bench.args.quick { 100 } else { 5_000 })?;
    }
    println!("load after: {}\n\nTimes are median / 99th percentile / longest.\n\n{}", load(), bench.table);
    Ok(ExitCode::SUCCESS)
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

struct Bench {
    tls: (PathBuf, PathBuf),
    table: Table,
    args: Args,
}

/// What was measured of asking about pods.
#[derive(Debug, Default)]
struct Asked {
    filter: Vec<Duration>,
    prioritize: Vec<Duration>,
}

impl Asked {
    fn both(&self) -> Times {
        self.filter.iter().zip(&self.prioritize).map(|(filter, prioritize)| *filter + *prioritize).collect()
    }
}

fn times(times: &[Duration]) -> Times {
    times.iter().copied().collect()
}

impl Bench {
    fn server(&self, shape: Shape) -> io::Result<Server> {
        self.churning(shape, self.args.churn)
    }

    fn churning(&self, shape: Shape, churn: u32) -> io::Result<Server> {
        let shape = Shape { seed: self.args.seed, ..shape };
        Server::start(&Served { shape, churn, max_in_flight: MAX_IN_FLIGHT, tls: self.tls.clone() })
    }

    fn row(&mut self, what: &str, [migsaw, other]: [&Times; 2]) {
        self.table.row([what.to_owned(), migsaw.to_string(), other.to_string(), migsaw.ratio(other)]);
    }

    /// So many pods that each size takes about as long.
    fn pods(&self, nodes: u32) -> u32 {
        self.args.pods.min((9_000_000 / nodes.max(1)).max(100))
    }

    /// One connection, as kube-scheduler has it, and names only.
    fn latency(&mut self, nodes: u32) -> io::Result<()> {
        let server = self.server(Shape::of(nodes))?;
        let question = |number| by_name(&pending(number), nodes);
        for (wire, what) in [(Wire::Http, "HTTP"), (Wire::Https, "HTTP/1.1 over TLS"), (Wire::Http2, "HTTP/2 over TLS")]
        {
            let [migsaw, other] = self.in_turn(&server, wire, self.pods(nodes), &question, true)?;
            let name = format!("filter + prioritize, {nodes} names, {what}");
            self.row(&name, [&migsaw.both(), &other.both()]);
            if wire == Wire::Http {
                self.row("– of which filter", [&times(&migsaw.filter), &times(&other.filter)]);
                self.row("– of which prioritize", [&times(&migsaw.prioritize), &times(&other.prioritize)]);
            }
        }
        let question = |number| by_name(&hopeless(number), nodes);
        let [migsaw, other] = self.in_turn(&server, Wire::Http, self.pods(nodes), &question, false)?;
        let name = format!("filter of a hopeless pod, {nodes} names, HTTP");
        self.row(&name, [&times(&migsaw.filter), &times(&other.filter)]);
        Ok(())
    }

    /// With `nodeCacheCapable: false`.
    fn whole_nodes(&mut self, nodes: u32) -> io::Result<()> {
        let shape = Shape { seed: self.args.seed, ..Shape::of(nodes) };
        let server = self.server(shape)?;
        let body = whole("@pod", &shape);
        let question = |number: u32| body.replacen("@pod", &pending(number), 1);
        let mebibytes = count(body.len()) / count(1 << 20);
        for (wire, what) in [(Wire::Http, "HTTP"), (Wire::Http2, "HTTP/2 over TLS")] {
            let [migsaw, other] = self.in_turn(&server, wire, self.args.pods.min(200), &question, true)?;
            let name = format!("filter + prioritize, {nodes} whole nodes ({mebibytes:.1} MiB), {what}");
            self.row(&name, [&migsaw.both(), &other.both()]);
        }
        Ok(())
    }

    /// Asks both extenders about the same pods, in turn.
    fn in_turn(
        &self,
        server: &Server,
        wire: Wire,
        pods: u32,
        body: &dyn Fn(u32) -> String,
        with_scores: bool,
    ) -> io::Result<[Asked; 2]> {
        let open = |who| Connection::open(wire, server.address(who, wire != Wire::Http), &self.tls.0);
        let mut connections = [open(Who::Migsaw)?, open(Who::PassThrough)?];
        let mut asked = [Asked::default(), Asked::default()];
        for pod in 0..pods + WARM_UP {
            let body = body(pod % WAITING);
            let filter = Question::new("filter", &body);
            // Who is first changes, so that neither always finds the body in the processor's cache.
            let order = if pod % 2 == 0 { [0, 1] } else { [1, 0] };
            for who in order {
                let connection = &mut connections[who];
                let (filtered, answer) = timed(connection, &filter)?;
                if pod == 0 {
                    complete(&filter, &answer)?;
                }
                let scored = if with_scores {
                    timed(connection, &Question::new("prioritize", &about_kept(&body, &answer)?))?.0
                } else {
                    Duration::ZERO
                };
                if pod >= WARM_UP {
                    asked[who].filter.push(filtered);
                    asked[who].prioritize.push(scored);
                }
            }
        }
        Ok(asked)
    }

    /// Pods in a second: one after the other, and from many connections at once.
    fn throughput(&mut self, nodes: u32) -> io::Result<()> {
        let server = self.server(Shape::of(nodes))?;
        let lasting = Duration::from_secs(self.args.seconds);
        for connections in [1, 64] {
            let crowd = |who| self.crowd(&server, who, nodes, (connections, lasting));
            let [migsaw, other] = [Who::Migsaw, Who::PassThrough].map(crowd);
            let (migsaw, other) = (migsaw?, other?);
            let rate = |crowd: &Answered| count(crowd.accepted.len()) / crowd.lasted.as_secs_f64();
            let (migsaws, others) = (rate(&migsaw), rate(&other));
            self.table.row([
                format!("pods in a second, {nodes} names, HTTP, {connections} connections"),
                format!("{migsaws:.0}"),
                format!("{others:.0}"),
                format!("{:.2}", migsaws / others),
            ]);
            if connections > 1 {
                self.row("– a pod's filter + prioritize meanwhile", [&migsaw.accepted, &other.accepted]);
            }
        }
        Ok(())
    }

    /// Far more connections than there may be requests in work; and none of the places free.
    fn overload(&mut self, nodes: u32) -> io::Result<()> {
        let server = self.server(Shape::of(nodes))?;
        let lasting = Duration::from_secs(self.args.seconds);
        let connections = 10 * MAX_IN_FLIGHT;
        let [migsaw, other] =
            [Who::Migsaw, Who::PassThrough].map(|who| self.crowd(&server, who, nodes, (connections, lasting)));
        let (migsaw, other) = (migsaw?, other?);
        let name = format!("{connections} connections at once, {nodes} names: pods accepted");
        self.row(&name, [&migsaw.accepted, &other.accepted]);
        self.row("– requests refused", [&migsaw.refused, &other.refused]);
        self.table.row([
            "– accepted, refused, connections broken".to_owned(),
            migsaw.counts(),
            other.counts(),
            String::new(),
        ]);

        let question = Question::new("filter", &by_name(&pending(0), nodes));
        for (held, what) in [(MAX_IN_FLIGHT - 1, "one place free: accepted"), (MAX_IN_FLIGHT, "no place free: refused")]
        {
            let mut found = Vec::new();
            for who in [Who::Migsaw, Who::PassThrough] {
                let open = || Connection::open(Wire::Http, server.address(who, false), &self.tls.0);
                let mut holding = Vec::new();
                for _ in 0..held {
                    let mut connection = open()?;
                    connection.ask_half(&question)?;
                    holding.push(connection);
                }
                std::thread::sleep(Duration::from_millis(200));
                let expected = if held < MAX_IN_FLIGHT { 200 } else { 503 };
                let mut connection = open()?;
                let mut took = Vec::new();
                for _ in 0..self.args.pods.min(1000) {
                    let begun = Instant::now();
                    match connection.ask(&question) {
                        Ok((status, _)) if status == expected => took.push(begun.elapsed()),
                        Ok((status, _)) => return Err(io::Error::other(format!("status {status}"))),
                        Err(_) => connection = open()?,
                    }
                }
                found.push(times(&took));
            }
            self.row(&format!("slow clients, {what}"), [&found[0], &found[1]]);
        }
        Ok(())
    }

    /// So many connections, each of which asks as fast as it is answered.
    fn crowd(
        &self,
        server: &Server,
        who: Who,
        nodes: u32,
        (connections, lasting): (usize, Duration),
    ) -> io::Result<Answered> {
        let (address, ca) = (server.address(who, false), self.tls.0.as_path());
        Crowd { address, ca, nodes, connections, lasting, pause: Duration::ZERO }.ask()
    }

    /// Memory of the process that serves, once it knows everything and once it has been asked.
    fn memory(&mut self) -> io::Result<()> {
        let sizes = if self.args.quick {
            vec![(100, 200, 100)]
        } else {
            vec![(5_000, 20_000, 0), (15_000, 100_000, 50_000), (15_000, 150_000, 0)]
        };
        for (nodes, slice_pods, other_pods) in sizes {
            let shape = Shape { slice_pods: Some(slice_pods), other_pods, ..Shape::of(nodes) };
            let server = self.churning(shape, 0)?;
            let question = |number| by_name(&pending(number), nodes);
            self.in_turn(&server, Wire::Http, 100, &question, true)?;
            let (resident, peak) = server.memory_kib().unwrap_or_default();
            let mebibytes = |kib: u64| kib.div_ceil(1024);
            self.table.row([
                format!("memory, {nodes} nodes, {slice_pods} pods with slices, {other_pods} others"),
                format!(
                    "{} MiB at first, {} MiB after 120 pods asked about; peak {} MiB",
                    mebibytes(server.resident_kib),
                    mebibytes(resident),
                    mebibytes(peak)
                ),
                String::new(),
                String::new(),
            ]);
            let took = server.took;
            let all = (took.read + took.keep).as_secs_f64();
            self.table.row([
                "– until all of it is known".to_owned(),
                format!(
                    "{:.2} s to read, {:.2} s to keep, {:.0} objects in a second",
                    took.read.as_secs_f64(),
                    took.keep.as_secs_f64(),
                    f64::from(took.objects) / all
                ),
                String::new(),
                String::new(),
            ]);
        }
        Ok(())
    }

    /// How many changes in a second a keeper takes who knows all: pods come to their nodes and go.
    fn keeping(&mut self, nodes: u32) -> io::Result<()> {
        let shape = Shape { seed: self.args.seed, ..Shape::of(nodes) };
        let (mut keeper, _) = keeper(&shape);
        let read = |text: String| serde_json::from_str::<Pod>(&text);
        let known: Vec<Pod> = pods(&shape).step_by(3).map(read).collect::<Result<_, _>>()?;
        let mut changes = 0;
        let mut took = Duration::ZERO;
        let mut refreshing = Vec::new();
        for pod in known {
            let uid = pod.uid.clone();
            let begun = Instant::now();
            for change in [Change::PodGone(uid), Change::Pod(Box::new(pod))] {
                keeper.apply(change).map_err(io::Error::other)?;
            }
            took += begun.elapsed();
            changes += 2;
            if changes % 1000 == 0 {
                let begun = Instant::now();
                keeper.refresh(begun);
                refreshing.push(begun.elapsed());
            }
        }
        self.table.row([
            format!("changes taken in a second, {nodes} nodes, {} pods", keeper.known().pods),
            format!("{:.0}", f64::from(changes) / took.as_secs_f64()),
            String::new(),
            String::new(),
        ]);
        self.table.row(["– to refresh".to_owned(), times(&refreshing).to_string(), String::new(), String::new()]);
        // Every node cut in a way of its own: the most that reading nodes may take.
        let few = Shape { nodes: nodes.min(1_000), ways: u64::MAX, slice_pods: Some(0), ..shape };
        let (_, took) = migsaw_benches::extender::fleet::keeper(&few);
        self.table.row([
            format!("{} nodes, each cut in a way of its own: to keep", few.nodes),
            format!("{:.2} s", took.keep.as_secs_f64()),
            String::new(),
            String::new(),
        ]);
        Ok(())
    }
}

/// An answer, and how long it took.
fn timed(connection: &mut Connection, question: &Question) -> io::Result<(Duration, Vec<u8>)> {
    let begun = Instant::now();
    let (status, answer) = connection.ask(question)?;
    let took = begun.elapsed();
    if status == 200 { Ok((took, answer.to_vec())) } else { Err(io::Error::other(format!("status {status}"))) }
}

/// Whether an answer to `filter` is one: says how many nodes it keeps and turns away.
fn complete(question: &Question, answer: &[u8]) -> io::Result<()> {
    let answer: Value = serde_json::from_slice(answer)?;
    let kept = answer["NodeNames"].as_array().or_else(|| answer["Nodes"]["items"].as_array()).map_or(0, Vec::len);
    let turned_away = |name: &str| answer[name].as_object().map_or(0, serde_json::Map::len);
    let (not_now, never) = (turned_away("FailedNodes"), turned_away("FailedAndUnresolvableNodes"));
    let error = answer["Error"].as_str().unwrap_or_default();
    eprintln!("  {} bytes: {kept} kept, {not_now} not now, {never} never {error}", question.body_len());
    if kept + not_now + never > 0 && error.is_empty() { Ok(()) } else { Err(io::Error::other("an odd answer")) }
}
