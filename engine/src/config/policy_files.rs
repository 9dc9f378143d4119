//! Whether the files that a policy names can be used.

use crate::config::policy::Policy;
use crate::transport::files::unreadable;
use crate::transport::tls::certificate_file;

impl Policy {
    /// Tries the files that it names, and says which of them cannot be used and why. The requests that need such a
    /// file will fail.
    pub fn unusable_files(&self) -> Vec<String> {
        let authorities = self.ca_file.as_deref().map(|path| certificate_file::read(path).map(drop));
        let identity = self.client_identity.as_ref().map(|identity| identity.read().map(drop));
        let login = self.proxy.as_ref().map(|proxy| proxy.credentials().map(drop));
        let tried = [authorities, identity, login].into_iter().flatten();
        tried.filter_map(|read| read.err().map(|error| error.to_string())).collect()
    }

    /// Which certificates in the file of authorities cannot be used, and why, if others in it can.
    pub fn broken_authorities(&self) -> Vec<String> {
        let read = self.ca_file.as_deref().map(|path| (path, certificate_file::read(path)));
        let Some((path, Ok(file))) = read else { return Vec::new() };
        file.broken.iter().map(|broken| unreadable(path, broken).to_string()).collect()
    }
}
