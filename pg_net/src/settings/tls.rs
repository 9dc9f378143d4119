//! Whom TLS trusts, and what it shows.

use std::ffi::{CStr, CString};
use std::path::PathBuf;

use engine::{ClientIdentity, HostPattern, Policy};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use super::text;
use crate::pg::process::check_hook::{Refusal, check_hook, define_checked};

// As what limits callers, this is the server's matter, and the files are its own.
static CA_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static CLIENT_CERT_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static CLIENT_KEY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static CLIENT_CERT_HOSTS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static UNVERIFIED_HOSTS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

pub(super) fn define() {
    GucRegistry::define_string_guc(
        c"pg_net.tls_ca_file",
        c"PEM file of certificate authorities that are trusted besides the system's.",
        c"Read again when the configuration is reloaded.",
        &CA_FILE,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"pg_net.tls_client_cert_file",
        c"PEM file of the certificate that is shown to the hosts of pg_net.tls_client_cert_hosts.",
        c"Read again when the configuration is reloaded.",
        &CLIENT_CERT_FILE,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"pg_net.tls_client_key_file",
        c"PEM file of the private key of that certificate; without one, the key is in the certificate's file.",
        c"Read again when the configuration is reloaded.",
        &CLIENT_KEY_FILE,
        GucContext::Sighup,
        GucFlags::default(),
    );
    let define_hosts = |name, what, setting| {
        let how = c"A name, an address, or *.example.com for all names below it.";
        define_checked(name, what, how, setting, GucContext::Sighup, check_hook!(check_hosts));
    };
    define_hosts(
        c"pg_net.tls_client_cert_hosts",
        c"Hosts that the client certificate is shown to, separated by commas.",
        &CLIENT_CERT_HOSTS,
    );
    define_hosts(
        c"pg_net.tls_unverified_hosts",
        c"Hosts whose certificates are not checked, separated by commas.",
        &UNVERIFIED_HOSTS,
    );
}

fn check_hosts(list: &CStr) -> Result<(), Refusal> {
    entries(&list.to_string_lossy()).try_for_each(|entry| HostPattern::parse(entry).map(drop)).map_err(Refusal::new)
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

pub(super) fn apply(policy: &mut Policy) {
    policy.ca_file = file(&CA_FILE);
    policy.client_identity = client_identity();
    policy.unverified_hosts = hosts(&UNVERIFIED_HOSTS);
}

fn client_identity() -> Option<ClientIdentity> {
    let cert_file = file(&CLIENT_CERT_FILE)?;
    let key_file = file(&CLIENT_KEY_FILE).unwrap_or_else(|| cert_file.clone());
    Some(ClientIdentity { cert_file, key_file, hosts: hosts(&CLIENT_CERT_HOSTS) })
}

fn file(setting: &GucSetting<Option<CString>>) -> Option<PathBuf> {
    text(setting).map(PathBuf::from)
}

fn hosts(setting: &GucSetting<Option<CString>>) -> Vec<HostPattern> {
    let list = text(setting).unwrap_or_default();
    // The check hook has seen to it that each parses.
    entries(&list).flat_map(HostPattern::parse).collect()
}
