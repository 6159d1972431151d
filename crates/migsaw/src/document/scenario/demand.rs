//! Demands, from the form to the domain.

use std::collections::BTreeMap;

use super::form::DemandForm;
use super::selector;
use crate::demand::{Demand, Eligibility, Request, Together};
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::path::Path;
use crate::document::{code, name};
use crate::fleet::Fleet;
use crate::geometry::{Catalog, ProfileName, nearest};

/// The ways to say what one unit needs.
const REQUESTS: &str = "`profile`, `profiles`, `atLeast` and `wholeGpus`";

/// The demand, or `None` if something is wrong with it, which then is in `found`. The fleet only serves
/// to suggest names.
pub(super) fn convert(
    form: &DemandForm,
    fleet: &Fleet,
    catalog: &Catalog,
    path: &Path,
    found: &mut Diagnostics,
) -> Option<Demand> {
    let before = found.len();
    name::check(&form.name, "demand", &path.key("name"), found);
    if let Some(namespace) = &form.namespace {
        name::check(namespace, "namespace", &path.key("namespace"), found);
    }
    if let Some(kind) = &form.workload {
        name::check(kind, "workload", &path.key("workload"), found);
    }
    let request = Requests { form, fleet, catalog, path, found }.read();
    let eligible = Eligibility {
        pools: form.pools.clone(),
        selector: selector::node_selector(form, path, found),
        tolerations: selector::tolerations(form, path, found),
        strategy: form.strategy.map(Into::into),
    };
    let demand = Demand {
        name: form.name.clone(),
        namespace: form.namespace.clone(),
        count: form.count,
        priority: form.priority,
        request: request?,
        eligible,
        max_per_node: form.max_per_node,
        workload: form.workload.clone(),
    };
    (found.len() == before).then_some(demand)
}

struct Requests<'a> {
    form: &'a DemandForm,
    fleet: &'a Fleet,
    catalog: &'a Catalog,
    path: &'a Path,
    found: &'a mut Diagnostics,
}

impl Requests<'_> {
    fn read(mut self) -> Option<Request> {
        let form = self.form;
        let given = [
            ("profile", form.profile.is_some()),
            ("profiles", form.profiles.is_some()),
            ("atLeast", form.at_least.is_some()),
            ("wholeGpus", form.whole_gpus.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter(|(_, is)| *is).map(|(field, _)| field).collect();
        if given.is_empty() {
            let message = format!("nothing is asked for: one of {REQUESTS} is missing");
            self.add(code::MISSING_FIELD, self.path.clone(), message);
        }
        if let [_, second, ..] = given[..] {
            let message = format!("{} exclude each other (give one)", given.join(" and "));
            self.add(code::EXCLUSIVE_FIELDS, self.path.key(second), message);
        }
        if form.instances.is_some() && (form.profiles.is_some() || form.whole_gpus.is_some()) {
            let message = "`instances` goes with `profile` and `atLeast` only".to_owned();
            self.add(code::EXCLUSIVE_FIELDS, self.path.key("instances"), message);
        }
        if form.same_gpu && form.whole_gpus.is_some_and(|gpus| gpus > 1) {
            let message = "several whole GPUs cannot be on the same GPU (drop `sameGpu`)".to_owned();
            self.add(code::EXCLUSIVE_FIELDS, self.path.key("sameGpu"), message);
        }
        let requests = [self.profile(), self.profiles(), self.at_least(), self.whole_gpus()];
        requests.into_iter().flatten().next()
    }

    fn together(&self) -> Together {
        if self.form.same_gpu { Together::Gpu } else { Together::Node }
    }

    fn profile(&mut self) -> Option<Request> {
        let name = self.known_profile(self.form.profile.as_ref()?, &self.path.key("profile"))?;
        let instances = BTreeMap::from([(name, self.form.instances.unwrap_or(1))]);
        Some(Request::Profiles { instances, together: self.together() })
    }

    fn profiles(&mut self) -> Option<Request> {
        let mut instances = BTreeMap::new();
        let mut complete = true;
        for (text, count) in self.form.profiles.as_ref()? {
            match self.known_profile(text, &self.path.key("profiles").key(text)) {
                Some(name) => _ = instances.insert(name, *count),
                None => complete = false,
            }
        }
        complete.then_some(Request::Profiles { instances, together: self.together() })
    }

    fn at_least(&mut self) -> Option<Request> {
        let form = self.form.at_least.as_ref()?;
        let path = self.path.key("atLeast");
        if form.memory.is_none() && form.compute.is_none() {
            let message = "give `memory`, `compute` or both".to_owned();
            self.add(code::MISSING_FIELD, path, message);
            return None;
        }
        let memory_mib = match form.memory.as_ref().map(|memory| (memory, memory.to_mib())) {
            None => 0,
            Some((_, Ok(mib))) => mib,
            Some((memory, Err(error))) => {
                let diagnostic = Diagnostic::new(code::INVALID_QUANTITY, path.key("memory"), error.to_string());
                self.found.push(diagnostic.help(memory.suggestion()));
                return None;
            }
        };
        Some(Request::AtLeast {
            memory_mib,
            compute_slices: form.compute.unwrap_or(1),
            instances: self.form.instances.unwrap_or(1),
            together: self.together(),
        })
    }

    fn whole_gpus(&self) -> Option<Request> {
        self.form.whole_gpus.map(|gpus| Request::WholeGpus { gpus })
    }

    /// A profile that some model of the catalogue has.
    fn known_profile(&mut self, text: &str, path: &Path) -> Option<ProfileName> {
        let name: ProfileName = match text.parse() {
            Ok(name) => name,
            Err(error) => {
                let error: crate::geometry::InvalidProfileName = error;
                let help = format!("did you mean {}?", self.nearest_profiles(text).join(", "));
                let diagnostic = Diagnostic::new(code::INVALID_PROFILE_NAME, path.clone(), error.to_string());
                self.found.push(diagnostic.help(help));
                return None;
            }
        };
        if self.catalog.models().any(|model| model.profile(&name).is_some()) {
            return Some(name);
        }
        let nearest = self.nearest_profiles(text).join(", ");
        let message = format!("no GPU model has a profile `{name}` (nearest: {nearest})");
        self.add(code::UNKNOWN_PROFILE, path.clone(), message);
        None
    }

    /// Profiles of the fleet's models, or of any if there are none, that look like the text.
    fn nearest_profiles(&self, text: &str) -> Vec<String> {
        let groups = self.fleet.pools.iter().flat_map(|pool| &pool.gpus);
        let mut names: Vec<String> =
            groups.flat_map(|group| &group.model.profiles).map(|profile| profile.name.to_string()).collect();
        if names.is_empty() {
            names = self.catalog.models().flat_map(|m| &m.profiles).map(|profile| profile.name.to_string()).collect();
        }
        names.sort();
        names.dedup();
        nearest(text, names)
    }

    fn add(&mut self, code: &'static str, path: Path, message: String) {
        self.found.push(Diagnostic::new(code, path, message));
    }
}
