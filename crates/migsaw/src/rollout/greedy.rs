//! A good order of many steps.

use std::cmp::Reverse;

use super::harm::Harm;
use super::order::Order;
use super::state::State;
use super::steps::Work;

/// Each wave takes steps that harm nobody, those that free most first; where there is none, the one step that does
/// the least harm.
pub(super) fn kindly(work: &Work, most: usize) -> Order {
    let mut state = State::first(work);
    let mut left: Vec<usize> = (0..work.steps.len()).collect();
    let sum = |units: &[(usize, u64)]| units.iter().map(|(_, n)| n).sum::<u64>();
    let gain = |step: usize| sum(&work.steps[step].brings).saturating_sub(sum(&work.steps[step].evicts));
    left.sort_by_key(|&step| (Reverse(gain(step)), step));
    let mut waves = Order::new();
    while !left.is_empty() {
        let mut wave: Vec<usize> = Vec::new();
        for &step in &left {
            if wave.len() == most {
                break;
            }
            wave.push(step);
            if !state.effects(work, &wave).harm(work).is_none() {
                wave.pop();
            }
        }
        if wave.is_empty() {
            let harm = |step: &&usize| -> Harm { state.effects(work, &[**step]).harm(work) };
            wave.extend(left.iter().min_by_key(harm));
        }
        wave.sort_unstable();
        left.retain(|step| !wave.contains(step));
        state = state.after(work, &wave, &state.effects(work, &wave));
        waves.push(wave);
    }
    waves
}
