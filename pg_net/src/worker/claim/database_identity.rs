//! OwnIdentity of a database: they do not send what the original sends.
//!
//! Each request bears the stamp of the database in which it was made, and only rows with this database's are claimed. Here
//! the worker finds out, when it first meets the tables, whether they have come from elsewhere.

use pgrx::pg_sys;

use crate::pg::catalog::own_tables;
use crate::pg::process::server::{self, DatabaseIdentity};
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::types::value::Value;
use crate::user_code::without_user_triggers;

pub(in crate::worker) struct OwnIdentity {
    here: DatabaseIdentity,
    read: Plan,
    inherited: Plan,
    adopt: Plan,
    unhold: Plan,
    forget: Plan,
    claim: Plan,
}

impl OwnIdentity {
    pub(in crate::worker) fn new() -> Self {
        Self {
            here: DatabaseIdentity::of_this_database(),
            read: Plan::new(c"select stamp, database from net._home"),
            inherited: Plan::new(
                c"select pg_catalog.count(*) from net.http_request_queue where made_in operator(pg_catalog.<>) $1",
            ),
            adopt: Plan::new(c"update net.http_request_queue set made_in = $1 where made_in operator(pg_catalog.=) $2"),
            // There are servers that take no DELETE without a condition.
            unhold: Plan::new(c"delete from net._held_response where true"),
            forget: Plan::new(c"delete from net._home where true"),
            claim: Plan::new(c"insert into net._home (stamp, database) values ($1, $2)"),
        }
    }

    /// Whether a request with this stamp was made in this database.
    pub(in crate::worker) fn is_ours(&self, stamp: Option<i64>) -> bool {
        stamp == Some(self.here.0)
    }

    /// Makes the tables this database's, where they have come from elsewhere.
    pub(in crate::worker) fn adopt_tables(&self, session: &Session) {
        let Some(home) = OnTable::named(own_tables::IDENTITY) else { return };
        let homes = session.run(&self.read, Access::Read, []);
        let homes: Vec<_> = (0..homes.count())
            .map(|row| homes.row::<2>(row))
            .map(|home| (DatabaseIdentity(home.int8(0).unwrap_or_default()), home.oid(1).unwrap_or_default()))
            .collect();
        if homes.iter().any(|&(stamp, _)| stamp == self.here) {
            return;
        }
        drop(home);
        let Some(queue) = OnTable::named(own_tables::QUEUE) else { return };
        let is_copy = !homes.is_empty() && !homes.iter().any(|&(stamp, database)| self.was_upgraded(stamp, database));
        for (stamp, database) in homes {
            if self.was_upgraded(stamp, database) {
                let stamps = [Value::int8(self.here.0), Value::int8(stamp.0)];
                without_user_triggers(|| session.run(&self.adopt, Access::Write, stamps));
            }
        }
        let inherited = session.run(&self.inherited, Access::Write, [Value::int8(self.here.0)]);
        let inherited = inherited.row::<1>(0).int8(0).unwrap_or_default();
        if inherited > 0 {
            pgrx::log!(
                "pg_net: this database is a copy; the {inherited} requests that it brought along stay in \
                 net.http_request_queue and are not sent"
            );
        }
        drop(queue);
        // Outcomes of the original's requests, which it stores itself: their triggers may send.
        if is_copy && let Some(_owner) = OnTable::named(own_tables::HELD_RESPONSES) {
            session.run(&self.unhold, Access::Write, []);
        }
        let _owner = OnTable::named(own_tables::IDENTITY);
        without_user_triggers(|| session.run(&self.forget, Access::Write, []));
        let here = [Value::int8(self.here.0), Value::oid(server::my_database())];
        without_user_triggers(|| session.run(&self.claim, Access::Write, here));
    }

    /// Whether the tables were left in this very database when pg_upgrade moved it to another server. Up to Postgres 14 that
    /// gave it another oid.
    fn was_upgraded(&self, stamp: DatabaseIdentity, database: pg_sys::Oid) -> bool {
        let here = server::my_database();
        let keeps_oids = cfg!(not(any(feature = "pg13", feature = "pg14")));
        stamp.server(database) != self.here.server(here) && (database == here || !keeps_oids)
    }
}
