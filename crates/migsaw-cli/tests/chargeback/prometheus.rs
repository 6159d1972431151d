//! A Prometheus of its own on loopback, with a past that is known, asked by the command line.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::truth::{self, TICK};
use super::{check, migsaw};

/// A server that ends with the test.
struct Server {
    process: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts one on blocks of samples. Samples that were backfilled have no marks where a series ends, so the server
    /// is told not to look back further than one of them.
    fn start(folder: &Path) -> Server {
        let config = folder.join("prometheus.yml");
        std::fs::write(&config, "global: {}\n").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let argument = |name: &str, value: &str| format!("--{name}={value}");
        let process = Command::new("prometheus")
            .arg(argument("config.file", config.to_str().unwrap()))
            .arg(argument("storage.tsdb.path", folder.join("data").to_str().unwrap()))
            .arg(argument("storage.tsdb.retention.time", "100y"))
            .arg(argument("query.lookback-delta", &format!("{}s", TICK - 1)))
            .arg(argument("web.listen-address", &format!("127.0.0.1:{port}")))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut server = Server { process, url: format!("http://127.0.0.1:{port}") };
        let patience = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() || !server.is_ready() {
            let log = || std::fs::read_to_string(folder.join("log")).unwrap();
            assert!(server.process.try_wait().unwrap().is_none(), "Prometheus ended: {}", log());
            assert!(Instant::now() < patience, "Prometheus does not start: {}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// Whether it answers queries: an empty answer is one.
    fn is_ready(&self) -> bool {
        let query = ["chargeback", "--prometheus", &self.url, "--start", "0", "--end", "60"];
        migsaw(&query).err.contains("no-gpu-series")
    }
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn a_prometheus_server_is_asked_in_parts() {
    if !is_installed("prometheus") || !is_installed("promtool") {
        eprintln!("no prometheus and promtool here: passed over");
        return;
    }
    // More points than Prometheus answers with at once.
    let ticks = 11_300;
    let gpus = truth::gpus(3, ticks, true);
    let folder = tempfile::tempdir().unwrap();
    let samples = folder.path().join("samples");
    std::fs::write(&samples, truth::open_metrics(&gpus)).unwrap();
    let blocks = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .args([samples.as_path(), &folder.path().join("data")])
        .output()
        .unwrap();
    assert!(blocks.status.success(), "{}", String::from_utf8_lossy(&blocks.stderr));
    let server = Server::start(folder.path());
    check(&["--prometheus", &server.url, "--step", "1m"], ticks, &truth::tally(&gpus));

    // What the server has against a query is said in its words.
    let broken = ["chargeback", "--prometheus", &server.url, "--match", "team=", "--start", "0", "--end", "60"];
    let ran = migsaw(&broken);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("error[prometheus-error]: Prometheus answered: bad_data"), "{}", ran.err);
}
