//! The rules of `net.egress_rule`, as they apply to a role.

use std::collections::HashMap;
use std::sync::Arc;

use engine::{Action, EgressRule, HostPattern, Network, RuleSet};
use pgrx::pg_sys;

use crate::pg::catalog::invalidation::{self, Watched};
use crate::pg::catalog::own_tables;
use crate::pg::catalog::relation;
use crate::pg::catalog::role::{self, ActAs};
use crate::pg::spi::plan::{Access, Plan, Row, Session};
use crate::pg::spi::snapshot::Latest;
use crate::pg::types::text;

/// The rules as this process last read them.
pub(crate) struct Rules {
    select: Plan,
    /// The count of changes before they were read.
    read_at: Option<u64>,
    rules: Vec<Entry>,
    /// For those who have no rules of their own.
    common: Option<Arc<RuleSet>>,
    by_role: HashMap<pg_sys::Oid, Option<Arc<RuleSet>>>,
}

struct Entry {
    /// The role that the rule is for, with its members; without one it is for all roles.
    role: Option<pg_sys::Oid>,
    rule: EgressRule,
}

impl Rules {
    pub(crate) fn new() -> Self {
        Self {
            select: Plan::new(
                c"select id, role::pg_catalog.oid, action, host, pg_catalog.host(network), pg_catalog.masklen(network), port \
                  from net.egress_rule",
            ),
            read_at: None,
            rules: Vec::new(),
            common: None,
            by_role: HashMap::new(),
        }
    }

    /// Whether the rules, or who is a member of what, may have changed since they were read.
    pub(crate) fn are_stale(&self) -> bool {
        self.read_at != Some(invalidation::count())
    }

    /// Reads the rules, with the rights of their owner.
    pub(crate) fn read(&mut self, session: &Session) {
        // What changes from here on is not in what is read.
        let count = invalidation::count();
        let table = relation::relation_in_net(own_tables::EGRESS_RULES);
        invalidation::watch(Watched::EgressRules, table.unwrap_or(pg_sys::InvalidOid));
        // As the owner of the rules, which need not be that of the queue.
        let owner = table.and_then(relation::owner_of);
        let _owner = owner.map(|owner| ActAs::new(owner, pg_sys::SECURITY_RESTRICTED_OPERATION));
        let _snapshot = Latest::new();
        let rows = session.run(&self.select, Access::Read, []);
        self.rules = (0..rows.count()).map(|row| entry(&rows.row(row))).collect();
        self.common = set_of(self.rules.iter().filter(|entry| entry.role.is_none()));
        self.by_role.clear();
        self.read_at = Some(count);
    }

    /// The rules that apply to a role, if there are any.
    pub(crate) fn of(&mut self, role: pg_sys::Oid) -> Option<&Arc<RuleSet>> {
        if self.rules.is_empty() {
            return None;
        }
        let Self { rules, common, by_role, .. } = self;
        let set = by_role.entry(role).or_insert_with(|| {
            let is_bound_by = |of| role::has_rights_of(role, of);
            if !rules.iter().filter_map(|entry| entry.role).any(is_bound_by) {
                return common.clone();
            }
            set_of(rules.iter().filter(|entry| entry.role.is_none_or(is_bound_by)))
        });
        set.as_ref()
    }
}

fn set_of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<Arc<RuleSet>> {
    let rules: Vec<_> = entries.map(|entry| entry.rule.clone()).collect();
    (!rules.is_empty()).then(|| Arc::new(RuleSet::new(rules)))
}

fn entry(row: &Row<7>) -> Entry {
    let role = row.oid(1);
    let host = row.bytes(3).map(host);
    let network = row.bytes(4).map(|address| network(address, row.int4(5)));
    let port = row.int4(6).map(|port| u16::try_from(port).ok());
    // If the CHECK constraints were dropped, an unreadable rule fails closed.
    let readable = host != Some(None) && network != Some(None) && port != Some(None);
    let action = if readable && row.bytes(2) == Some(b"allow") { Action::Allow } else { Action::Deny };
    Entry {
        role,
        rule: EgressRule {
            id: row.int4(0).unwrap_or_default().into(),
            action,
            for_all: role.is_none(),
            host: host.flatten(),
            network: network.flatten(),
            port: port.flatten(),
        },
    }
}

fn host(bytes: &[u8]) -> Option<HostPattern> {
    HostPattern::parse(&text::from_server(bytes).ok()?).ok()
}

fn network(address: &[u8], bits: Option<i32>) -> Option<Network> {
    let address = std::str::from_utf8(address).ok()?.parse().ok()?;
    Network::new(address, u8::try_from(bits?).ok()?)
}
