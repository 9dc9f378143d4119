//! Outcomes that the code of users keeps from the response table: held, and stored later.

pub(super) mod hold;
pub(super) mod lanes;
pub(super) mod late;
