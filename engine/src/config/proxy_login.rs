use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use url::Url;

use crate::transport::credentials::Credentials;
use crate::transport::files::unreadable;

/// How we log in to a proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum ProxyLogin {
    Anonymous,
    As(Credentials),
    /// As the first line of this file says: `user:password`, unencoded.
    Of(PathBuf),
}

impl ProxyLogin {
    /// User name and password of a proxy's URL, percent-encoded there.
    pub(crate) fn of(url: &Url) -> Self {
        if url.username().is_empty() && url.password().is_none() {
            return Self::Anonymous;
        }
        Self::As(Credentials::in_url(url))
    }

    /// What to log in with, if with anything.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or has no such line. Names the file, and nothing that stands in it.
    pub(crate) fn credentials(&self) -> io::Result<Option<Credentials>> {
        match self {
            Self::Anonymous => Ok(None),
            Self::As(credentials) => Ok(Some(credentials.clone())),
            Self::Of(path) => read(path).map(Some),
        }
    }
}

fn read(path: &Path) -> io::Result<Credentials> {
    let content = fs::read(path).map_err(|error| unreadable(path, error))?;
    let line = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let colon = line.iter().position(|&byte| byte == b':');
    let colon = colon.ok_or_else(|| unreadable(path, "its first line is not user:password"))?;
    if line.iter().any(u8::is_ascii_control) {
        return Err(unreadable(path, "a control character in its first line"));
    }
    Ok(Credentials { user: line[..colon].to_vec(), password: line[colon + 1..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
        let name = format!("pg_net-proxy-login-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).unwrap();
        let credentials = ProxyLogin::Of(path.clone()).credentials();
        fs::remove_file(&path).unwrap();
        let credentials = credentials.map_err(|error| error.to_string())?.unwrap();
        Ok((credentials.user, credentials.password))
    }

    #[test]
    fn the_first_line_of_a_file_is_user_and_password() {
        let expected = Ok((b"us@er".to_vec(), b"hun:ter2 %41".to_vec()));
        for content in [&b"us@er:hun:ter2 %41"[..], b"us@er:hun:ter2 %41\n", b"us@er:hun:ter2 %41\r\n# more\n"] {
            assert_eq!(read(content), expected);
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_without_a_secret() {
        for content in [&b""[..], b"\nuser:hunter2", b"hunter2\n", b"user:hunter2\0\n"] {
            let error = read(content).unwrap_err();
            assert!(error.contains("pg_net-proxy-login") && !error.contains("hunter2"), "{error}");
        }
        let missing = ProxyLogin::Of("/nonexistent/login".into()).credentials();
        assert!(missing.is_err_and(|error| error.to_string().starts_with("/nonexistent/login: No such file")));
    }
}
