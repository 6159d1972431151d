//! Objects as a watch takes them: only what is needed is read, and one that cannot be read stops nothing.

use std::borrow::Cow;
use std::collections::HashSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::scheduling::{Budget, Change, NodeObject, Pod};

/// An object of a watch, or why it cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Watched<T> {
    /// Its version only: by that a watch goes on.
    meta: ObjectMeta,
    pub(super) object: Result<T, String>,
}

#[derive(Deserialize)]
struct Versioned {
    metadata: Version,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Version {
    name: String,
    resource_version: Option<String>,
}

impl<'de, T: Read> Deserialize<'de> for Watched<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Watched<T>, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        match serde_json::from_str::<T>(text.get()) {
            Ok(object) => Ok(Watched { meta: versioned(object.version()), object: Ok(object) }),
            Err(error) => {
                let Versioned { metadata } = serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
                let message = format!("{}: {error}", metadata.name);
                Ok(Watched { meta: versioned(metadata.resource_version), object: Err(message) })
            }
        }
    }
}

fn versioned(resource_version: Option<String>) -> ObjectMeta {
    ObjectMeta { resource_version, ..ObjectMeta::default() }
}

/// What can be read of an object.
pub(super) trait Read: DeserializeOwned {
    fn version(&self) -> Option<String>;
}

impl Read for NodeObject {
    fn version(&self) -> Option<String> {
        self.version.clone()
    }
}

impl Read for Pod {
    fn version(&self) -> Option<String> {
        self.version.clone()
    }
}

impl Read for Budget {
    fn version(&self) -> Option<String> {
        self.version.clone()
    }
}

/// What is told of the objects of a kind.
pub(super) trait Listed: Read {
    /// The kind, as the API calls it.
    const KIND: &'static str;
    /// What tells an object from others.
    fn key(&self) -> String;
    fn there(self) -> Change;
    fn gone(key: String) -> Change;
    /// After a list: these are all.
    fn all(keys: HashSet<String>) -> Change;
}

impl Listed for NodeObject {
    const KIND: &'static str = "nodes";

    fn key(&self) -> String {
        self.name().to_owned()
    }

    fn there(self) -> Change {
        Change::Node(self)
    }

    fn gone(key: String) -> Change {
        Change::NodeGone(key)
    }

    fn all(keys: HashSet<String>) -> Change {
        Change::NodesAre(keys)
    }
}

impl Listed for Pod {
    const KIND: &'static str = "pods";

    fn key(&self) -> String {
        self.uid.clone()
    }

    fn there(self) -> Change {
        Change::Pod(Box::new(self))
    }

    fn gone(key: String) -> Change {
        Change::PodGone(key)
    }

    fn all(keys: HashSet<String>) -> Change {
        Change::PodsAre(keys)
    }
}

impl Listed for Budget {
    const KIND: &'static str = "poddisruptionbudgets";

    fn key(&self) -> String {
        Budget::key(self)
    }

    fn there(self) -> Change {
        Change::Budget(Box::new(self))
    }

    fn gone(key: String) -> Change {
        Change::BudgetGone(key)
    }

    fn all(keys: HashSet<String>) -> Change {
        Change::BudgetsAre(keys)
    }
}

/// Of a `ResourceSlice`: whose GPUs NVIDIA's driver publishes in it.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) name: String,
    pub(super) node: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct SliceObject {
    metadata: Version,
    spec: SliceSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SliceSpec {
    driver: String,
    node_name: Option<String>,
}

impl<'de> Deserialize<'de> for Slice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Slice, D::Error> {
        let SliceObject { metadata, spec } = SliceObject::deserialize(deserializer)?;
        let node = spec.node_name.filter(|_| spec.driver == crate::names::CLAIMS_DRIVER);
        Ok(Slice { name: metadata.name, node, version: metadata.resource_version })
    }
}

impl Read for Slice {
    fn version(&self) -> Option<String> {
        self.version.clone()
    }
}

/// Where a kind is in the API.
macro_rules! resource {
    ($kind:ty, $scope:ty, $name:literal, $plural:literal, $group:literal, $api:literal) => {
        impl Resource for Watched<$kind> {
            type DynamicType = ();
            type Scope = $scope;

            fn kind((): &()) -> Cow<'_, str> {
                $name.into()
            }

            fn group((): &()) -> Cow<'_, str> {
                $group.into()
            }

            fn version((): &()) -> Cow<'_, str> {
                $api.into()
            }

            fn plural((): &()) -> Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &ObjectMeta {
                &self.meta
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.meta
            }
        }
    };
}

resource!(NodeObject, ClusterResourceScope, "Node", "nodes", "", "v1");
resource!(Pod, NamespaceResourceScope, "Pod", "pods", "", "v1");
resource!(Budget, NamespaceResourceScope, "PodDisruptionBudget", "poddisruptionbudgets", "policy", "v1");
resource!(Slice, ClusterResourceScope, "ResourceSlice", "resourceslices", "resource.k8s.io", "v1");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_cannot_be_read_keeps_its_version() {
        let text = r#"{"metadata": {"name": "s", "resourceVersion": "7"}, "spec": {"driver": 5}}"#;
        let watched: Watched<Slice> = serde_json::from_str(text).unwrap();
        assert_eq!(watched.meta().resource_version.as_deref(), Some("7"));
        assert!(watched.object.unwrap_err().starts_with("s: invalid type"));
    }

    #[test]
    fn slices_of_other_drivers_are_on_no_node() {
        let node = |driver: &str| {
            let text = format!(r#"{{"metadata": {{"name": "s"}}, "spec": {{"driver": "{driver}", "nodeName": "n"}}}}"#);
            serde_json::from_str::<Watched<Slice>>(&text).unwrap().object.unwrap().node
        };
        assert_eq!((node("gpu.nvidia.com"), node("compute-domain.nvidia.com")), (Some("n".to_owned()), None));
    }
}
