//! In which order instances can be created when the driver chooses their starts.
//!
//! mig-parted passes no starts: it asks the driver for one instance after the other, and each goes to
//! the first start that is free in an order of the driver's own ([`Profile::driver_starts`], observed,
//! not documented). So a set that fits can fail in a bad order: on a seven-slice board
//! `1g, 1g, 2g, 3g` does, `3g` first works. mig-parted then clears the GPU and tries the next order,
//! until one succeeds. This module walks the same orders in the same sequence, but leaves out what
//! cannot succeed, so that the first success, or the proof that there is none, costs microseconds.
//!
//! The sequence is mig-parted's (`pkg/mig/config/config.go` and `pkg/types/mig_config.go`): the list
//! begins with the most compute slices, then the alphabetically last attributes; orders are made by
//! swapping each later, different element to the front in turn. Profiles that tie there (plain and
//! double-memory 1g; plain and `-me`) come in a random order; here the larger come first.
//!
//! On every model of the catalogue each set that fits, on an idle GPU or beside any pinned instances,
//! has such an order. On an idle GPU it is nearly always the very first; of the 127 sets of a
//! seven-slice board 7 need more attempts, up to 11 (with the double-memory 1g behind `+me`), or 14 up to
//! 41 where the tie falls the other way. The test suite proves that by enumeration.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fmt;

use super::instance::Instance;
use super::layout::{Counts, Layout, LayoutError, Occupancy, Placement, Shown};
use super::model::{Model, Profile, ProfileId};

/// Whether the driver, choosing the starts itself, can be brought to create some instances.
///
/// ```
/// use migsaw::geometry::{Catalog, Counts, Creation};
/// let a100 = Catalog::builtin().model("A100-80GB")?;
/// let Creation::Order(order) = a100.creation_order(&Counts::parse(&a100, "1g.10gb=2,2g.20gb,3g.40gb")?)? else {
///     panic!("there is an order");
/// };
/// assert_eq!(order.display(&a100).to_string(), "3g.40gb@4, 2g.20gb@2, 1g.10gb@0, 1g.10gb@1");
/// assert_eq!(order.attempt, 1);
/// let twice = a100.creation_order(&Counts::parse(&a100, "4g.40gb=2")?)?;
/// assert!(matches!(twice, Creation::Impossible(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation {
    /// In this order all are created.
    Order(CreationOrder),
    /// No order creates them all.
    Impossible(NoOrder),
}

/// An order in which the driver creates all instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreationOrder {
    /// Each instance with the start the driver chooses for it, in order of creation.
    pub steps: Vec<Placement>,
    /// Which of mig-parted's attempts this is, from one on.
    pub attempt: u128,
}

/// The proof that no order creates all instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoOrder {
    /// How many distinct orders there are; all of them fail.
    pub orders: u128,
    /// The most instances an order creates before it fails, with their starts.
    pub best_prefix: Vec<Placement>,
    /// What this order leaves out.
    pub missing: Counts,
    /// Starts at which all could be created if they could be asked for; `None` if they do not fit.
    pub with_starts: Option<Layout>,
}

impl Model {
    /// The first start the driver tries that is free for one more instance of the profile.
    pub fn driver_start(&self, profile: ProfileId, taken: &Occupancy) -> Option<u8> {
        let starts = &self.profiles.get(profile.index())?.driver_starts.value;
        starts.iter().copied().find(|&start| taken.with(self, Placement { start, profile }).is_some())
    }

    /// Creates instances one by one beside `pinned`, the driver choosing the starts; ends before the
    /// first that finds none, so a shorter answer than `order` means that the order fails.
    ///
    /// # Errors
    /// [`LayoutError`] if `pinned` is no layout of this model.
    pub fn created_in_order(&self, order: &[ProfileId], pinned: &Layout) -> Result<Vec<Placement>, LayoutError> {
        let mut taken = pinned.occupancy(self)?;
        let mut steps = Vec::new();
        for &profile in order {
            let Some(start) = self.driver_start(profile, &taken) else { break };
            let Some(next) = taken.with(self, Placement { start, profile }) else { break };
            taken = next;
            steps.push(Placement { start, profile });
        }
        Ok(steps)
    }

    /// An order in which the driver creates `wanted` on an idle GPU: the first one mig-parted would
    /// find, or the proof that there is none.
    ///
    /// # Errors
    /// [`LayoutError`] if `wanted` counts a profile the model does not have.
    pub fn creation_order(&self, wanted: &Counts) -> Result<Creation, LayoutError> {
        self.creation_order_beside(wanted, &Layout::empty())
    }

