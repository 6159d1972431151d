//! What claims ask for, and what they hold.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::ProfileName;

use super::super::quantity::{MOST, whole};
use super::super::wire::{PodSpec, Status};
use super::DRIVER;
use super::selector::{self, Condition};
use super::slices::{Kind, Published};
use super::wire::{ClaimSpec, ClassSpec, DeviceConstraint, DeviceRequest, Exact};
use crate::names::GPU;

/// A claim, or a template for claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Claim {
    asks: Result<Ask, String>,
    /// Devices of the driver that it holds, by pool and name; `None` if nothing is allocated yet.
    allocated: Option<Vec<(String, String)>>,
    /// The pods that may use it.
    pub(super) pods: BTreeSet<String>,
}

/// What a claim asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ask {
    /// As if it were asked for by resources: `nvidia.com/mig-1g.10gb`, or `nvidia.com/gpu` for whole GPUs.
    pub(super) resources: BTreeMap<String, u64>,
    /// Devices of classes of which the claim does not tell whether they are GPUs; none of a class from which
    /// the claim selects further, so that the class alone would not tell either.
    pub(super) classes: BTreeMap<String, u64>,
    /// Whether all must be on one GPU.
    pub(super) same_gpu: bool,
    /// Whether there are conditions that planning does not look at.
    pub(super) more: bool,
}

impl Ask {
    pub(super) fn add(&mut self, resource: String, count: u64) {
        let known = self.resources.entry(resource).or_default();
        *known = known.saturating_add(count).min(MOST);
    }

    pub(super) fn add_classes(&mut self, classes: BTreeMap<String, u64>) {
        for (class, count) in classes {
            let known = self.classes.get(&class).copied();
            let is_told = count > 0 && known != Some(0);
            self.classes.insert(class, if is_told { known.unwrap_or(0).saturating_add(count) } else { 0 });
        }
    }
}

/// A class of devices that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Class {
    /// The resource that one of its devices stands for; `None` if it does not tell.
    pub(super) resource: Option<String>,
    /// Whether pods may ask for it as for a resource.
    pub(in super::super) is_extended: bool,
}

impl Class {
    pub(in super::super) fn of(spec: &ClassSpec) -> Class {
        let is_extended = !spec.extended_resource_name.is_empty();
        let conditions: Option<Vec<Vec<Condition>>> =
            spec.selectors.iter().map(|selector| selector::conditions(&selector.cel.expression)).collect();
        let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for condition in conditions.iter().flatten().flatten() {
            if let Condition::Attribute { name, value } = condition {
                values.entry(name.clone()).or_default().insert(value.clone());
            }
        }
        let kind = values.remove("type").unwrap_or_default();
        let profiles = values.remove("profile").unwrap_or_default();
        let is = |kinds: &[&str]| kind.len() <= 1 && kind.iter().all(|kind| kinds.contains(&kind.as_str()));
        let resource = match (profiles.len(), profiles.first()) {
            // There may be conditions that are not looked at.
            _ if !values.is_empty() || conditions.is_none() => None,
            (1, Some(profile)) if is(&["mig"]) => profile.parse::<ProfileName>().ok().map(|name| name.resource()),
            (0, _) if is(&["gpu"]) && !kind.is_empty() => Some(GPU.to_owned()),
            _ => None,
        };
        Class { resource, is_extended }
    }
}

/// Claims by namespace and name.
pub(in super::super) type Claims = BTreeMap<(String, String), Claim>;

/// How a pod comes to a claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum ClaimUse {
    /// By its name.
    Named(String),
    /// By a template, of which no claim has been made yet.
    Template(String),
    /// It was made for its extended resources.
    Extended(String),
}

/// The claims of a pod, as its spec and its status name them.
pub(in super::super) fn uses(spec: &PodSpec, status: &Status) -> Vec<ClaimUse> {
    let made = |name: &str| status.resource_claim_statuses.iter().find(|made| made.name == name);
    let of_spec = spec.resource_claims.iter().filter_map(|claim| {
        match (made(&claim.name), &claim.resource_claim_name, &claim.resource_claim_template_name) {
            // A status without a name says that no claim is needed.
            (Some(made), None, _) => made.resource_claim_name.clone().map(ClaimUse::Named),
            (_, Some(name), _) => Some(ClaimUse::Named(name.clone())),
            (None, None, Some(template)) => Some(ClaimUse::Template(template.clone())),
            (None, None, None) => None,
        }
    });
    let extended = status.extended_resource_claim.as_ref().map(|made| made.resource_claim_name.clone());
    of_spec.chain(extended.filter(|name| !name.is_empty()).map(ClaimUse::Extended)).collect()
}

impl Claim {
    pub(in super::super) fn of(spec: ClaimSpec, status: Status) -> Claim {
        let mut spec = spec;
        // A template has the claim's spec inside its own.
        while let Some(inside) = spec.spec.take() {
            spec = *inside;
        }
        let allocated = status.allocation.map(|allocation| {
            let held = allocation.devices.results.into_iter();
            let held = held.filter(|device| device.driver == DRIVER && device.admin_access != Some(true));
            held.map(|device| (device.pool, device.device)).collect()
        });
        let pods = status.reserved_for.into_iter().filter(|consumer| consumer.resource == "pods");
        Claim {
            asks: asked(spec.devices.requests, &spec.devices.constraints),
            allocated,
            pods: pods.map(|consumer| consumer.name).collect(),
        }
    }

    /// The devices it holds, by pool and name.
    pub(in super::super) fn held(&self) -> &[(String, String)] {
        self.allocated.as_deref().unwrap_or_default()
    }

