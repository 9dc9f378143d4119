//! What each function is expected to let each role do. A function that the extension gets needs a line here.

use super::roles::Expected;

/// A function and a call of it.
pub(super) struct Function {
    /// As `regprocedure` shows it.
    pub(super) signature: &'static str,
    /// A statement that calls it, with `{url}` where one is needed.
    pub(super) call: &'static str,
    /// Who may, as the extension is installed.
    pub(super) installed: Expected,
    /// Whether it is a role's to be granted: what it needs besides EXECUTE is the tables, if it reads them for the caller.
    pub(super) granted: Granted,
}

/// What the right to execute a function is good for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Granted {
    /// All of it.
    Whole,
    /// It reads the tables as the caller, and calls these functions.
    Reader { calls: &'static [&'static str] },
    /// It changes what only the owner may.
    OwnersOnly,
}

impl Granted {
    pub(super) fn calls(self) -> &'static [&'static str] {
        match self {
            Self::Reader { calls } => calls,
            _ => &[],
        }
    }
}

use Granted::{OwnersOnly, Reader, Whole};

//                          owner, superuser, alice, bob, heir of alice, noheir, reader, signaller, app, boss
const ALL: Expected = "     +      +          +      +    +              +       +       +          +    +";
const OWNER: Expected = "   +      +          -      -    -              -       -       -          -    -";
const SIGNALLER: Expected = "+     +          -      -    -              -       -       +          +    -";
const MONITOR: Expected = " +      +          -      -    -              -       -       -          +    -";

