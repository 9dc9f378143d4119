//! Keeps TLS sessions of a client, so that handshakes are resumed (RFC 8446 §2.2, RFC 5077).
//!
//! OpenSSL makes sessions and leaves it to its user to keep them. To use one is `unsafe` in the `openssl` crate, since it must
//! belong to the context that it is used with: a [`Client`] has both.

mod kept;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslSession, SslSessionCacheMode};

use kept::Kept;

/// How long after a server's certificate was verified its sessions are resumed, which does not verify it again.
const VERIFIED_FOR: Duration = Duration::from_secs(60 * 60);

/// A context for connections, and the sessions of those that there were.
///
/// Bounded: some sessions each for so many peers.
pub struct Client {
    context: SslContext,
    kept: Arc<Kept<SslSession>>,
}

/// To whom a connection is, and when the handshake was whole whose session it resumes.
struct Peer {
    name: Arc<str>,
    resumes: Option<Instant>,
}

impl Client {
    /// Takes over a context that is configured but for its sessions.
    ///
    /// # Errors
    ///
    /// When memory is short.
    pub fn new(mut context: SslContextBuilder) -> Result<Self, ErrorStack> {
        let peers = peers()?;
        let kept = Arc::new(Kept::default());
        let keeper = kept.clone();
        context.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        context.set_new_session_callback(move |ssl, session| {
            let Some(peer) = ssl.ex_data(peers) else { return };
            // Sessions that a resumed one leads to are as old as that.
            let since = peer.resumes.filter(|_| ssl.session_reused()).unwrap_or_else(Instant::now);
            let reusable = session.protocol_version() != openssl::ssl::SslVersion::TLS1_3;
            keeper.put(peer.name.clone(), session, since, reusable);
        });
        Ok(Self { context: context.build(), kept })
    }

    /// A connection that is to be made, which resumes a session if there is one with that peer.
    ///
    /// Under the same name must be only connections to the same server whose certificate is verified in the same way.
    ///
    /// # Errors
    ///
    /// When memory is short.
    pub fn connection(&self, peer: Arc<str>) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        let session = self.kept.take(&peer, Instant::now(), VERIFIED_FOR);
        if let Some((session, _)) = &session {
            // SAFETY: the session was made by a connection of this context: no other has the callback that keeps it here, and
            // nobody else reaches `kept`.
            unsafe { ssl.set_session(session)? };
        }
        ssl.set_ex_data(peers()?, Peer { name: peer, resumes: session.map(|(_, since)| since) });
        Ok(ssl)
    }
}

/// Where a connection has its [`Peer`].
fn peers() -> Result<Index<Ssl, Peer>, ErrorStack> {
    static INDEX: OnceLock<Index<Ssl, Peer>> = OnceLock::new();
    if let Some(index) = INDEX.get() {
        return Ok(*index);
    }
    let index = Ssl::new_ex_index()?;
    Ok(*INDEX.get_or_init(|| index))
}
