//! A process that ends with its owner.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// A running server, its output in a file.
pub(crate) struct Server {
    name: String,
    binary: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    child: Child,
}

impl Server {
    pub(crate) fn start(binary: PathBuf, arguments: Vec<String>, folder: &Path) -> Result<Server> {
        let name = binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = folder.join(format!("{name}.log"));
        let child = spawn(&binary, &arguments, &log)?;
        Ok(Server { name, binary, arguments, log, child })
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, with the same arguments.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.kill();
        self.child = spawn(&self.binary, &self.arguments, &self.log)?;
        Ok(())
    }

    /// Starts it again, with other arguments.
    pub(crate) fn start_with(&mut self, arguments: Vec<String>) -> Result<()> {
        self.arguments = arguments;
        self.start_again()
    }

    /// The end of its output if it has ended.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(20).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Some(format!("{} ended with {status}:\n{}", self.name, last.join("\n")))
    }
}

/// The kernel kills it with its parent, where `setpriv` can arrange that.
fn spawn(binary: &Path, arguments: &[String], log: &Path) -> Result<Child> {
    let output = File::options().create(true).append(true).open(log)?;
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut command = if setpriv.exists() {
        let mut command = Command::new(setpriv);
        command.arg("--pdeathsig=KILL").arg(binary);
        command
    } else {
        Command::new(binary)
    };
    command.args(arguments).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    command.spawn().with_context(|| format!("cannot start {}", binary.display()))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
