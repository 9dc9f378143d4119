use std::path::PathBuf;
use std::{fs, io};

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslRef};
use openssl::x509::X509;

use crate::address::host_pattern::HostPattern;
use crate::transport::files::unreadable;
use crate::transport::tls::certificate_file;
use crate::transport::tls::exit_guard;
use crate::transport::tls::tls_error;

/// The certificate that we show to servers which ask for one, and to which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// A PEM file: our certificate, and those that lead to the authority's.
    pub cert_file: PathBuf,
    /// A PEM file with the certificate's private key, not encrypted.
    pub key_file: PathBuf,
    /// The hosts that it is shown to. No other is told that there is one.
    pub hosts: Vec<HostPattern>,
}

/// What the files hold.
pub(crate) struct Shown {
    certificate: X509,
    /// From its issuer upwards.
    chain: Vec<X509>,
    key: PKey<Private>,
}

impl ClientIdentity {
    pub(crate) fn read(&self) -> io::Result<Shown> {
        let file = certificate_file::read(&self.cert_file)?;
        if let Some(broken) = file.broken.first() {
            return Err(unreadable(&self.cert_file, broken));
        }
        let key = fs::read(&self.key_file).map_err(|error| unreadable(&self.key_file, error))?;
        exit_guard::during(|| {
            let key = read_key(&certificate_file::text(&key)).map_err(|why| unreadable(&self.key_file, why))?;
            let mut chain = file.certificates;
            let certificate = chain.remove(0);
            let belongs = certificate.public_key().is_ok_and(|public| public.public_eq(&key));
            if !belongs {
                let why = format!("the key does not belong to the certificate in {}", self.cert_file.display());
                return Err(unreadable(&self.key_file, why));
            }
            let shown = Shown { certificate, chain, key };
            // The system's policy may find it too weak.
            shown.try_out().map_err(|error| unreadable(&self.cert_file, tls_error::reasons(&error)))?;
            Ok(shown)
        })
    }
}

impl Shown {
    /// Shows it on a connection, if the server asks.
    pub(crate) fn by(&self, ssl: &mut SslRef) -> Result<(), ErrorStack> {
        ssl.set_certificate(&self.certificate)?;
        ssl.set_private_key(&self.key)?;
        self.chain.iter().try_for_each(|issuer| ssl.add_chain_cert(issuer.clone()))
    }

    fn try_out(&self) -> Result<(), ErrorStack> {
        let context = SslContext::builder(SslMethod::tls_client())?.build();
        let mut ssl = Ssl::new(&context)?;
        self.by(&mut ssl)
    }
}

fn read_key(pem: &str) -> Result<PKey<Private>, String> {
    let mut is_encrypted = false;
    // Without an answer of ours OpenSSL would ask on a terminal.
    let key = PKey::private_key_from_pem_callback(pem.as_bytes(), |_| {
        is_encrypted = true;
        Ok(0)
    });
    // Attempts at other forms may have left something behind where one was right.
    drop(ErrorStack::get());
    match key {
        Ok(key) => Ok(key),
        Err(_) if is_encrypted => Err("the private key is encrypted; one without a passphrase is needed".to_owned()),
        Err(_) if !pem.contains("PRIVATE KEY-----") => Err("no private key in it".to_owned()),
        Err(error) => Err(format!("the private key cannot be read: {}", tls_error::reasons(&error))),
    }
}
