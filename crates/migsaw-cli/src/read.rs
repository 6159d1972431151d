//! What was read, for pages to say: the bytes of files as a hash, and from when they are.

use jiff::Timestamp;
use migsaw_report::Origin;
use sha2::{Digest as _, Sha256};

/// What was read so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Read {
    files: u64,
    /// Over the bytes of all files, one behind the other.
    hash: Sha256,
    as_of: Option<Timestamp>,
    /// When something live was read first.
    live: Option<Timestamp>,
}

impl Read {
    /// A file, or stdin, of which the bytes come now.
    pub(crate) fn begin_file(&mut self) {
        self.files += 1;
    }

    /// More of a file.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// The newest time that files tell.
    pub(crate) fn as_of(&mut self, time: Option<Timestamp>) {
        self.as_of = self.as_of.max(time);
    }

    /// What is another the next time: a cluster, a server.
    pub(crate) fn live(&mut self, now: Timestamp) {
        self.live.get_or_insert(now);
    }

    /// Says it.
    pub(crate) fn tell(&self, origin: &mut Origin) {
        let shown = |time: Timestamp| time.round(jiff::Unit::Second).unwrap_or(time).to_string();
        origin.files = self.files;
        if self.files > 0 {
            origin.sha256 = format!("{:x}", self.hash.clone().finalize());
        }
        // What is live tells a newer time than files beside it.
        origin.as_of = self.as_of.filter(|_| self.live.is_none()).map(shown).unwrap_or_default();
        origin.read_at = self.live.map(shown).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(read: &Read) -> Origin {
        let mut origin = Origin::default();
        read.tell(&mut origin);
        origin
    }

    #[test]
    fn files_are_hashed_one_behind_the_other() {
        let mut read = Read::default();
        assert_eq!(origin(&read), Origin::default());
        for file in [&["a"][..], &["b", "c"]] {
            read.begin_file();
            for bytes in file {
                read.bytes(bytes.as_bytes());
            }
        }
        // `printf abc | sha256sum`.
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(origin(&read), Origin { files: 2, sha256: sum.to_owned(), ..Origin::default() });
    }

    #[test]
    fn files_have_their_newest_time_and_what_is_live_the_time_it_was_read() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut read = Read::default();
        read.as_of(Some(time("2026-02-01T00:00:00Z")));
        read.as_of(Some(time("2026-01-01T00:00:00Z")));
        read.as_of(None);
        assert_eq!((origin(&read).as_of.as_str(), origin(&read).read_at.as_str()), ("2026-02-01T00:00:00Z", ""));
        read.live(time("2026-03-01T00:00:00.7Z"));
        read.live(time("2026-04-01T00:00:00Z"));
        assert_eq!((origin(&read).as_of.as_str(), origin(&read).read_at.as_str()), ("", "2026-03-01T00:00:01Z"));
    }
}
