//! What pods ask for through claims, put among what they ask for by resources.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::collect::{Asking, Collection, Origin, Pod, Workload, described};
use super::super::quantity::MOST;
use super::super::warning::WarningCode;
use super::claims::{Ask, ClaimUse};
use super::slices::Published;

/// What a pod asks for through its claims.
#[derive(Debug, Default)]
struct Asked {
    ask: Ask,
    /// The same for claims that stand for resources it asks for already.
    extended: Ask,
    /// How many claims there are in `ask`.
    claims: u32,
    /// Devices it holds, by pool and name.
    held: Vec<(String, String)>,
    /// The claim that it shares with a pod that counts for both.
    shared: Option<(String, String)>,
    /// Whether other pods count as this one.
    is_shared: bool,
    /// Why it cannot be told what it asks for.
    problem: Option<String>,
}

impl Asked {
    fn add(&mut self, ask: Ask, is_extended: bool) {
        let into = if is_extended { &mut self.extended } else { &mut self.ask };
        for (resource, count) in ask.resources {
            into.add(resource, count);
        }
        into.add_classes(ask.classes);
        into.same_gpu |= ask.same_gpu;
        into.more |= ask.more;
        self.claims += u32::from(!is_extended);
    }
}

impl Collection {
    /// Puts what claims ask for among the resources of pods and workloads, and leaves out those of which it cannot
    /// be told. Of pods that share a claim one counts, and it stays where it is: moving it alone would move nothing.
    pub(in super::super) fn settle_claims(&mut self, published: &Published) {
        let mut reserved: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for ((namespace, name), claim) in &self.claims {
            for pod in &claim.pods {
                reserved.entry((namespace, pod)).or_default().push(name);
            }
        }
        let mut pods = std::mem::take(&mut self.pods);
        for pod in &mut pods {
            let names = reserved.get(&(pod.asking.namespace.as_str(), &*pod.name)).into_iter().flatten();
            let known = |name: &str| {
                pod.claims.iter().any(|claim| matches!(claim, ClaimUse::Named(n) | ClaimUse::Extended(n) if n == name))
            };
            let new: Vec<ClaimUse> =
                names.filter(|name| !known(name)).map(|&name| ClaimUse::Extended(name.to_owned())).collect();
            pod.claims.extend(new);
        }
        let mut users: BTreeMap<(String, String), u32> = BTreeMap::new();
        for pod in &pods {
            for claim in &pod.claims {
                if let ClaimUse::Named(name) = claim {
                    *users.entry((pod.asking.namespace.clone(), name.clone())).or_default() += 1;
                }
            }
        }
        // A pod that runs counts rather than one that waits.
        let mut order: Vec<usize> = (0..pods.len()).collect();
        order.sort_by_key(|&index| pods[index].node.is_none());
        let mut first: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut kept: Vec<Option<Pod>> = pods.into_iter().map(Some).collect();
        for index in order {
            let Some(pod) = kept[index].take() else { continue };
            let asked = self.asked_by_pod(&pod, published, &users, &mut first);
            kept[index] = self.settled(pod, asked);
        }
        self.pods = kept.into_iter().flatten().collect();
        let workloads = std::mem::take(&mut self.workloads);
        self.workloads =
            workloads.into_iter().filter_map(|workload| self.settled_workload(workload, published)).collect();
    }

