//! What a part of the run works with: a Postgres of its own, as it comes, with the extension, and a client.

use postgres::Client;
use testkit::Cluster;

/// A Postgres with the extension in it, and a superuser's session.
pub(crate) struct Lab {
    /// The session that queues and looks.
    pub(crate) client: Client,
    /// The server.
    pub(crate) cluster: Cluster,
}

impl Lab {
    /// One with nothing configured but the preload and where it listens.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// One with settings.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let builder = Cluster::builder().stock();
        let cluster = settings.iter().fold(builder, |builder, (name, value)| builder.conf(name, value)).start();
        let mut client = cluster.connect();
        client.batch_execute("create extension pg_net; select net.wait_until_running()").expect("create the extension");
        Self { client, cluster }
    }

    /// Empties both tables, and writes to disk what is not there yet, so that measurements start alike.
    pub(crate) fn reset(&mut self) {
        let empty = ["truncate net.http_request_queue", "truncate net._http_response", "checkpoint"];
        for statement in empty {
            self.client.batch_execute(statement).expect("start afresh");
        }
    }

    /// The worker's process.
    pub(crate) fn worker(&mut self) -> i32 {
        self.cluster.worker_pid(&mut self.client)
    }

    /// A single number.
    pub(crate) fn number(&mut self, query: &str) -> i64 {
        self.client.query_one(query, &[]).expect("ask for a number").get(0)
    }
}
