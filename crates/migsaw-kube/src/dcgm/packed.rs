//! The samples of a GPU, packed: a month of a thousand GPUs has a hundred million of them, and files of it may come in
//! any order, so none can be forgotten before all have been read.
//!
//! A block has samples in the order of time. For each second it says how much later it is than the one before, and of
//! what kinds and metrics there are samples, unless they are those of the second before; then all values, each by its
//! difference to the one before. Numbers take seven bits a byte, differences with the sign in the lowest bit. So a
//! sample takes one or two bytes where little changes.

use std::cmp::Reverse;

use migsaw::chargeback::Span;

use super::frame::{Metric, Raw};

/// Samples that wait before they are packed.
const MOST_OPEN: usize = 1024;

/// Samples in the order in which they came, more or less.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    blocks: Vec<Box<[u8]>>,
    open: Vec<Raw>,
    extent: Option<(u32, u32)>,
}

impl Samples {
    pub(super) fn push(&mut self, raw: Raw) {
        let (from, to) = self.extent.unwrap_or((raw.at, raw.at));
        self.extent = Some((from.min(raw.at), to.max(raw.at)));
        self.open.push(raw);
        if self.open.len() >= MOST_OPEN {
            tidy(&mut self.open);
            self.blocks.push(packed(&self.open));
            self.open.clear();
        }
    }

    /// From the first sample to the last.
    pub(super) fn extent(&self) -> Option<Span> {
        self.extent.map(|(from, to)| Span::new(from.into(), to.into()))
    }

    /// The samples, in no order that means anything.
    pub(super) fn each(self) -> impl Iterator<Item = Raw> {
        self.blocks.into_iter().flat_map(|block| unpacked(&block)).chain(self.open)
    }

    /// The samples by second, kind and metric. Of what was scraped twice the larger value counts: it is what a smaller
    /// slice would have to bear.
    pub(super) fn sorted(self) -> Vec<Raw> {
        let mut all: Vec<Raw> = self.each().collect();
        tidy(&mut all);
        all
    }
}

fn tidy(samples: &mut Vec<Raw>) {
    samples.sort_unstable_by_key(|raw| (raw.at, raw.kind, raw.metric, Reverse(raw.value)));
    samples.dedup_by_key(|raw| (raw.at, raw.kind, raw.metric));
}

/// Kind and metric in one number.
fn key(raw: &Raw) -> u64 {
    let metric = Metric::ALL.iter().position(|&metric| metric == raw.metric).expect("all metrics are there");
    u64::from(raw.kind) * Metric::ALL.len() as u64 + metric as u64
}

/// Packs samples that are tidy.
fn packed(samples: &[Raw]) -> Box<[u8]> {
    let mut bytes = Vec::new();
    let mut before: &[Raw] = &[];
    for frame in samples.chunk_by(|a, b| a.at == b.at) {
        let is_alike = before.len() == frame.len() && before.iter().map(key).eq(frame.iter().map(key));
        let at = before.first().map_or(0, |raw| raw.at);
        put(&mut bytes, u64::from(frame[0].at - at) << 1 | u64::from(is_alike));
        if !is_alike {
            put(&mut bytes, frame.len() as u64);
            let mut last = 0;
            for key in frame.iter().map(key) {
                put(&mut bytes, key - last);
                last = key;
            }
        }
        for (index, raw) in frame.iter().enumerate() {
            let known = if is_alike { before[index].value } else { 0 };
            let difference = i64::from(raw.value) - i64::from(known);
            put(&mut bytes, difference.unsigned_abs() << 1 | u64::from(difference < 0));
        }
        before = frame;
    }
    bytes.into_boxed_slice()
}

/// The samples of a block.
fn unpacked(mut bytes: &[u8]) -> Vec<Raw> {
    let mut found: Vec<Raw> = Vec::new();
    let mut length = 0;
    while !bytes.is_empty() {
        let head = take(&mut bytes);
        let before = found.len() - length;
        let at = found.last().map_or(0, |raw| raw.at) + narrow(head >> 1);
        let is_alike = head & 1 == 1;
        if is_alike {
            found.extend_from_within(before..);
            found[before + length..].iter_mut().for_each(|raw| raw.at = at);
        } else {
            length = narrow(take(&mut bytes)) as usize;
            let mut key = 0;
            for _ in 0..length {
                key += take(&mut bytes);
                let metrics = Metric::ALL.len() as u64;
                let metric = Metric::ALL[narrow(key % metrics) as usize];
                found.push(Raw { at, kind: narrow(key / metrics), metric, value: 0 });
            }
        }
        let first = found.len() - length;
        for raw in &mut found[first..] {
            let difference = take(&mut bytes);
            let amount = narrow(difference >> 1);
            raw.value = if difference & 1 == 1 { raw.value - amount } else { raw.value + amount };
        }
    }
    found
}

/// A number that was one of 32 bits.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).expect("only such numbers are packed")
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first().expect("a block ends behind a number");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random.
    fn numbers() -> impl FnMut(u32) -> u32 {
        let mut state = 1_u64;
        move |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(state >> 33).unwrap() % below
        }
    }

    fn samples(raws: &[Raw]) -> Samples {
        let mut samples = Samples::default();
        for &raw in raws {
            samples.push(raw);
        }
        samples
    }

    #[test]
    fn what_is_packed_comes_back() {
        let mut random = numbers();
        for (seconds, kinds, most) in [(50, 3, 4), (100_000, 900, u32::MAX), (u32::MAX, 5, 10_001), (1, 1, 2)] {
            let raws: Vec<Raw> = (0..5000)
                .map(|_| Raw {
                    at: random(seconds),
                    kind: random(kinds),
                    metric: Metric::ALL[random(5) as usize],
                    value: if random(9) == 0 { u32::MAX } else { random(most) },
                })
                .collect();
            let mut expected = raws.clone();
            tidy(&mut expected);
            assert_eq!(samples(&raws).sorted(), expected);
            let times = |of: fn(u32, u32) -> u32| i64::from(raws.iter().map(|raw| raw.at).reduce(of).unwrap());
            assert_eq!(samples(&raws).extent(), Some(Span::new(times(u32::min), times(u32::max))));
        }
        assert_eq!((Samples::default().sorted(), Samples::default().extent()), (Vec::new(), None));
    }

    #[test]
    fn a_month_takes_two_bytes_a_sample_at_most() {
        let mut random = numbers();
        let mut raws = Vec::new();
        for scrape in 0..8640 {
            for kind in 0..4 {
                // A pod comes and goes twice a day; memory is what it is, activity is another each time.
                let kind = kind + 4 * (scrape / 144);
                let at = 1_790_812_800 + 300 * scrape;
                raws.push(Raw { at, kind, metric: Metric::Memory, value: 4000 + kind });
                raws.push(Raw { at, kind, metric: Metric::Engine, value: random(10_001) });
                raws.push(Raw { at, kind, metric: Metric::Multiprocessors, value: random(10_001) });
            }
        }
        let samples = samples(&raws);
        let bytes: usize = samples.blocks.iter().map(|block| block.len()).sum();
        assert!(bytes < 2 * raws.len(), "{bytes} bytes for {} samples", raws.len());
    }
}
