//! Streams and what is known about the terminal.

use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use clap::ValueEnum;
use migsaw_report::{Origin, Style};

use crate::fetch;
use crate::read::Read as WasRead;
use crate::shell::word;

/// Where a command reads and writes.
pub struct Io<'a> {
    /// Read for `-`.
    pub stdin: &'a mut dyn Read,
    /// Data.
    pub stdout: &'a mut dyn Write,
    /// Talk.
    pub stderr: &'a mut dyn Write,
    /// What is at the other end.
    pub terminal: Terminal,
    /// The command as it was typed.
    command_line: String,
    /// What was read, if a page is to say so: a large file is not hashed for nothing.
    was_read: Option<WasRead>,
}

/// What is at the other end of stdin, stdout and stderr.
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Whether somebody can answer on stdin.
    pub stdin: bool,
    /// Whether stdout is a terminal.
    pub stdout: bool,
    /// Whether stderr is a terminal, and this process's own.
    pub stderr: bool,
    /// Columns, where either is a terminal, or `COLUMNS` says it.
    pub width: Option<u16>,
    /// Whether a terminal should get colours (`NO_COLOR`, `TERM`, `CLICOLOR` and the like).
    pub color: bool,
    /// Whether characters beyond ASCII are understood.
    pub unicode: bool,
    /// What `--color` says.
    choice: ColorChoice,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    // On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl<'a> Io<'a> {
    /// Streams in memory: no terminal, no colour.
    pub fn captured(stdin: &'a mut dyn Read, stdout: &'a mut dyn Write, stderr: &'a mut dyn Write) -> Io<'a> {
        Io { stdin, stdout, stderr, terminal: Terminal::NONE, command_line: String::new(), was_read: None }
    }

    /// The process's own streams.
    pub(crate) fn of_process(stdin: &'a mut dyn Read, stdout: &'a mut dyn Write, stderr: &'a mut dyn Write) -> Io<'a> {
        Io { stdin, stdout, stderr, terminal: Terminal::of_process(), command_line: String::new(), was_read: None }
    }

    /// The same, writing its data elsewhere and with nothing read yet.
    pub(crate) fn writing_to<'b>(&'b mut self, stdout: &'b mut dyn Write) -> Io<'b> {
        let command_line = self.command_line.clone();
        let was_read = self.was_read.as_ref().map(|_| WasRead::default());
        Io {
            stdin: &mut *self.stdin,
            stdout,
            stderr: &mut *self.stderr,
            terminal: self.terminal,
            command_line,
            was_read,
        }
    }

    /// Takes down what was typed, but for where the program lies, and for passwords and tokens of addresses.
    pub(crate) fn note_call(&mut self, args: &[OsString]) {
        let name = args.first().and_then(|path| Path::new(path).file_stem()).map(|name| name.to_string_lossy());
        let name = if name.is_some_and(|name| name.starts_with("kubectl-")) { "kubectl migsaw" } else { "migsaw" };
        let words = args.iter().skip(1).map(|arg| word(&fetch::without_secrets(&arg.to_string_lossy())));
        self.command_line = std::iter::once(name.to_owned()).chain(words).collect::<Vec<_>>().join(" ");
    }

    /// Takes down from now on what is read, for a page to say.
    pub(crate) fn note_what_is_read(&mut self) {
        self.was_read = Some(WasRead::default());
    }

    /// What is taken down of what is read, if a page is to say it.
    pub(crate) fn was_read(&mut self) -> Option<&mut WasRead> {
        self.was_read.as_mut()
    }

    /// Stdin, and what is taken down of what is read.
    pub(crate) fn reading(&mut self) -> (&mut dyn Read, Option<&mut WasRead>) {
        (&mut *self.stdin, self.was_read.as_mut())
    }

    /// What a page says of where it is from. Of time it tells what the input tells, so that the same input gives the
    /// same page; only what is live has the time of this clock.
    pub(crate) fn origin(&self) -> Origin {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut origin = Origin { version, command_line: self.command_line.clone(), ..Origin::default() };
        if let Some(read) = &self.was_read {
            read.tell(&mut origin);
        }
        origin
    }

    /// How to lay out what goes to stdout.
    pub(crate) fn style(&self) -> Style {
        let width = self.terminal.width.unwrap_or(Style::plain().width);
        Style { width, color: self.terminal.color_stdout(), unicode: self.terminal.unicode }
    }
}

impl Terminal {
    /// Pipes and files.
    pub const NONE: Terminal = Terminal {
        stdin: false,
        stdout: false,
        stderr: false,
        width: None,
        color: false,
        unicode: true,
        choice: ColorChoice::Auto,
    };

    fn of_process() -> Terminal {
        let (stdout, stderr) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let width = if stdout || stderr { terminal_size::terminal_size().map(|(width, _)| width.0) } else { None };
        let width = width.or_else(|| std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0));
        let color = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
            || anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let stdin = std::io::stdin().is_terminal();
        Terminal { stdin, stdout, stderr, width, color, unicode: speaks_unicode(), choice: ColorChoice::Auto }
    }

    /// Takes over what the arguments say.
    pub(crate) fn settle(&mut self, choice: ColorChoice, ascii: bool) {
        self.choice = choice;
        self.unicode &= !ascii;
    }

    pub(crate) fn color_stdout(self) -> bool {
        self.colored(self.stdout)
    }

    pub(crate) fn color_stderr(self) -> bool {
        self.colored(self.stderr)
    }

    fn colored(self, is_terminal: bool) -> bool {
        match self.choice {
            ColorChoice::Auto => is_terminal && self.color,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        }
    }
}

/// Whether the locale is a Unicode one, or none is set.
fn speaks_unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}
