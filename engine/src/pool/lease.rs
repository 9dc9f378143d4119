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
/// It goes back to the pool only if the exchange came to a good end. Where the lease is dropped otherwise, by a failure
/// or because the deadline cut the request off, the connection is closed at once: nobody knows what it would bring next.
pub(crate) struct Lease<'a> {
    /// None once it was given back.
    connection: Option<Connection>,
    /// Whether it was opened for others.
    reused: bool,
    client: &'a Rc<Client>,
    route: Route,
    settings: &'a Settings,
}

impl<'a> Lease<'a> {
    /// A connection that others used before, or use, too.
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

    /// The whole reply was read: the next request may have the connection, for as long as the reply says.
    pub(crate) fn give_back(mut self, headers: &Headers) {
        // It is not free where the server closes it, or answered before it had the whole request.
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
        let opening = connection.opening().cloned();
        connection.abort();
        // There may be room for another stream now.
        if let (Some(lifetime), Some(opening)) = (lifetime, opening) {
            self.client.make_room(&self.route, &opening, lifetime);
        }
    }
}
