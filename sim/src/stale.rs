//! When what was kept of some work is not what the same work is now.

use std::fmt::{self, Display};

/// What was kept cannot be gone on with: the system, or its rules, are not those that it was kept of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale(pub(crate) &'static str);

impl Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Stale {}
