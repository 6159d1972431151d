//! Durations, with their unit.

use std::time::Duration;

/// Reads `30s`, `2m`, `1h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = match text.trim().parse() {
        Ok(parsed) => parsed,
        Err(_) if text.trim().parse::<f64>().is_ok() => {
            return Err(format!("`{text}` has no unit (expected like 30s or 2m)"));
        }
        Err(error) => return Err(format!("{error} (expected like 30s, 2m or 1h30m)")),
    };
    Duration::try_from(parsed).map_err(|_| "it must not be negative (expected like 30s or 2m)".to_owned())
}

/// Reads a duration that is not zero: without a pause a loop would do nothing else.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    let read = duration(text)?;
    if read.is_zero() { Err("it must be more than zero (expected like 10s or 2m)".to_owned()) } else { Ok(read) }
}

/// Reads a duration of at least so many seconds.
pub(super) fn at_least(seconds: u64) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let read = duration(text)?;
        if read.as_secs() >= seconds { Ok(read) } else { Err(format!("it has to be {seconds}s or more")) }
    }
}

/// Reads a duration of at least so many seconds and at most so many.
pub(super) fn within(least: u64, most: u64) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let read = duration(text)?;
        let is_within = (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&read);
        if is_within { Ok(read) } else { Err(format!("it has to be from {least}s to {most}s")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_durations_have_limits() {
        for (text, is_within) in [("1s", true), ("1h", true), ("0s", false), ("999ms", false), ("3601s", false)] {
            assert_eq!(within(1, 3600)(text).is_ok(), is_within, "{text}");
        }
        assert!(within(1, 3600)("9223372036854775807s").is_err());
    }

    #[test]
    fn a_pause_is_not_zero() {
        assert_eq!(pause("10ms"), Ok(Duration::from_millis(10)));
        for text in ["0s", "0ms", "-1s"] {
            assert!(pause(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        for (text, seconds) in [("30s", Some(30)), ("2m", Some(120)), ("1h30m", Some(5400)), ("0s", Some(0))] {
            assert_eq!(duration(text).ok().map(|d| d.as_secs()), seconds, "{text}");
        }
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "30", "-5s", "soon", "1.5", "9999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
