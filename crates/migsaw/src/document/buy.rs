//! The document of what is to be bought.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Decimal;
use super::capacity::LackForm;
use crate::buy::{Criterion, Lost, Need, Offer, Order, Purchase, Survive, TargetLine};
use crate::demand::{Request, memory};
use crate::document::API_VERSION;
use crate::problem::Problem;

/// What `kind` says in an answer about what is to be bought.
pub const KIND: &str = "Purchase";

/// The fewest nodes of each model: the output of `migsaw buy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Purchase")]
pub struct BuyDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Purchase`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// What has to be served.
    pub target: Vec<TargetForm>,
    /// Headroom that is part of it.
    pub headroom: String,
    /// What may be lost: `nothing`, `node`, or a label.
    pub survive: String,
    /// Nodes that are there and count.
    pub nodes: u64,
    /// GPUs that are there and count.
    pub gpus: u64,
    /// One for each model.
    pub offers: Vec<OfferForm>,
    /// What makes an offer the best. Documents from before there was this have fewest nodes here.
    #[serde(default)]
    pub criterion: CriterionForm,
    /// Index of the offer that is proven to be the best. Left out if nothing suffices, or the proof is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<usize>,
}

/// What makes an offer the best: least cost if all that may suffice have a price, else fewest nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Criterion")]
pub enum CriterionForm {
    /// Least cost.
    Cost,
    /// Fewest nodes.
    #[default]
    Nodes,
}

/// What has to be served of a demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Target")]
pub struct TargetForm {
    /// Its name, with the namespace.
    pub demand: String,
    /// What one unit asks for, in words.
    pub asks_for: String,
    /// Units asked for today.
    pub today: u64,
    /// Units with growth and headroom.
    pub target: u64,
}

/// How many nodes of one model it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Offer")]
pub struct OfferForm {
    /// The model.
    pub model: String,
    /// GPUs of a node.
    pub gpus_per_node: u32,
    /// The pool whose labels, taints and strategy new nodes have; left out for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// How many nodes.
    pub nodes: NeedForm,
    /// Price of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// What the nodes that suffice cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Decimal>,
    /// What each loss takes by itself.
    pub cases: Vec<CaseForm>,
}

/// How many nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Need")]
pub struct NeedForm {
    /// Whether some number may suffice; if not, that is proven.
    pub possible: bool,
    /// Fewer do not suffice, proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<u64>,
    /// So many suffice; left out if no number was found to. Exact if both are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
}

/// How many new nodes must be left after a loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Case")]
pub struct CaseForm {
    /// What is lost, in words: `nothing`, `node gpu-0`, `zone=a`.
    pub lost: String,
    /// How many.
    pub nodes: NeedForm,
    /// What would not be served with one less; or, if no number suffices, at all.
    pub lacks: Vec<LackForm>,
}

impl BuyDocument {
    /// The document of an answer.
    ///
    /// # Panics
    /// If the answer belongs to another problem.
    pub fn new(problem: &Problem, order: &Order, answer: &Purchase) -> BuyDocument {
        BuyDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            target: answer.target.iter().map(target).collect(),
            headroom: order.headroom.to_string(),
            survive: match &order.survive {
                Survive::Nothing => "nothing".to_owned(),
                Survive::Node => "node".to_owned(),
                Survive::Label { key, .. } => key.clone(),
            },
            nodes: answer.nodes,
            gpus: answer.gpus,
            offers: answer.offers.iter().map(|of| offer(problem, of)).collect(),
            criterion: match answer.criterion() {
                Criterion::Cost => CriterionForm::Cost,
                Criterion::Nodes => CriterionForm::Nodes,
            },
            best: answer.best(),
        }
    }
}

fn target(line: &TargetLine) -> TargetForm {
    let TargetLine { demand, today } = line;
    TargetForm { demand: demand.full_name(), asks_for: asks_for(&demand.request), today: *today, target: demand.count }
}

fn asks_for(request: &Request) -> String {
    match request {
        Request::Profiles { instances, .. } => {
            let each = instances.iter().map(|(name, n)| if *n == 1 { name.to_string() } else { format!("{n} {name}") });
            each.collect::<Vec<_>>().join(" + ")
        }
        Request::AtLeast { memory_mib, compute_slices, instances, .. } => {
            let times = if *instances == 1 { String::new() } else { format!("{instances} × ") };
            format!("{times}≥ {}, {compute_slices}g", memory(*memory_mib))
        }
        Request::WholeGpus { gpus: 1 } => "1 whole GPU".to_owned(),
        Request::WholeGpus { gpus } => format!("{gpus} whole GPUs"),
    }
}

fn need(need: Need) -> NeedForm {
    let least = (need != Need::Impossible).then(|| need.least());
    NeedForm { possible: need != Need::Impossible, least, most: need.enough() }
}

fn offer(problem: &Problem, offer: &Offer) -> OfferForm {
    let cost = offer.price.zip(offer.need.enough()).and_then(|(price, nodes)| {
        let cost = i128::from(price.micros) * i128::from(nodes);
        i64::try_from(cost).ok().map(Decimal::of_micros)
    });
    OfferForm {
        model: offer.model.id.clone(),
        gpus_per_node: offer.gpus_per_node,
        like: offer.like.clone(),
        nodes: need(offer.need),
        price: offer.price.map(|price| Decimal::of_micros(price.micros)),
        cost,
        cases: offer
            .cases
            .iter()
            .map(|case| CaseForm {
                lost: match &case.lost {
                    Lost::Nothing => "nothing".to_owned(),
                    Lost::Node { pool, name, .. } => format!("node {name} of {}", problem.fleet.pools[*pool].name),
                    Lost::Value { key, value } => format!("{key}={value}"),
                },
                nodes: need(case.need),
                lacks: case.lacks.iter().map(LackForm::new).collect(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buy::{Candidate, buy};
    use crate::document::scenario;
    use crate::geometry::Catalog;
    use crate::plan::Options;

    #[test]
    fn what_is_written_reads_back() {
        let text = "apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet: [{pool: p, model: A30, nodes: 2, gpusPerNode: 2}]
demand: [{name: small, profile: 1g.6gb, count: 20}, {name: large, profile: 4g.24gb, count: 1}]
";
        let catalog = Catalog::builtin();
        let problem = scenario::parse(text, &catalog).map_err(|found| format!("{found:?}")).unwrap();
        let candidate = |model: &str, price: &str| Candidate {
            model: catalog.model(model).unwrap(),
            gpus_per_node: None,
            price: Some(price.parse().unwrap()),
        };
        let order = Order {
            // A price that is never paid matters nothing.
            candidates: vec![candidate("A30", "10.5"), Candidate { price: None, ..candidate("H100-80GB", "30") }],
            survive: Survive::Node,
            ..Order::default()
        };
        let answer = buy(&problem, &order, &Options::default()).unwrap();
        let document = BuyDocument::new(&problem, &order, &answer);
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<BuyDocument>(&json).unwrap(), document);
        let [a30, h100] = &document.offers[..] else { panic!("two offers") };
        // Six GPUs are needed and four there: one node more, and one for the one that is lost.
        assert_eq!((a30.nodes.least, a30.nodes.most), (Some(2), Some(2)));
        assert_eq!((a30.cost.as_ref().map(Decimal::as_str), document.best), (Some("21"), Some(0)));
        assert_eq!((h100.nodes.possible, h100.nodes.most, h100.cost.is_none()), (false, None, true));
        assert_eq!(document.criterion, CriterionForm::Cost);
        assert_eq!(h100.cases[0].lacks[0].demand, "small");
    }
}
