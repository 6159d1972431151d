//! Scenario files: a fleet and what is asked of it.
//!
//! A scenario with every field:
//!
//! ```yaml
#![doc = include_str!("example.yaml")]
//! ```
//!
//! JSON is read as well. Unknown fields are refused, and a field without a value counts as left out. All
//! problems of a file are reported at once, each with its line.

mod budget;
mod demand;
mod form;
mod pinned;
mod pool;
mod quota;
mod read;
mod salvage;
mod scenarios;
mod selector;
mod state;
mod write;

#[cfg(test)]
mod tests;

pub use form::{
    AtLeastForm, BudgetForm, CountForm, DemandForm, EffectForm, GpuForm, HeldForm, NodesForm, OperatorForm, PinnedForm,
    PodForm, PoolForm, QuotaForm, RecutForm, RequirementForm, ScenarioDocument, ScenarioForm, StateForm, StrategyForm,
    TaintForm, TermForm, TolerationForm, TolerationOperatorForm,
};
pub use read::parse;

/// What `kind` says in a scenario.
pub const KIND: &str = "Scenario";

/// A scenario that shows every field.
pub const EXAMPLE: &str = include_str!("example.yaml");
