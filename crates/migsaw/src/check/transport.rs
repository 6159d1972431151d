//! Whether needs that accept different kinds can all be met from what there is.

use std::collections::VecDeque;

/// The most that can be given in all, where `accepts[need]` lists the kinds a need accepts.
///
/// Augmenting paths, shortest first (Edmonds and Karp), so the number of steps does not depend on the
/// amounts.
pub(super) fn most_given(needs: &[u64], stock: &[u64], accepts: &[Vec<usize>]) -> u64 {
    let mut open = needs.to_vec();
    let mut left = stock.to_vec();
    let mut given = vec![vec![0u64; stock.len()]; needs.len()];
    while let Some(path) = shortest_path(&open, &left, &given, accepts) {
        let (Some(&(first, _)), Some(&(_, last))) = (path.first(), path.last()) else { break };
        let returned = path.windows(2).map(|pair| given[pair[1].0][pair[0].1]);
        let amount = returned.chain([open[first], left[last]]).min().unwrap_or(0);
        for pair in path.windows(2) {
            given[pair[1].0][pair[0].1] -= amount;
        }
        for &(need, kind) in &path {
            given[need][kind] += amount;
        }
        open[first] -= amount;
        left[last] -= amount;
    }
    needs.iter().zip(open).fold(0u64, |sum, (need, open)| sum.saturating_add(need - open))
}

/// Pairs of a need and the kind it takes next; each following need gives back the kind before it.
fn shortest_path(
    open: &[u64],
    left: &[u64],
    given: &[Vec<u64>],
    accepts: &[Vec<usize>],
) -> Option<Vec<(usize, usize)>> {
    let mut reached_by: Vec<Option<usize>> = vec![None; left.len()];
    let mut from_kind: Vec<Option<usize>> = vec![None; open.len()];
    let mut queue: VecDeque<usize> = (0..open.len()).filter(|&need| open[need] > 0).collect();
    let mut seen: Vec<bool> = open.iter().map(|&amount| amount > 0).collect();
    while let Some(need) = queue.pop_front() {
        for &kind in &accepts[need] {
            if reached_by[kind].is_some() {
                continue;
            }
            reached_by[kind] = Some(need);
            if left[kind] > 0 {
                return Some(trace(kind, &reached_by, &from_kind));
            }
            for other in (0..open.len()).filter(|&other| given[other][kind] > 0) {
                if !seen[other] {
                    seen[other] = true;
                    from_kind[other] = Some(kind);
                    queue.push_back(other);
                }
            }
        }
    }
    None
}

fn trace(last: usize, reached_by: &[Option<usize>], from_kind: &[Option<usize>]) -> Vec<(usize, usize)> {
    let mut path = Vec::new();
    let mut kind = Some(last);
    while let Some((at, need)) = kind.and_then(|k| Some((k, reached_by[k]?))) {
        path.push((need, at));
        kind = from_kind[need];
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::most_given;

    #[test]
    fn gives_as_much_as_the_kinds_allow() {
        let check = |needs: &[u64], stock: &[u64], accepts: &[&[usize]], expected: u64| {
            let accepts: Vec<Vec<usize>> = accepts.iter().map(|kinds| kinds.to_vec()).collect();
            assert_eq!(most_given(needs, stock, &accepts), expected, "{needs:?} of {stock:?} by {accepts:?}");
        };
        check(&[], &[], &[], 0);
        check(&[3], &[2, 2], &[&[0, 1]], 3);
        check(&[3], &[2, 2], &[&[1]], 2);
        // The first must give kind 0 back to the second.
        check(&[2, 2], &[2, 2], &[&[0, 1], &[0]], 4);
        check(&[2, 2, 1], &[2, 2, 1], &[&[0, 1], &[0, 2], &[0]], 5);
        check(&[2, 2], &[2, 2], &[&[0], &[0]], 2);
        check(&[u64::MAX], &[u64::MAX], &[&[0]], u64::MAX);
    }
}
