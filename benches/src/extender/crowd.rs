//! Many connections at once.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::connection::{Connection, Question, Wire};
use super::requests::{by_name, pending};
use crate::figures::Times;

/// So many pods are asked about again and again. They are never bound, and of so many no more wait at a time.
pub const WAITING: u32 = 64;

/// A crowd: so many connections, each of which asks about one pod after the other.
#[derive(Debug, Clone, Copy)]
pub struct Crowd<'a> {
    /// Whom.
    pub address: SocketAddr,
    /// The certificate that the server shows.
    pub ca: &'a Path,
    /// Names in each request.
    pub nodes: u32,
    /// How many.
    pub connections: usize,
    /// For how long.
    pub lasting: Duration,
    /// How long a connection waits after it was refused.
    pub pause: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Answered {
    /// Of pods both questions about which were answered: how long that took.
    pub accepted: Times,
    /// How long it took until a question was refused.
    pub refused: Times,
    /// Connections that broke, and answers that were neither.
    pub broken: usize,
    /// How long it took in all.
    pub lasted: Duration,
}

impl Crowd<'_> {
    /// Lets them all loose at once.
    ///
    /// # Errors
    /// If there can be no thread or connection.
    pub fn ask(self) -> io::Result<Answered> {
        let questions: Vec<[Question; 2]> = (0..WAITING)
            .map(|pod| by_name(&pending(pod), self.nodes))
            .map(|body| ["filter", "prioritize"].map(|verb| Question::new(verb, &body)))
            .collect();
        let barrier = Barrier::new(self.connections + 1);
        std::thread::scope(|scope| {
            let askers: Vec<_> = (0..self.connections)
                .map(|first| {
                    let (questions, barrier) = (&questions, &barrier);
                    let ask = move || {
                        let opened = Connection::open(Wire::Http, self.address, self.ca);
                        barrier.wait();
                        self.live(opened?, first, questions)
                    };
                    std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, ask)
                })
                .collect::<io::Result<_>>()?;
            barrier.wait();
            let begun = Instant::now();
            let mut all = Lone::default();
            for asker in askers {
                let one = asker.join().map_err(|_| io::Error::other("a thread panicked"))??;
                all.accepted.extend(one.accepted);
                all.refused.extend(one.refused);
                all.broken += one.broken;
            }
            let Lone { accepted, refused, broken } = all;
            let [accepted, refused] = [accepted, refused].map(|took| took.into_iter().collect());
            Ok(Answered { accepted, refused, broken, lasted: begun.elapsed() })
        })
    }

    fn live(self, mut connection: Connection, first: usize, questions: &[[Question; 2]]) -> io::Result<Lone> {
        let end = Instant::now() + self.lasting;
        let mut lone = Lone::default();
        let mut pod = first;
        while Instant::now() < end {
            pod += 1;
            match lone.ask(&mut connection, &questions[pod % questions.len()]) {
                Became::Accepted => {}
                Became::Refused => std::thread::sleep(self.pause),
                Became::Broken => connection = Connection::open(Wire::Http, self.address, self.ca)?,
            }
        }
        Ok(lone)
    }
}

/// One of the crowd.
#[derive(Debug, Default)]
struct Lone {
    accepted: Vec<Duration>,
    refused: Vec<Duration>,
    broken: usize,
}

enum Became {
    Accepted,
    Refused,
    /// The connection is of no more use.
    Broken,
}

impl Lone {
    fn ask(&mut self, connection: &mut Connection, questions: &[Question; 2]) -> Became {
        let begun = Instant::now();
        for question in questions {
            let asked = Instant::now();
            match connection.ask(question) {
                Ok((200, _)) => {}
                Ok((503, _)) => {
                    self.refused.push(asked.elapsed());
                    return Became::Refused;
                }
                Ok(_) | Err(_) => {
                    self.broken += 1;
                    return Became::Broken;
                }
            }
        }
        self.accepted.push(begun.elapsed());
        Became::Accepted
    }
}

impl Answered {
    /// How many were accepted, how many refused, and how many connections broke.
    pub fn counts(&self) -> String {
        format!("{}, {}, {}", self.accepted.len(), self.refused.len(), self.broken)
    }
}
