//! Programs in Go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::scratch::Scratch;

/// A program in a directory of a server's, compiled from a source, which takes a while for the first one in a build directory.
pub(crate) fn program(scratch: &Scratch, name: &str, source: &str) -> PathBuf {
    let program = scratch.path().join(name);
    // By another process: what this one writes may not be run while a server that another test starts meanwhile has it, too.
    let copied = Command::new("cp").arg(compiled(name, source)).arg(&program).status().expect("run cp");
    assert!(copied.success(), "copy the server");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("make it a program");
    program
}

/// The compiled program: kept in the build directory, and compiled again when its source has changed.
fn compiled(name: &str, text: &str) -> PathBuf {
    static COMPILING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
    let test = std::env::current_exe().expect("the path of the running test");
    // <build directory>/<profile>/deps/<test>
    let directory = test.ancestors().nth(3).expect("a build directory").join("tmp/go");
    let (program, own) = (directory.join(name), directory.join(format!("{name}-{}", std::process::id())));
    let source = directory.join(name).with_extension("go");
    fs::create_dir_all(&directory).expect("make a directory");
    let is_built = fs::read_to_string(&source).is_ok_and(|built| built == text);
    if !is_built || !program.exists() {
        // Another test process may be at the same: each compiles one of its own, and the last one stays.
        let own_source = own.with_extension("go");
        fs::write(&own_source, text).expect("write the source");
        compile(&own_source, &own, &directory.join("cache"));
        fs::rename(&own, &program).expect("keep the program");
        fs::rename(&own_source, &source).expect("keep its source");
    }
    program
}

fn compile(source: &Path, program: &Path, cache: &Path) {
    let compiled = Command::new("go")
        .args(["build", "-o"])
        .arg(program)
        .arg(source)
        .env("GOCACHE", cache)
        .envs([("GO111MODULE", "off"), ("CGO_ENABLED", "0"), ("GOFLAGS", ""), ("GOPROXY", "off")])
        .output()
        .expect("run go");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}
