use std::path::Path;
use std::process::Command;

use crate::scratch::Scratch;

/// A library for Postgres to preload, compiled from C for the server that the tests are run with.
pub struct Library {
    scratch: Scratch,
    name: String,
}

impl Library {
    /// Compiles one.
    pub fn compile(name: &str, source: &str) -> Self {
        let scratch = Scratch::new("library");
        let source = scratch.file(&format!("{name}.c"), source);
        let pg_config = std::env::var("PG_CONFIG").unwrap_or_else(|_| "/usr/lib/postgresql/15/bin/pg_config".into());
        let headers = Command::new(&pg_config).arg("--includedir-server").output().expect("run pg_config").stdout;
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror"])
            .arg(format!("-I{}", String::from_utf8_lossy(&headers).trim()))
            .arg(source)
            .arg("-o")
            .arg(scratch.path().join(format!("{name}.so")))
            .output()
            .expect("run cc");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { scratch, name: name.to_owned() }
    }

    /// What `shared_preload_libraries` names it by.
    pub fn path(&self) -> String {
        let path: &Path = self.scratch.path();
        path.join(&self.name).to_str().expect("a path in UTF-8").to_owned()
    }
}
