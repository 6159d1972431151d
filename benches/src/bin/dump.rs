//! How fast a dump of a cluster is read, and what is held of it.
//!
//!     cargo run --release -p migsaw-benches --bin dump -- [NODES [OTHER_PODS]]
//!
//! The dump is made while it is read, so that what this process holds is what the reader does: all nodes, then all pods
//! with slices (three of five slices are held) and `OTHER_PODS` pods without. That it is made takes time as well; it is
//! taken off by making it once more without reading it.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::io::{self, Read, sink};
use std::time::{Duration, Instant};

use migsaw::geometry::Catalog;
use migsaw_benches::extender::fleet::{self, Shape};
use migsaw_benches::figures::count;
use migsaw_benches::memory::{peak_kib, reset_peak, resident_kib_of};
use migsaw_kube::dump::{DumpOptions, Reader};

/// A List whose items are made as they are read.
struct Made<I> {
    items: I,
    is_first: bool,
    left: io::Cursor<Vec<u8>>,
    length: u64,
}

impl<I: Iterator<Item = String>> Made<I> {
    fn new(items: I) -> Made<I> {
        let head = br#"{"apiVersion": "v1", "kind": "List", "items": ["#.to_vec();
        Made { items, is_first: true, left: io::Cursor::new(head), length: 0 }
    }
}

impl<I: Iterator<Item = String>> Read for Made<I> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.left.read(into)?;
            self.length += read as u64;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let Some(item) = self.items.next() else {
                return if std::mem::replace(&mut self.is_first, true) { Ok(0) } else { self.end(into) };
            };
            let comma = if std::mem::replace(&mut self.is_first, false) { "" } else { "," };
            self.left = io::Cursor::new(format!("{comma}\n{item}").into_bytes());
        }
    }
}

impl<I: Iterator<Item = String>> Made<I> {
    fn end(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.left = io::Cursor::new(b"]}\n".to_vec());
        self.left.read(into)
    }
}

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u32| {
        arguments.get(index).map_or(Ok(default), |text| text.parse().map_err(|_| format!("`{text}` is no number")))
    };
    let nodes = number(0, 2_000)?;
    let shapes = [
        ("nodes alone", Shape { slice_pods: Some(0), ..Shape::of(nodes) }),
        ("pods with slices", Shape::of(nodes)),
        ("pods without too", Shape { other_pods: number(1, 100_000)?, ..Shape::of(nodes) }),
    ];
    let catalog = Catalog::builtin();
    println!("dump | objects | MiB | MiB/s | MiB held at most | bytes a pod more than before");
    let mut before = (0, 0);
    for (name, shape) in shapes {
        let items = || (0..shape.nodes).map(move |n| fleet::node(&shape, n).json()).chain(fleet::pods(&shape));
        let making = timed(|| io::copy(&mut Made::new(items()), &mut sink()).map(drop))?;
        let resident = resident_kib_of("self").unwrap_or(0);
        reset_peak();
        let mut made = Made::new(items());
        let pods = fleet::pods(&shape).count();
        let reading = timed(|| {
            let mut reader = Reader::default();
            reader.read("dump", &mut made, false)?;
            reader.finish(&catalog, &DumpOptions::default()).map(drop).map_err(io::Error::other)
        })?;
        let held = peak_kib().unwrap_or(0).saturating_sub(resident);
        #[expect(clippy::cast_precision_loss, reason = "no dump is that large")]
        let mebibytes = made.length as f64 / f64::from(1 << 20);
        let net = reading.saturating_sub(making);
        let more = count(usize::try_from(held.saturating_sub(before.0)).unwrap_or(0)) * 1024.0;
        println!(
            "{name} | {} | {mebibytes:.0} | {:.0} | {} | {:.0}",
            pods + shape.nodes as usize,
            mebibytes / net.as_secs_f64(),
            held >> 10,
            more / count((pods - before.1).max(1)),
        );
        before = (held, pods);
    }
    Ok(())
}

fn timed(mut what: impl FnMut() -> io::Result<()>) -> Result<Duration, String> {
    let begun = Instant::now();
    what().map_err(|error| error.to_string())?;
    Ok(begun.elapsed())
}
