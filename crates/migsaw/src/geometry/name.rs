//! Profile names: `1g.10gb`, `1g.10gb+me`, `1g.24gb-me`, `1c.3g.40gb`.

use std::fmt;
use std::str::FromStr;

/// A MIG profile's name, as the driver, mig-parted and Kubernetes write it.
///
/// A name is not a key: `1g.10gb` is the double-memory slice on an A100-40GB and the plain one
/// on an 80 GB board. What it means is decided by [`Model::profile`](super::Model::profile).
///
/// The grammar is go-nvlib's: `[<C>c.]<G>g.<M>gb` followed by `+attr[,attr…]` or `-attr[,attr…]`.
///
/// ```
/// use migsaw::geometry::ProfileName;
/// let name: ProfileName = "1g.10gb+me".parse()?;
/// assert_eq!(name.resource(), "nvidia.com/mig-1g.10gb.me");
/// assert_eq!(ProfileName::from_resource("nvidia.com/mig-1g.10gb.me"), Some(name));
/// assert!("3g40gb".parse::<ProfileName>().is_err());
/// # Ok::<(), migsaw::geometry::InvalidProfileName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileName {
    slices: u8,
    gigabytes: u32,
    attributes: Attributes,
    compute_instance: Option<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Attributes {
    None,
    With(Vec<String>),
    Without(Vec<String>),
}

/// The text is no profile name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a MIG profile name (expected like `1g.10gb`, `1g.10gb+me` or `1c.3g.40gb`)")]
pub struct InvalidProfileName {
    /// The refused text.
    pub text: String,
}

impl ProfileName {
    /// The resource prefix under which the device plugin advertises MIG devices in mixed strategy.
    pub const RESOURCE_PREFIX: &'static str = "nvidia.com/mig-";

    /// Compute slices of the GPU instance, as the name says (the number before `g`).
    pub fn slices(&self) -> u8 {
        self.slices
    }

    /// Memory as the name says, in GB (rounded; see the profile's `memory_mib` for what is usable).
    pub fn gigabytes(&self) -> u32 {
        self.gigabytes
    }

    /// Compute slices of the compute instance in `1c.3g.40gb` forms, `None` for a whole GPU instance.
    pub fn compute_instance(&self) -> Option<u8> {
        self.compute_instance
    }

    /// The GPU instance's name: `3g.40gb` for `1c.3g.40gb`.
    #[must_use]
    pub fn gpu_instance(&self) -> ProfileName {
        ProfileName { compute_instance: None, ..self.clone() }
    }

    /// A compute instance's name in such a GPU instance: `1c.3g.40gb` for `3g.40gb`.
    pub(super) fn divided(&self, compute_slices: u8) -> ProfileName {
        ProfileName { compute_instance: Some(compute_slices), ..self.clone() }
    }

    /// Whether it has the same attributes, as `+me` is one.
    pub(crate) fn has_same_attributes(&self, other: &ProfileName) -> bool {
        self.attributes == other.attributes
    }

    /// Whether it has no attributes.
    pub(crate) fn is_plain(&self) -> bool {
        self.attributes == Attributes::None
    }

    /// The attributes behind a `+`, as mig-parted sorts by them; empty for none.
    pub(super) fn added_attributes(&self) -> String {
        match &self.attributes {
            Attributes::With(list) => list.join(","),
            Attributes::None | Attributes::Without(_) => String::new(),
        }
    }

    /// The extended resource's full name, as the device plugin writes it: `+` becomes `.`, `-` stays.
    pub fn resource(&self) -> String {
        format!("{}{}", Self::RESOURCE_PREFIX, self.label_form())
    }

    /// The name in the alphabet of Kubernetes labels and resources: `1g.10gb.me`.
    pub fn label_form(&self) -> String {
        self.to_string().replace(['+', ','], ".")
    }

    /// Reads an extended resource's name, `nvidia.com/mig-1g.10gb.me`; `None` if it is no MIG resource
    /// or not well formed.
    pub fn from_resource(resource: &str) -> Option<ProfileName> {
        Self::from_label_form(resource.strip_prefix(Self::RESOURCE_PREFIX)?)
    }

