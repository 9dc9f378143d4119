use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::client::{Client, Settings};
use crate::connection::Connection;
use crate::route::Route;

/// A connection while one request uses it.
///
/// It goes back to the pool only if the exchange came to a good end. Where the lease is dropped otherwise, by a failure
/// or because the deadline cut the request off, the connection is closed at once: nobody knows what it would bring next.
pub(crate) struct Lease<'a> {
    /// None once it was given back.
    connection: Option<Connection>,
    client: &'a Rc<Client>,
    route: Route,
    settings: &'a Settings,
}

impl<'a> Lease<'a> {
    pub(crate) fn new(connection: Connection, client: &'a Rc<Client>, route: Route, settings: &'a Settings) -> Self {
        Self { connection: Some(connection), client, route, settings }
    }

    /// The whole reply was read: the next request may have the connection.
    pub(crate) fn give_back(mut self) {
        // It is not free where the server closes it, or answered before it had the whole request.
        if let Some(connection) = self.connection.take_if(|connection| connection.is_free()) {
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
        if let Some(connection) = self.connection.take() {
            connection.abort();
        }
    }
}
