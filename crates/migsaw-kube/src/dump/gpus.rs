//! How many physical GPUs a node has.
//!
//! GPU feature discovery counts GPUs in `nvidia.com/gpu.count`, except on a node cut under strategy
//! `single`: there it counts MIG devices, and how many GPUs carry them is told by the configuration
//! only, if at all.

use migsaw::geometry::{Model, ProfileName};
use migsaw::problem::MAX_GPUS_PER_NODE;

use super::collect::Node;
use super::nodes::PRODUCT;
use crate::names::{CONFIG_LABEL, GPU, STATE_LABEL};

/// What a node's labels tell about its number of GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// So many.
    Exact(u32),
    /// MIG devices on at least `least` GPUs and at most `most`; `if_full` if each carries as many as it can.
    AtLeast { least: u32, most: u32, if_full: Option<u32> },
    /// Nothing.
    Unknown,
}

impl Count {
    /// Whether the count may be this.
    pub(super) fn allows(self, gpus: u32) -> bool {
        match self {
            Count::Exact(count) => gpus == count,
            Count::AtLeast { least, most, .. } => (least..=most).contains(&gpus),
            Count::Unknown => true,
        }
    }
}

/// The count for a node of this model, now cut to `cut` under strategy `single`, or advertising slices
/// under strategy `mixed` (`sliced`).
pub(super) fn count(node: &Node, model: &Model, cut: Option<&ProfileName>, sliced: bool) -> Count {
    let label = |key: &str| node.labels.get(key).map(String::as_str);
    let capacity = node.capacity.get(GPU).copied().filter(|_| !are_shared(node) && !sliced);
    let advertised = label("nvidia.com/gpu.count").and_then(|text| text.parse().ok()).or(capacity);
    let Some(devices) = advertised.and_then(|n: u64| u32::try_from(n).ok()).filter(|&n| n > 0) else {
        return Count::Unknown;
    };
    let Some(profile) = cut else { return within_reason(devices) };
    let Some(most) = model.profile(profile).map(|id| u32::from(model.get(id).max_instances)).filter(|&n| n > 0) else {
        return Count::Unknown;
    };
    if let Some(each) = devices_per_gpu(node, profile, most) {
        return if devices.is_multiple_of(each) { within_reason(devices / each) } else { Count::Unknown };
    }
    let least = devices.div_ceil(most);
    let if_full = (devices.is_multiple_of(most) && devices / most <= MAX_GPUS_PER_NODE).then_some(devices / most);
    if least == devices { within_reason(devices) } else { Count::AtLeast { least, most: devices, if_full } }
}

/// Whether each `nvidia.com/gpu` is a share of a GPU, by time-slicing or MPS.
pub(super) fn are_shared(node: &Node) -> bool {
    let label = |key: &str| node.labels.get(key).map(String::as_str);
    let replicas = label("nvidia.com/gpu.replicas").and_then(|text| text.parse::<u32>().ok()).unwrap_or(1);
    replicas > 1 || label(PRODUCT).is_some_and(|product| product.ends_with("-SHARED"))
}

/// A number of GPUs that a node may have.
pub(super) fn within_reason(gpus: u32) -> Count {
    if (1..=MAX_GPUS_PER_NODE).contains(&gpus) { Count::Exact(gpus) } else { Count::Unknown }
}

/// MIG devices on each GPU, if the node's configuration is applied and its name tells: the operator's
/// `all-1g.10gb` cuts every GPU as far as it goes, ours begin like `migsaw-4x1g.10gb-`.
fn devices_per_gpu(node: &Node, profile: &ProfileName, most: u32) -> Option<u32> {
    if node.labels.get(STATE_LABEL).is_some_and(|state| state != "success") {
        return None;
    }
    let config = node.labels.get(CONFIG_LABEL)?;
    let name = profile.label_form();
    if config.strip_prefix("all-").is_some_and(|rest| rest == name) {
        return Some(most);
    }
    let (summary, _hash) = config.strip_prefix("migsaw-")?.rsplit_once('-')?;
    let (number, of) = summary.split_once('x')?;
    number.parse().ok().filter(|&n| of == name && (1..=most).contains(&n))
}

#[cfg(test)]
mod tests {
    use migsaw::geometry::Catalog;

    use super::*;

    #[test]
    fn counts_gpus_not_slices() {
        let catalog = Catalog::builtin();
        let h100 = catalog.model("H100-80GB").unwrap();
        let check = |name: &str, count: &str, cut: Option<&str>, config: Option<(&str, &str)>, expected: Count| {
            let mut labels = vec![("nvidia.com/gpu.count", count)];
            if let Some((config, state)) = config {
                labels.extend([(CONFIG_LABEL, config), (STATE_LABEL, state)]);
            }
            let node = Node {
                name: "n".into(),
                labels: labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
                taints: Vec::new(),
                cordoned: false,
                ready: true,
                capacity: std::collections::BTreeMap::new(),
                allocatable: std::collections::BTreeMap::new(),
            };
            let cut = cut.map(|cut| cut.parse().unwrap());
            assert_eq!(super::count(&node, &h100, cut.as_ref(), false), expected, "{name}");
        };
        let open = |least, most, if_full| Count::AtLeast { least, most, if_full };
        check("MIG off", "8", None, None, Count::Exact(8));
        check("the operator's configuration", "14", Some("1g.10gb"), Some(("all-1g.10gb", "success")), Count::Exact(2));
        check("not applied yet", "14", Some("1g.10gb"), Some(("all-1g.10gb", "pending")), open(2, 14, Some(2)));
        check("ours", "8", Some("1g.10gb"), Some(("migsaw-4x1g.10gb-0123456789", "success")), Count::Exact(2));
        check("an unknown one", "8", Some("1g.10gb"), Some(("mine", "success")), open(2, 8, None));
        check("full by the numbers", "14", Some("1g.10gb"), None, open(2, 14, Some(2)));
        check("one slice per GPU", "8", Some("7g.80gb"), None, Count::Exact(8));
        check("a single slice", "1", Some("3g.40gb"), None, Count::Exact(1));
        check(
            "another configuration than the product says",
            "14",
            Some("1g.10gb"),
            Some(("all-2g.20gb", "success")),
            open(2, 14, Some(2)),
        );
        check("none", "0", None, None, Count::Unknown);
        check("nonsense", "many", None, None, Count::Unknown);
        check("more than there can be", "4000000000", None, None, Count::Unknown);
    }
}
