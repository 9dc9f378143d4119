//! KnownTables whose rows are settings of the user's, and belong in a dump.
//!
//! Such a table is a configuration table of the extension (manual, "Extension Configuration KnownTables") only while it has rows: a
//! dump reads every configuration table, and the owner of a database, who need not be the extension's, may not read these.
//! `pg_extension_config_dump` works only in scripts of extensions, so the catalog is changed here.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::pg::catalog::own_tables;
use crate::pg::catalog::role::ActAs;
use crate::pg::catalog::{relation, scan};
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::types::value::Value;

/// The tables, in the schema `net`.
const TABLES: [&CStr; 2] = [own_tables::EGRESS_RULES, own_tables::OPEN_ACCESS];

thread_local! {
    static IS_REGISTERED: Plan = const {
        Plan::new(
            c"select from pg_catalog.pg_extension \
              where extname operator(pg_catalog.=) 'pg_net' and $1 operator(pg_catalog.=) any (extconfig)",
        )
    };
    static REGISTER: Plan = const {
        Plan::new(
            c"update pg_catalog.pg_extension set \
                  extconfig = pg_catalog.array_append(extconfig, $1), \
                  extcondition = pg_catalog.array_append(extcondition, '') \
              where extname operator(pg_catalog.=) 'pg_net'",
        )
    };
    static UNREGISTER: Plan = const {
        Plan::new(
            c"update pg_catalog.pg_extension e set (extconfig, extcondition) = ( \
                  select pg_catalog.array_agg(t.config order by t.place), pg_catalog.array_agg(t.condition order by t.place) \
                    from rows from (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) \
                         with ordinality as t (config, condition, place) \
                   where t.config operator(pg_catalog.<>) $1) \
              where extname operator(pg_catalog.=) 'pg_net'",
        )
    };
    /// Ids go on behind those that a dump brought.
    static GO_ON: Plan = const {
        Plan::new(
            c"select pg_catalog.setval('net.egress_rule_id_seq', pg_catalog.max(id)) from net.egress_rule \
              having pg_catalog.max(id) operator(pg_catalog.>) (select last_value from net.egress_rule_id_seq)",
        )
    };
}

/// The rows of one of these tables have changed, in the transaction that runs: has the catalog agree with them at its end.
pub(crate) fn changed(table: pg_sys::Oid) {
    if !TABLES.iter().any(|name| relation::relation_in_net(name) == Some(table)) {
        return;
    }
    // Before the look: who changes rows at the same time looks after our end, and sees them.
    relation::lock_extension();
    agree(&Session::connect(), table);
}

/// Mends what triggers were kept from doing. The worker asks for it when it meets the tables, or other rules.
pub(crate) fn mend(session: &Session) {
    for table in TABLES.iter().filter_map(|name| relation::relation_in_net(name)) {
        // If another transaction is changing it just now, it leaves it right.
        if scan::has_rows(table) != is_registered(session, table) && relation::try_lock_extension() {
            agree(session, table);
        }
    }
}

fn agree(session: &Session, table: pg_sys::Oid) {
    crate::pg::spi::transaction::see_own_changes();
    let has_rows = scan::has_rows(table);
    if has_rows != is_registered(session, table) {
        // The catalog is a superuser's to change, and the statement is ours.
        let _superuser = ActAs::new(pg_sys::BOOTSTRAP_SUPERUSERID.into(), 0);
        let change = if has_rows { &REGISTER } else { &UNREGISTER };
        change.with(|plan| session.run(plan, Access::WriteLatest, [Value::oid(table)]).count());
    }
    if has_rows && relation::relation_in_net(own_tables::EGRESS_RULES) == Some(table) {
        let _owner = relation::owner_of(table).map(|owner| ActAs::new(owner, 0));
        GO_ON.with(|plan| session.run(plan, Access::WriteLatest, []).count());
    }
}

fn is_registered(session: &Session, table: pg_sys::Oid) -> bool {
    IS_REGISTERED.with(|plan| session.run(plan, Access::WriteLatest, [Value::oid(table)]).count() > 0)
}
