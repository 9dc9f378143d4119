//! A real Postgres in a directory of its own.

mod builder;
mod server;
mod standby;
mod template;

use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::{Client, Config, NoTls};
use rustix::process::Signal;

pub use builder::Builder;
use server::Server;
pub use server::Shutdown;
pub use template::program;

use crate::scratch::Scratch;
use crate::{PATIENCE, account, kill, process, wait_until};

/// A Postgres server with a database cluster of its own. Dropping it stops the server and removes all its files.
pub struct Cluster {
    server: Option<Server>,
    config: ServerConfig,
    // After the server, so that it is dropped after it.
    scratch: Scratch,
}

/// What a server is started with, again after each stop.
struct ServerConfig {
    /// The tree that its programs are in.
    root: PathBuf,
    data: PathBuf,
    log: PathBuf,
    environment: Vec<(String, String)>,
}

impl Cluster {
    /// One that is ready to use: the worker preloaded, the extension created in the database `postgres`.
    pub fn start_default() -> Self {
        Self::builder().start_ready()
    }

    /// Describes one that differs. pg_net is preloaded unless said otherwise; the extension is left to the test to create.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Connects as the superuser to the database `postgres`.
    pub fn connect(&self) -> Client {
        self.connect_as("postgres", "postgres")
    }

    /// Connects.
    pub fn connect_as(&self, user: &str, database: &str) -> Client {
        self.try_connect_as(user, database).expect("connect to the cluster")
    }

    /// Connects, or says why not.
    pub fn try_connect_as(&self, user: &str, database: &str) -> Result<Client, postgres::Error> {
        Config::new()
            .host("127.0.0.1")
            .port(self.port())
            .user(user)
            .dbname(database)
            .application_name("test")
            .connect_timeout(PATIENCE)
            .connect(NoTls)
    }

    /// The connection string of the superuser and the database `postgres`.
    pub fn connection_string(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port())
    }

    /// The port that the server listens on.
    pub fn port(&self) -> u16 {
        self.server().port()
    }

    /// The process id of the postmaster.
    pub fn postmaster_pid(&self) -> i32 {
        self.server().pid()
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("a running server")
    }

    /// The data directory.
    pub fn data_directory(&self) -> &Path {
        &self.config.data
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        server::read_log(&self.config.log)
    }

    /// Waits until the server's log holds a text.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        wait_until(&format!("{text:?} in the server's log"), PATIENCE, || self.log().contains(text));
    }

    /// The process id of the one worker, once it runs.
    #[track_caller]
    pub fn worker_pid(&self, client: &mut Client) -> i32 {
        wait_until("the worker in pg_stat_activity", PATIENCE, || {
            let workers = "select pid from pg_stat_activity
                            where backend_type = 'pg_net' and application_name not like '% triggers'";
            client.query_opt(workers, &[]).expect("at most one worker").map(|row| row.get(0))
        })
    }

    /// The process id of the worker that serves a database, once it runs.
    #[track_caller]
    pub fn worker_pid_in(&self, client: &mut Client, database: &str) -> i32 {
        wait_until(&format!("a worker in {database}"), PATIENCE, || {
            let workers = "select pid from pg_stat_activity
                            where backend_type = 'pg_net' and application_name not like '% triggers' and datname = $1";
            client.query_opt(workers, &[&database]).expect("at most one worker").map(|row| row.get(0))
        })
    }

    /// Whether the server has a process with a text in its title, connected or not.
    pub fn has_process(&self, title: &str) -> bool {
        process::has_child(self.postmaster_pid(), title)
    }

    /// The process id of the server's background process of a name, connected or not, if there is one.
    pub fn process_pid(&self, name: &str) -> Option<i32> {
        process::child(self.postmaster_pid(), &format!("postgres: {name}"))
    }

    /// Stops the server.
    pub fn stop(&mut self, how: Shutdown) {
        self.server.take().expect("a running server").stop(how);
    }

    /// Starts the server again, with the data it left.
    pub fn start(&mut self) {
        assert!(self.server.is_none(), "the server is running");
        self.server = Some(Server::start(&self.config));
    }

    /// Has `pg_upgrade` bring the databases of another cluster here, with the arguments given; both must be stopped.
    #[track_caller]
    pub fn upgrade_from(&self, old: &Self, arguments: &[&str]) -> String {
        assert!(self.server.is_none() && old.server.is_none(), "both servers are stopped");
        let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let programs = |cluster: &Self| text(&template::program_of(&cluster.config.root, ""));
        let (old_programs, new_programs, sockets) =
            (programs(old), programs(self), text(&self.scratch.path().join("s")));
        let (old, new) = (text(&old.config.data), text(&self.config.data));
        let places = ["-b", &old_programs, "-B", &new_programs, "-d", &old, "-D", &new, "-s", &sockets];
        self.run("pg_upgrade", &[&places, arguments].concat())
    }

    /// Kills the postmaster as a crash of the machine would, and waits until what it started is gone too.
    pub fn kill_postmaster(&mut self) {
        let server = self.server.take().expect("a running server");
        let memory = server::shared_memory(&self.config.data);
        kill(server.pid());
        drop(server);
        wait_until("the end of the postmaster's children", PATIENCE, || process::attached(memory) == 0);
    }

    /// Runs SQL through psql, and returns what it prints, unaligned and without headers.
    #[track_caller]
    pub fn psql(&self, sql: &str) -> String {
        let printed = self.run("psql", &["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        printed.trim_end().to_owned()
    }

    /// Runs a program that comes with Postgres, in a directory that it may write to, and returns what it prints. It connects
    /// as the superuser to the database `postgres` unless its arguments say otherwise.
    #[track_caller]
    pub fn run(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = account::command(template::program_of(&self.config.root, name));
        if let Some(server) = &self.server {
            command.env("PGHOST", "127.0.0.1").env("PGPORT", server.port().to_string());
        }
        let output = command
            .env("PGUSER", "postgres")
            .env("PGDATABASE", "postgres")
            .args(arguments)
            .current_dir(self.scratch.path())
            .output()
            .unwrap_or_else(|error| panic!("run {name}: {error}"));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{name}: {printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
    }

    /// A directory of the server's account beside its data.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.scratch.directory(name)
    }

    /// Adds a line to postgresql.conf, and has the server read it: for servers that take no ALTER SYSTEM.
    pub fn set_in_file(&self, setting: &str, value: &str) {
        builder::append(&self.config.data, &[(setting.into(), value.into())]);
        process::signal(self.postmaster_pid(), Signal::HUP);
    }

    /// Reloads the configuration files, and waits until the server has a setting's new value.
    #[track_caller]
    pub fn alter_system(&self, setting: &str, value: &str) {
        let mut client = self.connect();
        client.batch_execute(&format!("alter system set {setting} = '{value}'")).expect("alter system");
        client.batch_execute("select pg_reload_conf()").expect("reload");
        // A backend takes a reload in between two statements; a new one has what the postmaster has.
        wait_until(&format!("{setting} = {value}"), Duration::from_secs(10), || {
            let shows = "select current_setting($1) = $2 or setting = $2 from pg_settings where name = $1";
            let row = self.connect().query_one(shows, &[&setting, &value]).expect("read a setting");
            row.get::<_, bool>(0)
        });
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop(Shutdown::Immediate);
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(60)..];
            eprintln!("---- the end of the server's log\n{}\n----", tail.join("\n"));
        }
    }
}
