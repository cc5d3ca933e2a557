//! Planted bugs: what really went wrong in QEMU (or could have), each a switch outside the rules.
//!
//! A [`Mutation`] puts functions of its own in the place of some [`Rules`]; the rules themselves do not know. Each has
//! a file of its own, which says what happened and where that is on record. A checker that finds all of them, and is
//! silent without them, has shown that it works.
//!
//! Every row names the one promise that the search finds broken first, the story in which it is, and the release
//! whose rules are played. `scenarios/tests/bugs.rs` holds all of them to that.

use crate::rules::Rules;

/// One planted bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// Its name: `check --mutation NAME`.
    pub name: &'static str,
    /// Its entry in the catalogue of QEMU's bugs, such as `bug-B1`.
    pub bug: &'static str,
    /// What went wrong, in a sentence or two.
    pub what: &'static str,
    /// Where it is on record, and in which release it was mended; or that it is inferred.
    pub reference: &'static str,
    /// The [`Property`](crate::property::Property) that it breaks.
    pub breaks: &'static str,
    /// The story in which it shows.
    pub story: &'static str,
    /// The dialect in which it shows.
    pub dialect: &'static str,
    /// Puts it among the rules.
    pub plant: fn(&mut Rules),
}

impl Mutation {
    /// The mutation of that name.
    pub fn called(name: &str) -> Option<&'static Mutation> {
        MUTATIONS.iter().find(|mutation| mutation.name == name)
    }
}

/// The modules, and the table of their rows in this order.
macro_rules! catalogue {
    ($($module:ident)*) => {
        $(mod $module;)*

        /// Every planted bug, in the order of the catalogue of QEMU's bugs.
        pub static MUTATIONS: &[Mutation] = &[$($module::MUTATION),*];
    };
}

catalogue! {
    // Groups and completion.
    start_in_prepare
    two_aborters
    failed_creation_stays_member
    finalize_after_the_end
    group_end_blocks_siblings
    drain_at_the_end_blocks_itself
    completed_job_is_noise
    abort_blocks_the_sibling
    late_cancel_succeeds
    soft_cancel_overrides
    nodes_held_until_dismissed
    sibling_left_alone
    each_for_itself
    pending_by_itself
    ends_while_paused
    cancelled_and_completed
    pending_event_before_status
    finalized_before_exit
    entered_after_return
    forced_but_not_cancelled
    error_unsaid
    created_cannot_be_cancelled
    dismissed_unasked
    id_of_concluded_is_free
    quit_replies_twice
    // Pause, resume, cancel, sleep.
    // Bitmaps.
    bitmap_cleared_on_failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::PROPERTIES;

    #[test]
    fn every_row_is_whole() {
        for (index, mutation) in MUTATIONS.iter().enumerate() {
            let name = mutation.name;
            let property = PROPERTIES.iter().find(|row| row.id == mutation.breaks);
            assert!(
                property.is_some_and(|row| row.kind.is_checked()),
                "{name}: nobody checks {}",
                mutation.breaks
            );
            assert!(mutation.bug.starts_with("bug-"), "{name}: {}", mutation.bug);
            assert!(
                !mutation.what.is_empty() && !mutation.reference.is_empty(),
                "{name} does not say what it is"
            );
            assert!(
                MUTATIONS[..index].iter().all(|other| other.name != name),
                "two mutations are called {name}"
            );
        }
    }
}
