//! The functions that control the worker.

use super::{Version, in_c, parallel};

pub(super) fn functions(version: Version) -> Vec<String> {
    let parallel = parallel(version);
    let mut functions = Vec::new();
    if version.has_check_worker_is_up() {
        functions.push(format!(
            "create function net.check_worker_is_up() returns void language plpgsql {parallel} as $$
             begin
                 if not exists (select from pg_stat_activity where backend_type ilike '%pg_net%') then
                     raise exception 'the pg_net background worker is not up';
                 end if;
             end
             $$;"
        ));
    }
    if version.is_open_to_all() {
        functions.push(in_c(version, "worker_restart() returns bool", parallel));
    } else if version.has_worker_restart() {
        functions.push(
            "create function net.worker_restart() returns bool language sql security definer as $$
                 select pg_reload_conf();
                 select bool_and(pg_terminate_backend(pid)) from pg_stat_activity where backend_type ilike '%pg_net%';
             $$;"
            .into(),
        );
    }
    if version.has_wait_until_running() {
        functions.push(in_c(version, "wait_until_running() returns void", parallel));
        functions.push("comment on function net.wait_until_running() is 'Waits for the worker to run.';".into());
    }
    if version.has_wake() {
        // The request functions come before it: their bodies are looked at when they are called.
        functions.push(in_c(version, "wake() returns void", parallel));
    }
    functions
}