    fn asked_by_pod(
        &self,
        pod: &Pod,
        published: &Published,
        users: &BTreeMap<(String, String), u32>,
        first: &mut BTreeMap<(String, String), String>,
    ) -> Asked {
        let mut asked = Asked::default();
        for claim in &pod.claims {
            let (name, is_extended) = match claim {
                ClaimUse::Named(name) => (name, false),
                ClaimUse::Extended(name) => (name, true),
                ClaimUse::Template(name) => {
                    match self.asked_by_template(&pod.asking.namespace, name) {
                        Ok(ask) => asked.add(ask, false),
                        Err(problem) => asked.problem = Some(problem),
                    }
                    continue;
                }
            };
            let key = (pod.asking.namespace.clone(), name.clone());
            let Some(found) = self.claims.get(&key) else {
                // What it holds is then not known, but what it asks for may be.
                if !is_extended || pod.asking.resources.is_empty() {
                    asked.problem = Some(format!("claim {name} is not in the dump (get resourceclaims too)"));
                }
                continue;
            };
            if users.get(&key).is_some_and(|&users| users > 1) {
                if let Some(pod) = first.get(&key) {
                    asked.shared = Some((pod.clone(), name.clone()));
                    continue;
                }
                first.insert(key, pod.name.to_string());
                asked.is_shared = true;
            }
            asked.held.extend_from_slice(found.held());
            match found.ask(published) {
                Ok(ask) => asked.add(ask, is_extended),
                // The resources say it too.
                Err(_) if is_extended && !pod.asking.resources.is_empty() => {}
                Err(problem) => asked.problem = Some(format!("claim {name}: {problem}")),
            }
        }
        asked
    }

    fn asked_by_template(&self, namespace: &str, name: &str) -> Result<Ask, String> {
        let template = self.claim_templates.get(&(namespace.to_owned(), name.to_owned()));
        let template = template
            .ok_or_else(|| format!("claim template {name} is not in the dump (get resourceclaimtemplates too)"))?;
        // Nothing is given to a template, so nothing published matters.
        template.ask(&Published::default()).map_err(|problem| format!("claim template {name}: {problem}"))
    }

    /// The pod with all that it asks for; `None` if that is nothing, or cannot be told.
    fn settled(&mut self, mut pod: Pod, asked: Asked) -> Option<Pod> {
        let object = described("Pod", &pod.asking.namespace, if pod.name.is_empty() { "unnamed" } else { &pod.name });
        let has_resources = !pod.asking.resources.is_empty();
        let Asked { ask, extended, claims, held, shared, is_shared, problem } = asked;
        let (ask, extended) = (self.with_classes(ask), self.with_classes(extended));
        let (ask, by_extended) =
            if has_resources || !ask.resources.is_empty() { (ask, false) } else { (sum(ask, extended), true) };
        if let Some((other, claim)) = shared {
            let message = format!("shares its devices with pod {other} through claim {claim}: they were counted once");
            self.warnings.add(WarningCode::ClaimShared, &object, message);
            if !has_resources && ask.resources.is_empty() && problem.is_none() {
                return None;
            }
        }
        if let Some(problem) = problem.or_else(|| self.doubt(&ask, has_resources)) {
            self.unclear_nodes.extend(pod.node.as_deref().map(str::to_owned));
            self.warn_of_claims(&object, &problem, has_resources);
            if !has_resources {
                return None;
            }
            pod.held = held;
            return Some(pod);
        }
        if !has_resources && ask.resources.is_empty() {
            self.skipped.pods_without_gpu += 1;
            return None;
        }
        self.warn_of_more(&object, &ask);
        pod.held = held;
        pod.stays |= is_shared;
        pod.asking = self.asking_also(&pod.asking, ask, claims == 1 || by_extended);
        Some(pod)
    }

