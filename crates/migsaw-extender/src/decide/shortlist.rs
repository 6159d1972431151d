//! Which of many nodes that can take a pod are passed on.
//!
//! kube-scheduler scores every node that it is left with by itself, and that costs it more than all the rest of a pod's
//! way: with 1,000 nodes most of its time. What it adds to the score of an extender that decides practically alone is a
//! choice among equals, and a hundred leave it enough of that: it looks at no fewer by itself
//! (`minFeasibleNodesToFind`). Equals are drawn from all of the cluster, not from one zone, as names would have it. A
//! node that is neither passed on nor turned away is dropped without a word.

use std::hash::BuildHasher as _;

use rustc_hash::FxBuildHasher;

use super::Rank;

/// The places of the best nodes, at most so many, ascending: of equally good ones those whose names' hashes are least,
/// which are the same in every replica.
pub(crate) fn shortlist<'n>(ranks: &[Rank], name: impl Fn(usize) -> &'n str, most: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..ranks.len()).collect();
    if most < places.len() {
        let key = |place: usize| (ranks[place], FxBuildHasher.hash_one(name(place)), name(place));
        places.select_nth_unstable_by(most, |&a, &b| key(a).cmp(&key(b)));
        places.truncate(most);
        places.sort_unstable();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_stay_in_the_order_of_the_request() {
        let ranks = [Rank::Loses(2), Rank::Unknown, Rank::Loses(1), Rank::Planned(9), Rank::Loses(3), Rank::Leaving(0)];
        let check = |most, expected: &[usize]| assert_eq!(shortlist(&ranks, |_| "n", most), expected, "at most {most}");
        check(0, &[]);
        check(1, &[3]);
        check(2, &[2, 3]);
        check(3, &[0, 2, 3]);
        check(4, &[0, 2, 3, 4]);
        check(5, &[0, 2, 3, 4, 5]);
        check(6, &[0, 1, 2, 3, 4, 5]);
        check(7, &[0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn equals_are_the_same_whatever_their_order() {
        let names = ["a", "b", "c", "d", "e"];
        let chosen = |order: [usize; 5]| {
            let mut chosen: Vec<&str> = shortlist(&[Rank::Loses(1); 5], |place| names[order[place]], 2)
                .into_iter()
                .map(|place| names[order[place]])
                .collect();
            chosen.sort_unstable();
            chosen
        };
        assert_eq!(chosen([0, 1, 2, 3, 4]), chosen([4, 2, 0, 1, 3]));
        assert_eq!(chosen([0, 1, 2, 3, 4]).len(), 2);
    }
}
