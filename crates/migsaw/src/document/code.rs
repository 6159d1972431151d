//! The codes of what can be wrong with a document. They never change; `docs/errors.md` explains each.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*

        /// Every code of this module.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

codes! {
    /// Neither JSON nor YAML.
    SYNTAX = "syntax";
    /// The same key twice in one map.
    DUPLICATE_KEY = "duplicate-key";
    /// The file holds several YAML documents.
    MULTIPLE_DOCUMENTS = "multiple-documents";
    /// The file holds nothing.
    EMPTY_DOCUMENT = "empty-document";
    /// The text is longer than a document may be.
    FILE_TOO_LARGE = "file-too-large";
    /// Too many values, too deep, or too many aliases.
    TOO_COMPLEX = "too-complex";
    /// The bytes are no UTF-8.
    NOT_UTF8 = "not-utf8";
    /// Another `apiVersion` than this release reads.
    API_VERSION = "api-version";
    /// Another `kind` than the one expected.
    KIND = "kind";
    /// A value of the wrong type.
    WRONG_TYPE = "wrong-type";
    /// A field that is not part of the form.
    UNKNOWN_FIELD = "unknown-field";
    /// A required field is not there.
    MISSING_FIELD = "missing-field";
    /// A word that is not among those expected.
    UNKNOWN_VALUE = "unknown-value";
    /// A number outside its range.
    OUT_OF_RANGE = "out-of-range";
    /// A list or map that must not be empty.
    EMPTY_LIST = "empty-list";
    /// Fields that exclude each other.
    EXCLUSIVE_FIELDS = "exclusive-fields";
    /// A name that cannot be one.
    INVALID_NAME = "invalid-name";
    /// A weight that is none.
    INVALID_WEIGHT = "invalid-weight";
    /// A change of a count that is none.
    INVALID_SCALING = "invalid-scaling";
    /// A price that is none.
    INVALID_PRICE = "invalid-price";
    /// An amount of memory that is none.
    INVALID_QUANTITY = "invalid-quantity";
    /// A text that is no profile name.
    INVALID_PROFILE_NAME = "invalid-profile-name";
    /// A profile that is not there.
    UNKNOWN_PROFILE = "unknown-profile";
    /// Node conditions that no node can meet.
    CONTRADICTORY_SELECTOR = "contradictory-selector";
    /// Values that do not go with a selector's operator.
    SELECTOR_VALUES = "selector-values";
    /// A toleration Kubernetes would refuse.
    INVALID_TOLERATION = "invalid-toleration";
    /// More GPUs pinned than a node has.
    PINNED_TOO_MANY = "pinned-too-many";
    /// More nodes pinned than the pool has.
    PINNED_NODES = "pinned-nodes";
    /// The state of more GPUs than a node has.
    STATE_TOO_MANY = "state-too-many";
    /// Something a running unit holds that is not there.
    RUNNING_NOT_THERE = "running-not-there";
    /// A node that is not in the fleet.
    UNKNOWN_NODE = "unknown-node";
    /// A node that is there twice.
    DUPLICATE_NODE = "duplicate-node";
    /// A node of the fleet that the plan leaves out.
    MISSING_NODE = "missing-node";
    /// A demand that is not in the scenario.
    UNKNOWN_DEMAND = "unknown-demand";
    /// A name that several demands have.
    AMBIGUOUS_DEMAND = "ambiguous-demand";
    /// A GPU index the node does not have.
    UNKNOWN_GPU = "unknown-gpu";
    /// A GPU that is there twice.
    DUPLICATE_GPU = "duplicate-gpu";
    /// A statement of the plan that its own nodes contradict.
    PLAN_MISMATCH = "plan-mismatch";
    /// The list of problems was cut short.
    MORE_PROBLEMS = "more-problems";
}
