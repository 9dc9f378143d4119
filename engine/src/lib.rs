//! Sends HTTP requests and reports what became of them.
//!
//! The engine knows HTTP, time and policy. It knows nothing of Postgres: a host hands it [`Request`]s, each under a
//! [`Key`] of the host's choosing, and takes [`Outcome`]s back under the same keys. Exactly one outcome comes for each
//! request handed over, unless the engine is stopped first, or sends it back unsent ([`OriginEvents`]), or the host takes it
//! back ([`Engine::take_back`]).
//!
//! The pieces a host meets: [`Target`] validates a URL, [`Request`] is one row's worth of work, [`ClaimWindow`] decides which
//! of the waiting requests may be claimed so that no origin starves another, [`Engine`] does the sending on a thread of
//! its own under a [`Policy`], and [`Outcome`] is what came of it.

#![forbid(unsafe_code)]

mod address;
mod admission;
mod config;
mod dispatch;
mod egress;
mod engine;
mod exchange;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod memory;
mod message;
mod pool;
mod retry;
mod trace;
mod transport;

pub use address::host_pattern::{HostPattern, HostPatternError};
pub use address::network::Network;
pub use address::no_proxy::{NoProxy, NoProxyError};
pub use address::origin::Origin;
pub use address::query;
pub use address::target::{LastTarget, Target, TargetError};
pub use admission::claim_window::{Bounds, ClaimWindow, Flow, Tenant, Verdict};
pub use config::policy::Policy;
pub use config::proxy::{Proxy, ProxyError};
pub use dispatch::origin_health::{OriginEvents, OriginHealth, OriginState, Responsiveness};
pub use egress::refusal::Refusal;
pub use egress::rule::{Action, EgressRule, RuleSet};
pub use egress::{Egress, Reach};
pub use engine::{Engine, StartError};
pub use message::failure::{Failure, FailureKind};
pub use message::key::Key;
pub use message::multipart::{FormError, Multipart, Part};
pub use message::outcome::{Content, Headers, Outcome, Response};
pub use message::request::Request;
pub use message::{form, method};
pub use retry::RetryPolicy;
pub use retry::jitter::Jitter;
pub use trace::Trace;
pub use trace::phases::Phases;
pub use transport::tls::client_identity::ClientIdentity;
pub use transport::tls::exit_guard::before_exit;