    /// Like [`Model::creation_order`], beside instances that stay.
    ///
    /// mig-parted itself keeps none: it clears a GPU whose counts differ.
    ///
    /// # Errors
    /// [`LayoutError`] if `pinned` is no layout of this model, or `wanted` counts a profile it does not
    /// have.
    ///
    /// # Complexity
    /// Each state the driver can bring the GPU into is visited once, however many orders lead there.
    pub fn creation_order_beside(&self, wanted: &Counts, pinned: &Layout) -> Result<Creation, LayoutError> {
        wanted.of_model(self)?;
        let taken = pinned.occupancy(self)?;
        // More than one too many of a profile changes no order's fate, only the number of orders.
        let tried: Counts =
            wanted.iter().map(|(id, n)| (id, n.min(self.get(id).max_instances.saturating_add(1)))).collect();
        let mut search = Search { model: self, failed: HashSet::new(), tried: 0, steps: Vec::new(), best: Vec::new() };
        if search.descend(&mut self.flattened(&tried), &taken, &tried) {
            return Ok(Creation::Order(CreationOrder { steps: search.steps, attempt: search.tried }));
        }
        let created: Counts = search.best.iter().map(|step| (step.profile, 1)).collect();
        Ok(Creation::Impossible(NoOrder {
            orders: distinct_orders(wanted),
            missing: wanted.minus(&created).unwrap_or_default(),
            best_prefix: search.best,
            with_starts: self.place_beside(wanted, &taken),
        }))
    }

    /// The list mig-parted begins with.
    fn flattened(&self, counts: &Counts) -> Vec<ProfileId> {
        let mut profiles: Vec<(ProfileId, u8)> = counts.iter().collect();
        let rank = |p: &Profile| (Reverse(p.name.slices()), Reverse(p.name.added_attributes()), Reverse(p.size));
        profiles.sort_by_key(|&(id, _)| (rank(self.get(id)), id));
        profiles.into_iter().flat_map(|(id, n)| std::iter::repeat_n(id, n.into())).collect()
    }
}

struct Search<'m> {
    model: &'m Model,
    /// Taken units and what is still wanted, where every order was found to fail.
    failed: HashSet<(u32, Counts)>,
    tried: u128,
    steps: Vec<Placement>,
    best: Vec<Placement>,
}

impl Search<'_> {
    /// Tries every order of `rest`, which holds `wanted`, as mig-parted does.
    fn descend(&mut self, rest: &mut [ProfileId], taken: &Occupancy, wanted: &Counts) -> bool {
        if self.steps.len() > self.best.len() {
            self.best.clone_from(&self.steps);
        }
        if rest.is_empty() {
            self.tried = self.tried.saturating_add(1);
            return true;
        }
        if self.failed.contains(&(taken.units, *wanted)) {
            self.tried = self.tried.saturating_add(distinct_orders(wanted));
            return false;
        }
        for j in 0..rest.len() {
            if rest[..j].contains(&rest[j]) {
                continue;
            }
            rest.swap(0, j);
            let profile = rest[0];
            let mut left = *wanted;
            left[profile] -= 1;
            let placement = self.model.driver_start(profile, taken).map(|start| Placement { start, profile });
            if let Some((placement, next)) = placement.and_then(|p| Some((p, taken.with(self.model, p)?))) {
                self.steps.push(placement);
                if self.descend(&mut rest[1..], &next, &left) {
                    return true;
                }
                self.steps.pop();
            } else {
                self.tried = self.tried.saturating_add(distinct_orders(&left));
            }
            rest.swap(0, j);
        }
        self.failed.insert((taken.units, *wanted));
        false
    }
}

/// n! / Π count!, or the largest number there is.
fn distinct_orders(counts: &Counts) -> u128 {
    let mut orders: u128 = 1;
    let mut placed: u128 = 0;
    for (_, n) in counts.iter() {
        for k in 1..=u128::from(n) {
            placed += 1;
            // Exact: the product of the first factors is a binomial coefficient times earlier ones.
            let Some(product) = orders.checked_mul(placed) else { return u128::MAX };
            orders = product / k;
        }
    }
    orders
}

impl CreationOrder {
    /// The layout that results, without what was there before.
    pub fn layout(&self) -> Layout {
        Layout::from_legal(&self.steps)
    }

