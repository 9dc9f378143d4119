//! Scripts that were released: `make` says so when one is not as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the scripts are made of and with, in a directory of its own.
struct Tree {
    root: PathBuf,
}

impl Tree {
    fn new() -> Self {
        let parent = std::env::var_os("PGNET_TEST_TMP").map_or_else(std::env::temp_dir, PathBuf::from);
        let root = parent.join(format!("released-{}", std::process::id()));
        fs::create_dir(&root).unwrap();
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        fs::create_dir(root.join("pg_net")).unwrap();
        for part in ["Makefile", "sql", "scripts", "Cargo.toml", "pg_net/pg_net.control.in"] {
            let copied = Command::new("cp").arg("-a").arg(project.join(part)).arg(root.join(part)).status().unwrap();
            assert!(copied.success());
        }
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Whether `make` succeeds, and what it says.
    fn make(&self, target: &str) -> (bool, String) {
        let output = Command::new("make")
            .arg(target)
            .current_dir(&self.root)
            // Those of the `make` that runs the tests.
            .env_remove("MAKEFLAGS")
            .env_remove("CARGO_TARGET_DIR")
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[track_caller]
    fn assert_passes(&self) {
        let (passes, said) = self.make("check-released");
        assert!(passes, "{said}");
    }

    #[track_caller]
    fn assert_fails(&self, script: &str) {
        let (passes, said) = self.make("check-released");
        assert!(!passes && said.contains("not as released") && said.contains(script), "{said}");
    }

    fn append(&self, name: &str, text: &str) {
        let before = fs::read_to_string(self.path(name)).unwrap_or_default();
        fs::write(self.path(name), before + text).unwrap();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn a_released_script_may_not_be_edited_and_the_next_version_is_one_of_its_own() {
    let tree = Tree::new();
    let list = || fs::read_to_string(tree.path("sql/released.sha256")).unwrap();
    tree.assert_passes();
    let (frozen, said) = tree.make("freeze");
    assert!(frozen, "{said}");
    for script in ["  pg_net--1.0.0.sql\n", "  pg_net--0.x--1.0.0.sql\n"] {
        assert!(list().contains(script), "{}", list());
    }
    tree.assert_passes();

    // A part that changes, one that comes, one that goes.
    let part = tree.path("sql/60-worker.sql");
    let before = fs::read(&part).unwrap();
    tree.append("sql/60-worker.sql", "-- One more line.\n");
    tree.assert_fails("pg_net--1.0.0.sql");
    fs::write(&part, &before).unwrap();
    tree.assert_passes();
    tree.append("sql/99-more.sql", "select 1;\n");
    tree.assert_fails("pg_net--0.x--1.0.0.sql");
    fs::remove_file(tree.path("sql/99-more.sql")).unwrap();
    tree.assert_passes();
    fs::remove_file(&part).unwrap();
    tree.assert_fails("pg_net--1.0.0.sql");
    fs::write(&part, &before).unwrap();

    fs::create_dir(tree.path("sql/updates")).unwrap();
    tree.append("sql/updates/1.0.0--1.1.0.sql", "select 1;\n");
    tree.assert_passes();
    let released = list();
    let (frozen, said) = tree.make("freeze");
    assert!(frozen, "{said}");
    assert!(list().starts_with(&released) && list().ends_with("  pg_net--1.0.0--1.1.0.sql\n"), "{}", list());
    tree.append("sql/updates/1.0.0--1.1.0.sql", "select 2;\n");
    tree.assert_fails("pg_net--1.0.0--1.1.0.sql");
}

/// `CREATE EXTENSION` converts a script to the database's encoding, which has ASCII if nothing else.
#[test]
fn scripts_are_plain_ascii() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.lines().find(|line| !line.is_ascii()), None, "{}", path.display());
        }
    }
}
