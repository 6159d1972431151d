//! Prometheus' text exposition format, one sample a line.
//!
//! It is the format of a scrape: `name{label="value",…} 0.97 1700000000000`, the timestamp optional, lines that
//! begin with `#` for people. What `OpenMetrics` adds (`# EOF`, timestamps in seconds, exemplars behind a value) and
//! what Prometheus 3 adds (names in quotes among the labels) is read too. Nothing is passed over in silence: a line
//! that is no sample has a [`LineReason`]. The rules are those of Prometheus' documentation, "Exposition formats"
//! (text-based format, version 0.0.4) and "UTF-8 in Prometheus".

use std::collections::BTreeMap;
use std::fmt;

/// One line of a scrape.
///
/// It prints as the line it was read from, up to spaces, the order of labels and the form of the number.
///
/// ```
/// use migsaw_kube::dcgm::text;
/// let line = r#"DCGM_FI_DEV_FB_FREE{gpu="0",GPU_I_PROFILE="1g.6gb",pod="a, \"b\""} 2207 1700000000000"#;
/// let sample = text::sample(line)?.unwrap();
/// assert_eq!((sample.labels["pod"].as_str(), sample.timestamp), ("a, \"b\"", Some(1_700_000_000_000.0)));
/// assert_eq!(text::sample(&sample.to_string())?.unwrap(), sample);
/// assert!(text::sample("# HELP of nothing")?.is_none());
/// assert!(text::sample("DCGM_FI_DEV_FB_FREE{gpu=0} 2207").is_err());
/// # Ok::<(), migsaw_kube::dcgm::text::LineReason>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// The labels, each at most once.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
    /// When it was measured, as it is written: milliseconds since 1970 in a scrape, seconds in `OpenMetrics`.
    pub timestamp: Option<f64>,
}

/// Why a line is no sample.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum LineReason {
    /// There is no metric name.
    #[error("`{found}` is no metric name (expected like `DCGM_FI_DEV_FB_USED`)")]
    Name {
        /// What is there instead.
        found: String,
    },
    /// Something among the labels is no label.
    #[error("`{found}` is no label (expected like `gpu=\"0\"`, with a comma before the next)")]
    Label {
        /// What is there instead.
        found: String,
    },
    /// The line ends within its labels.
    #[error("ends within its labels (expected a `}}`); the file seems to be cut off")]
    Open,
    /// A label is there twice.
    #[error("has the label {name} twice")]
    Twice {
        /// The label.
        name: String,
    },
    /// The value is no number.
    #[error("`{found}` is no value (expected a number behind the labels)")]
    Value {
        /// What is there instead.
        found: String,
    },
    /// The timestamp is no number.
    #[error("`{found}` is no timestamp (expected a number, or nothing, behind the value)")]
    Timestamp {
        /// What is there instead.
        found: String,
    },
    /// Something stands behind the timestamp.
    #[error("`{found}` is too much (expected nothing behind the timestamp)")]
    Rest {
        /// What is there.
        found: String,
    },
}

/// The samples of a scrape and what is wrong with the lines that are none, each with its line, from 1.
pub fn samples(text: &str) -> impl Iterator<Item = (u64, Result<Sample, LineReason>)> + '_ {
    (1..).zip(text.split('\n')).filter_map(|(number, line)| Some((number, sample(line).transpose()?)))
}

/// The sample of a line; `None` for a comment and a line with nothing on it.
///
/// # Errors
/// [`LineReason`] if it is neither.
pub fn sample(line: &str) -> Result<Option<Sample>, LineReason> {
    let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut rest = Rest(line);
    let mut name = rest.word().to_owned();
    let mut labels = BTreeMap::new();
    rest.skip_spaces();
    if rest.take('{') {
        read_labels(&mut rest, &mut name, &mut labels)?;
    }
    if name.is_empty() {
        return Err(LineReason::Name { found: shortened(line) });
    }
    rest.skip_spaces();
    let (value, timestamp) = read_numbers(&mut rest)?;
    Ok(Some(Sample { name, labels, value, timestamp }))
}

