//! A line on the terminal while something takes long.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How long to stay silent.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows a spinner on stderr from one second after it was made until it is dropped.
pub(crate) struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// Starts; `on_terminal` false shows nothing.
    pub(crate) fn start(message: String, on_terminal: bool, unicode: bool) -> Progress {
        if !on_terminal {
            return Progress(None);
        }
        let (done, is_done) = channel::<()>();
        let show = move || {
            if is_done.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::new_spinner().with_message(message).with_elapsed(PATIENCE);
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(if unicode { style } else { style.tick_chars("|/-\\ ") });
            bar.enable_steady_tick(Duration::from_millis(120));
            // An error means that the other end is gone: done as well.
            let _ = is_done.recv();
            bar.finish_and_clear();
        };
        Progress(Some((done, std::thread::spawn(show))))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.0.take() {
            drop(done);
            // The thread only draws: if it failed, there is nothing to clean up.
            let _ = thread.join();
        }
    }
}
