//! Code that users attach to the extension's tables.
