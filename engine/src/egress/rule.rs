use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use url::Host;

use crate::address::embedded_ipv4::forms;
use crate::address::host_pattern::HostPattern;
use crate::address::network::Network;

/// Says of some targets that they may be called, or that they may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRule {
    /// The host's name for it, which a refusal tells.
    pub id: i64,
    /// What it says.
    pub action: Action,
    /// Whether it is a rule for everybody, not for those that the set is for in particular.
    pub for_all: bool,
    /// The hosts that it is about, as URLs name them; all, where there is none.
    pub host: Option<HostPattern>,
    /// The addresses that it is about; all, where there is none.
    pub network: Option<Network>,
    /// The port that it is about; all, where there is none.
    pub port: Option<u16>,
}

/// What an [`EgressRule`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They may be called, if no other rule denies it.
    Allow,
    /// They may not be called.
    Deny,
}

/// The rules that apply to one who asks.
///
/// What a rule denies is refused, whatever another one allows. Where there is a rule that is not for all, only what such
/// rules allow may be called.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleSet {
    id: RuleSetId,
    rules: Vec<EgressRule>,
}

/// Tells rule sets apart, also those that say the same: connections are not shared between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RuleSetId(u64);

/// What is known of where a host is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whereabouts {
    At(IpAddr),
    /// A name; the addresses are looked at when they are known.
    Unresolved,
    /// A name, and somebody else resolves it.
    Unknown,
}

/// Where a request is to go.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) host: &'a Host<&'a str>,
    pub(crate) port: u16,
    pub(crate) whereabouts: Whereabouts,
}

impl RuleSet {
    /// A set of these rules.
    pub fn new(rules: Vec<EgressRule>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: RuleSetId(NEXT.fetch_add(1, Ordering::Relaxed)), rules }
    }

    pub(crate) fn id(&self) -> RuleSetId {
        self.id
    }

    /// The rule that denies a destination.
    pub(crate) fn denying(&self, to: &Destination<'_>) -> Option<&EgressRule> {
        self.rules.iter().find(|rule| rule.action == Action::Deny && rule.covers(to))
    }

    /// Whether a destination is beyond what those may call whom the set is for.
    pub(crate) fn leaves_out(&self, to: &Destination<'_>) -> bool {
        let mut own = self.rules.iter().filter(|rule| !rule.for_all).peekable();
        own.peek().is_some() && !own.any(|rule| rule.action == Action::Allow && rule.covers(to))
    }

    /// Whether a rule allows a destination and names its network.
    pub(crate) fn opens_network(&self, to: &Destination<'_>) -> bool {
        self.rules.iter().any(|rule| rule.action == Action::Allow && rule.network.is_some() && rule.covers(to))
    }

    /// Whether a rule allows a destination and names its port.
    pub(crate) fn opens_port(&self, to: &Destination<'_>) -> bool {
        self.rules.iter().any(|rule| rule.action == Action::Allow && rule.port.is_some() && rule.covers(to))
    }
}

impl EgressRule {
    fn covers(&self, to: &Destination<'_>) -> bool {
        self.port.is_none_or(|port| port == to.port)
            && self.host.as_ref().is_none_or(|pattern| pattern.matches(to.host))
            && self.network.is_none_or(|network| self.covers_whereabouts(network, to.whereabouts))
    }

    fn covers_whereabouts(&self, network: Network, whereabouts: Whereabouts) -> bool {
        match (whereabouts, self.action) {
            (Whereabouts::At(address), Action::Allow) => network.contains(address),
            // A way round by a translator is a way.
            (Whereabouts::At(address), Action::Deny) => forms(address).any(|form| network.contains(form)),
            // It may yet turn out to be there.
            (Whereabouts::Unresolved, Action::Allow) => true,
            (Whereabouts::Unresolved, Action::Deny) | (Whereabouts::Unknown, _) => false,
        }
    }
}

impl<'a> Destination<'a> {
    /// The same host at this address.
    pub(crate) fn at(self, address: IpAddr) -> Self {
        Self { whereabouts: Whereabouts::At(address), ..self }
    }
}
