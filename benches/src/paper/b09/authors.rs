//! How `ParvaGPU` does it (Lee et al., SC'24), from the paper and what its artifact does; all of this is our own.
//!
//! 1. *Segments.* Each service takes the way that serves most per slice, as often as that is not too much, and for
//!    the rest the smallest instance that is enough.
//! 2. *Packing.* Largest first, services in order, each to the GPU with the fewest free slices that takes it. 3g
//!    starts only at slot 4, so no GPU gets two.
//! 3. *Splitting.* From the last GPU to the first, those with at most four slices in use are taken apart: each
//!    instance is replaced by instances of two slices and one, or of one alone if two serve less than twice as much,
//!    and those go to the GPU with the fewest free slices. What they serve too much is put to account of the
//!    service's next instance.

use super::data::{Rate, SIZES, Segment, Service};
use super::program::Instances;

/// Slices of a GPU.
const SLICES: u8 = 7;

/// What comes of the first stage.
///
/// Nothing for a service that cannot run anywhere, or whose rest no single instance serves.
pub(super) fn segments(services: &[Service]) -> Instances {
    services.iter().map(|service| segments_of(service).map_or([0; 5], |segments| segments.instances())).collect()
}

/// The segments of one service.
struct Segments {
    size: usize,
    count: u64,
    last: usize,
}

impl Segments {
    fn instances(&self) -> [u64; 5] {
        let mut instances = [0; 5];
        instances[self.size] += self.count;
        instances[self.last] += 1;
        instances
    }
}

fn segments_of(service: &Service) -> Option<Segments> {
    let sizes = (0..SIZES.len()).filter_map(|size| Some((size, service.best(size)?.rate)));
    // Of equally good sizes the smallest.
    let per_slice = |(a, rate_a): &(usize, Rate), (b, rate_b): &(usize, Rate)| {
        (rate_a * u64::from(SIZES[*b])).cmp(&(rate_b * u64::from(SIZES[*a]))).then(b.cmp(a))
    };
    let (size, rate) = sizes.max_by(per_slice)?;
    // The rest is never nothing.
    let count = service.rate.saturating_sub(1) / rate;
    let rest = service.rate - count * rate;
    let last = (0..SIZES.len()).find(|&size| service.best(size).is_some_and(|best| best.rate >= rest))?;
    Some(Segments { size, count, last })
}

/// A segment on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Placed {
    service: usize,
    size: u8,
}

/// A GPU by the slots at which the artifact puts instances. They say in which order it looks at them, and not where
/// they can start.
type Slots = [Option<Placed>; 7];

fn used(gpu: &Slots) -> u8 {
    gpu.iter().flatten().map(|placed| placed.size).sum()
}

/// What each GPU carries after all three stages.
pub(super) fn plan(services: &[Service]) -> Vec<Vec<Segment>> {
    let mut gpus: Vec<Slots> = Vec::new();
    let mut waiting = Vec::new();
    for (service, segments) in services.iter().enumerate().filter_map(|(i, s)| Some((i, segments_of(s)?))) {
        let last = std::iter::once(segments.last);
        let all = std::iter::repeat_n(segments.size, usize::try_from(segments.count).unwrap_or(0)).chain(last);
        waiting.extend(all.map(|size| Placed { service, size: SIZES[size] }));
    }
    place(&mut gpus, waiting);
    split(services, &mut gpus);
    let segment = |placed: &Placed| {
        let point = services[placed.service].best(place_of(placed.size)?)?;
        Some(Segment { service: placed.service, point: *point })
    };
    let contents = |gpu: &Slots| gpu.iter().flatten().filter_map(segment).collect();
    gpus.iter().filter(|gpu| used(gpu) > 0).map(contents).collect()
}

fn place_of(size: u8) -> Option<usize> {
    SIZES.iter().position(|&known| known == size)
}

