//! What can be wrong with the locking itself, so that it is seen to be noticed.

/// A bug in how locks are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planted {
    /// None.
    #[default]
    Nothing,
    /// An actor that finds nothing to do lets go of the locks before it says that it waits: whoever
    /// changes what it looked at in between does not ring. The lost wake-up.
    TestsOutside,
    /// These locks, a mask, are not held while a step is done that names them: it reads their
    /// columns under them, lets go, and writes back under them later what it changed. Whatever
    /// others have changed there in between is lost.
    Forgets(u64),
    /// Every other thread takes its locks in descending order: each waits for what the other has.
    Descending,
}
