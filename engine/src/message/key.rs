/// The host's name for a request. The engine gives it back with the outcome and never looks into it.
pub type Key = i64;
