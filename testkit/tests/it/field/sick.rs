//! Origins that are slow, and origins that are dead.
