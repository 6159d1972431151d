//! The room that a GPU has which is cut at will, by the formula in the module above.

use crate::geometry::{Model, Occupancy, Placement, ProfileId, StateId, States, Step};

use super::fill::Fill;
use super::mix::Mix;

/// How much sooner the next pod comes than a given one leaves.
pub(super) const SOONER: u64 = 16;
/// Rooms are kept in such parts of a placement unit,
const FINE: u64 = 1 << 40;
/// and told in such ones: what is equal stays so, however it was rounded on the way.
const UNIT: u64 = 1 << 20;
/// More than any fill that is lost, or won, in its parts; and more than the units of any GPU.
const FILLS: i64 = 1 << 18;
const FREE: i64 = 1 << 5;

/// The room of each state of a GPU that is cut at will.
#[derive(Debug, Clone)]
pub struct Room {
    of: Vec<u64>,
    now: Vec<u64>,
    fill: Fill,
    /// The units that are free.
    free: Vec<u8>,
}

impl Room {
    /// The room that a model's GPU has for a mix in each of these states; for every profile that the states know
    /// where nothing is expected.
    ///
    /// # Complexity
    /// Linear in the steps between states.
    pub fn new(model: &Model, states: &States, mix: &Mix) -> Room {
        let expected: Vec<ProfileId> = model
            .profile_ids()
            .filter(|(_, profile)| mix.is_empty() || mix.profiles().any(|name| profile.is_called(name)))
            .map(|(id, _)| id)
            .collect();
        let mut room = Room {
            of: Vec::with_capacity(states.len()),
            now: Vec::with_capacity(states.len()),
            fill: Fill::new(model, states, &expected),
            free: Vec::with_capacity(states.len()),
        };
        for state in states.ids() {
            let now: u64 = expected.iter().map(|&profile| room_now(model, states, state, profile)).sum();
            let later: u64 = states.removals(state).iter().map(|step| room.of[step.to.index()]).sum();
            let there = states.removals(state).len() as u64;
            room.of.push((SOONER * now * FINE + later) / (SOONER + there));
            room.now.push(now);
            room.free
                .push(model.units.saturating_sub(u8::try_from(states.units(state).count_ones()).unwrap_or(u8::MAX)));
        }
        room
    }

    /// The room of a state, in parts of a placement unit that are the same for every model.
    pub fn of(&self, state: StateId) -> u64 {
        self.of[state.index()] / (FINE / UNIT)
    }

    /// What of it is there now, whatever leaves later: for each profile that is expected, the placement units of all
    /// its instances that can be added at once; summed.
    pub fn now(&self, state: StateId) -> u64 {
        self.now[state.index()]
    }

    /// Where an instance goes on a GPU: where it still takes most, then where most room is left, then first. `None` if
    /// the instance does not fit.
    pub fn start(&self, states: &States, from: StateId, profile: ProfileId) -> Option<Step> {
        let fitting = states.additions(from).iter().filter(|step| step.placement.profile == profile);
        let best = |step: &&Step| (self.fill.loss(from, step.to), self.loss(from, step.to), step.placement.start);
        fitting.min_by_key(best).copied()
    }

    /// What orders GPUs, less is better: what is lost of the room, then of what the GPU still takes, then what is free.
    pub fn rank(&self, from: StateId, to: StateId) -> i64 {
        (self.loss(from, to) * FILLS + self.fill.loss(from, to)) * FREE + i64::from(self.free[from.index()])
    }

    /// What is lost from one state to another, in the same parts; less than nothing if room is won.
    pub fn loss(&self, from: StateId, to: StateId) -> i64 {
        let fine = self.of[from.index()].cast_signed() - self.of[to.index()].cast_signed();
        let parts = (FINE / UNIT).cast_signed();
        (fine + parts / 2).div_euclid(parts)
    }
}

