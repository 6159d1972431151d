//! How full a GPU becomes that is cut at will, by the formula in the module above.

use crate::geometry::{Model, ProfileId, StateId, States};

/// How much sooner a pod of a given profile comes than the time is up.
const SOONER: u64 = 4;
/// Fills are kept in such parts of a placement unit,
const FINE: u64 = 1 << 40;
/// and told in such ones: what is equal stays so, however it was rounded on the way.
pub(super) const UNIT: u64 = 1 << 12;

/// What each state of a GPU that is cut at will still takes.
#[derive(Debug, Clone)]
pub(super) struct Fill {
    of: Vec<u64>,
}

impl Fill {
    /// What a model's GPU still takes in each of these states, of these profiles.
    ///
    /// # Complexity
    /// Linear in the steps between states: a state comes before all that are made from it.
    pub(super) fn new(model: &Model, states: &States, expected: &[ProfileId]) -> Fill {
        let mut fill = Fill { of: vec![0; states.len()] };
        let ids: Vec<StateId> = states.ids().collect();
        for &state in ids.iter().rev() {
            let mut each: Vec<u64> = expected.iter().filter_map(|&id| fill.with(model, states, state, id)).collect();
            each.sort_unstable_by_key(|value| std::cmp::Reverse(*value));
            // The best to take are the most valuable ones, so many of them that one more would be worth less than waiting.
            let (mut sum, mut best) = (0, 0);
            for (taken, value) in (1..).zip(each) {
                sum += SOONER * value;
                best = best.max(sum / (1 + SOONER * taken));
            }
            fill.of[state.index()] = best;
        }
        fill
    }

    /// An instance of a profile, and what the state still takes with it, where that is most.
    fn with(&self, model: &Model, states: &States, state: StateId, profile: ProfileId) -> Option<u64> {
        let steps = states.additions(state).iter().filter(|step| step.placement.profile == profile);
        let most = steps.map(|step| self.of[step.to.index()]).max()?;
        Some(u64::from(model.get(profile).size) * FINE + most)
    }

    /// How much less is taken in one state than in the other.
    pub(super) fn loss(&self, from: StateId, to: StateId) -> i64 {
        let fine = self.of[from.index()].cast_signed() - self.of[to.index()].cast_signed();
        let parts = (FINE / UNIT).cast_signed();
        (fine + parts / 2).div_euclid(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Catalog, Layout};

    #[test]
    fn a_gpu_takes_what_is_worth_more_than_waiting() {
        let model = Catalog::builtin().model("H100-80GB").unwrap();
        let [whole, half, small] =
            ["7g.80gb", "3g.40gb", "1g.10gb"].map(|name| model.profile(&name.parse().unwrap()).unwrap());
        let of = |expected: &[ProfileId], layout: &str| {
            let states = States::of_profiles(&model, &[whole, half, small]);
            Fill::new(&model, &states, expected).of
                [states.find(&Layout::parse(&model, layout).unwrap()).unwrap().index()]
        };
        // Of five that come, the last one ends it.
        assert_eq!(of(&[whole], "empty"), FINE * 8 * 4 / 5);
        assert_eq!(of(&[whole], "1g.10gb@0"), 0);
        // One half and then the other is worth less than all of it, but more than to wait.
        let second = FINE * 4 * 4 / 5;
        assert_eq!(of(&[whole, half], "3g.40gb@0"), second);
        assert_eq!(of(&[whole, half], "empty"), 4 * (8 * FINE + 4 * FINE + second) / 9);
        // A small one in the way of a whole one is not.
        let seven = (0..7).fold(0, |later, _| (FINE + later) * 4 / 5);
        assert_eq!(of(&[small], "empty"), seven);
        assert!(FINE + of(&[whole, small], "1g.10gb@0") < of(&[whole], "empty"));
        assert_eq!(of(&[whole, small], "empty"), of(&[whole], "empty"));
    }
}
