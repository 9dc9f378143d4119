//! Safe faces for the parts of Postgres' C interface that the extension uses.

pub(crate) mod catalog;
mod error;
pub(crate) mod fcall;
pub(crate) mod last_error;
pub(crate) mod panics;
pub(crate) mod process;
pub(crate) mod spi;
pub(crate) mod storage;
pub(crate) mod types;

pub(crate) use error::SqlError;