/// The placement units of all instances of a profile that can be added at once.
fn room_now(model: &Model, states: &States, state: StateId, profile: ProfileId) -> u64 {
    let size = model.get(profile).size;
    let starts = states.additions(StateId::EMPTY).iter().map(|step| step.placement).filter(|p| p.profile == profile);
    let mut occupancy = states
        .layout(state)
        .placements()
        .iter()
        .try_fold(Occupancy::idle(model), |taken, placement| taken.with(model, *placement))
        .expect("a state is a layout");
    // Instances of one profile are equally long, so the first that fits is never in the way of more.
    let mut ascending: Vec<Placement> = starts.collect();
    ascending.sort_unstable();
    let mut units = 0;
    for placement in ascending {
        if let Some(next) = occupancy.with(model, placement) {
            occupancy = next;
            units += u64::from(size);
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Catalog, Layout};

    /// On an H100 for all its profiles but `+me`: where an instance goes beside others.
    fn check(name: &str, there: &str, ask: &str, start: u8) {
        let model = Catalog::builtin().model("H100-80GB").unwrap();
        let profiles: Vec<ProfileId> =
            model.profile_ids().filter(|(_, p)| !p.name.to_string().ends_with("+me")).map(|(id, _)| id).collect();
        let states = States::of_profiles(&model, &profiles);
        let room = Room::new(&model, &states, &Mix::default());
        let from = states.find(&Layout::parse(&model, there).unwrap()).unwrap();
        let profile = model.profile(&ask.parse().unwrap()).unwrap();
        assert_eq!(room.start(&states, from, profile).unwrap().placement.start, start, "{name}");
    }

    #[test]
    fn instances_start_where_the_gpu_can_be_filled() {
        check("beside it, 1g.20gb fits at the tail", "empty", "1g.10gb", 4);
        check("beside what is there", "1g.10gb@4", "1g.10gb", 5);
        check("the tail is longer by a unit than its starts say", "empty", "1g.20gb", 6);
        check("the half without a tail is for 4g", "empty", "3g.40gb", 4);
        check("into the broken half", "2g.20gb@0", "2g.20gb", 2);
        check("the tail stays for who fills it", "4g.40gb@0", "1g.10gb", 4);
    }

    #[test]
    fn gpus_are_ordered_by_room_then_fill_then_what_is_free() {
        let model = Catalog::builtin().model("H100-80GB").unwrap();
        let names = ["3g.40gb", "2g.20gb"];
        let ids = names.map(|name| model.profile(&name.parse().unwrap()).unwrap());
        let states = States::of_profiles(&model, &ids);
        let room = Room::new(&model, &states, &Mix::default());
        let of = |layout: &str, profile: usize| {
            let from = states.find(&Layout::parse(&model, layout).unwrap()).unwrap();
            let step = room.start(&states, from, ids[profile]).unwrap();
            (room.loss(from, step.to), room.fill.loss(from, step.to), room.rank(from, step.to))
        };
        let (empty, half) = (of("empty", 0), of("3g.40gb@4", 0));
        assert!(empty.0 < half.0 && empty.2 < half.2, "{empty:?} {half:?}");
        // The halves are apart, so as much room is lost on either; that of the GPU that is half full already is taken.
        let (first, second) = (of("empty", 1), of("2g.20gb@4", 1));
        assert!(first.0 <= second.0, "{first:?} {second:?}");
        let (sooner, later) = (of("2g.20gb@0,2g.20gb@2", 0), of("2g.20gb@0", 0));
        assert_eq!((sooner.0, sooner.1), (later.0, later.1));
        assert_eq!(later.2 - sooner.2, 2);
    }

    #[test]
    fn room_is_what_fits_now_and_what_will() {
        let model = Catalog::builtin().model("H100-80GB").unwrap();
        let (whole, half): (ProfileId, ProfileId) =
            (model.profile(&"7g.80gb".parse().unwrap()).unwrap(), model.profile(&"3g.40gb".parse().unwrap()).unwrap());
        let states = States::of_profiles(&model, &[whole, half]);
        let mut mix = Mix::default();
        mix.add([("7g.80gb".parse().unwrap(), 1)], 1);
        mix.add([("3g.40gb".parse().unwrap(), 1)], 1);
        let room = Room::new(&model, &states, &mix);
        let of = |layout: &str| room.of(states.find(&Layout::parse(&model, layout).unwrap()).unwrap());
        // Empty: one 7g or two 3g, eight units each. One 3g: four units now, or sixteen once it has gone.
        assert_eq!(of("empty"), 16 * UNIT);
        assert_eq!(of("3g.40gb@0"), (16 * 4 * UNIT + 16 * UNIT) / 17);
        assert_eq!(of("7g.80gb@0"), 16 * UNIT / 17);
        assert_eq!(of("3g.40gb@0,3g.40gb@4"), of("3g.40gb@0") / 9);
        let now = |layout: &str| room.now(states.find(&Layout::parse(&model, layout).unwrap()).unwrap());
        assert_eq!([now("empty"), now("3g.40gb@0"), now("7g.80gb@0")], [16, 4, 0]);
    }
}
