//! The versions of the C version that databases carry.

use std::fmt;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self(major, minor, patch) = self;
        // Before 0.8 a patch that is none was left out.
        if *self < Self(0, 8, 0) && *patch == 0 {
            return write!(formatter, "{major}.{minor}");
        }
        write!(formatter, "{major}.{minor}.{patch}")
    }
}

/// All of them, from the oldest.
pub(crate) const ALL: [Version; 41] = [
    Version(0, 1, 0),
    Version(0, 2, 0),
    Version(0, 3, 0),
    Version(0, 4, 0),
    Version(0, 5, 0),
    Version(0, 5, 1),
    Version(0, 6, 0),
    Version(0, 6, 1),
    Version(0, 7, 0),
    Version(0, 7, 1),
    Version(0, 7, 2),
    Version(0, 7, 3),
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

pub(crate) const OLDEST: Version = ALL[0];
pub(crate) const NEWEST: Version = ALL[40];
/// The last one with an `http_delete` of four arguments.
pub(crate) const LAST_WITHOUT_BODY: Version = Version(0, 14, 0);

impl Version {
    /// Requests stay in the queue, which knows when each was made, when they have their response, which refers to them.
    pub(crate) fn keeps_what_is_done(self) -> bool {
        self < Self(0, 3, 0)
    }

    /// Tables survive a crash, and `id` is their primary key.
    pub(crate) fn is_logged(self) -> bool {
        self < Self(0, 5, 0)
    }

    pub(crate) fn indexes_created(self) -> bool {
        !self.keeps_what_is_done() && (self.is_logged() || self >= Self(0, 6, 0))
    }

    /// A trigger on the queue looks whether the worker runs; later a function does.
    pub(crate) fn looks_by_trigger(self) -> bool {
        self == Self(0, 4, 0)
    }

    pub(crate) fn has_check_worker_is_up(self) -> bool {
        !self.is_logged()
    }

    pub(crate) fn deletes(self) -> bool {
        self >= Self(0, 7, 0)
    }

    /// Its function that collects responses is not deprecated yet.
    pub(crate) fn collects_by_old_name_only(self) -> bool {
        self < Self(0, 7, 0)
    }

    pub(crate) fn collects_by_old_name(self) -> bool {
        self != Self(0, 7, 0)
    }

    pub(crate) fn has_worker_restart(self) -> bool {
        self >= Self(0, 8, 0)
    }

    /// Functions act with the owner's rights, from the time that they no longer act with the caller's until they do again.
    pub(crate) fn acts_as_owner(self) -> bool {
        self >= Self(0, 4, 0) && !self.is_open_to_all()
    }

    /// The timeout of a request that names none.
    pub(crate) fn default_timeout(self) -> u16 {
        match self {
            _ if self < Self(0, 6, 0) => 1000,
            _ if self < Self(0, 8, 0) => 2000,
            _ => 5000,
        }
    }

    /// Functions are the callers', and everybody may read and write the tables.
    pub(crate) fn is_open_to_all(self) -> bool {
        self >= Self(0, 12, 0)
    }

    /// `http_delete` takes a body.
    pub(crate) fn deletes_with_body(self) -> bool {
        self >= Self(0, 15, 0)
    }

    /// Functions are called with nulls, and in the leader of a parallel query alone.
    pub(crate) fn is_called_on_null(self) -> bool {
        self >= Self(0, 16, 0)
    }

    pub(crate) fn has_wait_until_running(self) -> bool {
        self >= Self(0, 17, 0)
    }

    pub(crate) fn has_wake(self) -> bool {
        self >= Self(0, 19, 0)
    }

    pub(crate) fn headers_may_be_null(self) -> bool {
        self >= Self(0, 19, 3)
    }

    /// What its C functions call the library.
    pub(crate) fn library(self) -> &'static str {
        if self >= Self(0, 19, 7) { "$libdir/pg_net" } else { "pg_net" }
    }
}
