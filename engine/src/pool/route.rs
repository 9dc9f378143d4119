use crate::address::origin::Origin;
use crate::egress::rule::{RuleSet, RuleSetId};

/// Which connections a request may use: those to its origin that were opened under the same rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    origin: Origin,
    rules: Option<RuleSetId>,
}

impl Route {
    pub(crate) fn new(origin: &Origin, rules: Option<&RuleSet>) -> Self {
        Self { origin: origin.clone(), rules: rules.map(RuleSet::id) }
    }
}