    /// Reads `1g.10gb.me` (attributes behind a dot) as well as `1g.10gb+me`.
    pub fn from_label_form(text: &str) -> Option<ProfileName> {
        if let Some((base, attribute)) = text.split_once("gb.") {
            return format!("{base}gb+{attribute}").parse().ok();
        }
        text.parse().ok()
    }
}

impl FromStr for ProfileName {
    type Err = InvalidProfileName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidProfileName { text: text.chars().take(80).collect() })
    }
}

fn parse(text: &str) -> Option<ProfileName> {
    let (head, tail) = text.split_once("gb")?;
    let mut parts = head.split('.').rev();
    let gigabytes = number(parts.next()?)?;
    let slices = u8::try_from(number(parts.next()?.strip_suffix('g')?)?).ok()?;
    let compute_instance = match parts.next() {
        Some(part) => Some(u8::try_from(number(part.strip_suffix('c')?)?).ok()?),
        None => None,
    };
    if parts.next().is_some() || compute_instance.is_some_and(|c| c == 0 || c > slices) {
        return None;
    }
    let attributes = match (tail.strip_prefix('+'), tail.strip_prefix('-')) {
        (Some(list), _) => Attributes::With(attribute_list(list)?),
        (_, Some(list)) => Attributes::Without(attribute_list(list)?),
        _ if tail.is_empty() => Attributes::None,
        _ => return None,
    };
    Some(ProfileName { slices, gigabytes, attributes, compute_instance })
}

/// A decimal number without sign or leading zeros, so that printing gives the text back.
fn number(text: &str) -> Option<u32> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// Attributes between commas, each once.
fn attribute_list(text: &str) -> Option<Vec<String>> {
    let mut list: Vec<String> = Vec::new();
    for attribute in text.split(',') {
        let valid = attribute.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.')
            && attribute.starts_with(|c: char| c.is_ascii_lowercase())
            && !attribute.ends_with('.')
            && !list.iter().any(|earlier| earlier == attribute);
        if !valid {
            return None;
        }
        list.push(attribute.to_owned());
    }
    Some(list)
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(compute) = self.compute_instance {
            write!(f, "{compute}c.")?;
        }
        write!(f, "{}g.{}gb", self.slices, self.gigabytes)?;
        match &self.attributes {
            Attributes::None => Ok(()),
            Attributes::With(list) => write!(f, "+{}", list.join(",")),
            Attributes::Without(list) => write!(f, "-{}", list.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parses() {
        for text in [
            "1g.10gb",
            "1g.10gb+me",
            "1g.24gb+me.all",
            "4g.96gb+gfx",
            "1g.24gb-me",
            "1c.3g.40gb",
            "2c.7g.80gb+me,gfx",
            "1g.0gb",
        ] {
            assert_eq!(text.parse::<ProfileName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        for text in [
            "",
            "1g",
            "g.10gb",
            "1g.gb",
            "01g.10gb",
            "1g.10gb+",
            "1g.10gb+me,",
            "1g.10gb+me-gfx",
            "4c.3g.40gb",
            "0c.3g.40gb",
            "1g.10GB",
            "1g.10gb ",
            "1g.99999999999gb",
            "-1g.10gb",
            "1x.1c.3g.40gb",
            "1g.10gb\u{e9}",
            "1g.10gb+me,me",
        ] {
            assert!(text.parse::<ProfileName>().is_err(), "{text}");
        }
    }

    #[test]
    fn resource_names_round_trip() {
        for (name, resource) in [
            ("1g.10gb", "nvidia.com/mig-1g.10gb"),
            ("1g.24gb+me.all", "nvidia.com/mig-1g.24gb.me.all"),
            ("1g.24gb-me", "nvidia.com/mig-1g.24gb-me"),
        ] {
            let name: ProfileName = name.parse().unwrap();
            assert_eq!(name.resource(), resource);
            assert_eq!(ProfileName::from_resource(resource), Some(name));
        }
        assert_eq!(ProfileName::from_resource("nvidia.com/gpu"), None);
    }
}
