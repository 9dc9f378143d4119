use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use postgres::{Client, Config, NoTls};
use testkit::{Cluster, PATIENCE};

/// The way of the writers to the server, which may come back on another port. Closed, it tells them to end.
pub(crate) struct Gate {
    port: AtomicU16,
    closed: AtomicBool,
}

impl Gate {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        Self { port: AtomicU16::new(cluster.port()), closed: AtomicBool::new(false) }
    }

    /// The server has been started again.
    pub(crate) fn moved(&self, cluster: &Cluster) {
        self.port.store(cluster.port(), Ordering::SeqCst);
    }

    /// Connects; nothing while the server is down or recovering.
    pub(crate) fn enter(&self) -> Option<Client> {
        Config::new()
            .host("127.0.0.1")
            .port(self.port.load(Ordering::SeqCst))
            .user("postgres")
            .dbname("postgres")
            .application_name("writer")
            .connect_timeout(PATIENCE)
            .connect(NoTls)
            .ok()
    }

    /// Tells the writers to end what they are doing.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Closes the gate when it goes, so that no writer outlives a scenario that fails.
pub(crate) struct ClosesGate<'a>(pub(crate) &'a Gate);

impl Drop for ClosesGate<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
