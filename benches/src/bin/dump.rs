//! How fast a dump of a cluster is read, and what is held of it.
//!
//!     cargo run --release -p migsaw-benches --bin dump -- [NODES [OTHER_PODS]]
//!
//! The dump has all nodes, then all pods with slices (three of five slices are held) and `OTHER_PODS` pods without. It is
//! there as a whole before it is read; what is held beside it is what the reader holds at most.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::time::Instant;

use migsaw::geometry::Catalog;
use migsaw_benches::extender::fleet::{self, Shape};
use migsaw_benches::figures::count;
use migsaw_benches::memory::{peak_kib, reset_peak, resident_kib_of};
use migsaw_kube::dump::{DumpOptions, Reader};

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u32| {
        arguments.get(index).map_or(Ok(default), |text| text.parse().map_err(|_| format!("`{text}` is no number")))
    };
    let shape = Shape { other_pods: number(1, 100_000)?, ..Shape::of(number(0, 2_000)?) };
    let mut text = r#"{"apiVersion": "v1", "kind": "List", "items": ["#.to_owned();
    for number in 0..shape.nodes {
        add(&mut text, "Node", &fleet::node(&shape, number).json());
    }
    let mut pods = 0;
    for pod in fleet::pods(&shape) {
        add(&mut text, "Pod", &pod);
        pods += 1;
    }
    text.truncate(text.len() - 1);
    text.push_str("]}\n");

    let before = resident_kib_of("self").unwrap_or(0);
    reset_peak();
    let begun = Instant::now();
    let mut reader = Reader::default();
    reader.read("dump", &mut text.as_bytes(), false).map_err(|error| error.to_string())?;
    let read = begun.elapsed();
    let dump = reader.finish(&Catalog::builtin(), &DumpOptions::default()).map_err(|error| error.to_string())?;
    let all = begun.elapsed();
    let held = peak_kib().unwrap_or(0).saturating_sub(before);
    let megabytes = count(text.len()) / 1e6;
    println!(
        "{} nodes and {pods} pods, {} of them in {} demands: {megabytes:.0} MB read in {:.2} s ({:.0} MB/s), {:.2} s with \
         what follows from it; {} MiB held at most, {:.0} bytes a pod",
        shape.nodes,
        pods - shape.other_pods,
        dump.problem.demands.len(),
        read.as_secs_f64(),
        megabytes / read.as_secs_f64(),
        all.as_secs_f64(),
        held >> 10,
        count(usize::try_from(held).unwrap_or(0)) * 1024.0 / f64::from(pods.max(1)),
    );
    Ok(())
}

/// Adds an object as it stands in a list of several kinds.
fn add(list: &mut String, kind: &str, object: &str) {
    list.push_str(&object.replacen('{', &format!(r#"{{"apiVersion": "v1", "kind": "{kind}", "#), 1));
    list.push(',');
}
