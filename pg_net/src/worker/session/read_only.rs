//! Whether this database is one in which new transactions write nothing: `default_transaction_read_only`.
//!
//! The worker's own transactions write all the same, so that what is under way is recorded. But it begins nothing then.

use std::cell::Cell;

use pgrx::pg_sys;

use crate::pg::catalog::role;
use crate::pg::catalog::role::ActAs;
use crate::pg::process::guc::{self, Source};
use crate::pg::process::server;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::spi::transaction::transaction;
use crate::pg::types::value::Value;
use crate::shmem;

const SETTING: &std::ffi::CStr = c"default_transaction_read_only";

thread_local! {
    static IS_ON: Cell<bool> = const { Cell::new(false) };
}

/// Whether this worker's database is read only, by what was last seen.
pub(in crate::worker) fn is_on() -> bool {
    IS_ON.get()
}

pub(in crate::worker) struct ReadOnly {
    /// What [`shmem::Shared::defaults`] counted before the look that told this.
    looked_at: Option<u64>,
    given: Plan,
    configured: Plan,
}

impl ReadOnly {
    pub(in crate::worker) fn new() -> Self {
        Self {
            looked_at: None,
            // What a new session of the worker's would be given. Of several the most special one counts.
            given: Plan::new(
                c"select pg_catalog.split_part(given, '=', 2)::bool \
                  from pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) as given \
                  where setdatabase in (0, $1) and setrole in (0, $2) \
                    and pg_catalog.split_part(given, '=', 1) = 'default_transaction_read_only' \
                  order by setrole <> 0 and setdatabase <> 0 desc, setrole <> 0 desc, setdatabase <> 0 desc limit 1",
            ),
            configured: Plan::new(
                c"select setting::bool from pg_catalog.pg_show_all_file_settings() as f \
                    (sourcefile, sourceline, seqno, name, setting, applied, error) \
                  where name = 'default_transaction_read_only' and applied limit 1",
            ),
        }
    }

    /// The configuration was read again.
    pub(in crate::worker) fn reload(&mut self) {
        self.looked_at = None;
    }

    /// Looks, if something may have changed. Whether it is on.
    pub(in crate::worker) fn look(&mut self) -> bool {
        let count = shmem::get().session_defaults.count();
        if self.looked_at == Some(count) {
            return is_on();
        }
        // One that cannot be told leaves things as they are until the next change.
        self.looked_at = Some(count);
        match transaction(c"looking whether the database is read only", |session| self.read(session)) {
            Ok(is_on) => set(is_on),
            Err(error) => pgrx::warning!("pg_net: could not look whether the database is read only: {error}"),
        }
        is_on()
    }

    fn read(&self, session: &Session) -> bool {
        let arguments = [Value::oid(server::my_database()), Value::oid(role::of_session())];
        let given = session.run(&self.given, Access::Read, arguments);
        if given.count() > 0 {
            return given.row::<1>(0).bool(0).unwrap_or_default();
        }
        // What was given when this session began is there no more, and hides what the configuration has.
        if guc::reset_source(SETTING) == Source::DatabaseOrRole {
            let _superuser = ActAs::new(pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID), 0);
            let configured = session.run(&self.configured, Access::Read, []);
            return configured.count() > 0 && configured.row::<1>(0).bool(0).unwrap_or_default();
        }
        server::reset_for_session(SETTING);
        let is_on = server::setting(SETTING) == "on";
        server::set_for_session(SETTING, c"off");
        is_on
    }
}

fn set(is_on: bool) {
    if !IS_ON.replace(is_on) && is_on {
        pgrx::log!(
            "pg_net: new transactions in this database are read only (default_transaction_read_only); requests wait until \
             that changes"
        );
    }
}
