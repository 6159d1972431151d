//! Says what happens to the nodes of a wave.

use std::sync::atomic::{AtomicBool, Ordering};

use super::progress::{Doing, Progress};
use super::settings::Settings;

/// Says that a wave begins when its first act is due: waves of which nothing is left are passed over in silence.
pub(super) struct Herald<'a> {
    settings: &'a Settings,
    wave: Option<(usize, usize)>,
    has_spoken: AtomicBool,
}

impl<'a> Herald<'a> {
    pub(super) fn of_wave(settings: &'a Settings, number: usize, of: usize) -> Herald<'a> {
        Herald { settings, wave: Some((number, of)), has_spoken: AtomicBool::new(false) }
    }

    pub(super) fn without_wave(settings: &'a Settings) -> Herald<'a> {
        Herald { settings, wave: None, has_spoken: AtomicBool::new(false) }
    }

    pub(super) fn tell(&self, node: &str, doing: Doing) {
        if let Some((number, of)) = self.wave
            && !self.has_spoken.swap(true, Ordering::Relaxed)
        {
            (self.settings.progress)(Progress::Wave { number, of });
        }
        (self.settings.progress)(Progress::Node { node: node.to_owned(), doing });
    }
}
