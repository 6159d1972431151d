//! Judges the tree of a configuration file, as strictly as mig-parted does (its `api/spec/v1`).

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::ProfileName;
use serde_saphyr::Spanned;

use super::config::{Config, Devices, Entry, Rule};
use super::device_filter::DeviceFilter;
use super::error::{ConfigError, ConfigErrors, ConfigProblem};
use super::tree::{Tree, line};

const FILE_FIELDS: &[&str] = &["version", "mig-configs"];
const RULE_FIELDS: &[&str] = &["device-filter", "devices", "mig-enabled", "mig-devices"];

/// Walks the tree and collects what is wrong.
#[derive(Default)]
pub(super) struct Reader {
    errors: Vec<ConfigError>,
}

impl Reader {
    pub(super) fn read(document: &Spanned<Tree>) -> Result<Config, ConfigErrors> {
        let mut reader = Reader::default();
        let config = reader.file(document);
        reader.errors.sort_by_key(|error| error.line);
        if reader.errors.is_empty() { Ok(config) } else { Err(ConfigErrors(reader.errors)) }
    }

    fn add(&mut self, line: u64, problem: ConfigProblem) {
        self.errors.push(ConfigError { line, problem });
    }

    fn wrong_type(&mut self, place: impl Into<String>, expected: &'static str, found: &Spanned<Tree>) {
        self.add(line(found), ConfigProblem::Type { place: place.into(), expected, found: found.value.kind() });
    }

    fn file(&mut self, document: &Spanned<Tree>) -> Config {
        let fields = match &document.value {
            Tree::Null => return Config::default(),
            Tree::Map(fields) if fields.is_empty() => return Config::default(),
            Tree::Map(fields) => fields,
            _ => {
                self.wrong_type("the file", "a map", document);
                return Config::default();
            }
        };
        self.unknown_fields("the file", fields, FILE_FIELDS);
        match document.value.get("version") {
            None => {
                self.add(
                    line(document),
                    ConfigProblem::MissingField { place: "the file".to_owned(), field: "version" },
                );
            }
            Some(version) => match &version.value {
                Tree::Text(text) if text == "v1" => {}
                Tree::Text(text) => {
                    let found = text.chars().take(80).collect();
                    self.add(line(version), ConfigProblem::UnknownVersion { found });
                }
                _ => self.wrong_type("`version`", "the string `v1`", version),
            },
        }
        let Some(configs) = document.value.get("mig-configs") else { return Config::default() };
        let entries = match &configs.value {
            Tree::Map(entries) => entries.as_slice(),
            Tree::Null => &[],
            _ => {
                self.wrong_type("`mig-configs`", "a map", configs);
                return Config::default();
            }
        };
        if entries.is_empty() {
            self.add(line(configs), ConfigProblem::Empty { place: "`mig-configs`".to_owned() });
        }
        Config { entries: entries.iter().map(|(name, rules)| self.entry(name, rules)).collect() }
    }

