//! Where the binaries are.

use std::path::PathBuf;

/// The folder with the binaries.
#[derive(Debug, Clone)]
pub(crate) struct Binaries(PathBuf);

const NEEDED: [&str; 5] = ["etcd", "helm", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

impl Binaries {
    /// The folder, if all of them are in it; else says what is missing.
    pub(crate) fn find() -> Result<Binaries, String> {
        let folder = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).or_else(cache).unwrap_or_default();
        let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !folder.join(name).exists()).collect();
        if missing.is_empty() {
            return Ok(Binaries(folder));
        }
        let missing = missing.join(", ");
        Err(format!("{} has no {missing}: `just control-plane` builds them (KUBEBUILDER_ASSETS)", folder.display()))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Where `tests/control-plane/build` puts them.
fn cache() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("migsaw/control-plane"))
}