/// The labels up to the closing brace; a name in quotes without a value is the metric's.
fn read_labels(
    rest: &mut Rest<'_>,
    name: &mut String,
    labels: &mut BTreeMap<String, String>,
) -> Result<(), LineReason> {
    loop {
        rest.skip_spaces();
        if rest.take('}') {
            return Ok(());
        }
        if rest.0.is_empty() {
            return Err(LineReason::Open);
        }
        let here = rest.0;
        let is_quoted = here.starts_with('"');
        let label = if is_quoted { rest.quoted()? } else { rest.word().to_owned() };
        let is_label_name = is_quoted || !(label.is_empty() || label.contains(':'));
        rest.skip_spaces();
        if rest.take('=') && is_label_name {
            rest.skip_spaces();
            if rest.0.is_empty() {
                return Err(LineReason::Open);
            }
            if !rest.0.starts_with('"') {
                return Err(LineReason::Label { found: shortened(here) });
            }
            let value = rest.quoted()?;
            if labels.contains_key(&label) {
                return Err(LineReason::Twice { name: shortened(&label) });
            }
            labels.insert(label, value);
        } else if is_quoted && name.is_empty() && !label.is_empty() {
            *name = label;
        } else if rest.0.is_empty() && is_label_name {
            return Err(LineReason::Open);
        } else {
            return Err(LineReason::Label { found: shortened(here) });
        }
        rest.skip_spaces();
        if !rest.take(',') && !rest.0.starts_with('}') && !rest.0.is_empty() {
            return Err(LineReason::Label { found: shortened(rest.0) });
        }
    }
}

/// The value and the timestamp; what may stand behind them is read and not kept.
fn read_numbers(rest: &mut Rest<'_>) -> Result<(f64, Option<f64>), LineReason> {
    let found = rest.token();
    let value = found.parse().map_err(|_| LineReason::Value { found: shortened(found) })?;
    let found = rest.token();
    if found.is_empty() || found == "#" {
        return Ok((value, None));
    }
    let timestamp = found.parse().map_err(|_| LineReason::Timestamp { found: shortened(found) })?;
    // Behind a `#` `OpenMetrics` gives an example of what was counted.
    let found = rest.token();
    if !found.is_empty() && found != "#" {
        return Err(LineReason::Rest { found: shortened(found) });
    }
    Ok((value, Some(timestamp)))
}

