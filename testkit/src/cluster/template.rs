//! One `initdb` a process; each cluster is a copy of what it made.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::account;
use crate::scratch::Scratch;

/// A program of the private Postgres tree.
pub fn program(name: &str) -> PathBuf {
    let root = std::env::var_os("PGNET_TEST_ROOT").expect(
        "these tests need a Postgres with pg_net installed: run `make test`, or `make test TEST=name` for a part of them",
    );
    PathBuf::from(root).join("bin").join(name)
}

/// Makes a new data directory, quickly.
pub(super) fn copy_to(data: &Path) {
    run(account::command("cp").args(["-a", "--reflink=auto"]).arg(template()).arg(data));
}

fn template() -> &'static Path {
    // Never dropped, as no static is: the directory that holds all goes with it.
    static TEMPLATE: OnceLock<(Scratch, PathBuf)> = OnceLock::new();
    let (_, data) = TEMPLATE.get_or_init(|| {
        let scratch = Scratch::new("template");
        let data = scratch.path().join("data");
        // The smallest segments there are, so that copies are quick.
        initialize(&data, &["--wal-segsize=1"]);
        (scratch, data)
    });
    data
}

/// Makes a new data directory with options of its own.
pub(super) fn initialize(data: &Path, options: &[&str]) {
    run(account::command(program("initdb"))
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
