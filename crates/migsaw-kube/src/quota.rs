//! Quotas as manifests.

use std::fmt::Write as _;

use migsaw::quota::Proposal;

use crate::yaml::quoted;

/// What the quotas are called.
const NAME: &str = "migsaw-gpus";
/// What they do not count.
const CLAIMS: &str = "GPUs that pods ask for through ResourceClaims are not counted by these names.";

/// A `ResourceQuota` for each proposal, for `kubectl apply -f`. Resources are named `requests.NAME`, which is the only
/// way in which Kubernetes counts an extended resource. Devices of claims are not among them, which the text says.
/// `remark` is a line about them.
///
/// ```
/// use std::collections::BTreeMap;
/// use migsaw::quota::{Proposal, Resource};
/// let hard = BTreeMap::from([(Resource::Profile("1g.10gb".parse()?), 14)]);
/// let text = migsaw_kube::quota::manifest(&[Proposal { namespace: Some("chat".to_owned()), hard }], "from a plan");
/// assert!(text.ends_with("    \"requests.nvidia.com/mig-1g.10gb\": \"14\"\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn manifest(proposals: &[Proposal], remark: &str) -> String {
    let remark = remark.replace(['\n', '\r'], " ");
    let mut text = format!("# kubectl apply -f <this file>\n# {remark}\n# {CLAIMS}\n");
    for (index, proposal) in proposals.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        write!(text, "apiVersion: v1\nkind: ResourceQuota\nmetadata:\n  name: {NAME}\n").expect("a string grows");
        if let Some(namespace) = &proposal.namespace {
            writeln!(text, "  namespace: {}", quoted(namespace)).expect("a string grows");
        }
        text.push_str("spec:\n  hard:\n");
        for (resource, n) in &proposal.hard {
            let name = quoted(&format!("requests.{}", resource.name()));
            writeln!(text, "    {name}: \"{n}\"").expect("a string grows");
        }
    }
    text
}
