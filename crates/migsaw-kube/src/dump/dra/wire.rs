//! The parts of `resource.k8s.io` that matter here, of v1, v1beta2 and v1beta1 at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::super::quantity::Scalar;
use super::super::wire::nullable;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the spec of a ResourceSlice")]
pub(in super::super) struct SliceSpec {
    #[serde(deserialize_with = "nullable")]
    pub(super) driver: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) pool: Pool,
    #[serde(deserialize_with = "nullable")]
    pub(super) node_name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) devices: Vec<WireDevice>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a resource pool")]
pub(super) struct Pool {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    pub(super) generation: Option<Scalar>,
    pub(super) resource_slice_count: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a device")]
pub(super) struct WireDevice {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    /// Where v1beta1 has the rest.
    pub(super) basic: Option<Traits>,
    #[serde(deserialize_with = "nullable")]
    attributes: BTreeMap<String, Attribute>,
    #[serde(deserialize_with = "nullable")]
    capacity: Keys,
    #[serde(deserialize_with = "nullable")]
    consumes_counters: Vec<Consumption>,
}

/// What a device is and takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a device's attributes and capacity")]
pub(super) struct Traits {
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: BTreeMap<String, Attribute>,
    #[serde(deserialize_with = "nullable")]
    pub(super) capacity: Keys,
    #[serde(deserialize_with = "nullable")]
    pub(super) consumes_counters: Vec<Consumption>,
}

impl WireDevice {
    /// Its name and the rest, from where the version has it.
    pub(super) fn into_parts(self) -> (String, Traits) {
        let WireDevice { name, basic, attributes, capacity, consumes_counters } = self;
        (name, basic.unwrap_or(Traits { attributes, capacity, consumes_counters }))
    }
}

/// The keys of a map; what they stand for does not matter here.
#[derive(Debug, Default)]
pub(super) struct Keys(pub(super) BTreeSet<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of names to quantities")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some((key, IgnoredAny)) = map.next_entry()? {
            keys.insert(key);
        }
        Ok(Keys(keys))
    }
}

/// A value of an attribute; only text matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a value like {\"string\": \"mig\"}")]
pub(super) struct Attribute {
    pub(super) string: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "what a device consumes of a counter set")]
pub(super) struct Consumption {
    #[serde(deserialize_with = "nullable")]
    pub(super) counters: Keys,
}

/// The spec of a claim, or of a template for claims, which has it once more inside.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the spec of a ResourceClaim")]
pub(in super::super) struct ClaimSpec {
    #[serde(deserialize_with = "nullable")]
    pub(super) devices: DeviceClaim,
    pub(super) spec: Option<Box<ClaimSpec>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the devices of a claim")]
pub(super) struct DeviceClaim {
    #[serde(deserialize_with = "nullable")]
    pub(super) requests: Vec<DeviceRequest>,
    #[serde(deserialize_with = "nullable")]
    pub(super) constraints: Vec<DeviceConstraint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a request for devices")]
pub(super) struct DeviceRequest {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    /// Where v1beta1 has no such member, its own members are the request's.
    exactly: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    pub(super) first_available: Vec<IgnoredAny>,
    #[serde(deserialize_with = "nullable")]
    device_class_name: String,
    #[serde(deserialize_with = "nullable")]
    selectors: Vec<Selector>,
    #[serde(deserialize_with = "nullable")]
    allocation_mode: String,
    count: Option<Scalar>,
    admin_access: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a request for devices")]
pub(super) struct Exact {
    #[serde(deserialize_with = "nullable")]
    pub(super) device_class_name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) selectors: Vec<Selector>,
    #[serde(deserialize_with = "nullable")]
    pub(super) allocation_mode: String,
    pub(super) count: Option<Scalar>,
    pub(super) admin_access: Option<bool>,
}

impl DeviceRequest {
    /// What is asked for, from where the version has it.
    pub(super) fn into_exact(self) -> Exact {
        let DeviceRequest { exactly, device_class_name, selectors, allocation_mode, count, admin_access, .. } = self;
        exactly.unwrap_or(Exact { device_class_name, selectors, allocation_mode, count, admin_access })
    }
}

/// The spec of a class of devices.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the spec of a DeviceClass")]
pub(in super::super) struct ClassSpec {
    #[serde(deserialize_with = "nullable")]
    pub(super) selectors: Vec<Selector>,
    #[serde(deserialize_with = "nullable")]
    pub(super) extended_resource_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a device selector")]
pub(super) struct Selector {
    #[serde(deserialize_with = "nullable")]
    pub(super) cel: Cel,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a CEL selector")]
pub(super) struct Cel {
    #[serde(deserialize_with = "nullable")]
    pub(super) expression: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a constraint on devices")]
pub(super) struct DeviceConstraint {
    #[serde(deserialize_with = "nullable")]
    pub(super) requests: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) match_attribute: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the allocation of a claim")]
pub(in super::super) struct Allocation {
    #[serde(deserialize_with = "nullable")]
    pub(super) devices: AllocatedDevices,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the devices of an allocation")]
pub(super) struct AllocatedDevices {
    #[serde(deserialize_with = "nullable")]
    pub(super) results: Vec<AllocatedDevice>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "an allocated device")]
pub(super) struct AllocatedDevice {
    #[serde(deserialize_with = "nullable")]
    pub(super) driver: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) pool: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) device: String,
    pub(super) admin_access: Option<bool>,
}

/// Who may use a claim.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a consumer of a claim")]
pub(in super::super) struct Consumer {
    #[serde(deserialize_with = "nullable")]
    pub(super) resource: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
}

/// A claim as a pod's spec names it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a pod's resource claim")]
pub(in super::super) struct PodClaim {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    pub(super) resource_claim_name: Option<String>,
    pub(super) resource_claim_template_name: Option<String>,
}

/// The claim that was made of a template for a pod.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the status of a pod's resource claim")]
pub(in super::super) struct PodClaimStatus {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    pub(super) resource_claim_name: Option<String>,
}

/// The claim that was made for a pod's extended resources.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the status of a pod's extended resources")]
pub(in super::super) struct ExtendedClaimStatus {
    #[serde(deserialize_with = "nullable")]
    pub(super) resource_claim_name: String,
}
