//! Which of many nodes that can take a pod are passed on.
//!
//! kube-scheduler scores every node that it is left with by itself, and that costs it more than all the rest of a pod's
//! way: with 1,000 nodes most of its time. What it adds to the score of an extender that decides practically alone is a
//! choice among equals, for which a hundred nodes are as good as a thousand; it looks at no fewer by itself
//! (`minFeasibleNodesToFind`). A node that is neither passed on nor turned away is dropped without a word.

use super::Rank;

/// The places of the best nodes, at most so many, ascending: of equally good ones the first by name, so that every
/// replica names the same.
pub(crate) fn shortlist<'n>(ranks: &[Rank], name: impl Fn(usize) -> &'n str, most: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..ranks.len()).collect();
    if most < places.len() {
        let key = |place: usize| (ranks[place], name(place));
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
        let ranks = [Rank::Loses(2), Rank::Unknown, Rank::Loses(1), Rank::Planned(9), Rank::Loses(2), Rank::Leaving(0)];
        let names = ["e", "a", "c", "d", "b", "f"];
        let check = |most, expected: &[usize]| {
            assert_eq!(shortlist(&ranks, |place| names[place], most), expected, "at most {most}");
        };
        check(0, &[]);
        check(1, &[3]);
        check(2, &[2, 3]);
        check(3, &[2, 3, 4]);
        check(4, &[0, 2, 3, 4]);
        check(5, &[0, 2, 3, 4, 5]);
        check(6, &[0, 1, 2, 3, 4, 5]);
        check(7, &[0, 1, 2, 3, 4, 5]);
    }
}
