//! Other names for names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Keys whose values say nothing of whose cluster it is, and mean something when they are read.
const READABLE: [&str; 4] = ["kubernetes.io/arch", "kubernetes.io/os", super::INSTANCE_TYPE, "pod-template-hash"];
/// Digits behind a hyphen from which on they are the number of a run.
const RUN_DIGITS: usize = 8;

/// New names, in the order of the old ones.
pub(super) struct Renaming(BTreeMap<String, String>);

impl Renaming {
    /// New names for these.
    pub(super) fn new(names: BTreeSet<String>, key: Option<&str>) -> Renaming {
        let width = names.len().max(1).to_string().len();
        let new = |(number, name): (usize, String)| {
            let mut new = format!("n{:0width$}", number + 1);
            if let Some(key) = key {
                new.push('-');
                for byte in &hmac(key.as_bytes(), name.as_bytes())[..4] {
                    let _ = write!(new, "{byte:02x}");
                }
            }
            (name, new)
        };
        Renaming(names.into_iter().enumerate().map(new).collect())
    }

    /// The new name, with the end that a controller gave it.
    pub(super) fn of(&self, name: &str, hash: Option<&str>) -> String {
        let base = base(name, hash);
        self.0.get(base).map_or_else(|| name.to_owned(), |new| format!("{new}{}", &name[base.len()..]))
    }

    pub(super) fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

/// A name without what a controller has put behind it: the hash of a pod template, the number of a run, or the hyphen
/// of a name that is still to be completed.
pub(super) fn base<'n>(name: &'n str, hash: Option<&str>) -> &'n str {
    let of_template = hash.filter(|hash| !hash.is_empty()).and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'));
    let of_run =
        name.rsplit_once('-').filter(|(_, run)| run.len() >= RUN_DIGITS && run.bytes().all(|b| b.is_ascii_digit()));
    of_template.or(of_run.map(|(base, _)| base)).unwrap_or(name.trim_end_matches('-'))
}

/// Whether the value of a label or a taint is to be replaced.
pub(super) fn is_hidden(key: &str, value: &str) -> bool {
    let is_plain = ["", "true", "false"].contains(&value) || value.parse::<i64>().is_ok();
    !is_plain && !key.starts_with("nvidia.com/") && !READABLE.contains(&key)
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn hashes_are_those_of_the_standard() {
        let hex = |bytes: [u8; 32]| {
            let mut text = String::new();
            for byte in bytes {
                let _ = write!(text, "{byte:02x}");
            }
            text
        };
        assert_eq!(
            hex(hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn what_controllers_put_behind_a_name_stays() {
        let names = BTreeSet::from(["web".to_owned(), "nightly".to_owned()]);
        let renaming = Renaming::new(names, None);
        for (name, hash, new) in [
            ("web", None, "n2"),
            ("web-5d4f", Some("5d4f"), "n2-5d4f"),
            ("web-", None, "n2-"),
            ("nightly-28000000", None, "n1-28000000"),
            ("other", None, "other"),
        ] {
            assert_eq!(renaming.of(name, hash), new, "{name}");
        }
        let keyed = Renaming::new(BTreeSet::from(["web".to_owned()]), Some("key")).of("web", None);
        assert!(keyed.starts_with("n1-") && keyed.len() == 11, "{keyed}");
    }
}
