//! Values of SQL types.

pub(crate) mod array;
pub(crate) mod clock;
pub(crate) mod composite;
pub(crate) mod interval;
pub(crate) mod jsonb;
pub(crate) mod list;
pub(crate) mod random;
pub(crate) mod text;
pub(crate) mod value;
