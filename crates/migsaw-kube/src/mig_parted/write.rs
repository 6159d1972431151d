//! Prints a configuration file.

use std::fmt;

use super::config::{Config, Devices, Entry, Rule};
use crate::yaml::quoted;

/// The file, entries in their order; reading it gives the same configuration.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("version: v1\n")?;
        if !self.entries.is_empty() {
            f.write_str("mig-configs:\n")?;
        }
        self.entries.iter().try_for_each(|entry| write_entry(f, entry))
    }
}

fn write_entry(f: &mut fmt::Formatter<'_>, entry: &Entry) -> fmt::Result {
    writeln!(f, "  {}:", key(&entry.name))?;
    entry.rules.iter().try_for_each(|rule| write_rule(f, rule))
}

fn write_rule(f: &mut fmt::Formatter<'_>, rule: &Rule) -> fmt::Result {
    let mut begin = "    - ";
    if !rule.device_filter.is_empty() {
        let filters: Vec<String> = rule.device_filter.iter().map(|filter| quoted(&filter.0)).collect();
        writeln!(f, "{begin}device-filter: [{}]", filters.join(", "))?;
        begin = "      ";
    }
    match &rule.devices {
        Devices::All => writeln!(f, "{begin}devices: all")?,
        Devices::Indices(indices) => {
            let indices: Vec<String> = indices.iter().map(u32::to_string).collect();
            writeln!(f, "{begin}devices: [{}]", indices.join(", "))?;
        }
    }
    writeln!(f, "      mig-enabled: {}", rule.mig_enabled)?;
    match (rule.mig_enabled, rule.mig_devices.is_empty()) {
        (false, true) => Ok(()),
        (true, true) => f.write_str("      mig-devices: {}\n"),
        (_, false) => {
            f.write_str("      mig-devices:\n")?;
            rule.mig_devices
                .iter()
                .try_for_each(|(name, count)| writeln!(f, "        {}: {count}", quoted(&name.to_string())))
        }
    }
}

/// A key, in quotes unless it cannot be taken for anything but a string.
fn key(name: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && !WORDS.contains(&name.to_ascii_lowercase().as_str());
    if plain { name.to_owned() } else { quoted(name) }
}
