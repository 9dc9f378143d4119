//! Install scripts that make what the C version's made: the same objects with the same properties, in words of our own.

mod controls;
mod requests;
mod responses;
mod tables;

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use postgres::Client;

use super::old_version::{ALL, Version};
use crate::fixture::value;

/// Puts the scripts of all versions beside our own, once for all tests.
pub(crate) fn install(client: &mut Client) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let share: String = value(client, "select setting from pg_config where name = 'SHAREDIR'");
        for version in ALL {
            let file = PathBuf::from(&share).join(format!("extension/pg_net--{}.sql", label(version)));
            std::fs::write(file, script(version)).expect("write a script");
        }
    });
}

/// What the script of a version is called: under the version's own name, ours is installed.
pub(super) fn label(version: Version) -> String {
    format!("c{version}")
}

fn script(version: Version) -> String {
    let functions =
        [requests::functions(version), controls::functions(version), responses::functions(version)].concat();
    let mut script = tables::before_functions(version);
    for function in functions {
        writeln!(script, "{function}").expect("write to a string");
    }
    script.push_str(&tables::grants(version));
    script
}

/// How the functions that are callers' or the owner's are declared.
fn rights(version: Version) -> &'static str {
    if version.acts_as_owner() { "security definer" } else { "security invoker" }
}

fn parallel(version: Version) -> &'static str {
    if version.is_called_on_null() { "parallel unsafe" } else { "parallel safe" }
}

fn strict(version: Version) -> &'static str {
    if version.is_called_on_null() { "called on null input" } else { "strict" }
}

/// A function of the library.
fn in_c(version: Version, signature: &str, properties: &str) -> String {
    format!("create function net.{signature} language c {properties} as '{}';", version.library())
}