const NOTHING: &[&str] = &[];

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Function] = &[
    Function { signature: "net.http_get(text,jsonb,jsonb,integer)",
        call: "select net.http_get('{url}')", installed: ALL, granted: Whole },
    Function { signature: "net.http_post(text,jsonb,jsonb,jsonb,integer)",
        call: "select net.http_post('{url}')", installed: ALL, granted: Whole },
    Function { signature: "net.http_delete(text,jsonb,jsonb,integer,jsonb)",
        call: "select net.http_delete('{url}')", installed: ALL, granted: Whole },
    Function { signature: "net.http_head(text,jsonb,jsonb,integer)",
        call: "select net.http_head('{url}')", installed: ALL, granted: Whole },
    Function { signature: "net.http_put(text,jsonb,jsonb,jsonb,integer)",
        call: "select net.http_put('{url}')", installed: ALL, granted: Whole },
    Function { signature: "net.http_patch(text,jsonb,jsonb,jsonb,integer)",
        call: "select net.http_patch('{url}')", installed: ALL, granted: Whole },
    Function { signature: "net.http_request(text,text,bytea,jsonb,jsonb,integer,integer,net.delivery,timestamp with time zone,text)",
        call: "select net.http_request('PUT', '{url}', 'a'::bytea)", installed: ALL, granted: Whole },
    Function { signature: "net.http_request(text,text,text,jsonb,jsonb,integer,integer,net.delivery,timestamp with time zone,text)",
        call: "select net.http_request('PUT', '{url}', 'a'::text)", installed: ALL, granted: Whole },
    Function { signature: "net.http_request(text,text,jsonb,jsonb,jsonb,integer,integer,net.delivery,timestamp with time zone,text)",
        call: "select net.http_request('PUT', '{url}', '1'::jsonb)", installed: ALL, granted: Whole },
    Function { signature: "net.http_request(text,text,json,jsonb,jsonb,integer,integer,net.delivery,timestamp with time zone,text)",
        call: "select net.http_request('PUT', '{url}', '1'::json)", installed: ALL, granted: Whole },
    Function { signature: "net.urlencode_form(jsonb)",
        call: "select net.urlencode_form('{}')", installed: ALL, granted: Whole },
    Function { signature: "net.form_field(text,text,text)",
        call: "select net.form_field('a', 'b')", installed: ALL, granted: Whole },
    Function { signature: "net.form_file(text,bytea,text,text)",
        call: "select net.form_file('a', 'b', 'c')", installed: ALL, granted: Whole },
    Function { signature: "net.multipart(jsonb,net.form_part[])",
        call: "select net.multipart('{}')", installed: ALL, granted: Whole },
    Function { signature: "net._urlencode_string(character varying)",
        call: "select net._urlencode_string('a b')", installed: ALL, granted: Whole },
    Function { signature: "net._encode_url_with_params_array(text,text[])",
        call: "select net._encode_url_with_params_array('{url}', '{a=b}')", installed: ALL, granted: Whole },
    Function { signature: "net.version()", call: "select net.version()", installed: ALL, granted: Whole },
    Function { signature: "net.wake()", call: "select net.wake()", installed: ALL, granted: Whole },
    Function { signature: "net.wait_until_running()", call: "select net.wait_until_running()", installed: ALL, granted: Whole },
    Function { signature: "net.check_worker_is_up()", call: "select net.check_worker_is_up()", installed: ALL, granted: Whole },
    Function { signature: "net.worker_restart()", call: "select net.worker_restart()", installed: SIGNALLER, granted: Whole },
    Function { signature: "net._await_response(bigint)",
        call: "select net._await_response(1)", installed: ALL, granted: Reader { calls: NOTHING } },
    Function { signature: "net.await_response(bigint,interval)",
        call: "select net.await_response(1, '0')", installed: ALL, granted: Reader { calls: NOTHING } },
    Function { signature: "net.await_responses(bigint[],interval)",
        call: "select net.await_responses('{1}', '0')", installed: ALL, granted: Reader { calls: NOTHING } },
    Function { signature: "net.cancel(bigint)", call: "select net.cancel(1)", installed: ALL, granted: Whole },
    Function { signature: "net.cancel(bigint[])", call: "select net.cancel(array[1])", installed: ALL, granted: Whole },
    Function { signature: "net.retry(bigint)", call: "select net.retry(1)", installed: ALL, granted: Whole },
    Function { signature: "net._http_collect_response(bigint,boolean)",
        call: "select net._http_collect_response(1, false)", installed: ALL, granted: Reader { calls: NOTHING } },
    Function { signature: "net.http_collect_response(bigint,boolean)",
        call: "select net.http_collect_response(1, false)", installed: ALL, granted: Reader { calls: NOTHING } },
    Function { signature: "net.set_queue_logged(boolean)",
        call: "select net.set_queue_logged(true)", installed: OWNER, granted: OwnersOnly },
    Function { signature: "net.set_responses_logged(boolean)",
        call: "select net.set_responses_logged(false)", installed: OWNER, granted: OwnersOnly },
    Function { signature: "net.restore_open_access(regrole)",
        call: "select net.restore_open_access()", installed: OWNER, granted: OwnersOnly },
    Function { signature: "net.revoke_open_access(regrole)",
        call: "select net.revoke_open_access()", installed: OWNER, granted: OwnersOnly },
    Function { signature: "net._check_owner(text)",
        call: "select net._check_owner('this')", installed: OWNER, granted: OwnersOnly },
    Function { signature: "net._grant_own_rows()",
        call: "select net._grant_own_rows()", installed: OWNER, granted: OwnersOnly },
    Function { signature: "net.origin_state()",
        call: "select net.origin_state()", installed: MONITOR, granted: Reader { calls: &["net._origin_states()"] } },
    Function { signature: "net._origin_states()", call: "select net._origin_states()", installed: MONITOR, granted: Whole },
    Function { signature: "net._note_row_key(bigint)", call: "select net._note_row_key(1)", installed: OWNER, granted: Whole },
    Function { signature: "net._next_row_key()", call: "select net._next_row_key()", installed: ALL, granted: Whole },
    Function { signature: "net._run_trigger()", call: "create trigger t before insert on mine
        for each row execute function net._run_trigger()", installed: OWNER, granted: Whole },
    Function { signature: "net._take_noted_row_key()",
        call: "select net._take_noted_row_key()", installed: ALL, granted: Whole },
    Function { signature: "net._this_database()", call: "select net._this_database()", installed: ALL, granted: Whole },
    Function { signature: "net._check_host_pattern(text)",
        call: "select net._check_host_pattern('a.example')", installed: ALL, granted: Whole },
    // Never called by a role: for triggers and the planner.
    Function { signature: "net._settings_changed()", call: "create trigger t before insert on mine
        for each statement execute function net._settings_changed()", installed: OWNER, granted: Whole },
    Function { signature: "net._assign_row_key()", call: "create trigger t before insert on mine
        for each row execute function net._assign_row_key()", installed: OWNER, granted: Whole },
    Function { signature: "net._keep_caller(internal)", call: "create function pg_temp.f(text) returns text language sql
        support net._keep_caller as 'select $1'", installed: "- + - - - - - - - -", granted: OwnersOnly },
];