    /// Prints the steps in order: `3g.40gb@4, 2g.20gb@2`.
    pub fn display<'a>(&'a self, model: &'a Model) -> impl fmt::Display + 'a {
        Shown(move |f: &mut fmt::Formatter<'_>| f.write_str(&steps(model, &self.steps)))
    }
}

impl NoOrder {
    /// Prints the proof as a sentence.
    pub fn display<'a>(&'a self, model: &'a Model) -> impl fmt::Display + 'a {
        Shown(move |f: &mut fmt::Formatter<'_>| {
            let orders = match self.orders {
                1 => "the only order fails".to_owned(),
                u128::MAX => "all orders fail".to_owned(),
                n => format!("all {n} orders fail"),
            };
            let best = if self.best_prefix.is_empty() { "nothing".to_owned() } else { steps(model, &self.best_prefix) };
            write!(f, "{orders}; at best {best} is created, and {} is not", self.missing.display(model))
        })
    }
}

fn steps(model: &Model, steps: &[Placement]) -> String {
    steps.iter().map(|&step| Instance::of(model, step).to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Creation, distinct_orders};
    use crate::geometry::{Catalog, Counts, Layout, Model, ProfileId};

    fn profiles(model: &Model, order: &str) -> Vec<ProfileId> {
        order.split(',').map(|name| model.profile(&name.parse().unwrap()).unwrap()).collect()
    }

    fn check(model: &str, order: &str, expected: &str) {
        let model = Catalog::builtin().model(model).unwrap();
        let created = model.created_in_order(&profiles(&model, order), &Layout::empty()).unwrap();
        assert_eq!(super::steps(&model, &created), expected, "{order}");
    }

    /// Terminal captures in the MIG user guide ("Getting started") and of an RTX PRO 6000.
    #[test]
    fn recorded_orders_end_where_the_driver_put_them() {
        check("A100-40GB", "3g.20gb,2g.10gb,1g.5gb,1g.5gb", "3g.20gb@4, 2g.10gb@2, 1g.5gb@0, 1g.5gb@1");
        check("A100-40GB", "1g.5gb,1g.5gb,2g.10gb,3g.20gb", "1g.5gb@6, 1g.5gb@4, 2g.10gb@2");
        check(
            "A100-40GB",
            "2g.10gb,1g.5gb,1g.5gb,1g.5gb,1g.5gb,1g.5gb",
            "2g.10gb@4, 1g.5gb@6, 1g.5gb@0, 1g.5gb@1, 1g.5gb@2, 1g.5gb@3",
        );
        check("RTX-PRO-6000", "1g.24gb,1g.24gb,1g.24gb,1g.24gb", "1g.24gb@0, 1g.24gb@3, 1g.24gb@6, 1g.24gb@9");
        check("RTX-PRO-6000", "2g.48gb,1g.24gb,1g.24gb", "2g.48gb@0, 1g.24gb@6, 1g.24gb@9");
        check("A100-40GB", "7g.40gb,1g.5gb", "7g.40gb@0");
    }

    #[test]
    fn a_proof_names_the_best_prefix() {
        let model = Catalog::builtin().model("A100-80GB").unwrap();
        let wanted = Counts::parse(&model, "3g.40gb=2,1g.10gb=1").unwrap();
        let Creation::Impossible(proof) = model.creation_order(&wanted).unwrap() else { panic!("it does not fit") };
        assert_eq!(proof.with_starts, None);
        let said = "all 3 orders fail; at best 3g.40gb@4, 3g.40gb@0 is created, and 1g.10gb=1 is not";
        assert_eq!(proof.display(&model).to_string(), said);
        let many: Counts = [(ProfileId(0), 255), (ProfileId(3), 255)].into_iter().collect();
        assert!(matches!(model.creation_order(&many).unwrap(), Creation::Impossible(_)));
    }

    #[test]
    fn pinned_instances_stay_where_they_are() {
        let model = Catalog::builtin().model("A100-80GB").unwrap();
        let pinned = Layout::parse(&model, "1g.10gb@6").unwrap();
        let wanted = Counts::parse(&model, "3g.40gb=1,2g.20gb=1").unwrap();
        let Creation::Order(order) = model.creation_order_beside(&wanted, &pinned).unwrap() else { panic!("it fits") };
        assert_eq!(order.display(&model).to_string(), "3g.40gb@0, 2g.20gb@4");
    }

    #[test]
    fn orders_are_counted_as_distinct() {
        for (counts, orders) in [(vec![2, 1, 1], 12), (vec![1], 1), (vec![], 1), (vec![7], 1), (vec![1, 1, 1], 6)] {
            let counts: Counts = (0..).map(ProfileId).zip(counts).collect();
            assert_eq!(distinct_orders(&counts), orders);
        }
        let many: Counts = (0..16).map(|id| (ProfileId(id), 255)).collect();
        assert_eq!(distinct_orders(&many), u128::MAX);
    }
}
