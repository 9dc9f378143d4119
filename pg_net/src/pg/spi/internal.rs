//! Settings for statements of our own: other libraries are not to refuse them, nor to log what they store.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::pg::process::server;

/// Settings of other libraries. Headers and bodies are parameters of our statements, and not the user's own statement.
pub(crate) const SETTINGS: [(&CStr, &CStr); 3] = [
    (c"pgaudit.log_parameter", c"off"),
    (c"auto_explain.log_parameter_max_length", c"0"),
    // What a statement of ours costs is no matter of the user's: a long queue makes some dear.
    (c"plan_filter.statement_cost_limit", c"0"),
];

/// Has statements run with such settings until it is dropped, or the transaction or subtransaction ends that it was made in.
pub(crate) struct Internal {
    level: i32,
}

impl Internal {
    pub(crate) fn new() -> Self {
        // SAFETY: within a transaction; `Drop`, or an abort, ends the level.
        let level = unsafe { pg_sys::NewGUCNestLevel() };
        let internal = Self { level };
        // Ours ask for generic plans, which hold no values that could be logged with them.
        internal.set(c"plan_cache_mode", c"auto");
        for (setting, value) in SETTINGS {
            if server::is_known(setting) {
                internal.set(setting, value);
            }
        }
        internal
    }

    /// Sets one more.
    pub(crate) fn set(&self, setting: &CStr, value: &CStr) {
        server::set_for_level(setting, value);
    }
}

impl Drop for Internal {
    fn drop(&mut self) {
        // After an error the abort does it.
        if !std::thread::panicking() {
            // SAFETY: the level was begun by `new`, and those within it have ended.
            unsafe { pg_sys::AtEOXact_GUC(true, self.level) };
        }
    }
}
