//! The largest number that is still possible, where fewer are never harder.

use super::Bounded;

/// What is known of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is possible.
    Yes,
    /// It is proven to be impossible.
    No,
    /// Neither was found out.
    Unknown,
}

/// The largest possible number up to `limit`, of which `from` is known to be possible: in growing steps, then by
/// bisection. Beyond what was found possible the smallest number is sought that is proven to be impossible.
pub(crate) fn most<E>(from: u64, limit: u64, mut verdict: impl FnMut(u64) -> Result<Verdict, E>) -> Result<Bounded, E> {
    let mut least = from;
    let mut refuted = None;
    let mut next = None;
    let mut step = 1;
    while least < limit && next.is_none() {
        let at = least.saturating_add(step).min(limit);
        match verdict(at)? {
            Verdict::Yes => least = at,
            Verdict::No => (refuted, next) = (Some(at), Some(at)),
            Verdict::Unknown => next = Some(at),
        }
        step = step.saturating_mul(2);
    }
    let Some(mut next) = next else { return Ok(Bounded::exactly(least)) };
    while next - least > 1 {
        let middle = least + (next - least) / 2;
        match verdict(middle)? {
            Verdict::Yes => least = middle,
            Verdict::No => (refuted, next) = (Some(middle), middle),
            Verdict::Unknown => next = middle,
        }
    }
    let most = if refuted == Some(next) { next } else { first_refuted(next, refuted, limit, verdict)? };
    Ok(Bounded { least, most: most - 1 })
}

/// The smallest number above `open` that is found to be refuted; one above the limit if none is.
fn first_refuted<E>(
    mut open: u64,
    mut refuted: Option<u64>,
    limit: u64,
    mut verdict: impl FnMut(u64) -> Result<Verdict, E>,
) -> Result<u64, E> {
    let mut step = 1;
    while refuted.is_none() {
        let at = open.saturating_add(step);
        if at > limit {
            refuted = Some(limit + 1);
        } else if verdict(at)? == Verdict::No {
            refuted = Some(at);
        } else {
            open = at;
        }
        step = step.saturating_mul(2);
    }
    let mut refuted = refuted.expect("the loop ends with one");
    while refuted - open > 1 {
        let middle = open + (refuted - open) / 2;
        if verdict(middle)? == Verdict::No {
            refuted = middle;
        } else {
            open = middle;
        }
    }
    Ok(refuted)
}

/// The smallest number up to `limit` that is possible, where more are never harder, and none below `from` is: what is
/// proven not to be enough, and what was found to be. `most` is beyond the limit if nothing was found; `None` if all
/// is refuted.
pub(crate) fn fewest<E>(
    from: u64,
    limit: u64,
    mut verdict: impl FnMut(u64) -> Result<Verdict, E>,
) -> Result<Option<Bounded>, E> {
    // No number below `refuted` is possible, and none below `open` was found to be.
    let (mut refuted, mut open) = (from, from);
    let (mut at, mut step) = (from, 1);
    let mut enough = loop {
        match verdict(at)? {
            Verdict::Yes => break at,
            Verdict::No => refuted = at + 1,
            Verdict::Unknown => {}
        }
        open = at + 1;
        if at >= limit {
            if refuted > limit {
                return Ok(None);
            }
            break limit + 1;
        }
        at = at.saturating_add(step).min(limit);
        step = step.saturating_mul(2);
    };
    while open < enough {
        let middle = open + (enough - open) / 2;
        match verdict(middle)? {
            Verdict::Yes => enough = middle,
            Verdict::No => (refuted, open) = (middle + 1, middle + 1),
            Verdict::Unknown => open = middle + 1,
        }
    }
    let mut open = enough;
    while refuted < open {
        let middle = refuted + (open - refuted) / 2;
        if verdict(middle)? == Verdict::No {
            refuted = middle + 1;
        } else {
            open = middle;
        }
    }
    Ok(Some(Bounded { least: refuted, most: enough }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_possible_number_is_found() {
        for enough in 0..20u64 {
            for refuted in 0..=enough {
                for limit in 0..25 {
                    for from in 0..=refuted.min(limit) {
                        let verdict = |n| {
                            assert!(from <= n && n <= limit);
                            Ok::<_, ()>(match n {
                                n if n >= enough => Verdict::Yes,
                                n if n < refuted => Verdict::No,
                                _ => Verdict::Unknown,
                            })
                        };
                        let found = fewest(from, limit, verdict).unwrap().map(|found| (found.least, found.most));
                        let expected = match (enough <= limit, refuted <= limit) {
                            (true, _) => Some((refuted, enough)),
                            (false, true) => Some((refuted, limit + 1)),
                            (false, false) => None,
                        };
                        assert_eq!(found, expected, "{from} {limit}: {refuted} to {enough}");
                    }
                }
            }
        }
    }

    fn check(from: u64, limit: u64, possible: u64, refuted_from: u64, expected: (u64, u64)) {
        let verdict = |n| {
            assert!(n <= limit, "{n} is beyond {limit}");
            Ok::<_, ()>(match n {
                n if n <= possible => Verdict::Yes,
                n if n >= refuted_from => Verdict::No,
                _ => Verdict::Unknown,
            })
        };
        let found = most(from, limit, verdict).unwrap();
        assert_eq!((found.least, found.most), expected, "{from} {limit} {possible} {refuted_from}");
    }

    #[test]
    fn the_largest_possible_number_is_found() {
        for possible in 0..20 {
            for refuted in possible + 1..22 {
                for limit in 0..25 {
                    for from in 0..=possible.min(limit) {
                        let expected = (possible.min(limit), (refuted - 1).min(limit));
                        check(from, limit, possible, refuted, expected);
                    }
                }
            }
        }
        check(0, u64::MAX / 4, 1_000_000_007, 1_000_000_008, (1_000_000_007, 1_000_000_007));
    }
}
