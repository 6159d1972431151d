//! The worth of what is free on a node, by the formula in the module above.

use smallvec::SmallVec;

use crate::geometry::{Counts, Model, Occupancy, ProfileId, ProfileName};

use super::mix::Mix;

/// What the free capacity of one model's GPUs is worth to a mix.
///
/// Worths are in parts of a whole, the same for every model under one mix, so that losses on nodes of different
/// models compare.
#[derive(Debug, Clone)]
pub struct Worth {
    requests: Vec<Expected>,
    idle_gpu: u64,
}

/// A request of the mix on one model.
#[derive(Debug, Clone)]
struct Expected {
    /// The instances of each profile that a pod takes.
    needs: SmallVec<[(ProfileId, u8); 4]>,
    share: u64,
}

/// What of a node the worth depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// Free instances, as the GPUs are cut now.
    pub free: Counts,
    /// How many GPUs the node has.
    pub gpus: u32,
    /// Pods that hold some of them.
    pub pods: u32,
}

impl Worth {
    /// The worth of a model's GPUs to a mix. Requests for profiles that the model does not have count for nothing.
    pub fn new(model: &Model, mix: &Mix) -> Worth {
        let mut worth = Worth { requests: Vec::new(), idle_gpu: 0 };
        for (instances, share) in mix.shares() {
            let Some(counts) = counts_of(model, instances.iter().map(|(profile, n)| (profile, *n))) else { continue };
            worth.idle_gpu = worth.idle_gpu.saturating_add(share.saturating_mul(most_on_gpu(model, &counts)));
            worth.requests.push(Expected { needs: counts.iter().collect(), share });
        }
        worth
    }

    /// What a node in this state is worth.
    pub fn of(&self, state: &State) -> u64 {
        let as_cut = self.requests.iter().map(|expected| expected.share * expected.most(&state.free));
        as_cut.fold(self.recut(state.gpus, state.pods), u64::saturating_add)
    }

    /// What is lost when a pod takes `ask` of a node in this state; all the node is worth if that is not free.
    pub fn loss(&self, state: &State, ask: &Counts) -> u64 {
        let Some(free) = state.free.minus(ask) else { return self.of(state) };
        // For all other requests the pod makes no difference.
        let touched =
            self.requests.iter().filter(|expected| expected.needs.iter().any(|(profile, _)| ask[*profile] > 0));
        let as_cut = touched.map(|expected| expected.share * (expected.most(&state.free) - expected.most(&free)));
        let recut = self.recut(state.gpus, state.pods) - self.recut(state.gpus, state.pods.saturating_add(1));
        as_cut.fold(recut, u64::saturating_add)
    }

    /// What so many GPUs are worth that could be cut anew if the pods on them were gone.
    fn recut(&self, gpus: u32, pods: u32) -> u64 {
        self.idle_gpu.saturating_mul(u64::from(gpus)).checked_shr(pods).unwrap_or(0)
    }
}

impl Expected {
    /// The pods with this request that fit what is free.
    fn most(&self, free: &Counts) -> u64 {
        self.needs.iter().map(|(profile, n)| u64::from(free[*profile] / n)).min().unwrap_or(0)
    }
}

/// What instances by name are on a model; `None` if it has no such profile, or could never hold so many.
fn counts_of<'a>(model: &Model, instances: impl IntoIterator<Item = (&'a ProfileName, u32)>) -> Option<Counts> {
    let mut counts = Counts::EMPTY;
    for (name, n) in instances {
        let profile = model.profile(&name.gpu_instance())?;
        counts[profile] = counts[profile].checked_add(u8::try_from(n).ok()?)?;
    }
    Some(counts)
}

/// The pods with this request that an idle GPU fits.
fn most_on_gpu(model: &Model, request: &Counts) -> u64 {
    let idle = Occupancy::idle(model);
    let times = |n: u8| request.iter().map(|(id, each)| Some((id, each.checked_mul(n)?))).collect::<Option<Counts>>();
    let fitting = (1..=model.units).take_while(|&n| times(n).is_some_and(|counts| model.fits_beside(&counts, &idle)));
    u64::from(fitting.last().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::geometry::Catalog;

    fn h100() -> Arc<Model> {
        Catalog::builtin().model("H100-80GB").unwrap()
    }

    fn mix(requests: &[(&str, u64)]) -> Mix {
        let mut mix = Mix::default();
        for (request, pods) in requests {
            let instances = request.split(',').map(|item| item.split_once('=').unwrap());
            mix.add(instances.map(|(name, n)| (name.parse().unwrap(), n.parse().unwrap())), *pods);
        }
        mix
    }

    /// Which of two nodes a pod goes to: the one where less is lost.
    fn check(name: &str, mix: &Mix, ask: &str, taken: (&str, u32, u32), left: (&str, u32, u32)) {
        let model = h100();
        let worth = Worth::new(&model, mix);
        let ask = Counts::parse(&model, ask).unwrap();
        let loss = |(free, gpus, pods): (&str, u32, u32)| {
            worth.loss(&State { free: Counts::parse(&model, free).unwrap(), gpus, pods }, &ask)
        };
        assert!(loss(taken) < loss(left), "{name}: {} against {}", loss(taken), loss(left));
    }

    #[test]
    fn pods_go_where_least_is_lost() {
        let single = mix(&[("1g.10gb=1", 10), ("3g.40gb=1", 2)]);
        check("idle nodes stay whole", &single, "1g.10gb=1", ("1g.10gb=1", 8, 30), ("1g.10gb=1", 1, 0));
        check("the fuller node is filled", &single, "1g.10gb=1", ("1g.10gb=2", 8, 12), ("1g.10gb=9", 8, 11));
        check("the smaller idle node is broken up", &single, "1g.10gb=1", ("1g.10gb=7", 1, 0), ("1g.10gb=14", 2, 0));
        let pairs = mix(&[("1g.10gb=1", 10), ("1g.10gb=2", 10)]);
        check("an odd one goes before a pair", &pairs, "1g.10gb=1", ("1g.10gb=3", 8, 20), ("1g.10gb=4", 8, 20));
        let both = mix(&[("1g.10gb=1,3g.40gb=1", 10), ("1g.10gb=1", 10)]);
        check(
            "what is needed together stays",
            &both,
            "1g.10gb=1",
            ("1g.10gb=1", 8, 20),
            ("1g.10gb=1,3g.40gb=1", 8, 20),
        );
    }

    #[test]
    fn an_idle_gpu_is_worth_what_it_can_become() {
        let model = h100();
        for (request, most) in
            [("1g.10gb=1", 7), ("3g.40gb=1", 2), ("1g.10gb=2", 3), ("2g.20gb=1,3g.40gb=1", 1), ("1g.10gb=8", 0)]
        {
            let counts = Counts::parse(&model, request).unwrap();
            assert_eq!(most_on_gpu(&model, &counts), most, "{request}");
        }
    }

    #[test]
    fn foreign_profiles_and_empty_mixes_are_worth_nothing() {
        let model = h100();
        let state = State { free: Counts::parse(&model, "1g.10gb=7").unwrap(), gpus: 4, pods: 0 };
        assert_eq!(Worth::new(&model, &Mix::default()).of(&state), 0);
        assert_eq!(Worth::new(&model, &mix(&[("1g.5gb=1", 5)])).of(&state), 0);
        let far = State { pods: 1000, ..state };
        assert_eq!(Worth::new(&model, &mix(&[("1g.10gb=1", 1)])).of(&far), 7 * Mix::WHOLE);
    }
}
