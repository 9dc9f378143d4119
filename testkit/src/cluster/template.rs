//! One `initdb` a process and tree; each cluster is a copy of what it made.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use crate::account;
use crate::scratch::Scratch;

/// The smallest segments there are, so that copies are quick.
pub(super) const SMALL_SEGMENTS: &str = "--wal-segsize=1";

/// The private Postgres tree that the tests are run with.
pub(super) fn root() -> PathBuf {
    let root = std::env::var_os("PGNET_TEST_ROOT").expect(
        "these tests need a Postgres with pg_net installed: run `make test`, or `make test TEST=name` for a part of them",
    );
    PathBuf::from(root)
}

/// The tree that clusters are upgraded from: of the major version before, where there are several, else the one and only.
pub(super) fn old_root() -> PathBuf {
    std::env::var_os("PGNET_TEST_OLD_ROOT").map_or_else(root, PathBuf::from)
}

/// A program of the private Postgres tree.
pub fn program(name: &str) -> PathBuf {
    program_of(&root(), name)
}

/// A program of a tree.
pub(super) fn program_of(root: &Path, name: &str) -> PathBuf {
    root.join("bin").join(name)
}

/// Makes a new data directory for a tree's server, quickly.
pub(super) fn copy_to(data: &Path, root: &Path) {
    run(account::command("cp").args(["-a", "--reflink=auto"]).arg(template(root)).arg(data));
}

fn template(root: &Path) -> PathBuf {
    // Never dropped, as no static is: the directory that holds all goes with it.
    static TEMPLATES: LazyLock<Mutex<HashMap<PathBuf, Scratch>>> = LazyLock::new(Mutex::default);
    let data = |scratch: &Scratch| scratch.path().join("data");
    let mut templates = TEMPLATES.lock().expect("no initdb has failed");
    let scratch = templates.entry(root.to_owned()).or_insert_with(|| {
        let scratch = Scratch::new("template");
        initialize(&data(&scratch), root, &[SMALL_SEGMENTS]);
        scratch
    });
    data(scratch)
}

/// Makes a new data directory for a tree's server with options of its own.
pub(super) fn initialize(data: &Path, root: &Path, options: &[&str]) {
    run(account::command(program_of(root, "initdb"))
        .args(["--no-sync", "--auth=trust", "--username=postgres"])
        .args(["--encoding=UTF8", "--locale=C.UTF-8"])
        .args(options)
        .arg("--pgdata")
        .arg(data)
        .current_dir(data.parent().expect("a directory around the cluster")));
}

fn run(command: &mut Command) {
    let output = command.output().expect("start a command");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
