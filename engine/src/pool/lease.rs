use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::message::outcome::Headers;
use crate::pool::client::{Client, Settings};
use crate::pool::connection::Connection;
use crate::pool::keep_alive;
use crate::pool::route::Route;
use crate::transport::http2::Http2;

/// A connection while one request uses it.
///
/// It goes back to the pool only after a good end of the exchange. If the lease is dropped before, by a failure or at
/// the deadline, the connection is closed at once, because what it would bring next is unknown.
pub(crate) struct Lease<'a> {
    /// None after it was given back.
    connection: Option<Connection>,
    /// Whether it was opened for another request.
    reused: bool,
    client: &'a Rc<Client>,
    route: Route,
    settings: &'a Settings,
}

impl<'a> Lease<'a> {
    /// A connection that was used before, or a share in one.
    pub(crate) fn reusing(
        connection: Connection,
        client: &'a Rc<Client>,
        route: Route,
        settings: &'a Settings,
    ) -> Self {
        Self { connection: Some(connection), reused: true, client, route, settings }
    }

    /// A new connection.
    pub(crate) fn new(connection: Connection, client: &'a Rc<Client>, route: Route, settings: &'a Settings) -> Self {
        Self { connection: Some(connection), reused: false, client, route, settings }
    }

    pub(crate) fn is_reused(&self) -> bool {
        self.reused
    }

    /// The whole reply was read. The next request may have the connection, for as long as the reply says.
    pub(crate) fn give_back(mut self, headers: &Headers) {
        // It is not free if the server closes it, or answered before it had the whole request.
        if let Some(mut connection) = self.connection.take_if(|connection| connection.is_free()) {
            connection.limit_idle(keep_alive::hinted(headers));
            self.client.keep(&self.route, connection, self.settings);
        }
    }
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("only giving back takes it")
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("only giving back takes it")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let lifetime = connection.http2().map(Http2::lifetime);
        let slots = connection.slots().cloned();
        connection.abort();
        // There may be room for another stream now.
        if let (Some(lifetime), Some(slots)) = (lifetime, slots) {
            self.client.make_room(&self.route, &slots, lifetime);
        }
    }
}
