//! File descriptors: as many as we are allowed, and no more connections than that.

use engine::Policy;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::pg::process::server;

/// Lets the process have as many descriptors as it is allowed: each request under way needs one.
pub(in crate::worker) fn raise_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        pgrx::log!("pg_net: could not raise the limit of open files: {error}");
    }
}

/// The policy with no more connections than there are descriptors for. Postgres, in this process, keeps to
/// max_files_per_process with its own files. The engine may have twice as many sockets, so that those to a thousand hosts are kept
/// while as many requests are under way. Half of what the system allows is left to Postgres.
pub(in crate::worker) fn bound(policy: Policy) -> Policy {
    let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(usize::MAX, |(soft, _)| soft as usize);
    Policy { max_connections: (2 * server::max_files()).min(allowed / 2), ..policy }
}