/// Largest first; of the same size in the order given.
fn place(gpus: &mut Vec<Slots>, mut waiting: Vec<Placed>) {
    waiting.sort_by_key(|placed| std::cmp::Reverse(placed.size));
    for placed in waiting {
        let fits = |gpu: &&mut Slots| {
            let has = |slot: usize, size| gpu[slot].is_some_and(|other| other.size == size);
            let blocked = match placed.size {
                3 => has(4, 3),
                1 => has(0, 3) && has(4, 3),
                _ => false,
            };
            SLICES - used(gpu) >= placed.size && !blocked
        };
        let tightest = gpus.iter_mut().filter(fits).min_by_key(|gpu| SLICES - used(gpu));
        let order: &[usize] = match placed.size {
            7 | 4 => &[0],
            3 => &[4],
            2 => &[0, 4, 2],
            _ => &[0, 6, 4, 1, 2, 3, 5],
        };
        if let Some(gpu) = tightest {
            // Where the artifact finds no slot although slices are free, any will do.
            if let Some(slot) = order.iter().copied().chain(0..7).find(|&slot| gpu[slot].is_none()) {
                gpu[slot] = Some(placed);
            }
        } else {
            let mut gpu = Slots::default();
            gpu[order[0]] = Some(placed);
            gpus.push(gpu);
        }
    }
}

fn split(services: &[Service], gpus: &mut Vec<Slots>) {
    // What is still to be served, in millionths; below zero it is too much already.
    let mut open: Vec<i128> = vec![0; services.len()];
    let rate = |service: usize, size: usize| services[service].best(size).map(|best| i128::from(best.rate));
    for index in (0..gpus.len()).rev() {
        if used(&gpus[index]) > 4 {
            continue;
        }
        for slot in 0..7 {
            let Some(Placed { service, size }) = gpus[index][slot].take() else { continue };
            open[service] += place_of(size).and_then(|size| rate(service, size)).unwrap_or(0);
            let (ones, twos) = match (rate(service, 0), rate(service, 1)) {
                (None, None) => continue,
                (None, Some(two)) => (0, up(open[service], two)),
                (Some(one), Some(two)) if two > 2 * one => {
                    let twos = open[service].max(0) / two;
                    (up(open[service] - twos * two, one), twos)
                }
                (Some(one), _) => (up(open[service], one), 0),
            };
            open[service] -= ones * rate(service, 0).unwrap_or(0) + twos * rate(service, 1).unwrap_or(0);
            let times = |n: i128, size| std::iter::repeat_n(Placed { service, size }, usize::try_from(n).unwrap_or(0));
            place(gpus, times(twos, 2).chain(times(ones, 1)).collect());
        }
    }
}

/// How many of `each` are `all`, rounded up; none if there is nothing.
fn up(all: i128, each: i128) -> i128 {
    (all.max(0) + each - 1) / each
}

#[cfg(test)]
mod tests {
    use super::super::data::Point;
    use super::super::verify::stands_up;
    use super::*;

    fn service(rate: Rate, by_size: [Rate; 5]) -> Service {
        let point = |(size, rate)| Point { size, batch: 1, processes: 1, rate, latency: 1 };
        Service { model: "m".to_owned(), rate, points: (0..).zip(by_size).map(point).collect() }
    }

    #[test]
    fn the_best_per_slice_is_taken_as_often_as_it_is_not_too_much() {
        // Three slices serve most per slice; the rest of 5 fits one slice.
        assert_eq!(segments(&[service(65, [9, 18, 30, 36, 60])]), [[1, 0, 2, 0, 0]]);
        // Nothing is left over: the last one is the rest.
        assert_eq!(segments(&[service(60, [9, 18, 30, 36, 60])]), [[0, 0, 2, 0, 0]]);
        assert_eq!(segments(&[service(60, [0; 5])]), [[0; 5]]);
    }

    #[test]
    fn an_almost_empty_gpu_is_taken_apart() {
        // Two of three slices cannot be on one GPU; two slices and twice one can be beside the first.
        let services = [service(14, [2, 5, 8, 8, 8])];
        assert_eq!(segments(&services), [[0, 0, 2, 0, 0]]);
        let gpus = plan(&services);
        stands_up(&services, &gpus).unwrap();
        let sizes = |gpu: &Vec<Segment>| gpu.iter().map(|segment| SIZES[segment.point.size]).collect::<Vec<u8>>();
        assert_eq!(gpus.iter().map(sizes).collect::<Vec<_>>(), [[2, 1, 3, 1]]);
    }
}
