//! Answering again and again: when a file has changed, or every so often where what is read is live.
//!
//! An answer is written when it is there, so that the one before stays on the screen until then. A file that cannot be
//! read for a while, perhaps because it is just being written, is said and read again when it has changed.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use migsaw_report::Tone;

use crate::Answer;
use crate::args::{ProblemArgs, WatchArgs};
use crate::budget::{heed_interrupts, interrupted};
use crate::failure::{self, Failure, Problem as Wrong};
use crate::fetch;
use crate::input::{self, Ends, METRICS, OBJECTS, is_stdin};
use crate::io::Io;
use crate::output;

/// How often it is looked whether somebody wants it to stop.
const GLANCE: Duration = Duration::from_millis(100);

/// What is looked at.
pub(super) struct Input<'a> {
    files: Vec<(&'a Path, Option<&'a Ends>)>,
    /// Whether some of it is another each time.
    is_live: bool,
}

impl<'a> Input<'a> {
    /// What the arguments name.
    pub(super) fn of(problem: &'a ProblemArgs, positional: Option<&'a Path>) -> Input<'a> {
        let single = positional.into_iter().chain(problem.scenario.as_deref());
        let single = single.chain(problem.geometry.files.iter().map(AsRef::as_ref)).map(|path| (path, None));
        let objects = problem.from.iter().map(|path| (path.as_path(), Some(&OBJECTS)));
        let metrics = problem.dcgm.iter().filter(|path| fetch::url_of(path).is_none());
        let metrics = metrics.map(|path| (path.as_path(), Some(&METRICS)));
        let is_live = problem.cluster.is_live() || problem.dcgm.iter().any(|path| fetch::url_of(path).is_some());
        Input { files: single.chain(objects).chain(metrics).collect(), is_live }
    }

    /// What is in the files, as a number; a file that cannot be read has one too.
    fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (path, ends) in &self.files {
            let paths = match ends {
                None => vec![path.to_path_buf()],
                Some(ends) => {
                    let files = input::files(&[path.to_path_buf()], ends).unwrap_or_default();
                    files.into_iter().map(|file| file.path).collect()
                }
            };
            for path in paths {
                path.hash(&mut hasher);
                std::fs::read(&path).ok().hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

/// How answers are told apart where they do not replace each other on a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// A line with the time, which is also how YAML parts documents.
    Line,
    /// Nothing: JSON needs no more, and would not be any with it.
    Nothing,
}

/// The world outside: when to look again, and what time it is.
pub(super) trait Ticks {
    /// Waits until it is time to look again; `false` to stop.
    fn wait(&mut self) -> bool;
    /// The time, for people.
    fn now(&self) -> String;
}

/// Answers until Ctrl-C, with the last answer. A first answer that fails ends it.
pub(super) fn watch(
    args: &WatchArgs,
    input: &Input<'_>,
    between: Between,
    io: &mut Io<'_>,
    once: impl FnMut(&mut Io<'_>) -> Result<Answer>,
) -> Result<Answer> {
    // A pipe is empty once it was looked at.
    let is_read_once = |path: &Path| is_stdin(path) || path.metadata().is_ok_and(|it| !it.is_file() && !it.is_dir());
    if let Some((path, _)) = input.files.iter().find(|(path, _)| is_read_once(path)) {
        let shown = if is_stdin(path) { "stdin".to_owned() } else { format!("`{}`", path.display()) };
        let wrong = Wrong::new("watch-stdin", format!("{shown} can be read once only, so it cannot be watched"));
        return Err(Failure::from(wrong.help("give a file, or leave out --watch")).into());
    }
    // Elsewhere an interrupt ends the process, but here it is how one is done.
    heed_interrupts();
    again(input, between, io, &mut Clock { every: args.interval.max(GLANCE) }, once)
}

fn again(
    input: &Input<'_>,
    between: Between,
    io: &mut Io<'_>,
    ticks: &mut dyn Ticks,
    mut once: impl FnMut(&mut Io<'_>) -> Result<Answer>,
) -> Result<Answer> {
    let mut last = None;
    let mut before = None;
    loop {
        let print = input.print();
        if input.is_live || before != Some(print) {
            before = Some(print);
            let mut text = Vec::new();
            let mut inner = io.writing_to(&mut text);
            let answered = once(&mut inner);
            if answered.is_err() && last.is_none() {
                return answered;
            }
            if answered.is_ok() {
                show(&text, ticks, between, last.is_none(), io)?;
            }
            last = Some(answered.unwrap_or_else(|error| {
                failure::report(&error, io);
                Answer::Failed
            }));
        }
        if !ticks.wait() {
            return Ok(last.unwrap_or(Answer::Failed));
        }
    }
}

/// Writes an answer: over the one before on a terminal, else behind it.
fn show(text: &[u8], ticks: &dyn Ticks, between: Between, is_first: bool, io: &mut Io<'_>) -> Result<()> {
    let now = ticks.now();
    let head = if io.terminal.stdout {
        // The cursor to the top left, and nothing behind it.
        format!("\x1b[H\x1b[2J{}\n", io.style().paint(Tone::Faint, now))
    } else if is_first || between == Between::Nothing {
        String::new()
    } else {
        format!("--- # {now}\n")
    };
    output::text(io, &head)?;
    output::text(io, &String::from_utf8_lossy(text))?;
    output::flush(io)
}

/// Real time, and Ctrl-C.
struct Clock {
    every: Duration,
}

impl Ticks for Clock {
    fn wait(&mut self) -> bool {
        let begun = Instant::now();
        while !interrupted() {
            let left = self.every.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(GLANCE));
        }
        false
    }

    fn now(&self) -> String {
        jiff::Timestamp::now().round(jiff::Unit::Second).map_or_else(|_| String::new(), |now| now.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::failure::Step;

    /// Before each look something is done; after the last there is a Ctrl-C.
    struct Script<'a>(Vec<Box<dyn Fn() + 'a>>);

    impl Ticks for Script<'_> {
        fn wait(&mut self) -> bool {
            if self.0.is_empty() {
                return false;
            }
            self.0.remove(0)();
            true
        }

        fn now(&self) -> String {
            format!("{} to go", self.0.len())
        }
    }

    fn write(path: &Path, text: &str) -> Box<dyn Fn()> {
        let (path, text) = (path.to_owned(), text.to_owned());
        Box::new(move || std::fs::write(&path, &text).unwrap())
    }

    /// Prints the file; an empty one is a "no", none a failure.
    fn cat(path: &Path, io: &mut Io<'_>) -> Result<Answer> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| anyhow::Error::new(error).context(Step::new("unreadable", "cannot read it")))?;
        output::text(io, &format!("{text}\n"))?;
        Ok(Answer::yes_if(!text.is_empty()))
    }

    /// What is written, said and answered.
    fn run(
        path: &Path,
        is_live: bool,
        is_terminal: bool,
        between: Between,
        script: Vec<Box<dyn Fn() + '_>>,
    ) -> (String, String, Option<Answer>) {
        let (mut stdin, mut out, mut err) = (std::io::empty(), Vec::new(), Vec::new());
        let mut io = Io::captured(&mut stdin, &mut out, &mut err);
        io.terminal.stdout = is_terminal;
        let input = Input { files: vec![(path, None)], is_live };
        let answer = again(&input, between, &mut io, &mut Script(script), |io| cat(path, io)).ok();
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), answer)
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        (folder, path)
    }

    #[test]
    fn what_has_changed_is_answered_again() {
        let (_folder, path) = folder();
        write(&path, "one")();
        let script = || vec![write(&path, "one"), write(&path, "two"), Box::new(|| {}), write(&path, "")];
        let (out, err, answer) = run(&path, false, false, Between::Line, script());
        assert_eq!((out.as_str(), err.as_str()), ("one\n--- # 2 to go\ntwo\n--- # 0 to go\n\n", ""));
        assert_eq!(answer, Some(Answer::No), "the last answer");
        write(&path, "one")();
        let (out, ..) = run(&path, false, false, Between::Nothing, script());
        assert_eq!(out, "one\ntwo\n\n");
        write(&path, "one")();
        let (out, ..) = run(&path, false, true, Between::Line, script());
        assert_eq!(out, "\x1b[H\x1b[2J4 to go\none\n\x1b[H\x1b[2J2 to go\ntwo\n\x1b[H\x1b[2J0 to go\n\n");
    }

    #[test]
    fn what_is_live_is_answered_every_time() {
        let (_folder, path) = folder();
        write(&path, "one")();
        let (out, _, answer) = run(&path, true, false, Between::Nothing, vec![Box::new(|| {}), Box::new(|| {})]);
        assert_eq!((out.as_str(), answer), ("one\none\none\n", Some(Answer::Yes)));
    }

    #[test]
    fn a_failure_in_between_is_said_once_and_not_the_end() {
        let (_folder, path) = folder();
        write(&path, "one")();
        let gone = || std::fs::remove_file(&path).unwrap();
        let script: Vec<Box<dyn Fn() + '_>> = vec![Box::new(gone), Box::new(|| {}), write(&path, "two")];
        let (out, err, answer) = run(&path, false, false, Between::Nothing, script);
        assert_eq!((out.as_str(), answer), ("one\ntwo\n", Some(Answer::Yes)));
        assert_eq!(err.matches("error[unreadable]").count(), 1, "{err}");
        // The answer before stays on the screen.
        let script: Vec<Box<dyn Fn() + '_>> = vec![Box::new(gone)];
        let (out, ..) = run(&path, false, true, Between::Line, script);
        assert_eq!(out, "\x1b[H\x1b[2J1 to go\ntwo\n");
        write(&path, "two")();
        let script: Vec<Box<dyn Fn() + '_>> = vec![Box::new(gone)];
        let (_, _, answer) = run(&path, false, false, Between::Nothing, script);
        assert_eq!(answer, Some(Answer::Failed));
        let (out, err, answer) = run(&path, false, false, Between::Nothing, vec![write(&path, "never")]);
        assert_eq!((out.as_str(), err.as_str(), answer), ("", "", None), "a first failure is the command's own");
    }
}
