//! Many node names in few characters.

use std::collections::BTreeMap;

use crate::clean::clean;

/// Names folded by the last number of their host part, in the order in which each fold is first met.
///
/// ```
/// let names = ["gpu-0", "gpu-1", "gpu-2", "gpu-7", "login"].map(str::to_owned);
/// assert_eq!(migsaw_report::compress(&names), ["gpu-[0-2,7]", "login"]);
/// ```
///
/// Numbers with leading zeros fold with those of the same width only, so that no name is lost:
/// `n01`, `n02` are `n[01-02]`. Unsafe characters are neutralised.
pub fn compress(names: &[String]) -> Vec<String> {
    let mut folds = Folds::default();
    for name in names {
        folds.add(name);
    }
    folds.print().into_iter().map(|(text, _)| text).collect()
}

/// Names as they are folded together.
#[derive(Default)]
pub(crate) struct Folds {
    folds: Vec<Fold>,
    /// By what surrounds the number, and its width if it is written with leading zeros.
    index: BTreeMap<(String, String, usize), usize>,
}

struct Fold {
    prefix: String,
    suffix: String,
    width: usize,
    /// First and last number of each run; empty for a name without number.
    runs: Vec<(u64, u64)>,
}

impl Folds {
    /// Adds one name.
    pub(crate) fn add(&mut self, name: &str) {
        let Some((prefix, digits, suffix)) = split(name) else {
            self.folds.push(Fold { prefix: name.to_owned(), suffix: String::new(), width: 0, runs: Vec::new() });
            return;
        };
        let padded = digits.len() > 1 && digits.starts_with('0');
        let key = |width| (prefix.to_owned(), suffix.to_owned(), width);
        let width = if padded || self.index.contains_key(&key(digits.len())) { digits.len() } else { 0 };
        let number = digits.parse().expect("at most 18 digits");
        self.enter(key(width), (number, number));
    }

    /// Adds `{prefix}{first}` to `{prefix}{last}`.
    pub(crate) fn add_numbered(&mut self, prefix: &str, first: u64, last: u64) {
        self.enter((prefix.to_owned(), String::new(), 0), (first, last));
    }

    fn enter(&mut self, key: (String, String, usize), run: (u64, u64)) {
        let at = *self.index.entry(key).or_insert_with_key(|(prefix, suffix, width)| {
            self.folds.push(Fold { prefix: prefix.clone(), suffix: suffix.clone(), width: *width, runs: Vec::new() });
            self.folds.len() - 1
        });
        self.folds[at].runs.push(run);
    }

    /// Each fold as text, unsafe characters neutralised, with how many names it stands for.
    pub(crate) fn print(self) -> Vec<(String, u64)> {
        self.folds.into_iter().map(Fold::print).collect()
    }
}

impl Fold {
    fn print(mut self) -> (String, u64) {
        let (prefix, suffix, width) = (clean(&self.prefix), clean(&self.suffix), self.width);
        self.runs.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (first, last) in self.runs {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        let count = joined.iter().map(|(first, last)| last - first + 1).sum::<u64>().max(1);
        let text = match joined[..] {
            [] => prefix.into_owned(),
            [(one, last)] if one == last => format!("{prefix}{one:0width$}{suffix}"),
            _ => {
                let run = |&(first, last): &(u64, u64)| match last - first {
                    0 => format!("{first:0width$}"),
                    1 => format!("{first:0width$},{last:0width$}"),
                    _ => format!("{first:0width$}-{last:0width$}"),
                };
                let runs: Vec<String> = joined.iter().map(run).collect();
                format!("{prefix}[{}]{suffix}", runs.join(","))
            }
        };
        (text, count)
    }
}

/// The name around the last number of its host part, if that has one of at most 18 digits. Domains
/// (`.ec2.internal`) have numbers of their own, which nobody counts by.
fn split(name: &str) -> Option<(&str, &str, &str)> {
    let host = name.split('.').next().unwrap_or(name);
    let end = host.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = host[..end].trim_end_matches(|c: char| c.is_ascii_digit()).len();
    (end - start <= 18).then(|| (&name[..start], &name[start..end], &name[end..]))
}

/// `items` joined by commas, cut after as many as fit in `width` characters, with how many are left out.
pub(crate) fn listed(items: &[String], width: usize) -> String {
    let mut text = String::new();
    for (i, item) in items.iter().enumerate() {
        let left = items.len() - i;
        let room = if left > 1 { " and 9999 more".len() } else { 0 };
        if i > 0 && text.chars().count() + 2 + item.chars().count() + room > width {
            return format!("{text} and {left} more");
        }
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(item);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: &[&str]) {
        let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
        assert_eq!(compress(&names), expected);
    }

    #[test]
    fn folds_the_last_number() {
        check(&[], &[]);
        check(&["a"], &["a"]);
        check(&["gpu-0"], &["gpu-0"]);
        check(&["gpu-0", "gpu-1"], &["gpu-[0,1]"]);
        check(&["gpu-9", "gpu-10", "gpu-11"], &["gpu-[9-11]"]);
        check(&["n01.dc", "n02.dc", "n03.dc", "n10.dc"], &["n[01-03,10].dc"]);
        check(&["ip-10-0-1-5.ec2", "ip-10-0-1-6.ec2", "ip-10-0-2-5.ec2"], &["ip-10-0-1-[5,6].ec2", "ip-10-0-2-5.ec2"]);
        check(&["10.0.0.1", "10.0.0.2"], &["10.0.0.1", "10.0.0.2"]);
        check(&["n1", "n01", "n001"], &["n1", "n01", "n001"]);
        check(&["ü1", "ü2"], &["ü[1,2]"]);
        check(&["n99999999999999999999"], &["n99999999999999999999"]);
        check(&["b-2", "a", "b-1"], &["b-[1,2]", "a"]);
        check(&["x\u{1b}[1", "x\u{1b}[2"], &[r"x\u{1b}[[1,2]"]);
    }

    /// The names a fold stands for.
    fn expand(fold: &str) -> Vec<String> {
        let Some((prefix, rest)) = fold.split_once('[') else { return vec![fold.to_owned()] };
        let (runs, suffix) = rest.split_once(']').unwrap();
        let mut names = Vec::new();
        for run in runs.split(',') {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            let width = if first.starts_with('0') { first.len() } else { 0 };
            for n in first.parse::<u64>().unwrap()..=last.parse().unwrap() {
                names.push(format!("{prefix}{n:0width$}{suffix}"));
            }
        }
        names
    }

    proptest::proptest! {
        #[test]
        fn no_name_is_lost_or_invented(names in proptest::collection::vec("[ab]{0,1}-?0?[0-9]{0,2}(\\.x1)?", 0..20)) {
            let mut expanded: Vec<String> = compress(&names).iter().flat_map(|fold| expand(fold)).collect();
            let mut names = names;
            names.sort();
            names.dedup();
            expanded.sort();
            expanded.dedup();
            proptest::prop_assert_eq!(expanded, names);
        }
    }

    #[test]
    fn lists_say_what_they_leave_out() {
        let items: Vec<String> = ["aaaa", "bbbb", "cccc"].map(str::to_owned).into();
        assert_eq!(listed(&items, 40), "aaaa, bbbb, cccc");
        assert_eq!(listed(&items, 10), "aaaa and 2 more");
        assert_eq!(listed(&items, 1), "aaaa and 2 more");
    }
}
