//! The `ConfigMap` that MIG Manager reads.

use crate::mig_parted::Config;

/// MIG Manager's `ConfigMap`: the operator finds it if `migManager.config.name` of its `ClusterPolicy`
/// names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMap {
    /// Its name.
    pub name: String,
    /// The namespace the operator runs in.
    pub namespace: String,
    /// What stands under the key `config.yaml`.
    pub config: Config,
}

/// The `ConfigMap` is larger than Kubernetes stores.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the ConfigMap would have {bytes} bytes, but Kubernetes stores at most {most} (leave out the standard entries, or plan with fewer node configurations)"
)]
pub struct ConfigMapTooLarge {
    /// Size of `config.yaml`.
    pub bytes: usize,
    /// Most there may be.
    pub most: usize,
}

impl ConfigMap {
    /// The name it has if nobody chooses another.
    pub const DEFAULT_NAME: &'static str = "migsaw-mig-config";
    /// The namespace the GPU Operator's documentation installs it to.
    pub const DEFAULT_NAMESPACE: &'static str = "gpu-operator";
    /// Most bytes of data in a `ConfigMap` (1 MiB, `MaxSecretSize` in Kubernetes' validation).
    pub const MAX_BYTES: usize = 1 << 20;

    /// The `ConfigMap` with the default name in the default namespace.
    pub fn new(config: Config) -> ConfigMap {
        ConfigMap { name: Self::DEFAULT_NAME.to_owned(), namespace: Self::DEFAULT_NAMESPACE.to_owned(), config }
    }

    /// What stands under the key `config.yaml`.
    ///
    /// # Errors
    /// [`ConfigMapTooLarge`] if Kubernetes would refuse it.
    pub fn text(&self) -> Result<String, ConfigMapTooLarge> {
        let (text, most) = (self.config.to_string(), Self::MAX_BYTES);
        if text.len() > most { Err(ConfigMapTooLarge { bytes: text.len(), most }) } else { Ok(text) }
    }

    /// The manifest, for `kubectl apply -f`.
    ///
    /// # Errors
    /// [`ConfigMapTooLarge`] if Kubernetes would refuse it.
    pub fn to_yaml(&self) -> Result<String, ConfigMapTooLarge> {
        let config = self.text()?;
        let quoted = crate::yaml::quoted;
        let mut text = format!(
            "# Configurations for NVIDIA's MIG Manager. Let the ClusterPolicy name it: migManager.config.name={name}\n\
             apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name_quoted}\n  namespace: {namespace}\n  labels:\n    \
             app.kubernetes.io/managed-by: migsaw\ndata:\n  config.yaml: |\n",
            name = self.name.replace(['\n', '\r'], " "),
            name_quoted = quoted(&self.name),
            namespace = quoted(&self.namespace),
        );
        for line in config.lines() {
            text.push_str("    ");
            text.push_str(line);
            text.push('\n');
        }
        Ok(text)
    }
}
