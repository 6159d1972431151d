//! The demand: what is asked for, how often, and where it may go.

use std::collections::BTreeMap;

use crate::fleet::{Pool, Strategy, Taint};
use crate::geometry::ProfileName;

/// `count` times the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The name, unique within its namespace.
    pub name: String,
    /// Kubernetes namespace or tenant.
    pub namespace: Option<String>,
    /// How many units are asked for. A unit is what must be served together: usually one pod.
    pub count: u64,
    /// Higher goes first, as with Kubernetes priorities.
    pub priority: i32,
    /// What one unit needs.
    pub request: Request,
    /// Where it may go.
    pub eligible: Eligibility,
    /// Most units of this demand on one node.
    pub max_per_node: Option<u32>,
    /// Kind of the Kubernetes object that makes its pods, like `Deployment` or `Job`. Plans do not look at it;
    /// [`advice`](crate::advice) does.
    pub workload: Option<String>,
}

/// An amount of memory in MiB as people read it: in GiB where that is exact.
///
/// ```
/// use migsaw::demand::memory;
/// assert_eq!((memory(16384), memory(1500), memory(0)), ("16 GiB".into(), "1,500 MiB".into(), "0 MiB".into()));
/// assert_eq!(memory(1_234_567), "1,234,567 MiB");
/// ```
pub fn memory(mib: u64) -> String {
    let (number, unit) = if mib > 0 && mib.is_multiple_of(1024) { (mib / 1024, "GiB") } else { (mib, "MiB") };
    let (mut groups, mut rest) = (Vec::new(), number);
    while rest >= 1000 {
        groups.push(format!("{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.push(rest.to_string());
    groups.reverse();
    format!("{} {unit}", groups.join(","))
}

/// What one unit needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Instances of profiles by name, all on one node. On every board where a name exists it means
    /// what that board's driver makes of it.
    Profiles {
        /// Instances by name, each at least one.
        instances: BTreeMap<ProfileName, u32>,
        /// Whether they must share one GPU.
        together: Together,
    },
    /// Instances with at least so much memory and compute, of any profile of any model that gives it.
    /// All instances of one unit have the same profile name, since a pod asks for one resource.
    AtLeast {
        /// Usable memory in MiB.
        memory_mib: u64,
        /// Compute slices.
        compute_slices: u8,
        /// How many such instances, at least one, all on one node.
        instances: u32,
        /// Whether they must share one GPU.
        together: Together,
    },
    /// Whole GPUs with MIG off (`nvidia.com/gpu`), all on one node.
    WholeGpus {
        /// How many, at least one.
        gpus: u32,
    },
}

/// How close the instances of one unit must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Together {
    /// On one node.
    #[default]
    Node,
    /// On one GPU.
    Gpu,
}

/// Where a demand may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Eligibility {
    /// Only these pools, by name; `None` for any.
    pub pools: Option<Vec<String>>,
    /// Node labels it needs.
    pub selector: NodeSelector,
    /// Taints it tolerates.
    pub tolerations: Vec<Toleration>,
    /// Only nodes with this strategy (a pod that asks for `nvidia.com/mig-…` finds it on mixed
    /// nodes only); `None` for any.
    pub strategy: Option<Strategy>,
}

/// A condition on node labels: any of the terms, each of them all its requirements. Without terms it
/// accepts every node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSelector {
    /// The alternatives.
    pub terms: Vec<Vec<LabelRequirement>>,
}

/// One condition on one label, as in Kubernetes node affinity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelRequirement {
    /// The label.
    pub key: String,
    /// The condition.
    pub operator: Operator,
    /// The values it is compared with.
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label is missing or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is missing.
    DoesNotExist,
    /// The label is an integer above the one value.
    Gt,
    /// The label is an integer below the one value.
    Lt,
}

/// A toleration, as Kubernetes has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Toleration {
    /// The taint's key; `None` for any.
    pub key: Option<String>,
    /// The taint's value; `None` for any.
    pub value: Option<String>,
    /// The taint's effect; `None` for any.
    pub effect: Option<crate::fleet::Effect>,
}

/// Why a demand may not use a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ineligible {
    /// The demand lists other pools.
    Pool,
    /// A label is missing or wrong.
    Selector,
    /// A taint is not tolerated.
    Taint(Taint),
    /// The pool's strategy is not the one needed.
    Strategy(Strategy),
}

impl Demand {
    /// `count` times one instance of a profile, anywhere.
    pub fn of_profile(name: impl Into<String>, profile: ProfileName, count: u64) -> Demand {
        let instances = BTreeMap::from([(profile, 1)]);
        Demand::new(name, Request::Profiles { instances, together: Together::Node }, count)
    }

    /// `count` times a request, anywhere, at priority 0.
    pub fn new(name: impl Into<String>, request: Request, count: u64) -> Demand {
        Demand {
            name: name.into(),
            namespace: None,
            count,
            priority: 0,
            request,
            eligible: Eligibility::default(),
            max_per_node: None,
            workload: None,
        }
    }

    /// `namespace/name`, or the name alone.
    pub fn full_name(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Eligibility {
    /// Whether the demand may use the pool's nodes, and if not, why.
    ///
    /// # Errors
    /// The first condition that fails, in the order pool, strategy, selector, taint.
    pub fn admits(&self, pool: &Pool) -> Result<(), Ineligible> {
        if self.pools.as_ref().is_some_and(|pools| !pools.contains(&pool.name)) {
            return Err(Ineligible::Pool);
        }
        if let Some(needed) = self.strategy.filter(|&s| s != pool.strategy) {
            return Err(Ineligible::Strategy(needed));
        }
        if !self.selector.matches(&pool.labels) {
            return Err(Ineligible::Selector);
        }
        let tolerated = |taint: &&Taint| !taint.repels() || self.tolerations.iter().any(|t| t.tolerates(taint));
        match pool.taints.iter().find(|taint| !tolerated(taint)) {
            Some(taint) => Err(Ineligible::Taint(taint.clone())),
            None => Ok(()),
        }
    }
}

impl NodeSelector {
    /// The selector that needs all these labels.
    pub fn of_labels(labels: impl IntoIterator<Item = (String, String)>) -> NodeSelector {
        let requirement = |(key, value)| LabelRequirement { key, operator: Operator::In, values: vec![value] };
        let term: Vec<LabelRequirement> = labels.into_iter().map(requirement).collect();
        NodeSelector { terms: if term.is_empty() { Vec::new() } else { vec![term] } }
    }

    /// Whether a node with these labels is accepted.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.terms.is_empty() || self.terms.iter().any(|term| term.iter().all(|r| r.matches(labels)))
    }
}

impl LabelRequirement {
    /// Whether a node with these labels meets it.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.accepts(labels.get(&self.key).map(String::as_str))
    }

    /// Whether a node that has this value of the label meets it.
    pub fn accepts(&self, label: Option<&str>) -> bool {
        let is_listed = |label: &str| self.values.iter().any(|value| value == label);
        let number = |text: &str| text.parse::<i64>().ok();
        let bound = self.values.first().and_then(|value| number(value));
        let compare = |f: fn(i64, i64) -> bool| label.and_then(number).zip(bound).is_some_and(|(l, b)| f(l, b));
        match self.operator {
            Operator::In => label.is_some_and(is_listed),
            Operator::NotIn => !label.is_some_and(is_listed),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::Gt => compare(|l, b| l > b),
            Operator::Lt => compare(|l, b| l < b),
        }
    }
}

impl Toleration {
    /// Whether the taint is tolerated.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.key.as_ref().is_none_or(|key| *key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
            && self.effect.is_none_or(|effect| effect == taint.effect)
    }
}
