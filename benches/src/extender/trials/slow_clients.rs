//! Connections on which nothing comes, or very slowly.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use super::site::{Pace, Scheduler, Site, until};
use super::{Common, Found};
use crate::extender::connection::Wire;
use crate::extender::requests::pending;
use crate::extender::serve::certificate;
use crate::figures::{Times, count};

/// What a slow client sends before it falls silent; those with a last byte go on sending that.
const PLAIN: [(&str, Option<u8>); 5] = [
    ("", None),
    ("POST /filter HTTP/1.1\r\n", None),
    ("POST /filter HTTP/1.1\r\nX-More: ", None),
    ("POST /filter HTTP/1.1\r\nX-More: ", Some(b'x')),
    ("P", None),
];
/// The same before a handshake: nothing, the beginning of a record, and one whose bytes come one by one.
const TLS: [(&str, Option<u8>); 3] = [("", None), ("\x16\x03\x01\x02\x00\x01", None), ("\x16\x03\x01\x02", Some(0))];
/// Of those who ask over HTTP so many send half a body as well. They hold places while they may.
const BODIES: usize = 32;
const HALF_A_BODY: &str = "POST /filter HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{\"Pod\":";
/// How long each may be there: headers and handshakes 5 s, a whole request 10 s, and a little to be noticed.
const HEADERS: Duration = Duration::from_millis(6_500);
const REQUEST: Duration = Duration::from_millis(11_500);
/// When it is given up that somebody is cut off.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it takes.
#[derive(Debug, Clone, Args)]
pub struct SlowClients {
    #[command(flatten)]
    common: Common,
    /// How many
    #[arg(long, default_value_t = 1_000)]
    connections: usize,
    /// Questions of others in a second, meanwhile
    #[arg(long, default_value_t = 100)]
    rate: u32,
}

/// A slow client.
struct Slow {
    stream: TcpStream,
    goes_on: Option<u8>,
    begun: Instant,
}

impl Slow {
    fn open(address: SocketAddr, first: &str, goes_on: Option<u8>) -> io::Result<Slow> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(first.as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(Slow { stream, goes_on, begun: Instant::now() })
    }

    /// How long it took until it was cut off, once it is.
    fn cut_off(&mut self) -> Option<Duration> {
        if let Some(byte) = self.goes_on
            && self.stream.write_all(&[byte]).is_err()
        {
            return Some(self.begun.elapsed());
        }
        loop {
            match self.stream.read(&mut [0; 1024]) {
                Ok(0) => return Some(self.begun.elapsed()),
                // That it took too long.
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => return Some(self.begun.elapsed()),
            }
        }
    }
}

impl SlowClients {
    pub(super) fn run(&self, found: &mut Found) -> io::Result<()> {
        let site = Site::start(&self.common)?;
        let (certificate, key) = certificate(site.folder())?;
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let tls = ["--tls-cert", &path(&certificate), "--tls-key", &path(&key)];
        self.against(&site, (Wire::Http, "HTTP"), &[], Path::new(""), found)?;
        self.against(&site, (Wire::Https, "TLS"), &tls, &certificate, found)
    }

    fn against(
        &self,
        site: &Site,
        (wire, name): (Wire, &str),
        arguments: &[&str],
        ca: &Path,
        found: &mut Found,
    ) -> io::Result<()> {
        let serving = site.serve(arguments)?;
        let files = serving.open_files();
        let is_over = AtomicBool::new(false);
        let kinds: &[(&str, Option<u8>)] = if wire == Wire::Http { &PLAIN } else { &TLS };
        let bodies = if wire == Wire::Http { BODIES.min(self.connections / 4) } else { 0 };
        let (asked, headers, requests, left) = std::thread::scope(|scope| {
            // Others, meanwhile: on a connection that is kept, and every tenth time on a new one.
            let asking = scope.spawn(|| {
                let mut scheduler = Scheduler::new(wire, serving.verbs, ca);
                let (mut pace, mut took, mut failed, mut n) = (Pace::of(self.rate), Vec::new(), 0, 0);
                while !is_over.load(Ordering::Relaxed) {
                    pace.wait();
                    n += 1;
                    if n % 10 == 0 {
                        scheduler.hang_up();
                    }
                    match scheduler.decide(&pending(n % 64), &site.names) {
                        Ok((_, asked)) => took.push(asked),
                        Err(error) => {
                            failed += 1;
                            eprintln!("{name}: {error}");
                        }
                    }
                }
                (took.into_iter().collect::<Times>(), failed)
            });
            let slow = (0..self.connections).map(|i| {
                let (first, goes_on) = if i < bodies { (HALF_A_BODY, None) } else { kinds[i % kinds.len()] };
                Slow::open(serving.verbs, first, goes_on)
            });
            let slow: io::Result<Vec<Slow>> = slow.collect();
            let ended = slow.map(|slow| wait(slow, bodies));
            is_over.store(true, Ordering::Relaxed);
            let asked = asking.join().map_err(|_| io::Error::other("a thread panicked"))?;
            let (headers, requests, left) = ended?;
            Ok::<_, io::Error>((asked, headers, requests, left))
        })?;
        let (took, failed) = asked;
        found.shows(&format!("{} slow clients over {name}: others' filter + prioritize", self.connections), &took);
        found.shows("– pods of others asked about", count(took.len()));
        found.none("– requests of others that failed", failed);
        found.none("– slow clients that are still there after 60 s", left);
        found.measures(
            "– without headers or a handshake: cut off after",
            &headers,
            "≤ 5 s, and to notice",
            headers.max() <= HEADERS,
        );
        if bodies > 0 {
            found.measures(
                "– without the rest of a body: cut off after",
                &requests,
                "≤ 10 s, and to notice",
                requests.max() <= REQUEST,
            );
        }
        until(|| serving.open_files() <= files + 4);
        let (after, limit) = (serving.open_files(), files + 4);
        found.must(
            "– open files and sockets, before and afterwards",
            format!("{files}, {after}"),
            "no growth",
            after <= limit,
        );
        Ok(())
    }
}

/// Waits until all are cut off: how long that took for those without headers and for those with, and how many never
/// were. The first ones have headers.
fn wait(slow: Vec<Slow>, with_headers: usize) -> (Times, Times, usize) {
    let begun = Instant::now();
    let mut left: Vec<(usize, Slow)> = slow.into_iter().enumerate().collect();
    let (mut headers, mut requests) = (Vec::new(), Vec::new());
    while !left.is_empty() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(100));
        left.retain_mut(|(i, slow)| match slow.cut_off() {
            None => true,
            Some(after) => {
                let of_its_kind = if *i < with_headers { &mut requests } else { &mut headers };
                of_its_kind.push(after);
                false
            }
        });
    }
    (headers.into_iter().collect(), requests.into_iter().collect(), left.len())
}
