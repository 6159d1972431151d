//! How many random problems there are, and which: `MIGSAW_CASES` and `MIGSAW_SEED`.

use std::ops::Range;

/// The number in an environment variable; `default` where there is none.
pub fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The seeds of so many problems, or of as many as `MIGSAW_CASES` says, from `MIGSAW_SEED` on.
pub fn seeds(cases: u64) -> Range<u64> {
    let first = from_env("MIGSAW_SEED", 0);
    first..first + from_env("MIGSAW_CASES", cases)
}
