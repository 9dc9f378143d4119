//! Files that the configuration names.

use std::io;
use std::path::Path;

use tokio::task::spawn_blocking;

use crate::message::failure::{Failure, FailureKind};

/// Reads on another thread: parsing the bundle of the system takes tens of milliseconds.
pub(crate) async fn read<O, T>(kind: FailureKind, of: &O, reader: fn(&O) -> io::Result<T>) -> Result<T, Failure>
where
    O: Clone + Send + 'static,
    T: Send + 'static,
{
    let of = of.clone();
    let read = spawn_blocking(move || reader(&of)).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    read.map_err(|error| Failure::new(kind).with_detail(error))
}

/// Names the file, and nothing that stands in it.
pub(crate) fn unreadable(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}
