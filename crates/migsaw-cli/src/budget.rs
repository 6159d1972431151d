//! The clock of planning: a time limit, and Ctrl-C.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use migsaw::plan::Budget;

/// Set by the first Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Time until a moment; none left after Ctrl-C.
pub(crate) struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// Runs out after `limit` from now.
    pub(crate) fn after(limit: Duration) -> Deadline {
        Deadline { start: Instant::now(), limit }
    }
}

impl Budget for Deadline {
    fn remaining(&self) -> Duration {
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        self.limit.saturating_sub(self.start.elapsed())
    }
}

/// Makes the first Ctrl-C end the search with the best plan so far, the second one the process. Only
/// where a person sits at a terminal, or an answer is watched; elsewhere an interrupt keeps its usual meaning.
pub(crate) fn heed_interrupts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let handler = || {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                // 128 + SIGINT, as shells report it.
                std::process::exit(130);
            }
        };
        // Without a handler an interrupt ends the process, which is all right too.
        let _ = ctrlc::set_handler(handler);
    });
}

/// Lets the next Ctrl-C be the first again.
pub(crate) fn forget_interrupt() {
    INTERRUPTED.store(false, Ordering::Relaxed);
}

/// Whether somebody pressed Ctrl-C.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
