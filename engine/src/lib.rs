//! Sends HTTP requests and reports what became of them.
//!
//! The engine knows HTTP, time and policy. It knows nothing of Postgres: a host hands it [`Request`]s, each under a
//! [`Key`] of the host's choosing, and takes [`Outcome`]s back under the same keys. Exactly one outcome comes for each
//! request handed over, unless the engine is stopped first, or sends it back unsent ([`OriginNews`]), or the host takes it
//! back ([`Engine::take_back`]).
//!
//! The pieces a host meets: [`Target`] validates a URL, [`Request`] is one row's worth of work, [`Window`] decides which
//! of the waiting requests may be claimed so that no origin starves another, [`Engine`] does the sending on a thread of
//! its own under a [`Policy`], and [`Outcome`] is what came of it.

#![forbid(unsafe_code)]

mod account;
mod address;
mod alarms;
mod board;
mod body;
mod budget;
mod by_route;
mod certificate_file;
mod classify;
mod client;
mod client_identity;
mod coding;
mod company;
mod connection;
mod connector;
mod decode;
mod dispatcher;
mod egress;
mod egress_rule;
mod engine;
mod exchange;
mod failure;
mod fair_queue;
mod files;
pub mod form;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gate;
mod head;
mod header;
mod hop;
mod host_pattern;
mod http1;
mod http2;
mod jitter;
mod keep_alive;
mod lane;
mod lease;
mod leniency;
mod line_feeds;
mod localhost;
mod message;
pub mod method;
mod multipart;
mod network;
mod no_proxy;
mod opening;
mod origin;
mod outcome;
mod outgoing;
mod phases;
mod policy;
mod pool;
mod probes;
mod progress;
mod proxy;
mod proxy_login;
pub mod query;
mod reading;
mod redirect;
mod refusal;
mod reply_body;
mod request;
mod resend;
mod resolver;
mod restraint;
mod retry;
mod retry_after;
mod route;
mod socks;
mod special;
mod standing;
mod tap;
mod target;
mod tcp;
mod ticket;
mod tls;
mod tls_error;
mod tls_stream;
mod tls_use;
mod trace;
mod trust;
mod trust_settings;
mod tunnel;
mod url_text;
mod window;
mod wire;

pub use client_identity::ClientIdentity;
pub use egress::{Egress, Reach};
pub use egress_rule::{Action, EgressRule, RuleSet};
pub use engine::{Engine, StartError};
pub use failure::{Failure, FailureKind};
pub use host_pattern::{HostPattern, HostPatternError};
pub use jitter::Jitter;
pub use multipart::{FormError, Multipart, Part};
pub use network::Network;
pub use no_proxy::{NoProxy, NoProxyError};
pub use origin::Origin;
pub use outcome::{Content, Headers, Outcome, Response};
pub use phases::Phases;
pub use policy::Policy;
pub use proxy::{Proxy, ProxyError};
pub use refusal::Refusal;
pub use request::{Key, Request};
pub use retry::RetryPolicy;
pub use standing::{OriginNews, OriginState, Pace, Standing};
pub use target::{LastTarget, Target, TargetError};
pub use tls_use::before_exit;
pub use trace::Trace;
pub use window::{Asker, Bounds, Flow, Verdict, Window};
