//! Whether everything would fit if all of it could move.

use std::collections::BTreeMap;

use migsaw::geometry::ProfileId;

use crate::site::Site;

/// What the GPUs of each kind of board can hold together: every counts vector under these facets splits into layouts.
///
/// The hull of what one GPU can take has the integer decomposition property, so the facets of one GPU times the number
/// of GPUs decide (see the planner's polytope).
#[derive(Debug, Clone)]
pub(crate) struct Together {
    boards: Vec<Board>,
    /// For each profile of the site: the board that has it, and what it is there.
    of: Vec<Option<(usize, ProfileId)>>,
    sizes: Vec<u64>,
    units: u64,
}

#[derive(Debug, Clone)]
struct Board {
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    weights: Vec<u8>,
    /// What one GPU holds of it.
    each: i64,
    /// What all hold of it.
    most: i64,
    used: i64,
}

impl Together {
    /// The bound of a site that is cut at will. `None` where it is not known: for boards without facets, or where boards
    /// that are cut differently have a profile in common.
    pub(crate) fn of(site: &Site) -> Option<Together> {
        let mut boards: Vec<Board> = Vec::new();
        let mut by_family: BTreeMap<&str, usize> = BTreeMap::new();
        let mut of: Vec<Option<(usize, ProfileId)>> = vec![None; site.profiles.len()];
        for (number, kind) in site.kinds.iter().enumerate() {
            if kind.cut.is_some() {
                return None;
            }
            let gpus = site.gpus.iter().filter(|gpu| gpu.kind as usize == number);
            let count = i64::try_from(gpus.count()).ok()?;
            let facets = kind.model.facets.as_ref()?;
            let board = *by_family.entry(&kind.model.family).or_insert_with(|| {
                let row = |weights: &Vec<u8>| {
                    let each = kind.model.idle_capability().support(weights);
                    Row { weights: weights.clone(), each, most: 0, used: 0 }
                };
                boards.push(Board { rows: facets.iter().map(row).collect() });
                boards.len() - 1
            });
            for row in &mut boards[board].rows {
                row.most += count * row.each;
            }
            for (known, id) in of.iter_mut().zip(&kind.profiles) {
                match (*known, id) {
                    (None, Some(id)) => *known = Some((board, *id)),
                    (Some(before), Some(id)) if before != (board, *id) => return None,
                    _ => {}
                }
            }
        }
        let mut together = Together { boards, of, sizes: site.sizes(), units: 0 };
        for gpu in &site.gpus {
            let kind = &site.kinds[gpu.kind as usize];
            let board = by_family[kind.model.family.as_str()];
            for placement in kind.states.layout(gpu.first).placements() {
                together.boards[board].add(placement.profile, 1);
                together.units += u64::from(kind.model.get(placement.profile).size);
            }
        }
        Some(together)
    }

    /// Takes these instances if all fit.
    pub(crate) fn take(&mut self, asks: &[(u16, u8)]) -> bool {
        if asks.iter().any(|(profile, _)| self.of[usize::from(*profile)].is_none()) {
            return false;
        }
        self.add(asks, 1);
        let fits = self.boards.iter().all(|board| board.rows.iter().all(|row| row.used <= row.most));
        if !fits {
            self.add(asks, -1);
        }
        fits
    }

    /// Gives these instances back.
    pub(crate) fn give(&mut self, asks: &[(u16, u8)]) {
        self.add(asks, -1);
    }

    /// The placement units that everything takes.
    pub(crate) fn used(&self) -> u64 {
        self.units
    }

    /// The fewest GPUs that hold everything.
    pub(crate) fn fewest_gpus(&self) -> u64 {
        let on = |board: &Board| {
            let needed = board.rows.iter().filter(|row| row.each > 0).map(|row| (row.used + row.each - 1) / row.each);
            needed.max().unwrap_or(0)
        };
        u64::try_from(self.boards.iter().map(on).sum::<i64>()).unwrap_or(0)
    }

    fn add(&mut self, asks: &[(u16, u8)], times: i64) {
        for (profile, n) in asks {
            if let Some((board, id)) = self.of[usize::from(*profile)] {
                self.boards[board].add(id, i64::from(*n) * times);
                let units = self.sizes[usize::from(*profile)] * u64::from(*n);
                self.units = if times > 0 { self.units + units } else { self.units - units };
            }
        }
    }
}

impl Board {
    fn add(&mut self, profile: ProfileId, n: i64) {
        for row in &mut self.rows {
            row.used += n * i64::from(row.weights[profile.index()]);
        }
    }
}