    /// The same for a workload, by the templates its pods name.
    fn settled_workload(&mut self, mut workload: Workload, published: &Published) -> Option<Workload> {
        if workload.claims.is_empty() {
            return Some(workload);
        }
        let Asking { namespace, owner, .. } = &*workload.asking;
        let object = described(&owner.kind, namespace, &owner.name);
        let mut asked = Asked::default();
        for claim in &workload.claims {
            let ask = match claim {
                ClaimUse::Template(name) => self.asked_by_template(namespace, name),
                ClaimUse::Named(name) | ClaimUse::Extended(name) => {
                    match self.claims.get(&(namespace.clone(), name.clone())).map(|claim| claim.ask(published)) {
                        Some(Ok(ask)) if ask.resources.is_empty() && ask.classes.is_empty() => Ok(ask),
                        _ => Err(format!(
                            "claim {name} is one for all of its pods, which count once they are in the dump"
                        )),
                    }
                }
            };
            match ask {
                Ok(ask) => asked.add(ask, false),
                Err(problem) => asked.problem = Some(problem),
            }
        }
        let has_resources = !workload.asking.resources.is_empty();
        let Asked { ask, claims, problem, .. } = asked;
        let ask = self.with_classes(ask);
        if let Some(problem) = problem.or_else(|| self.doubt(&ask, has_resources)) {
            self.warn_of_claims(&object, &problem, has_resources);
            return has_resources.then_some(workload);
        }
        if !has_resources && ask.resources.is_empty() {
            if workload.above.is_none() {
                self.skipped.workloads_without_gpu += 1;
            }
            // As without claims: a manifest ends the pods there are, even if it makes none that ask for GPUs.
            workload.replicas = Some(0);
            let ends = matches!(workload.origin, Origin::Manifest { .. }) && workload.asking.owner.kind != "CronJob";
            return ends.then_some(workload);
        }
        self.warn_of_more(&object, &ask);
        workload.asking = self.asking_also(&workload.asking, ask, claims == 1);
        Some(workload)
    }

    /// The same with the devices of classes that tell what they are.
    fn with_classes(&self, mut ask: Ask) -> Ask {
        for (class, count) in std::mem::take(&mut ask.classes) {
            match self.device_classes.get(&class).and_then(|class| class.resource.clone()).filter(|_| count > 0) {
                Some(resource) => ask.add(resource, count),
                None => drop(ask.classes.insert(class, count)),
            }
        }
        ask
    }

    /// Why classes leave a doubt. They do only where nothing else is asked for: channels and network cards come beside
    /// GPUs.
    fn doubt(&self, ask: &Ask, has_resources: bool) -> Option<String> {
        let (class, _) = ask.classes.first_key_value().filter(|_| !has_resources && ask.resources.is_empty())?;
        let why = if self.device_classes.contains_key(class) {
            "does not select by one profile and nothing else"
        } else {
            "is not in the dump (get deviceclasses too)"
        };
        Some(format!("class {class} {why}"))
    }

    fn warn_of_claims(&mut self, object: &str, problem: &str, has_resources: bool) {
        let end = if has_resources { "only its resources were counted" } else { "it was left out" };
        let message = format!("{problem}, so what it asks for cannot be told: {end}");
        self.warnings.add(WarningCode::ResourceClaims, object, message);
    }

    fn warn_of_more(&mut self, object: &str, ask: &Ask) {
        if ask.more {
            let message = "has claims with conditions on devices that planning does not look at";
            self.warnings.add(WarningCode::RulesIgnored, object, message);
        }
    }

    /// The same with what claims ask for. `is_alone` says that it is one claim that does. Which GPUs a claim gets only
    /// its own conditions say, whatever the pod is annotated with.
    fn asking_also(&mut self, asking: &Arc<Asking>, ask: Ask, is_alone: bool) -> Arc<Asking> {
        if ask.resources.is_empty() {
            return Arc::clone(asking);
        }
        let same_gpu = ask.same_gpu && is_alone && asking.resources.is_empty();
        let mut all = Asking { same_gpu, by_claims: true, ..Asking::clone(asking) };
        for (resource, count) in ask.resources {
            let known = all.resources.entry(resource).or_default();
            *known = known.saturating_add(count).min(MOST);
        }
        self.share(all)
    }
}

fn sum(mut ask: Ask, other: Ask) -> Ask {
    for (resource, count) in other.resources {
        ask.add(resource, count);
    }
    ask.add_classes(other.classes);
    ask.same_gpu |= other.same_gpu;
    ask.more |= other.more;
    ask
}
