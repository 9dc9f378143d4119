use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::account;

/// A directory of the servers' account that goes when the value is dropped.
///
/// It lies in the directory that `make test` makes and removes, so that it goes even if the tests are killed.
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn new(kind: &str) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let name = format!("{kind}-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        let parent = std::env::var_os("PGNET_TEST_TMP").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
        let path = parent.join(name);
        fs::create_dir(&path).expect("create a scratch directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("open the scratch directory");
        account::give(&path);
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a directory in it.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir(&path).expect("create a directory");
        account::give(&path);
        path
    }

    /// Writes a file in it that only its owner reads.
    pub(crate) fn private_file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.file(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("close a file");
        path
    }

    /// Writes a file in it.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, content).expect("write a file");
        account::give(&path);
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
