//! The update, from every version, with all that users have added or closed.
