//! Running the command line in this process, and the binary itself.

#![allow(dead_code, clippy::unwrap_used, reason = "shared by tests that each need a part")]

use std::path::{Path, PathBuf};

use migsaw_cli::{Io, run};

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs in this process, without a terminal.
pub(crate) fn migsaw(args: &[&str]) -> Ran {
    migsaw_with(args, b"")
}

/// Runs in this process with something on stdin.
pub(crate) fn migsaw_with(args: &[&str], mut stdin: &[u8]) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut io = Io::captured(&mut stdin, &mut out, &mut err);
    let code = run([&["migsaw"], args].concat(), &mut io);
    Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

/// The binary, without colour and with a locale that is known.
pub(crate) fn binary() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("migsaw"));
    command.env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8");
    command
}

/// A file of the examples.
pub(crate) fn example(name: &str) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    examples.to_str().unwrap().to_owned()
}

/// A file with this content in a folder of its own.
pub(crate) fn file(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A scenario of one pool and these demands.
pub(crate) fn scenario(demand: &str) -> String {
    format!(
        "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\nfleet:\n\
         - {{pool: a, model: A30, nodes: 2, gpusPerNode: 2}}\ndemand:\n{demand}\n"
    )
}
