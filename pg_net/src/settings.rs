//! The settings, and why each may be changed where it may.

mod proxy;
mod tls;
pub(crate) mod unknown;

use std::ffi::{CStr, CString};
use std::time::Duration;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

use crate::pg::process::check_hook::{Refusal, check_hook, define_checked};
use crate::pg::process::server;
use crate::pg::types::interval;

// How fast a database's queue is worked off and how long its responses stay is its administrator's matter: ALTER ROLE and
// ALTER DATABASE … SET work, and a superuser can set them.
static BATCH_SIZE: GucSetting<i32> = GucSetting::<i32>::new(200);
static TTL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"6 hours"));

// How long a request may take at most. A timeout beyond it is the request's outcome, for every role.
static MAX_TIMEOUT_MS: GucSetting<i32> = GucSetting::<i32>::new(600_000);

// Where the worker connects is read before it is connected: only the server's own configuration can say it.
static DATABASE_NAME: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"postgres"));
static USERNAME: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

// How many processes the databases have between them, and whether they send at all, is the server's matter.
static MAX_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(4);
static WORKER_IDLE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(60_000);
static TRIGGER_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(5000);
static PAUSED: GucSetting<bool> = GucSetting::<bool>::new(false);

// What limits callers is the server's matter: the owner of a database must not loosen it with ALTER DATABASE.
static MAX_IN_FLIGHT: GucSetting<i32> = GucSetting::<i32>::new(1000);
static MAX_IN_FLIGHT_PER_ORIGIN: GucSetting<i32> = GucSetting::<i32>::new(200);
static MAX_REQUEST_BYTES: GucSetting<i32> = GucSetting::<i32>::new(64 << 20);
static MAX_RESPONSE_BYTES: GucSetting<i32> = GucSetting::<i32>::new(64 << 20);
static MAX_IN_FLIGHT_BYTES: GucSetting<i32> = GucSetting::<i32>::new(64 << 20);
static BREAKER_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(5);
static RETRY_BASE: GucSetting<i32> = GucSetting::<i32>::new(1000);
static RETRY_CAP: GucSetting<i32> = GucSetting::<i32>::new(10 * 60 * 1000);
static RETRY_AFTER_MAX: GucSetting<i32> = GucSetting::<i32>::new(60 * 60 * 1000);
// Shorter than what is common for servers that do not say so: 20 s (Puma, Tomcat), 30 s (Jetty), 60 s (load balancers), 75 s (nginx).
static IDLE_CONNECTION_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(15 * 1000);
static ACCEPT_ENCODING: GucSetting<bool> = GucSetting::<bool>::new(false);
static KEEP_PARTIAL: GucSetting<bool> = GucSetting::<bool>::new(false);

static EGRESS: GucSetting<Egress> = GucSetting::<Egress>::new(Egress::Any);

/// The extension's version, as `User-Agent` and `application_name` carry it.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Values of `pg_net.egress`.
#[derive(Clone, Copy, PostgresGucEnum)]
enum Egress {
    #[name = c"any"]
    Any,
    #[name = c"public"]
    Public,
}

