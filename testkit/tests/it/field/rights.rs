//! What platforms grant, revoke, own, reset and dump.
