use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use url::Host;

use crate::address::embedded_ipv4::with_embedded_ipv4;
use crate::address::host_pattern::HostPattern;
use crate::address::network::Network;

/// Allows or denies requests to some targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRule {
    /// The name that the host has for it. A refusal tells it.
    pub id: i64,
    /// Whether it allows or denies.
    pub action: Action,
    /// Whether it applies to everyone, not to the owner of the set in particular.
    pub for_all: bool,
    /// The hosts that it applies to, as URLs name them; all, if there is none.
    pub host: Option<HostPattern>,
    /// The addresses that it applies to; all, if there is none.
    pub network: Option<Network>,
    /// The port that it applies to; all, if there is none.
    pub port: Option<u16>,
}

/// What an [`EgressRule`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Requests may go there unless another rule denies it.
    Allow,
    /// Requests may not go there.
    Deny,
}

/// The rules that apply to a request.
///
/// What a rule denies is refused, whatever another rule allows. If there is a rule that is not for all, requests may
/// go only where such rules allow it.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleSet {
    id: RuleSetId,
    rules: Vec<EgressRule>,
}

/// Tells rule sets apart, even if they say the same. Connections are not shared between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RuleSetId(u64);

/// What is known about the address of a host.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolution {
    /// This is its address.
    Address(IpAddr),
    /// It is a name. The addresses are checked when they are known.
    Pending,
    /// It is a name, and a proxy resolves it.
    ByProxy,
}

/// Where a request goes.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) host: &'a Host<&'a str>,
    pub(crate) port: u16,
    pub(crate) resolution: Resolution,
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

    /// Whether a destination is not among those that the rules for this owner allow.
    pub(crate) fn leaves_out(&self, to: &Destination<'_>) -> bool {
        let mut own = self.rules.iter().filter(|rule| !rule.for_all).peekable();
        own.peek().is_some() && !own.any(|rule| rule.action == Action::Allow && rule.covers(to))
    }

    /// Whether a rule that names a network allows a destination.
    pub(crate) fn opens_network(&self, to: &Destination<'_>) -> bool {
        self.rules.iter().any(|rule| rule.action == Action::Allow && rule.network.is_some() && rule.covers(to))
    }

    /// Whether a rule that names a port allows a destination.
    pub(crate) fn opens_port(&self, to: &Destination<'_>) -> bool {
        self.rules.iter().any(|rule| rule.action == Action::Allow && rule.port.is_some() && rule.covers(to))
    }
}

impl EgressRule {
    fn covers(&self, to: &Destination<'_>) -> bool {
        self.port.is_none_or(|port| port == to.port)
            && self.host.as_ref().is_none_or(|pattern| pattern.matches(to.host))
            && self.network.is_none_or(|network| self.covers_resolution(network, to.resolution))
    }

    fn covers_resolution(&self, network: Network, resolution: Resolution) -> bool {
        match (resolution, self.action) {
            (Resolution::Address(address), Action::Allow) => network.contains(address),
            // An address that leads there through a translator counts.
            (Resolution::Address(address), Action::Deny) => {
                with_embedded_ipv4(address).any(|form| network.contains(form))
            }
            // Its address may turn out to be in the network.
            (Resolution::Pending, Action::Allow) => true,
            (Resolution::Pending, Action::Deny) | (Resolution::ByProxy, _) => false,
        }
    }
}

impl<'a> Destination<'a> {
    /// The same host at this address.
    pub(crate) fn at(self, address: IpAddr) -> Self {
        Self { resolution: Resolution::Address(address), ..self }
    }
}
