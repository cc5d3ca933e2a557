//! Planted bugs: what really went wrong in QEMU (or could have), each a switch outside the rules.
//!
//! A [`Mutation`] puts functions of its own in the place of some [`Rules`]; the rules themselves do not know. Each has
//! a file of its own, which says what happened and where that is on record. A checker that finds all of them, and is
//! silent without them, has shown that it works.
//!
//! Every row names the one promise that the search finds broken first, the story in which it is, and the release
//! whose rules are played. `scenarios/tests/bugs.rs` holds all of them to that.

use crate::rules::Rules;

/// The promise that a run breaks which never rests. It is no [`Property`](crate::property::Property) of the model's: the
/// search's check of cycles asks it.
pub const EVERY_RUN_RESTS: &str = "every-run-rests";

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
    /// The [`Property`](crate::property::Property) that it breaks, or [`EVERY_RUN_RESTS`].
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
    finalize_uses_a_freed_job
    quit_replies_twice
    // Pause, resume, cancel, sleep.
    each_error_pauses
    entered_twice
    pause_lets_copy
    cancel_waits_for_the_timer
    no_kick_on_idle
    speed_waits_for_the_timer
    resume_ends_every_pause
    cancelled_job_pauses
    cancel_keeps_the_error
    command_in_a_nested_loop
    limit_below_a_chunk
    one_worker_too_many
    // Bitmaps.
    bits_past_the_old_end
    bitmap_cleared_on_failure
    successor_lost_on_failure
    early_error_keeps_bitmap_busy
    negative_speed_keeps_bitmap_busy
    cancel_keeps_bitmap_busy
    cancel_forgets_uncopied
    merge_from_busy_bitmap
    merge_from_inconsistent_bitmap
    merge_into_empty_bitmap
    merge_undone_by_half
    persistence_lost
    recording_switched_on
    recording_switched_off
    mark_at_submit
    failed_write_not_marked
    bitmap_added_in_flight
    parent_goes_on_recording
    bits_past_the_new_end
    refused_disable_undone
    // Copying.
    copy_between_dirty_areas
    small_cluster_target
    unaligned_tail
    last_cluster_cut_short
    progress_on_failure
    last_result_wins
    no_look_after_the_wait
    no_wait_for_an_overlap
    clear_after_copy
    lost_wakeup
    copy_after_write
    filter_removed_before_copy_ends
    top_copies_new_clusters
    two_points_in_time
    no_drain_at_start
    always_mode_forgets
    throttled_guest
    failure_gives_back_too_much
    ignored_save_failure
    failed_copy_forgotten
    // Contexts, the graph and drained sections.
    clean_holds_the_context
    drain_outlives_a_failure
    request_counted_while_held
    pause_under_the_graph_lock
    queue_not_kicked
    resize_holds_the_context
    resize_under_a_backup
    disabled_bitmap_not_resized
    // What users have met.
    copy_bitmap_filled_twice
    copy_bitmap_filled_late
    only_first_bitmap_settled
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
                mutation.breaks == EVERY_RUN_RESTS
                    || property.is_some_and(|row| row.kind.is_checked()),
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
