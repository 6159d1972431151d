//! What a pod asks for in all, as the scheduler counts it.
//!
//! Sidecars are init containers that keep running (`restartPolicy: Always`). A pod needs the larger of
//! what runs together in the end (containers and sidecars) and what any init container needs beside
//! the sidecars started before it; plus the overhead of its runtime class. This is the rule of
//! KEP-753, resource by resource.

use std::collections::{BTreeMap, BTreeSet};

use super::quantity::{MOST, thousandths, whole};
use super::wire::{Container, GpuResources, PodSpec};

/// A quantity that is no whole number of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadQuantity {
    pub(super) resource: String,
    pub(super) text: String,
}

/// The GPU resources a pod asks for, those with zero left out.
pub(super) fn of_pod(pod: &PodSpec) -> Result<BTreeMap<String, u64>, BadQuantity> {
    let all = pod.containers.iter().chain(&pod.init_containers);
    let keys =
        all.flat_map(|c| c.resources.requests.0.keys().chain(c.resources.limits.0.keys())).chain(pod.overhead.0.keys());
    let names: BTreeSet<&String> = keys.collect();
    let mut total = BTreeMap::new();
    for name in names {
        let amount = amount_of(pod, name)?;
        if amount > MOST {
            return Err(BadQuantity { resource: name.clone(), text: amount.to_string() });
        }
        if amount > 0 {
            total.insert(name.clone(), amount);
        }
    }
    Ok(total)
}

fn amount_of(pod: &PodSpec, resource: &str) -> Result<u64, BadQuantity> {
    total(pod, |container| asked_by(container, resource), || Ok(quantity(&pod.overhead, resource)?.unwrap_or(0)))
}

/// The pod's amount of what `of` says of each container.
fn total<E>(
    pod: &PodSpec,
    of: impl Fn(&Container) -> Result<u64, E>,
    overhead: impl FnOnce() -> Result<u64, E>,
) -> Result<u64, E> {
    let mut together = 0_u64;
    for container in &pod.containers {
        together = together.saturating_add(of(container)?);
    }
    let mut sidecars = 0_u64;
    let mut peak = 0_u64;
    for container in &pod.init_containers {
        let amount = of(container)?;
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars = sidecars.saturating_add(amount);
        } else {
            peak = peak.max(sidecars.saturating_add(amount));
        }
    }
    Ok(together.saturating_add(sidecars).max(peak).saturating_add(overhead()?))
}

/// What a pod requests besides GPUs, in thousandths: CPU, memory and so on. `None` if a quantity is none. What the pod
/// requests as a whole goes before what its containers do.
pub(super) fn others_of_pod(pod: &PodSpec) -> Option<BTreeMap<String, u64>> {
    let in_thousandths = |resources: &GpuResources, name: &str| {
        let found = resources.1.iter().find(|(known, _)| known == name);
        found.map_or(Ok(0), |(_, scalar)| thousandths(&scalar.0).ok_or(()))
    };
    let all = pod.containers.iter().chain(&pod.init_containers).map(|container| &container.resources.requests);
    let all = all.chain([&pod.resources.requests, &pod.overhead]);
    let names: BTreeSet<&String> = all.flat_map(|requests| &requests.1).map(|(name, _)| name).collect();
    let amount = |name: &String| {
        let overhead = || in_thousandths(&pod.overhead, name);
        if pod.resources.requests.1.iter().any(|(known, _)| known == name) {
            return Some(in_thousandths(&pod.resources.requests, name).ok()?.saturating_add(overhead().ok()?));
        }
        total(pod, |c| in_thousandths(&c.resources.requests, name), overhead).ok()
    };
    names.into_iter().map(|name| Some((name.clone(), amount(name)?))).collect()
}

/// Requests; for extended resources a limit alone counts as the request too.
fn asked_by(container: &Container, resource: &str) -> Result<u64, BadQuantity> {
    let request = quantity(&container.resources.requests, resource)?;
    let limit = quantity(&container.resources.limits, resource)?;
    Ok(request.or(limit).unwrap_or(0))
}

