pub(crate) mod refusal;
pub(crate) mod rule;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use url::Host;

use crate::address::Addresses;
use crate::address::embedded_ipv4::with_embedded_ipv4;
use crate::address::host_pattern::without_root;
use crate::address::localhost::is_localhost;
use crate::address::special_purpose::{self, Block};
use crate::address::target::Target;
use crate::egress::refusal::{Location, Reason, Refusal};
use crate::egress::rule::{Destination, Resolution, RuleSet};

/// Where requests may go, for all tenants.
///
/// Link-local addresses and those of cloud metadata are always refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// How far requests may go.
    pub reach: Reach,
    /// A port on which this machine serves the clients of the host. Requests may go there only if a rule that names
    /// the port allows it.
    pub own_port: Option<u16>,
}

/// How far requests may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere.
    #[default]
    Any,
    /// To public addresses, and to those that an allowing rule names by their network.
    Public,
}

impl Egress {
    /// Checks what a URL alone tells: its port, and its host if that is an address. A name that passes may still be
    /// refused when its addresses are known.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub fn check(&self, target: &Target, rules: Option<&RuleSet>) -> Result<(), Refusal> {
        let url = target.url();
        let Some(host) = url.host() else { return Ok(()) };
        let port = url.port_or_known_default().unwrap_or_default();
        self.check_host(Destination { host: &host, port, resolution: Resolution::Pending }, rules)
    }

    /// Checks a destination that a proxy is asked to connect to.
    pub(crate) fn check_behind_proxy(
        &self,
        host: &Host<&str>,
        port: u16,
        rules: Option<&RuleSet>,
    ) -> Result<(), Refusal> {
        self.check_host(Destination { host, port, resolution: Resolution::ByProxy }, rules)
    }

    /// Those addresses of a host that may be dialled, at least one.
    pub(crate) fn permitted(
        &self,
        host: &Host<&str>,
        port: u16,
        addresses: &Addresses,
        rules: Option<&RuleSet>,
    ) -> Result<Addresses, Refusal> {
        let to = Destination { host, port, resolution: Resolution::Pending };
        let check = |address: &SocketAddr| self.check_address(to, address.ip(), rules);
        let Some(refused) = addresses.iter().find_map(|address| check(address).err()) else {
            return Ok(addresses.clone());
        };
        let rest = addresses.iter().filter(|address| check(address).is_ok()).copied().collect::<Addresses>();
        if rest.is_empty() { Err(refused) } else { Ok(rest) }
    }

    /// Checks a host as the URL has it. If that means more than one address, one that passes is enough.
    fn check_host(&self, to: Destination<'_>, rules: Option<&RuleSet>) -> Result<(), Refusal> {
        let one = |address| self.check_address(to, address, rules);
        match to.host {
            Host::Ipv4(address) => one((*address).into()),
            Host::Ipv6(address) => one((*address).into()),
            Host::Domain(name) if is_localhost(name) => {
                one(Ipv4Addr::LOCALHOST.into()).or_else(|refusal| one(Ipv6Addr::LOCALHOST.into()).map_err(|_| refusal))
            }
            Host::Domain(name) if special_purpose::is_closed_name(without_root(name)) => {
                Err(Refusal(Reason::ClosedName))
            }
            Host::Domain(_) => check_rules(to, rules),
        }
    }

    fn check_address(&self, to: Destination<'_>, address: IpAddr, rules: Option<&RuleSet>) -> Result<(), Refusal> {
        let address = address.to_canonical();
        let to = to.at(address);
        if let Some(location) = locate(address, special_purpose::closed) {
            return Err(Refusal(Reason::Closed(location)));
        }
        check_rules(to, rules)?;
        if self.own_port == Some(to.port)
            && !rules.is_some_and(|rules| rules.opens_port(&to))
            && with_embedded_ipv4(address).any(is_this_machine)
        {
            return Err(Refusal(Reason::OwnPort(to.port)));
        }
        if self.reach == Reach::Public {
            let shut = |form| {
                special_purpose::find(form).filter(|_| !rules.is_some_and(|set| set.opens_network(&to.at(form))))
            };
            if let Some(location) = locate(address, shut) {
                return Err(Refusal(Reason::NotPublic(location)));
            }
        }
        Ok(())
    }
}

fn check_rules(to: Destination<'_>, rules: Option<&RuleSet>) -> Result<(), Refusal> {
    let Some(rules) = rules else { return Ok(()) };
    if let Some(rule) = rules.denying(&to) {
        return Err(Refusal(Reason::Denied { rule: rule.id }));
    }
    if rules.leaves_out(&to) {
        return Err(Refusal(Reason::NotAllowed));
    }
    Ok(())
}

fn locate(address: IpAddr, find: impl Fn(IpAddr) -> Option<&'static Block>) -> Option<Location> {
    with_embedded_ipv4(address).find_map(|form| find(form).map(|block| Location { address, form, block }))
}

/// Whether an address belongs to this machine: the system binds sockets to its own addresses only. Nothing is sent.
fn is_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests;
