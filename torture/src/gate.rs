use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use postgres::{Client, Config, NoTls};
use testkit::{Cluster, PATIENCE};

/// Where the writers find the server, which may come back on another port, and whether they are to go on.
pub(crate) struct Door {
    port: AtomicU16,
    closed: AtomicBool,
}

impl Door {
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

    /// The writers are to end what they are doing.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Closes the door when it goes, so that no writer outlives a bout that fails.
pub(crate) struct ClosesDoor<'a>(pub(crate) &'a Door);

impl Drop for ClosesDoor<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