fn quantity(resources: &GpuResources, resource: &str) -> Result<Option<u64>, BadQuantity> {
    let Some(scalar) = resources.0.get(resource) else { return Ok(None) };
    match whole(&scalar.0) {
        Some(amount) => Ok(Some(amount)),
        None => Err(BadQuantity { resource: resource.to_owned(), text: scalar.0.chars().take(80).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, pod: &str, expected: &[(&str, u64)]) {
        let pod: PodSpec = serde_json::from_str(pod).unwrap();
        let expected = expected.iter().map(|(resource, n)| (format!("nvidia.com/{resource}"), *n)).collect();
        assert_eq!(of_pod(&pod), Ok(expected), "{name}");
    }

    fn container(resource: &str, n: u64) -> String {
        format!(r#"{{"resources":{{"limits":{{"nvidia.com/{resource}":"{n}","cpu":"500m"}}}}}}"#)
    }

    fn sidecar(resource: &str, n: u64) -> String {
        container(resource, n).replacen('{', r#"{"restartPolicy":"Always","#, 1)
    }

    #[test]
    fn counts_like_the_scheduler() {
        let [one, two, three] = [1, 2, 3].map(|n| container("gpu", n));
        let side = sidecar("gpu", 1);
        let pod = |init: &[&String], main: &[&String]| {
            let list = |items: &[&String]| items.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(",");
            format!(r#"{{"initContainers":[{}],"containers":[{}]}}"#, list(init), list(main))
        };
        check("containers add up", &pod(&[], &[&one, &two]), &[("gpu", 3)]);
        check("an init container alone counts by its peak", &pod(&[&three], &[&one]), &[("gpu", 3)]);
        check("init containers run one after the other", &pod(&[&two, &two], &[&one]), &[("gpu", 2)]);
        check("a sidecar runs beside the containers", &pod(&[&side], &[&two]), &[("gpu", 3)]);
        check("a sidecar runs beside later init containers", &pod(&[&side, &three], &[&one]), &[("gpu", 4)]);
        check("but not beside earlier ones", &pod(&[&three, &side], &[&one]), &[("gpu", 3)]);
        let mig = container("mig-1g.10gb", 1);
        check("resources are counted one by one", &pod(&[&mig], &[&two]), &[("gpu", 2), ("mig-1g.10gb", 1)]);
        check("nothing", &pod(&[], &[&container("gpu", 0)]), &[]);
        check("null lists", r#"{"containers":null,"initContainers":null,"overhead":null}"#, &[]);
    }

    #[test]
    fn overhead_is_added_and_requests_go_before_limits() {
        check(
            "overhead",
            r#"{"overhead":{"nvidia.com/gpu":1},"containers":[{"resources":{"requests":{"nvidia.com/gpu":2},"limits":{"nvidia.com/gpu":2}}}]}"#,
            &[("gpu", 3)],
        );
        check(
            "other resources",
            r#"{"containers":[{"resources":{"limits":{"nvidia.com/gpumem":5,"amd.com/gpu":1}}}]}"#,
            &[],
        );
    }

    #[test]
    fn other_resources_are_counted_in_thousandths() {
        let container = |cpu: &str, memory: &str| {
            format!(r#"{{"resources":{{"requests":{{"cpu":"{cpu}","memory":"{memory}","nvidia.com/gpu":"1"}}}}}}"#)
        };
        let pod = format!(
            r#"{{"initContainers":[{}],"containers":[{},{}],"overhead":{{"cpu":"50m"}}}}"#,
            container("2", "1Mi"),
            container("250m", "64Mi"),
            container("0.5", "1k")
        );
        let found = others_of_pod(&serde_json::from_str(&pod).unwrap());
        let memory = (64 * 1024 * 1024 + 1000) * 1000;
        assert_eq!(found, Some(BTreeMap::from([("cpu".to_owned(), 2050), ("memory".to_owned(), memory)])));
        // What the pod requests as a whole goes before.
        let pod = format!(
            r#"{{"resources":{{"requests":{{"cpu":"8"}}}},"containers":[{}],"overhead":{{"cpu":"50m"}}}}"#,
            container("2", "1k")
        );
        let found = others_of_pod(&serde_json::from_str(&pod).unwrap());
        assert_eq!(found, Some(BTreeMap::from([("cpu".to_owned(), 8050), ("memory".to_owned(), 1_000_000)])));
        let odd = format!(r#"{{"containers":[{}]}}"#, container("some", "1"));
        assert_eq!(others_of_pod(&serde_json::from_str(&odd).unwrap()), None);
    }

    #[test]
    fn odd_quantities_are_named() {
        for (text, shown) in
            [(r#""99999999999999999999""#, "99999999999999999999"), ("-1", "-1"), ("0.5", "0.5"), (r#""two""#, "two")]
        {
            let pod = format!(r#"{{"containers":[{{"resources":{{"limits":{{"nvidia.com/gpu":{text}}}}}}}]}}"#);
            let pod: PodSpec = serde_json::from_str(&pod).unwrap();
            let error = of_pod(&pod).unwrap_err();
            assert_eq!((error.resource.as_str(), error.text.as_str()), ("nvidia.com/gpu", shown));
        }
        let billion = container("gpu", 1_000_000_000);
        let pod: PodSpec = serde_json::from_str(&format!(r#"{{"containers":[{billion},{billion}]}}"#)).unwrap();
        assert_eq!(of_pod(&pod).unwrap_err().text, "2000000000");
    }
}
