//! What leaves the machine, and what comes back.

mod names;
