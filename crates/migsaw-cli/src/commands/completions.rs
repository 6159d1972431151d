//! `migsaw completions`.

use anyhow::Result;
use clap_complete::Shell;

use crate::io::Io;
use crate::{Answer, output};

pub(super) fn run(shell: Shell, io: &mut Io<'_>) -> Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::definition(), "migsaw", &mut script);
    output::text(io, &String::from_utf8_lossy(&script))?;
    Ok(Answer::Yes)
}
