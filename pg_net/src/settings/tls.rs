//! Whom TLS trusts, and what it shows.

use std::ffi::CString;
use std::path::PathBuf;

use engine::{ClientIdentity, HostPattern, Policy};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use super::check::{Refusal, check_hook};
use super::text;

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
    // SAFETY: the hooks read the text that they are given and nothing else, and never raise.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"pg_net.tls_client_cert_hosts",
            c"Hosts that the client certificate is shown to, separated by commas.",
            c"A name, an address, or *.example.com for all names below it.",
            &CLIENT_CERT_HOSTS,
            GucContext::Sighup,
            GucFlags::default(),
            Some(check_client_cert_hosts),
            None,
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"pg_net.tls_unverified_hosts",
            c"Hosts whose certificates are not checked, separated by commas.",
            c"A name, an address, or *.example.com for all names below it.",
            &UNVERIFIED_HOSTS,
            GucContext::Sighup,
            GucFlags::default(),
            Some(check_unverified_hosts),
            None,
            None,
        );
    }
}

check_hook!(check_client_cert_hosts, check_hosts);
check_hook!(check_unverified_hosts, check_hosts);

fn check_hosts(list: &str) -> Result<(), Refusal> {
    entries(list).try_for_each(|entry| HostPattern::parse(entry).map(drop)).map_err(Refusal::new)
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
