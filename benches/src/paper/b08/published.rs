//! The published results to compare with.

use super::super::csv_file::{Csv, Row};

/// A mean over seeds, and the population standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    pub(super) mean: f64,
    pub(super) sd: f64,
}

impl Summary {
    /// `None` without values.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let count = u32::try_from(values.len()).ok().filter(|count| *count > 0)?;
        let mean_of = |sum: f64| sum / f64::from(count);
        let mean = mean_of(values.iter().sum());
        let variance = mean_of(values.iter().map(|value| (value - mean).powi(2)).sum());
        Some(Self { mean, sd: variance.sqrt() })
    }
}

/// Finds the published GPU allocation of `policy` on `workload` once `load` percent of the
/// cluster's GPU capacity have been offered.
///
/// # Errors
///
/// The table lacks the row or a column of this load, or holds something other than numbers there.
pub(super) fn gpu_allocation(table: &Csv, workload: &str, policy: &str, load: u32) -> Result<Summary, String> {
    let key = [("metric", "gpu_alloc_pct"), ("workload", workload), ("policy", policy)];
    let is_wanted = |row: &Row<'_>| key.iter().all(|(column, value)| row.field(column) == Ok(*value));
    let row =
        table.rows().find(is_wanted).ok_or_else(|| format!("no published gpu_alloc_pct of {policy} on {workload}"))?;
    Ok(Summary { mean: row.number(&format!("mean_at_{load}"))?, sd: row.number(&format!("sd_at_{load}"))? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_is_mean_and_population_deviation() {
        assert_eq!(Summary::of(&[1.0, 3.0]), Some(Summary { mean: 2.0, sd: 1.0 }));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn rows_are_found_by_metric_workload_and_policy() {
        let text = "metric,workload,policy,runs,mean_at_130,sd_at_130\n\
                    frag_pct_of_all_gpu,default,06-FGD,10,1.0,0.5\n\
                    gpu_alloc_pct,default,06-FGD,10,95.5,0.25\n";
        let table = Csv::parse(text).unwrap();
        let find = |policy, load| gpu_allocation(&table, "default", policy, load);
        assert_eq!(find("06-FGD", 130), Ok(Summary { mean: 95.5, sd: 0.25 }));
        assert!(find("06-FGD", 99).unwrap_err().contains("no column mean_at_99"));
        assert!(find("07-New", 130).unwrap_err().contains("07-New on default"));
    }
}
