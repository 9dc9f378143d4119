//! Files that a policy names.

use std::io;
use std::path::Path;

use tokio::task::spawn_blocking;

use crate::config::policy::Policy;
use crate::message::failure::{Failure, FailureKind};
use crate::transport::tls::certificate_file;

/// Reads away from the thread that serves everyone: parsing the system's bundle takes tens of milliseconds.
pub(crate) async fn read<O, T>(kind: FailureKind, of: &O, reader: fn(&O) -> io::Result<T>) -> Result<T, Failure>
where
    O: Clone + Send + 'static,
    T: Send + 'static,
{
    let of = of.clone();
    let read = spawn_blocking(move || reader(&of)).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    read.map_err(|error| Failure::new(kind).with_detail(error))
}

/// Names the file; no byte of it.
pub(crate) fn unreadable(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

impl Policy {
    /// Tries the files that it names, and says of each that cannot be used which it is and why. The requests that need it
    /// will fail.
    pub fn unusable_files(&self) -> Vec<String> {
        let authorities = self.ca_file.as_deref().map(|path| certificate_file::read(path).map(drop));
        let identity = self.client_identity.as_ref().map(|identity| identity.read().map(drop));
        let login = self.proxy.as_ref().map(|proxy| proxy.credentials().map(drop));
        let tried = [authorities, identity, login].into_iter().flatten();
        tried.filter_map(|read| read.err().map(|error| error.to_string())).collect()
    }

    /// What in the file of authorities cannot be used, while the rest of it is: which certificate it is, and why.
    pub fn broken_authorities(&self) -> Vec<String> {
        let read = self.ca_file.as_deref().map(|path| (path, certificate_file::read(path)));
        let Some((path, Ok(file))) = read else { return Vec::new() };
        file.broken.iter().map(|broken| unreadable(path, broken).to_string()).collect()
    }
}