    /// What it asks for: what it was given, or else what its spec says. A sentence if neither can be told.
    pub(super) fn ask(&self, published: &Published) -> Result<Ask, String> {
        let given = self.allocated.as_ref().and_then(|allocated| given(allocated, published));
        match (given, &self.asks) {
            // Somebody else's devices only; the claim's own classes are no riddle any more.
            (Some(Ok(ask)), _) if ask.resources.is_empty() => Ok(ask),
            (Some(Ok(ask)), Ok(asked)) => Ok(Ask { same_gpu: asked.same_gpu, more: asked.more, ..ask }),
            (Some(Ok(ask)), Err(_)) => Ok(Ask { more: true, ..ask }),
            (Some(Err(problem)), _) => Err(problem),
            (None, asked) => asked.clone(),
        }
    }
}

/// What these devices are; `None` if the driver does not publish one of them.
fn given(allocated: &[(String, String)], published: &Published) -> Option<Result<Ask, String>> {
    let mut ask = Ask::default();
    for (pool, name) in allocated {
        match &published.device(pool, name)?.kind {
            Kind::Whole => ask.add(GPU.to_owned(), 1),
            Kind::Mig { profile: Some(profile), .. } => ask.add(profile.resource(), 1),
            Kind::Mig { profile: None, .. } => {
                return Some(Err(format!(
                    "device {name} does not say its profile (expected an attribute like 1g.10gb)"
                )));
            }
            Kind::Other => return Some(Err(format!("device {name} is neither a GPU with MIG off nor an instance"))),
        }
    }
    Some(Ok(ask))
}

/// What some requests ask for; a sentence if that cannot be told.
fn asked(requests: Vec<DeviceRequest>, constraints: &[DeviceConstraint]) -> Result<Ask, String> {
    let mut ask = Ask::default();
    let names: BTreeSet<String> = requests.iter().map(|request| request.name.clone()).collect();
    for constraint in constraints {
        let is_of_all = constraint.requests.is_empty() || names.iter().all(|name| constraint.requests.contains(name));
        if is_of_all && constraint.match_attribute == format!("{DRIVER}/parentUUID") {
            ask.same_gpu = true;
        } else {
            ask.more = true;
        }
    }
    for request in requests {
        if !request.first_available.is_empty() {
            return Err(format!("request {} leaves the choice (firstAvailable)", request.name));
        }
        let name = request.name.clone();
        let exact = request.into_exact();
        if exact.admin_access == Some(true) {
            continue;
        }
        let count = match (exact.allocation_mode.as_str(), &exact.count) {
            ("" | "ExactCount", None) => 1,
            ("" | "ExactCount", Some(count)) => {
                whole(&count.0).ok_or_else(|| format!("request {name} asks for `{}` devices", shortened(&count.0)))?
            }
            (mode, _) => {
                return Err(format!("request {name} asks for {} devices (expected ExactCount)", shortened(mode)));
            }
        };
        match resource(&name, &exact)? {
            Some(resource) => ask.add(resource, count),
            // The channels of the vendor's other driver come beside GPUs.
            None if exact.device_class_name.starts_with("compute-domain-") => {}
            None => {
                let known = ask.classes.entry(shortened(&exact.device_class_name)).or_default();
                *known = if exact.selectors.is_empty() { known.saturating_add(count) } else { 0 };
            }
        }
    }
    ask.resources.retain(|_, count| *count > 0);
    Ok(ask)
}

/// The resource that a request stands for; `None` if it may be something else than a GPU.
fn resource(name: &str, request: &Exact) -> Result<Option<String>, String> {
    let mut profiles = BTreeSet::new();
    let mut unclear = None;
    let class = request.device_class_name.as_str();
    for selector in &request.selectors {
        let expression = &selector.cel.expression;
        match selector::conditions(expression) {
            Some(conditions) => {
                for condition in conditions {
                    match condition {
                        Condition::Attribute { name, value } if name == "profile" => drop(profiles.insert(value)),
                        Condition::Attribute { name, value }
                            if name == "type" && matches!((class, value.as_str()), (MIG, "mig") | (DRIVER, "gpu")) => {}
                        Condition::Driver => {}
                        Condition::Attribute { .. } => unclear = Some(expression),
                    }
                }
            }
            None => unclear = Some(expression),
        }
    }
    let is_known = matches!(class, MIG | DRIVER) || !profiles.is_empty();
    if let Some(expression) = unclear.filter(|_| is_known) {
        let expression = shortened(expression.trim());
        return Err(format!("request {name} selects by `{expression}` (expected {EXAMPLE} and no more)"));
    }
    match (class, profiles.len()) {
        (VFIO, _) => Err(format!("request {name} asks for a GPU to pass through")),
        (DRIVER, 0) => Ok(Some(GPU.to_owned())),
        (MIG, 0) => Err(format!("request {name} takes any MIG device (expected a selector like {EXAMPLE})")),
        (_, 0) => Ok(None),
        (_, 1) => {
            let profile = profiles.first().map(String::as_str).unwrap_or_default();
            let named: ProfileName = profile.parse().map_err(|error| format!("request {name}: {error}"))?;
            Ok(Some(named.resource()))
        }
        _ => Err(format!("request {name} asks for several profiles at once")),
    }
}

/// The class of MIG devices.
const MIG: &str = "mig.nvidia.com";
/// The class of GPUs to pass through.
const VFIO: &str = "vfio.gpu.nvidia.com";
const EXAMPLE: &str = "device.attributes['gpu.nvidia.com'].profile == '1g.10gb'";

fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}
