//! Writing data to stdout and talk to stderr.

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::args::Format;
use crate::failure::Step;
use crate::io::Io;

/// Writes text to stdout. A reader that has gone away (`| head`) is no failure.
pub(crate) fn text(io: &mut Io<'_>, text: &str) -> Result<()> {
    kept(io.stdout.write_all(text.as_bytes()))
}

/// Writes a document to stdout as JSON or YAML.
pub(crate) fn document<T: Serialize>(io: &mut Io<'_>, document: &T, format: Format) -> Result<()> {
    kept(write_document(&mut io.stdout, document, format))
}

/// Writes a document; in any form but YAML it is JSON.
pub(crate) fn write_document<T: Serialize>(out: &mut dyn Write, document: &T, format: Format) -> io::Result<()> {
    if format == Format::Yaml {
        let mut out = Noting { out, failed: None };
        let written = serde_saphyr::to_io_writer(&mut out, document);
        return written.map_err(|error| out.failed.take().unwrap_or_else(|| io::Error::other(error)));
    }
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")
}

/// Empties the buffer of stdout.
pub(crate) fn flush(io: &mut Io<'_>) -> Result<()> {
    kept(io.stdout.flush())
}

/// Says something on stderr.
pub(crate) fn say(io: &mut Io<'_>, line: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io.stderr, "{line}");
}

fn kept(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context(Step::new("unwritable", "cannot write to stdout")),
    }
}

/// Keeps the error that the YAML writer turns into text.
struct Noting<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Write for Noting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