/// What is left of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// A name as Prometheus has them since ever; empty if there is none.
    fn word(&mut self) -> &'a str {
        let starts = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':');
        if !self.0.starts_with(starts) {
            return "";
        }
        let end = self.0.find(|c: char| !starts(c) && !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    /// What stands up to the next space.
    fn token(&mut self) -> &'a str {
        self.skip_spaces();
        let (token, rest) = self.0.split_at(self.0.find([' ', '\t']).unwrap_or(self.0.len()));
        self.0 = rest;
        token
    }

    /// A text in quotes. As when Prometheus scrapes, a backslash before anything else than a backslash, a quote or
    /// an `n` stands for itself.
    fn quoted(&mut self) -> Result<String, LineReason> {
        let mut text = String::new();
        let mut chars = self.0.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, c @ ('"' | '\\'))) => text.push(c),
                    Some((_, c)) => text.extend(['\\', c]),
                    None => return Err(LineReason::Open),
                },
                c => text.push(c),
            }
        }
        Err(LineReason::Open)
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |name: &str| {
            let mut rest = Rest(name);
            !rest.word().is_empty() && rest.0.is_empty()
        };
        let has_plain_name = is_plain(&self.name);
        if has_plain_name {
            f.write_str(&self.name)?;
        }
        if !has_plain_name || !self.labels.is_empty() {
            let mut parts: Vec<String> = Vec::new();
            parts.extend((!has_plain_name).then(|| quoted(&self.name)));
            for (label, value) in &self.labels {
                let is_plain = is_plain(label) && !label.contains(':');
                let label = if is_plain { label.clone() } else { quoted(label) };
                parts.push(format!("{label}={}", quoted(value)));
            }
            write!(f, "{{{}}}", parts.join(","))?;
        }
        write!(f, " {}", self.value)?;
        self.timestamp.map_or(Ok(()), |timestamp| write!(f, " {timestamp}"))
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        match sample(line) {
            Ok(Some(sample)) => {
                let printed = sample.to_string();
                assert_eq!(super::sample(&printed).unwrap().unwrap().to_string(), printed, "{line}");
                printed
            }
            Ok(None) => "nothing".to_owned(),
            Err(reason) => format!("error: {reason}"),
        }
    }

    #[test]
    fn lines_as_exporters_write_them() {
        for (name, line, expected) in [
            ("bare", "up 1", "up 1"),
            ("labels", r#"a{b="c",d="e"} 0.5"#, r#"a{b="c",d="e"} 0.5"#),
            ("no labels in braces", "a{} 2", "a 2"),
            ("spaces and tabs", "a \t{ b = \"c\" , d=\"e\" , }\t2\t17 \r", r#"a{b="c",d="e"} 2 17"#),
            ("a timestamp", "a 1 1700000000000", "a 1 1700000000000"),
            ("a timestamp in seconds", "a 1 1700000000.123", "a 1 1700000000.123"),
            ("an exemplar", r#"a 1 # {trace="x"} 0.5 17"#, "a 1"),
            ("an exemplar behind a timestamp", r#"a 1 17 # {trace="x"} 0.5"#, "a 1 17"),
            ("escapes", r#"a{b="c\\d\"e\nf"} 1"#, r#"a{b="c\\d\"e\nf"} 1"#),
            ("another escape", r#"a{b="C:\x"} 1"#, r#"a{b="C:\\x"} 1"#),
            ("commas and braces in a value", r#"a{b="x, {y} z=1",c=""} 1"#, r#"a{b="x, {y} z=1",c=""} 1"#),
            ("colons in a name", "a:b 1", "a:b 1"),
            ("names in quotes", r#"{"a.b", "c d"="e"} 1"#, r#"{"a.b","c d"="e"} 1"#),
            ("infinity", "a +Inf", "a inf"),
            ("not a number", "a NaN", "a NaN"),
            ("a blank value", "a 9223372036854775794", "a 9223372036854776000"),
            ("help without text", "# HELP a", "nothing"),
            ("type", "# TYPE a gauge", "nothing"),
            ("the end", "# EOF", "nothing"),
            ("nothing", " \t", "nothing"),
        ] {
            assert_eq!(shown(line), expected, "{name}");
        }
    }

    #[test]
    fn broken_lines_say_what_would_be_right() {
        let label =
            |found: &str| format!("`{found}` is no label (expected like `gpu=\"0\"`, with a comma before the next)");
        let open = "ends within its labels (expected a `}`); the file seems to be cut off".to_owned();
        for (name, line, expected) in [
            ("no name", "1 2", "`1 2` is no metric name (expected like `DCGM_FI_DEV_FB_USED`)".to_owned()),
            (
                "labels only",
                r#"{a="b"} 2"#,
                r#"`{a="b"} 2` is no metric name (expected like `DCGM_FI_DEV_FB_USED`)"#.to_owned(),
            ),
            ("no value", r#"a{b="c"}"#, "`` is no value (expected a number behind the labels)".to_owned()),
            ("no number", "a one", "`one` is no value (expected a number behind the labels)".to_owned()),
            (
                "no timestamp",
                "a 1 now",
                "`now` is no timestamp (expected a number, or nothing, behind the value)".to_owned(),
            ),
            ("too much", "a 1 2 3", "`3` is too much (expected nothing behind the timestamp)".to_owned()),
            ("no quotes", "a{b=c} 1", label("b=c} 1")),
            ("no comma", r#"a{b="c" d="e"} 1"#, label(r#"d="e"} 1"#)),
            ("no equals sign", "a{b} 1", label("b} 1")),
            ("two commas", r#"a{b="c",,} 1"#, label(",} 1")),
            ("a colon in a label's name", r#"a{b:c="d"} 1"#, label(r#"b:c="d"} 1"#)),
            ("a second name", r#"a{"b"} 1"#, label(r#""b"} 1"#)),
            ("a label twice", r#"a{b="c",b="d"} 1"#, "has the label b twice".to_owned()),
            ("cut off in a value", r#"a{b="c"#, open.clone()),
            ("cut off behind a backslash", r#"a{b="c\"#, open.clone()),
            ("cut off behind a comma", r#"a{b="c","#, open.clone()),
            ("cut off in a name", "a{b", open.clone()),
            ("cut off behind an equals sign", "a{b=", open),
        ] {
            assert_eq!(sample(line).unwrap_err().to_string(), expected, "{name}");
        }
    }

    #[test]
    fn lines_are_numbered() {
        let text = "# HELP a\na 1\r\n\nb\nc 2\n# EOF\n";
        let found: Vec<(u64, bool)> = samples(text).map(|(line, found)| (line, found.is_ok())).collect();
        assert_eq!(found, [(2, true), (4, false), (5, true)]);
    }
}