    fn unknown_fields(
        &mut self,
        place: &str,
        fields: &[(Spanned<String>, Spanned<Tree>)],
        known: &'static [&'static str],
    ) {
        for (field, _) in fields.iter().filter(|(field, _)| !known.contains(&field.value.as_str())) {
            let name = field.value.chars().take(80).collect();
            self.add(line(field), ConfigProblem::UnknownField { place: place.to_owned(), field: name, known });
        }
    }

    fn entry(&mut self, name: &Spanned<String>, rules: &Spanned<Tree>) -> Entry {
        let place = format!("`{}`", name.value.chars().take(80).collect::<String>());
        let mut entry = Entry { name: name.value.clone(), rules: Vec::new(), line: line(name) };
        match &rules.value {
            Tree::Null => self.add(line(name), ConfigProblem::Empty { place }),
            Tree::List(list) if list.is_empty() => self.add(line(name), ConfigProblem::Empty { place }),
            Tree::List(list) => entry.rules = list.iter().filter_map(|rule| self.rule(&place, rule)).collect(),
            _ => self.wrong_type(place, "a list", rules),
        }
        entry
    }

    fn rule(&mut self, place: &str, rule: &Spanned<Tree>) -> Option<Rule> {
        let Tree::Map(fields) = &rule.value else {
            self.wrong_type(format!("a rule of {place}"), "a map", rule);
            return None;
        };
        let at = line(rule);
        self.unknown_fields(place, fields, RULE_FIELDS);
        let device_filter =
            rule.value.get("device-filter").map(|filter| self.filter(place, filter)).unwrap_or_default();
        let devices = rule.value.get("devices");
        let enabled = rule.value.get("mig-enabled");
        for (field, value) in [("devices", devices), ("mig-enabled", enabled)] {
            if value.is_none() {
                self.add(at, ConfigProblem::MissingField { place: place.to_owned(), field });
            }
        }
        let devices = devices.map_or(Devices::All, |devices| self.devices(place, devices));
        let mig_enabled = enabled.and_then(|enabled| {
            match enabled.value {
                Tree::Bool(value) => return Some(value),
                // Go leaves a null at its zero value.
                Tree::Null => return Some(false),
                _ => {}
            }
            self.wrong_type(format!("`mig-enabled` of {place}"), "true or false", enabled);
            None
        });
        // A null map is none at all.
        let map = rule.value.get("mig-devices").filter(|map| !matches!(map.value, Tree::Null));
        let mig_devices = map.map(|map| self.mig_devices(place, map));
        match (mig_enabled, &mig_devices) {
            (Some(true), None) => self.add(at, ConfigProblem::DevicesMissing { place: place.to_owned() }),
            (Some(false), Some(devices)) if !devices.is_empty() => {
                self.add(at, ConfigProblem::DevicesWithoutMig { place: place.to_owned() });
            }
            _ => {}
        }
        Some(Rule {
            device_filter,
            devices,
            mig_enabled: mig_enabled.unwrap_or_default(),
            mig_devices: mig_devices.unwrap_or_default(),
            line: at,
        })
    }

    /// A string or a list of strings; an empty one filters nothing.
    fn filter(&mut self, place: &str, filter: &Spanned<Tree>) -> Vec<DeviceFilter> {
        let name = format!("`device-filter` of {place}");
        match &filter.value {
            Tree::Text(text) => Some(DeviceFilter(text.clone())).filter(|_| !text.is_empty()).into_iter().collect(),
            Tree::Null => Vec::new(),
            Tree::List(list) => list
                .iter()
                .filter_map(|item| {
                    if let Tree::Text(text) = &item.value {
                        return Some(DeviceFilter(text.clone()));
                    }
                    self.wrong_type(format!("each item of {name}"), "a string in quotes", item);
                    None
                })
                .collect(),
            _ => {
                self.wrong_type(name, "a string in quotes or a list of them", filter);
                Vec::new()
            }
        }
    }

    fn devices(&mut self, place: &str, devices: &Spanned<Tree>) -> Devices {
        let name = format!("`devices` of {place}");
        let mut indices = BTreeSet::new();
        match &devices.value {
            Tree::Text(text) if text == "all" => return Devices::All,
            Tree::Text(text) => {
                let found = text.chars().take(80).collect();
                self.add(line(devices), ConfigProblem::UnknownDevices { place: place.to_owned(), found });
            }
            Tree::List(list) => {
                for item in list {
                    match (&item.value, self.number(&name, item)) {
                        (_, Some(index)) => {
                            indices.insert(index);
                        }
                        (Tree::Integer(_) | Tree::Number(_), None) => {}
                        (_, None) => self.wrong_type(format!("each item of {name}"), "a GPU index", item),
                    }
                }
            }
            _ => self.wrong_type(name, "`all` or a list of GPU indices", devices),
        }
        Devices::Indices(indices)
    }

    fn mig_devices(&mut self, place: &str, map: &Spanned<Tree>) -> BTreeMap<ProfileName, u32> {
        let name = format!("`mig-devices` of {place}");
        let Tree::Map(entries) = &map.value else {
            self.wrong_type(name, "a map of profiles to counts", map);
            return BTreeMap::new();
        };
        let mut devices = BTreeMap::new();
        let mut judged = true;
        for (profile, count) in entries {
            let parsed = profile.value.parse::<ProfileName>();
            let place_of_count =
                format!("the count of {} in {place}", profile.value.chars().take(80).collect::<String>());
            let number = self.number(&place_of_count, count);
            if number.is_none() && !matches!(count.value, Tree::Integer(_) | Tree::Number(_)) {
                self.wrong_type(place_of_count, "a number", count);
            }
            match (parsed, number) {
                (Ok(parsed), Some(number)) => {
                    devices.insert(parsed, number);
                }
                (Ok(_), None) => judged = false,
                (Err(error), _) => {
                    judged = false;
                    self.add(line(profile), ConfigProblem::ProfileName { place: place.to_owned(), error });
                }
            }
        }
        if judged && !devices.is_empty() && devices.values().all(|&n| n == 0) {
            self.add(line(map), ConfigProblem::AllZero { place: place.to_owned() });
        }
        devices
    }

    /// A number that counts; what is no number at all is for the caller to say.
    fn number(&mut self, place: &str, value: &Spanned<Tree>) -> Option<u32> {
        let number = match &value.value {
            Tree::Integer(number) => u32::try_from(*number).ok(),
            Tree::Number(_) => None,
            _ => return None,
        };
        if number.is_none() {
            self.add(line(value), ConfigProblem::Number { place: place.to_owned(), found: value.value.shown() });
        }
        number
    }
}
