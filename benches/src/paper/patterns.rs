//! The relaxation of Gilmore and Gomory's cutting-stock program, with a column for every way to fill a GPU.
//!
//! Patterns `p` that no other contains, `a[p, c]` instances of class `c` on each, `w[c]` asked for:
//!
//! ```text
//! minimise    Σ(p) x[p]
//! subject to  Σ(p) a[p, c] x[p] >= w[c]   for each class c
//!             x[p] >= 0
//! ```
//!
//! Rounded up it bounds what any plan needs. This shares the geometry with the planner, and nothing else.

use good_lp::{Expression, ProblemVariables, Solution, SolverModel, Variable, constraint, variable};
use migsaw::geometry::{Model, ProfileId};

/// The ways to fill a GPU with instances of some profiles, by how many of each.
#[derive(Debug, Clone)]
pub(super) struct Patterns(Vec<Vec<u8>>);

impl Patterns {
    /// Those of a model that no other contains.
    pub(super) fn of(model: &Model, profiles: &[ProfileId]) -> Patterns {
        let only = |id: ProfileId| profiles.contains(&id);
        let all = model.idle_capability().all().iter().filter(|counts| counts.iter().all(|(id, _)| only(id)));
        let all: Vec<Vec<u8>> = all.map(|counts| profiles.iter().map(|&id| counts[id]).collect()).collect();
        let is_within = |a: &Vec<u8>, b: &Vec<u8>| a != b && a.iter().zip(b).all(|(a, b)| a <= b);
        Patterns(all.iter().filter(|a| !all.iter().any(|b| is_within(a, b))).cloned().collect())
    }

    /// How many instances of each profile, pattern by pattern.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.0.iter()
    }

    /// A variable for each pattern, and how many instances of each profile they make.
    pub(super) fn add_to(&self, program: &mut ProblemVariables) -> (Vec<Variable>, Vec<Expression>) {
        let used: Vec<Variable> = self.0.iter().map(|_| program.add(variable().min(0))).collect();
        let classes = self.0.first().map_or(0, Vec::len);
        let made = |class: usize| self.0.iter().zip(&used).map(|(p, &x)| f64::from(p[class]) * x).sum();
        let made = (0..classes).map(made).collect();
        (used, made)
    }

    /// The relaxation's optimum for so many of each profile.
    pub(super) fn fewest(&self, wanted: &[u64]) -> anyhow::Result<f64> {
        let mut program = ProblemVariables::new();
        let (used, made) = self.add_to(&mut program);
        let gpus: Expression = used.into_iter().sum();
        let rows = made.into_iter().zip(wanted).filter(|(_, n)| **n > 0);
        let rows = rows.map(|(made, &n)| constraint!(made >= float(n)));
        let model = rows.fold(program.minimise(gpus.clone()).using(good_lp::microlp), SolverModel::with);
        Ok(model.solve()?.eval(gpus))
    }
}

/// The smallest whole number that a relaxation's optimum allows, with room for its rounding errors.
#[expect(clippy::cast_possible_truncation, reason = "numbers of GPUs are far below 2^53")]
pub(super) fn rounded_up(value: f64) -> i64 {
    (value - 1e-6).ceil() as i64
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use migsaw::geometry::Catalog;

    use super::*;

    #[test]
    fn seven_slice_boards_have_twelve_patterns_of_plain_profiles_and_28_with_double_memory() {
        let model = Catalog::builtin().model("A100-80GB").unwrap();
        let ids = |classes: &[&str]| -> Vec<ProfileId> {
            model.profile_ids().filter(|(_, p)| classes.contains(&p.class.as_str())).map(|(id, _)| id).collect()
        };
        assert_eq!(Patterns::of(&model, &ids(&["1g", "2g", "3g", "4g", "7g"])).0.len(), 12);
        assert_eq!(Patterns::of(&model, &ids(&["1g", "1gx2", "2g", "3g", "4g", "7g"])).0.len(), 28);
    }

    #[test]
    fn a_relaxation_may_share_a_gpu() {
        let model = Catalog::builtin().model("A100-80GB").unwrap();
        let two = model.profile_ids().find(|(_, p)| p.class == "2g").unwrap().0;
        let fewest = Patterns::of(&model, &[two]).fewest(&[4]).unwrap();
        assert!((fewest - 4.0 / 3.0).abs() < 1e-9, "{fewest}");
        assert_eq!(rounded_up(fewest), 2);
    }
}
