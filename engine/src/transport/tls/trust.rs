//! Which certificates are accepted: as libcurl does, by the judgement of OpenSSL.

use std::ffi::c_int;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::ssl::{SslFiletype, SslRef, SslVerifyMode};
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};
use openssl::x509::{X509Ref, X509StoreContextRef, X509VerifyResult};
use url::Host;

use crate::transport::tls::certificate_file;
use crate::transport::tls::exit_guard;
use crate::transport::tls::tls_error;

/// Names of a certificate that a failure tells, and characters of each.
const TOLD: (usize, usize) = (3, 80);
/// `X509_V_ERR_IP_ADDRESS_MISMATCH`
const IP_ADDRESS_MISMATCH: c_int = 64;

/// The system's trust roots (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name), and those in `ca_file`.
pub(crate) fn read(ca_file: Option<&Path>) -> io::Result<X509Store> {
    let own = ca_file.map(certificate_file::read).transpose()?;
    let (file, directories) = system();
    // A system's bundle may hold certificates that are of no use here: any number of the others will do.
    let bundle = file.as_deref().and_then(|path| certificate_file::read(path).ok());
    if own.is_none() && bundle.is_none() && directories.is_empty() {
        return Err(io::Error::other("no trusted root certificates were found"));
    }
    let build = || -> Result<X509Store, ErrorStack> {
        let mut store = X509StoreBuilder::new()?;
        // A certificate that is trusted needs no issuer: a server's own may be.
        store.set_flags(X509VerifyFlags::TRUSTED_FIRST | X509VerifyFlags::PARTIAL_CHAIN)?;
        for certificate in [own, bundle].into_iter().flatten().flat_map(|file| file.certificates) {
            store.add_cert(certificate)?;
        }
        // Where each is in a file that is named after its subject: looked at when one is looked for.
        let lookup = store.add_lookup(X509Lookup::hash_dir())?;
        for directory in directories.iter().filter_map(|directory| directory.to_str()) {
            lookup.add_dir(directory, SslFiletype::PEM)?;
        }
        Ok(store.build())
    };
    exit_guard::during(build).map_err(|error| io::Error::other(tls_error::reasons(&error)))
}

/// Where the system's trust roots are: a file, and directories.
fn system() -> (Option<PathBuf>, Vec<PathBuf>) {
    let named = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
    let (file, directories) = (named(openssl_probe::ENV_CERT_FILE), named(openssl_probe::ENV_CERT_DIR));
    if file.is_some() || directories.is_some() {
        let directories = directories.map(|list| std::env::split_paths(&list).collect());
        return (file.map(PathBuf::from), directories.unwrap_or_default());
    }
    let found = openssl_probe::probe();
    (found.cert_file, found.cert_dir)
}

/// Whether the server of a connection is the one that it should be.
pub(crate) struct Verification {
    host: Name,
    /// What is wrong with its certificate.
    fault: OnceLock<String>,
}

/// What a certificate has to name.
enum Name {
    Domain(String),
    Address(IpAddr),
}

impl Verification {
    pub(crate) fn of(host: &Host<&str>) -> Self {
        let host = match host {
            Host::Domain(name) => Name::Domain(name.strip_suffix('.').unwrap_or(name).to_owned()),
            Host::Ipv4(address) => Name::Address((*address).into()),
            Host::Ipv6(address) => Name::Address((*address).into()),
        };
        Self { host, fault: OnceLock::new() }
    }

    /// Has a connection's handshake end where the server's certificate is not taken, before it is shown ours.
    pub(crate) fn by(self: Arc<Self>, ssl: &mut SslRef) -> Result<(), ErrorStack> {
        let parameters = ssl.param_mut();
        parameters.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
        match &self.host {
            Name::Domain(name) => parameters.set_host(name)?,
            Name::Address(address) => parameters.set_ip(*address)?,
        }
        ssl.set_verify_callback(SslVerifyMode::PEER, move |taken, context| self.judge(taken, context));
        Ok(())
    }

    /// What was wrong with the certificate.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    /// Decides about a certificate of the chain after OpenSSL has judged it. OpenSSL's judgement differs from
    /// libcurl's only in names, which stand in the server's own certificate, the first of the chain.
    ///
    /// OpenSSL also asks about each certificate that it accepts.
    fn judge(&self, taken: bool, context: &mut X509StoreContextRef) -> bool {
        let names = context.current_cert().filter(|_| context.error_depth() == 0).map(Names::of);
        let verdict = names.and_then(|names| self.verdict(taken, context.error(), &names));
        match verdict {
            Some(Verdict::Taken) => context.set_error(X509VerifyResult::OK),
            Some(Verdict::Mismatch) => context.set_error(X509VerifyResult::APPLICATION_VERIFICATION),
            None => {}
        }
        let taken = verdict.map_or(taken, |verdict| verdict == Verdict::Taken);
        if !taken {
            let why = if verdict.is_some() { "hostname mismatch" } else { context.error().error_string() };
            let _ = self.fault.set(describe(why, context));
        }
        taken
    }

    /// Where libcurl judges differently.
    fn verdict(&self, taken: bool, error: X509VerifyResult, names: &Names) -> Option<Verdict> {
        match &self.host {
            // To OpenSSL that means all names that end so.
            Name::Domain(name) if taken && name.starts_with('.') => Some(Verdict::Mismatch),
            // A name in the subject counts where there is none where names belong. An address there is a name, too.
            Name::Domain(_) if taken && names.domains.is_empty() && !names.addresses.is_empty() => {
                Some(Verdict::Mismatch)
            }
            Name::Address(address) if error.as_raw() == IP_ADDRESS_MISMATCH && names.in_subject_only(*address) => {
                Some(Verdict::Taken)
            }
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Taken,
    Mismatch,
}

/// The names in a certificate.
struct Names {
    domains: Vec<String>,
    addresses: Vec<IpAddr>,
    /// The last one of the subject.
    common: Option<String>,
}

impl Names {
    fn of(certificate: &X509Ref) -> Self {
        let alternatives = certificate.subject_alt_names();
        let alternatives = || alternatives.iter().flatten();
        let address = |octets: &[u8]| match octets.len() {
            4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
            _ => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        };
        let common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).last();
        Self {
            domains: alternatives().filter_map(|name| name.dnsname()).map(str::to_owned).collect(),
            addresses: alternatives().filter_map(|name| name.ipaddress()).filter_map(address).collect(),
            common: common.and_then(|entry| entry.data().to_string().ok()),
        }
    }

    fn in_subject_only(&self, address: IpAddr) -> bool {
        self.domains.is_empty() && self.addresses.is_empty() && self.common == Some(address.to_string())
    }

    /// For a person to read: the server chose them.
    fn tell(&self) -> String {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        let mut names = self.domains.iter().cloned().chain(addresses).collect::<Vec<_>>();
        if names.is_empty() {
            names.extend(self.common.clone());
        }
        let plain = |name: &String| name.chars().filter(|c| !c.is_control()).take(TOLD.1).collect::<String>();
        let told = names.iter().take(TOLD.0).map(plain).collect::<Vec<_>>().join(", ");
        match names.len() {
            0 => "nobody".to_owned(),
            number if number > TOLD.0 => format!("{told} and {} more", number - TOLD.0),
            _ => told,
        }
    }
}

fn describe(why: &str, context: &X509StoreContextRef) -> String {
    let Some(certificate) = context.current_cert() else { return why.to_owned() };
    let names = Names::of(certificate).tell();
    match context.error_depth() {
        0 => format!("{why}; the certificate names {names}"),
        _ => format!("{why}; it is the certificate of {names} in the server's chain"),
    }
}
