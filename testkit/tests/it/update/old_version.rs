//! The versions of the C version that databases carry.

use std::fmt;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u8, pub(super) u8, pub(super) u8);

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// All of them, from the oldest.
pub(super) const ALL: [Version; 29] = [
    Version(0, 8, 0),
    Version(0, 9, 0),
    Version(0, 9, 1),
    Version(0, 9, 2),
    Version(0, 9, 3),
    Version(0, 10, 0),
    Version(0, 11, 0),
    Version(0, 12, 0),
    Version(0, 13, 0),
    Version(0, 14, 0),
    Version(0, 15, 0),
    Version(0, 15, 1),
    Version(0, 16, 0),
    Version(0, 17, 0),
    Version(0, 18, 0),
    Version(0, 19, 0),
    Version(0, 19, 1),
    Version(0, 19, 2),
    Version(0, 19, 3),
    Version(0, 19, 4),
    Version(0, 19, 5),
    Version(0, 19, 6),
    Version(0, 19, 7),
    Version(0, 20, 0),
    Version(0, 20, 1),
    Version(0, 20, 2),
    Version(0, 20, 3),
    Version(0, 20, 4),
    Version(0, 20, 5),
];

pub(super) const OLDEST: Version = ALL[0];
pub(super) const NEWEST: Version = ALL[28];
/// The last one with an `http_delete` of four arguments.
pub(super) const LAST_WITHOUT_BODY: Version = Version(0, 14, 0);

impl Version {
    /// Functions are the callers', and everybody may read and write the tables.
    pub(super) fn is_open_to_all(self) -> bool {
        self >= Self(0, 12, 0)
    }

    /// `http_delete` takes a body.
    pub(super) fn deletes_with_body(self) -> bool {
        self >= Self(0, 15, 0)
    }

    /// Functions are called with nulls, and in the leader of a parallel query alone.
    pub(super) fn is_called_on_null(self) -> bool {
        self >= Self(0, 16, 0)
    }

    pub(super) fn has_wait_until_running(self) -> bool {
        self >= Self(0, 17, 0)
    }

    pub(super) fn has_wake(self) -> bool {
        self >= Self(0, 19, 0)
    }

    pub(super) fn headers_may_be_null(self) -> bool {
        self >= Self(0, 19, 3)
    }

    /// What its C functions call the library.
    pub(super) fn library(self) -> &'static str {
        if self >= Self(0, 19, 7) { "$libdir/pg_net" } else { "pg_net" }
    }
}