/// Makes the settings known. Called once, while the library is preloaded.
// A table.
pub(crate) fn define() {
    GucRegistry::define_int_guc(
        c"pg_net.batch_size",
        c"How many waiting requests one read of the queue may claim.",
        c"",
        &BATCH_SIZE,
        1,
        10_000,
        GucContext::Suset,
        GucFlags::default(),
    );
    define_checked(
        c"pg_net.ttl",
        c"How long responses are kept.",
        c"Any interval.",
        &TTL,
        GucContext::Suset,
        check_hook!(check_ttl),
    );
    GucRegistry::define_int_guc(
        c"pg_net.max_timeout_ms",
        c"The longest timeout that a request may have, in milliseconds.",
        c"A request with another one fails without being sent.",
        &MAX_TIMEOUT_MS,
        1,
        i32::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"pg_net.database_name",
        c"Database of the worker that starts with the server.",
        c"Applies when the worker is restarted.",
        &DATABASE_NAME,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"pg_net.username",
        c"Role that the workers connect as; the bootstrap superuser if not set.",
        c"Applies when a worker is restarted.",
        &USERNAME,
        GucContext::Sighup,
        GucFlags::default(),
    );
    define_worker_settings();
    GucRegistry::define_int_guc(
        c"pg_net.max_in_flight",
        c"How many requests may be under way at once.",
        c"",
        &MAX_IN_FLIGHT,
        1,
        100_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_net.max_in_flight_per_origin",
        c"How many requests may be under way at once to one scheme, host and port.",
        c"",
        &MAX_IN_FLIGHT_PER_ORIGIN,
        1,
        100_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_net.max_request_bytes",
        c"How large a request may be: its URL, headers and body together.",
        c"",
        &MAX_REQUEST_BYTES,
        1,
        // A row holds at most 1 GiB, and a few copies of it are made on its way.
        256 << 20,
        GucContext::Sighup,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_int_guc(
        c"pg_net.max_response_bytes",
        c"How long a response's body may be; a longer one is a failure.",
        c"",
        &MAX_RESPONSE_BYTES,
        1,
        // A row holds at most 1 GiB, and text may take more bytes in the server's encoding than it had on the wire.
        256 << 20,
        GucContext::Sighup,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_int_guc(
        c"pg_net.idle_connection_timeout",
        c"How long an unused connection is kept for the next request.",
        c"",
        &IDLE_CONNECTION_TIMEOUT,
        1,
        24 * 60 * 60 * 1000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"pg_net.max_in_flight_bytes",
        c"How much memory the bodies of requests and responses may take at once.",
        c"One response may go beyond.",
        &MAX_IN_FLIGHT_BYTES,
        1 << 20,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_int_guc(
        c"pg_net.breaker_failures",
        c"Failures in a row to connect to an origin after which less is sent to it; 0: never.",
        c"",
        &BREAKER_FAILURES,
        0,
        1_000_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"pg_net.accept_encoding",
        c"Whether compressed replies are asked for.",
        c"Those that come are decompressed either way.",
        &ACCEPT_ENCODING,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"pg_net.keep_partial",
        c"Whether what came of a response before it failed is kept.",
        c"",
        &KEEP_PARTIAL,
        GucContext::Sighup,
        GucFlags::default(),
    );
    define_retry_settings();
    tls::define();
    proxy::define();
    GucRegistry::define_enum_guc(
        c"pg_net.egress",
        c"How far requests may go: to any address, or to public ones only.",
        c"Link-local addresses and those of cloud metadata are refused either way.",
        &EGRESS,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

fn define_retry_settings() {
    /// A wait that is to be stored as a moment in time must not reach beyond what people plan for.
    const WEEK: i32 = 7 * 24 * 60 * 60 * 1000;
    let define = |name, what, setting, least| {
        let (context, flags) = (GucContext::Sighup, GucFlags::UNIT_MS);
        GucRegistry::define_int_guc(name, what, c"", setting, least, WEEK, context, flags);
    };
    // Without any wait a request that fails at once would be tried in a loop.
    define(c"pg_net.retry_base", c"The longest wait between the first attempt and the second.", &RETRY_BASE, 1);
    define(
        c"pg_net.retry_cap",
        c"The longest wait between two attempts, unless the server asks for more.",
        &RETRY_CAP,
        1,
    );
    define(c"pg_net.retry_after_max", c"The most of a Retry-After that is obeyed.", &RETRY_AFTER_MAX, 0);
}

fn define_worker_settings() {
    GucRegistry::define_int_guc(
        c"pg_net.max_workers",
        c"How many workers there may be at once, each for a database.",
        c"Where more databases have requests, they take turns.",
        &MAX_WORKERS,
        1,
        crate::shmem::SLOTS as i32,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"pg_net.worker_idle_timeout",
        c"How long a worker that was started on demand stays when there is nothing to do.",
        c"The worker of pg_net.database_name always stays.",
        &WORKER_IDLE_TIMEOUT,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"pg_net.trigger_timeout",
        c"How long one run of a trigger that the owner of a table attached to it may take in a worker.",
        c"",
        &TRIGGER_TIMEOUT,
        1,
        60 * 60 * 1000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_bool_guc(
        c"pg_net.paused",
        c"Whether requests wait instead of being sent.",
        c"",
        &PAUSED,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

fn check_ttl(text: &CStr) -> Result<(), Refusal> {
    if interval::is_valid(text) { Ok(()) } else { Err(Refusal::default()) }
}

/// Bytes that a request may have.
pub(crate) fn max_request_bytes() -> usize {
    MAX_REQUEST_BYTES.get() as usize
}

/// Rows that one read of the queue may claim.
pub(crate) fn batch_size() -> usize {
    BATCH_SIZE.get() as usize
}

/// The longest timeout that a request may have, in milliseconds.
pub(crate) fn max_timeout_ms() -> i32 {
    MAX_TIMEOUT_MS.get()
}

/// How long responses are kept: an interval as text.
pub(crate) fn ttl() -> CString {
    TTL.get().unwrap_or_else(|| c"6 hours".to_owned())
}

/// Database of the worker that starts with the server.
pub(crate) fn database_name() -> String {
    text(&DATABASE_NAME).unwrap_or_else(|| "postgres".to_owned())
}

/// How many workers there may be at once.
pub(crate) fn max_workers() -> usize {
    MAX_WORKERS.get() as usize
}

/// How long a worker that was started on demand stays when there is nothing to do.
pub(crate) fn worker_idle_timeout() -> Duration {
    Duration::from_millis(WORKER_IDLE_TIMEOUT.get() as u64)
}

/// How long one run of a user's trigger may take in a worker.
pub(crate) fn trigger_timeout() -> Duration {
    milliseconds(&TRIGGER_TIMEOUT)
}

/// Whether requests wait instead of being sent.
pub(crate) fn paused() -> bool {
    PAUSED.get()
}

/// Role that the workers connect as; `None` is the bootstrap superuser.
pub(crate) fn username() -> Option<String> {
    text(&USERNAME)
}

/// Bytes of bodies that may stand in the worker's memory.
pub(crate) fn max_in_flight_bytes() -> usize {
    MAX_IN_FLIGHT_BYTES.get() as usize
}

/// Where requests may go, for every role.
pub(crate) fn egress() -> engine::Egress {
    let reach = match EGRESS.get() {
        Egress::Any => engine::Reach::Any,
        Egress::Public => engine::Reach::Public,
    };
    engine::Egress { reach, own_port: server::port() }
}

/// What the engine works under.
pub(crate) fn policy() -> engine::Policy {
    let mut policy = engine::Policy {
        max_in_flight: MAX_IN_FLIGHT.get() as usize,
        max_in_flight_per_origin: MAX_IN_FLIGHT_PER_ORIGIN.get() as usize,
        max_in_flight_bytes: max_in_flight_bytes(),
        breaker_failures: BREAKER_FAILURES.get() as u32,
        max_response_bytes: MAX_RESPONSE_BYTES.get() as usize,
        retry: engine::RetryPolicy {
            base: milliseconds(&RETRY_BASE),
            cap: milliseconds(&RETRY_CAP),
            retry_after_max: milliseconds(&RETRY_AFTER_MAX),
        },
        idle_timeout: milliseconds(&IDLE_CONNECTION_TIMEOUT),
        accept_encoding: ACCEPT_ENCODING.get(),
        keep_partial: KEEP_PARTIAL.get(),
        egress: egress(),
        user_agent: format!("pg_net/{VERSION}"),
        ..engine::Policy::default()
    };
    tls::apply(&mut policy);
    proxy::apply(&mut policy);
    policy
}

/// A setting with `UNIT_MS`, whose least value is not negative.
fn milliseconds(setting: &GucSetting<i32>) -> Duration {
    Duration::from_millis(setting.get() as u64)
}

/// A string setting that says something.
fn text(setting: &GucSetting<Option<CString>>) -> Option<String> {
    setting.get().map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}
