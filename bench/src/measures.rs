//! The parts of a run. Each boots what it needs, and adds rows and notes to the report.

mod backlog;
mod backoff;
mod burst;
mod calls;
mod latency;
pub(crate) mod own_network;
mod requests;
mod saturation;
mod sizes;
mod snapshot;
pub(crate) mod soak;
mod steady;
mod trigger;
pub(crate) mod unhealthy;
mod unlogged;

use std::path::Path;

use crate::report::Report;

/// A part: it is given the report, and the directory for its plots.
pub(crate) type Measure = fn(&mut Report, &Path);

/// The parts of `make bench`, in the order in which they run.
pub(crate) const ALL: &[(&str, Measure)] = &[
    ("burst", burst::run),
    ("get", requests::get),
    ("post", requests::post),
    ("unlogged", unlogged::run),
    ("backlog", backlog::run),
    ("snapshot", snapshot::run),
    ("backoff", backoff::run),
    ("latency", latency::run),
    ("hang", unhealthy::hang::run),
    ("sick", unhealthy::sick::run),
    ("names", own_network::names::run),
    ("calls", calls::run),
    ("trigger", trigger::run),
    ("steady", steady::run),
    ("saturation", saturation::run),
    ("sizes", sizes::run),
    ("hosts", own_network::hosts::run),
];
