use super::server::Server;
use super::{Cluster, ServerConfig, builder};
use crate::scratch::Scratch;

impl Cluster {
    /// A streaming standby of this server: its data as they are now, and whatever comes from then on.
    pub fn start_standby(&self) -> Self {
        let scratch = Scratch::new("standby");
        let data = scratch.path().join("data");
        let directory = data.to_str().expect("a path in UTF-8");
        self.run("pg_basebackup", &["-D", directory, "-R", "-X", "stream", "-c", "fast", "--no-sync"]);
        let sockets = scratch.directory("s");
        let log = scratch.file("log", "");
        let sockets = sockets.to_str().expect("a path in UTF-8").to_owned();
        builder::append(&data, &[("unix_socket_directories".into(), sockets)]);

        let config = ServerConfig { root: self.config.root.clone(), data, log, environment: Vec::new() };
        let mut cluster = Self { server: None, config, scratch };
        cluster.server = Some(Server::start(&cluster.config));
        cluster
    }
}
