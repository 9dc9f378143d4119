//! Requests that are deleted, truncated away, or cancelled, one by one and by the million.
