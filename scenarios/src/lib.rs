//! scenarios

pub mod format;
pub mod load;
pub mod schema;
pub mod size;
