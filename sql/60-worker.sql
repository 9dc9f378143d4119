create or replace function net.wake()
    returns void
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'wake';

comment on function net.wake() is
    'Wakes the worker when the calling transaction commits; it then sends what waits in the queue.';

create or replace function net.worker_restart()
    returns bool
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'worker_restart';

comment on function net.worker_restart() is
    'Reloads the configuration and restarts the worker when the calling transaction commits.';

create or replace function net.wait_until_running()
    returns void
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'wait_until_running';

comment on function net.wait_until_running() is
    'Waits until the worker runs; after a restart that was asked for, until the new one does.';

create or replace function net.check_worker_is_up()
    returns void
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'check_worker_is_up';

comment on function net.check_worker_is_up() is
    'Raises an error if the worker does not run.';
