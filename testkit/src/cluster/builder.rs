use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::server::Server;
use super::{Cluster, ServerConfig, template};
use crate::scratch::Scratch;

/// What a [`Cluster`] is to be like.
pub struct Builder {
    libraries: Vec<String>,
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    tree: Option<PathBuf>,
    initdb: Vec<String>,
    durable: bool,
    stock: bool,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            libraries: vec!["pg_net".into()],
            settings: Vec::new(),
            environment: Vec::new(),
            tree: None,
            initdb: Vec::new(),
            durable: false,
            stock: false,
        }
    }

    /// Preloads one more library.
    #[must_use]
    pub fn preload(mut self, library: &str) -> Self {
        self.libraries.push(library.into());
        self
    }

    /// Preloads nothing, not even pg_net.
    #[must_use]
    pub fn no_preload(mut self) -> Self {
        self.libraries.clear();
        self
    }

    /// Sets a line of postgresql.conf.
    #[must_use]
    pub fn conf(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Sets a variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs another Postgres tree than the one that the tests are run with.
    #[must_use]
    pub fn tree(mut self, root: &Path) -> Self {
        self.tree = Some(root.into());
        self
    }

    /// Runs the Postgres that clusters are upgraded from: of the major version before, where there are several.
    #[must_use]
    pub fn old(self) -> Self {
        self.tree(&template::old_root())
    }

    /// Makes the data directory with an option of `initdb`.
    #[must_use]
    pub fn initdb(mut self, option: &str) -> Self {
        self.initdb.push(option.into());
        self
    }

    /// Flushes what is committed to disk, as a server in production does.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// As Postgres comes: durable, with segments of the usual size, and nothing set but where it listens and what it
    /// preloads. Takes longer to make.
    #[must_use]
    pub fn stock(mut self) -> Self {
        self.stock = true;
        self.durable()
    }

    /// Boots the server and creates the extension in the database `postgres`.
    pub fn start_ready(self) -> Cluster {
        let cluster = self.start();
        cluster.connect().batch_execute("create extension pg_net").expect("create extension pg_net");
        cluster
    }

    /// Boots the server.
    pub fn start(self) -> Cluster {
        let scratch = Scratch::new("cluster");
        let data = scratch.path().join("data");
        let root = self.tree.unwrap_or_else(template::root);
        if self.stock || !self.initdb.is_empty() {
            let small: &[&str] = if self.stock { &[] } else { &[template::SMALL_SEGMENTS] };
            let options = self.initdb.iter().map(String::as_str).chain(small.iter().copied());
            template::initialize(&data, &root, &options.collect::<Vec<_>>());
        } else {
            template::copy_to(&data, &root);
        }
        let sockets = scratch.directory("s");
        let log = scratch.file("log", "");

        let mut settings = vec![
            ("listen_addresses".into(), "127.0.0.1".into()),
            ("unix_socket_directories".into(), sockets.to_str().expect("a path in UTF-8").into()),
            ("shared_preload_libraries".into(), self.libraries.join(",")),
            ("fsync".into(), if self.durable { "on" } else { "off" }.into()),
            ("log_line_prefix".into(), "%m [%p] %b ".into()),
        ];
        settings.extend(self.settings);
        append(&data, &settings);

        let config = ServerConfig { root, data, log, environment: self.environment };
        let mut cluster = Cluster { server: None, config, scratch };
        cluster.server = Some(Server::start(&cluster.config));
        cluster
    }
}

/// Adds lines to postgresql.conf: of two for one setting, the later one counts.
pub(super) fn append(data: &Path, settings: &[(String, String)]) {
    let mut file = OpenOptions::new().append(true).open(data.join("postgresql.conf")).expect("open postgresql.conf");
    for (name, value) in settings {
        writeln!(file, "{name} = '{}'", value.replace('\'', "''")).expect("write postgresql.conf");
    }
}
