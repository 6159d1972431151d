//! Numbers as people read them.

/// `1,234,567`.
///
/// ```
/// assert_eq!(migsaw_report::grouped(1234567), "1,234,567");
/// ```
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 node`, `2 nodes`: an English plural by adding `s`.
///
/// ```
/// assert_eq!(migsaw_report::counted(1, "node"), "1 node");
/// assert_eq!(migsaw_report::counted(4000, "GPU"), "4,000 GPUs");
/// ```
pub fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `part` of `whole` in percent; neither 0 nor 100 unless it is so.
pub(crate) fn percent(part: u128, whole: u128) -> String {
    if part == 0 || whole == 0 {
        return "0%".to_owned();
    }
    match (part * 100 + whole / 2) / whole {
        0 => "<1%".to_owned(),
        n if n >= 100 && part < whole => ">99%".to_owned(),
        n => format!("{n}%"),
    }
}

/// `1.35` of 135.
pub(crate) fn hundredths(n: u128) -> String {
    format!("{}.{:02}", grouped(u64::try_from(n / 100).unwrap_or(u64::MAX)), n % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (u64::MAX, "18,446,744,073,709,551,615")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn percentages_do_not_overstate() {
        for (part, whole, text) in
            [(0, 0, "0%"), (0, 5, "0%"), (1, 1000, "<1%"), (999, 1000, ">99%"), (5, 5, "100%"), (1, 3, "33%")]
        {
            assert_eq!(percent(part, whole), text, "{part} of {whole}");
        }
    }
}
