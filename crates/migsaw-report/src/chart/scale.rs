//! From values to coordinates, and the round values worth a tick.

/// An axis from one round value to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    step: f64,
    /// Where `low` and `high` are drawn.
    from: f64,
    to: f64,
}

impl Scale {
    /// The axis that shows all `values`, begins and ends at a round one and has about `ticks` ticks.
    /// Values that are no finite numbers are passed over.
    pub(crate) fn around(values: impl IntoIterator<Item = f64>, ticks: f64) -> Scale {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (f64::min(low, value), f64::max(high, value))
        });
        let (low, high) = match (low, high) {
            (low, high) if low > high => (0.0, 1.0),
            (low, high) if high - low < 1e-9 => {
                (low - (low.abs() * 0.01).max(1e-3), high + (high.abs() * 0.01).max(1e-3))
            }
            bounds => bounds,
        };
        let step = round((high - low) / ticks);
        Scale { low: (low / step).floor() * step, high: (high / step).ceil() * step, step, from: 0.0, to: 1.0 }
    }

    /// The same axis, ending at `most` at the latest: where no value can be beyond.
    pub(crate) fn at_most(self, most: f64) -> Scale {
        if self.low < most { Scale { high: self.high.min(most), ..self } } else { self }
    }

    /// The same axis, drawn from one coordinate to the other.
    pub(crate) fn drawn(self, from: f64, to: f64) -> Scale {
        Scale { from, to, ..self }
    }

    /// Where a value is drawn.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let part = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + part * (self.to - self.from)
    }

    /// Whether the axis begins above or below 0.
    pub(crate) fn is_cut(&self) -> bool {
        self.low > 0.0
    }

    /// Whether a value is below all that is drawn.
    pub(crate) fn is_below(&self, value: f64) -> bool {
        value < self.low
    }

    /// The values with a tick.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        let values = (0..50).map(|tick| f64::from(tick).mul_add(self.step, self.low));
        values.take_while(|value| *value <= self.high + self.step * 1e-6).collect()
    }

    /// Digits behind the point that tell ticks apart, if their values are multiplied by `factor` first.
    pub(crate) fn digits(&self, factor: f64) -> usize {
        (0..6)
            .find(|&digits| {
                let step = self.step * factor * 10_f64.powi(digits);
                (step - step.round()).abs() < 1e-6
            })
            .map_or(6, |digits| usize::try_from(digits).unwrap_or(6))
    }
}

/// The round number next above: 1, 2 or 5 times a power of ten.
fn round(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= step * (1.0 - 1e-9));
    times.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        for (values, ticks) in [
            (&[0.8712, 0.9493][..], &[0.86, 0.88, 0.90, 0.92, 0.94, 0.96][..]),
            (&[0.0, 1.0], &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (&[0.0, 43.0, f64::NAN], &[0.0, 10.0, 20.0, 30.0, 40.0, 50.0]),
            (&[], &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ] {
            let found = Scale::around(values.iter().copied(), 5.0).ticks();
            assert_eq!(found.len(), ticks.len(), "{values:?}: {found:?}");
            for (found, expected) in found.iter().zip(ticks) {
                assert!((found - expected).abs() < 1e-9, "{values:?}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn one_value_has_an_axis_too() {
        for value in [0.0, 1.0, 0.917, 1e6] {
            let scale = Scale::around([value], 5.0).drawn(0.0, 100.0);
            let at = scale.at(value);
            assert!(at > 0.0 && at < 100.0, "{value} at {at}");
            assert!(scale.ticks().len() > 1, "{value}");
        }
    }

    #[test]
    fn digits_tell_ticks_apart() {
        for (values, digits) in [([0.86, 0.96], 0), ([0.91, 0.92], 1), ([0.0, 1.0], 0)] {
            assert_eq!(Scale::around(values, 5.0).digits(100.0), digits, "{values:?}");
        }
    }
}
