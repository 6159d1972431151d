//! The room that a GPU has which is cut at will, by the formula in the module above.

use crate::geometry::{Model, Occupancy, Placement, ProfileId, StateId, States};

use super::mix::Mix;

/// How much sooner the next pod comes than a given one leaves.
pub(super) const SOONER: u64 = 16;
/// Rooms are kept in such parts of a placement unit,
const FINE: u64 = 1 << 40;
/// and told in such ones: what is equal stays so, however it was rounded on the way.
const UNIT: u64 = 1 << 20;

/// The room of each state of a GPU that is cut at will.
#[derive(Debug, Clone)]
pub struct Room {
    of: Vec<u64>,
    now: Vec<u64>,
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
        let mut room = Room { of: Vec::with_capacity(states.len()), now: Vec::with_capacity(states.len()) };
        for state in states.ids() {
            let now: u64 = expected.iter().map(|&profile| room_now(model, states, state, profile)).sum();
            let later: u64 = states.removals(state).iter().map(|step| room.of[step.to.index()]).sum();
            let there = states.removals(state).len() as u64;
            room.of.push((SOONER * now * FINE + later) / (SOONER + there));
            room.now.push(now);
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
        let fitting = states.additions(from).iter().filter(|step| step.placement.profile == profile);
        let best = fitting.min_by_key(|step| (room.loss(from, step.to), step.placement.start)).unwrap();
        assert_eq!(best.placement.start, start, "{name}");
    }

    #[test]
    fn instances_go_where_most_room_is_left() {
        check("where no pair fits", "empty", "1g.10gb", 6);
        check("beside it, the other half of the GPU stays", "1g.10gb@6", "1g.10gb", 4);
        check("the half without a tail is for 4g", "empty", "3g.40gb", 4);
        check("into the broken half", "2g.20gb@4", "1g.10gb", 6);
        check("beside what is there", "2g.20gb@0", "2g.20gb", 2);
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
