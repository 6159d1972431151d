//! Finds the configuration in a file: bare or in a `ConfigMap`.

use serde_saphyr::Spanned;

use super::config::Config;
use super::error::{ConfigError, ConfigErrors, ConfigProblem};
use super::parse::Reader;
use super::tree::{Tree, line};

/// The key of a `ConfigMap` under which MIG Manager finds the file.
pub(crate) const CONFIG_KEY: &str = "config.yaml";

impl Config {
    /// Reads a configuration file, YAML or JSON, bare or in a `ConfigMap` under the key `config.yaml`.
    ///
    /// # Errors
    /// [`ConfigErrors`] lists everything that mig-parted would refuse; if the file is not even YAML,
    /// the first place where that shows.
    ///
    /// ```
    /// use migsaw_kube::mig_parted::Config;
    /// let config = Config::read(b"
    /// version: v1
    /// mig-configs:
    ///   halves:
    ///   - devices: all
    ///     mig-enabled: true
    ///     mig-devices: {3g.40gb: 2}
    /// ")?;
    /// assert_eq!(config.entries[0].name, "halves");
    /// let errors = Config::read(b"version: v1\nmig-configs: {}\nmode: x").unwrap_err();
    /// assert_eq!(errors.0.len(), 2);
    /// # Ok::<(), migsaw_kube::mig_parted::ConfigErrors>(())
    /// ```
    pub fn read(bytes: &[u8]) -> Result<Config, ConfigErrors> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let offset = error.valid_up_to();
            let line = 1 + crate::text::line_breaks(&bytes[..offset]) as u64;
            one(line, ConfigProblem::NotUtf8 { offset })
        })?;
        let mut documents = documents(text)?;
        if documents.len() > 1 {
            // Manifests often stand behind each other in a file.
            let found = documents.len();
            documents
                .retain(|document| kind(&document.value) == Some("ConfigMap") && embedded(&document.value).is_some());
            if documents.len() != 1 {
                return Err(one(0, ConfigProblem::SeveralDocuments { found }));
            }
        }
        let Some(document) = documents.pop() else { return Ok(Config::default()) };
        match kind(&document.value) {
            Some("ConfigMap") => {}
            Some(kind) if document.value.get("version").is_none() => {
                let kind = kind.chars().take(80).collect();
                return Err(one(line(&document), ConfigProblem::OtherKind { kind }));
            }
            _ => return Reader::read(&document),
        }
        let Some(inner) = embedded(&document.value) else {
            let keys = match document.value.get("data").map(|data| &data.value) {
                Some(Tree::Map(entries)) => entries.iter().map(|(key, _)| key.value.clone()).collect(),
                _ => Vec::new(),
            };
            return Err(one(line(&document), ConfigProblem::NoConfigKey { keys }));
        };
        read_embedded(text, inner)
    }
}

fn documents(text: &str) -> Result<Vec<Spanned<Tree>>, ConfigErrors> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 50_000_000, max_nodes: 20_000_000 },
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let at = error.location().map_or(0, |place| place.line());
        one(at, ConfigProblem::Syntax { reason: crate::yaml::reason(&error) })
    })
}

fn one(line: u64, problem: ConfigProblem) -> ConfigErrors {
    ConfigErrors(vec![ConfigError { line, problem }])
}

/// The kind of a Kubernetes object.
fn kind(document: &Tree) -> Option<&str> {
    match &document.get("kind")?.value {
        Tree::Text(kind) => Some(kind),
        _ => None,
    }
}

fn embedded(config_map: &Tree) -> Option<&Spanned<Tree>> {
    config_map.get("data")?.value.get(CONFIG_KEY)
}

/// Reads the file inside a `ConfigMap`; lines are those of the outer file where it stands there line
/// by line.
fn read_embedded(outer: &str, inner: &Spanned<Tree>) -> Result<Config, ConfigErrors> {
    let text = match &inner.value {
        Tree::Text(text) => text.as_str(),
        Tree::Null => "",
        other => {
            let place = format!("`{CONFIG_KEY}` of the ConfigMap");
            return Err(one(line(inner), ConfigProblem::Type { place, expected: "a string", found: other.kind() }));
        }
    };
    let begin = inner.referenced.span().byte_offset().and_then(|at| outer.get(usize::try_from(at).ok()?..));
    let block = text.contains('\n') && begin.is_some_and(|rest| !rest.starts_with(['"', '\'']));
    let blank = text.len() - text.trim_start_matches('\n').len();
    let before = line(inner).saturating_sub(1).saturating_sub(blank as u64);
    let moved = |line: u64| match (block, line) {
        (_, 0) => 0,
        (true, line) => line + before,
        (false, _) => self::line(inner),
    };
    let read = documents(text).and_then(|mut documents| match (documents.len(), documents.pop()) {
        (_, None) => Ok(Config::default()),
        (1, Some(document)) => Reader::read(&document),
        (found, _) => Err(one(0, ConfigProblem::SeveralDocuments { found })),
    });
    match read {
        Ok(mut config) => {
            for entry in &mut config.entries {
                entry.line = moved(entry.line);
                for rule in &mut entry.rules {
                    rule.line = moved(rule.line);
                }
            }
            Ok(config)
        }
        Err(mut errors) => {
            for error in &mut errors.0 {
                error.line = moved(error.line);
            }
            Err(errors)
        }
    }
}
