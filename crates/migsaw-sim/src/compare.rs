//! Several policies on the same pods, over several seeds.

/// A mean, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % interval, by Student's t; `None` for a single value.
    pub half_width: Option<f64>,
    /// The least of the values.
    pub least: f64,
    /// The greatest.
    pub most: f64,
}

/// The two-sided 95 % quantiles of Student's t distribution for 1 to 30 degrees of freedom (any table of it).
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// The same for many.
const NORMAL: f64 = 1.960;

impl Estimate {
    /// The mean of some values. All is zero for none.
    #[expect(clippy::cast_precision_loss, reason = "there are few values")]
    pub fn of(values: &[f64]) -> Estimate {
        let n = values.len() as f64;
        let mean = if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / n };
        let half_width = (values.len() > 1).then(|| {
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
            STUDENT.get(values.len() - 2).copied().unwrap_or(NORMAL) * (variance / n).sqrt()
        });
        let least = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
        let most = values.iter().copied().reduce(f64::max).unwrap_or(0.0);
        Estimate { mean, half_width, least, most }
    }

    /// The mean of the differences between values that belong together.
    pub fn of_differences(these: &[f64], others: &[f64]) -> Estimate {
        let differences: Vec<f64> = these.iter().zip(others).map(|(a, b)| a - b).collect();
        Estimate::of(&differences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_textbook() {
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((estimate.mean - 3.0).abs() < 1e-12);
        // The standard error is √(2.5 / 5), and t for four degrees of freedom 2.776.
        assert!((estimate.half_width.unwrap() - 2.776 * 0.5_f64.sqrt()).abs() < 1e-9);
        assert_eq!((estimate.least, estimate.most), (1.0, 5.0));
        assert_eq!(Estimate::of(&[7.0]).half_width, None);
        let paired = Estimate::of_differences(&[1.0, 5.0, 9.0], &[0.0, 4.0, 8.0]);
        assert_eq!((paired.mean, paired.half_width), (1.0, Some(0.0)));
    }
}
