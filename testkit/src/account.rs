//! Postgres refuses to run as root, so servers step down to another account there.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

struct Account {
    uid: u32,
    gid: u32,
}

/// The account that servers run as; none where that is the tests' own.
fn account() -> Option<&'static Account> {
    static ACCOUNT: OnceLock<Option<Account>> = OnceLock::new();
    ACCOUNT
        .get_or_init(|| {
            if !rustix::process::geteuid().is_root() {
                return None;
            }
            let account = ["postgres", "nobody"]
                .into_iter()
                .find_map(|name| Some(Account { uid: ask_id("-u", name)?, gid: ask_id("-g", name)? }));
            Some(account.expect("an account `postgres` or `nobody` to run servers as"))
        })
        .as_ref()
}

fn ask_id(option: &str, name: &str) -> Option<u32> {
    let answer = Command::new("id").args([option, name]).output().ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}

/// A command that runs as the servers' account.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some(account) = account() {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

/// Makes the servers' account the owner of a file or directory.
pub(crate) fn give(path: &Path) {
    if let Some(account) = account() {
        chown(path, Some(account.uid), Some(account.gid)).expect("hand over to the servers' account");
    }
}
