//! Times as people read them, and tables in Markdown.

use std::fmt;
use std::time::Duration;

/// Times of the same thing, ascending.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Of a hundred, the one in this place.
    pub fn percentile(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(place - 1).copied().unwrap_or_default()
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How often it happens in a second, one after the other.
    pub fn per_second(&self) -> f64 {
        let all: Duration = self.0.iter().sum();
        if all.is_zero() { 0.0 } else { count(self.0.len()) / all.as_secs_f64() }
    }

    /// How many times as long as others it takes, at the median and at the 99th percentile.
    pub fn ratio(&self, others: &Times) -> String {
        let of = |percent| self.percentile(percent).as_secs_f64() / others.percentile(percent).as_secs_f64();
        if others.is_empty() { String::new() } else { format!("{:.2} / {:.2}", of(50), of(99)) }
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Times {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Times(times)
    }
}

/// Median, 99th percentile and longest, in milliseconds.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let [median, most, max] = [self.percentile(50), self.percentile(99), self.max()].map(milliseconds);
        write!(f, "{median} / {most} / {max} ms")
    }
}

/// Milliseconds with three digits that say something.
pub fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    let digits = if milliseconds < 1.0 {
        3
    } else if milliseconds < 10.0 {
        2
    } else {
        usize::from(milliseconds < 100.0)
    };
    format!("{milliseconds:.digits$}")
}

/// A number of things, to reckon with.
#[expect(clippy::cast_precision_loss, reason = "nothing is counted that often")]
pub fn count(n: usize) -> f64 {
    n as f64
}

/// A table in Markdown.
#[derive(Debug)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// A table with this head.
    pub fn new(head: &[&str]) -> Table {
        let rule = head.iter().map(|_| "---".to_owned()).collect();
        Table(vec![head.iter().map(|&text| text.to_owned()).collect(), rule])
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_taken() {
        let times: Times = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(times.percentile(50), Duration::from_millis(100));
        assert_eq!(times.percentile(99), Duration::from_millis(198));
        assert_eq!(times.max(), Duration::from_millis(200));
        assert_eq!(times.to_string(), "100 / 198 / 200 ms");
        assert_eq!(Times::default().to_string(), "none");
        assert_eq!(milliseconds(Duration::from_micros(1234)), "1.23");
    }
}
