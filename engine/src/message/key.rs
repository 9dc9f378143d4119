/// The name that the host gives a request. It comes back with the outcome; the engine only compares it.
pub type Key = i64;
