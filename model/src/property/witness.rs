//! The interesting cases: beside what must never happen, what must happen sometimes, or the "never" is empty.

macro_rules! witnesses {
    ($($variant:ident $id:literal $says:literal;)*) => {
        /// An interesting case; its number is its place in [`WITNESSES`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Witness {
            $(#[doc = $says] $variant,)*
        }

        /// Every witness: its id, and one sentence.
        pub const WITNESSES: &[(&str, &str)] = &[$(($id, $says),)*];
    };
}

witnesses! {
    CancelWhileCopying "cancel-while-copying" "A cancel arrived while a copy was in flight.";
    CancelWhilePending "cancel-while-pending" "A cancel arrived while the job was pending.";
    CancelWhileWaiting "cancel-while-waiting" "A cancel arrived while the job waited for its siblings.";
    CancelAfterReturn "cancel-after-return" "A cancel arrived after the run function had returned, before its exit bottom half.";
    EmptyJobFirst "empty-job-first" "A job with nothing to copy was waiting before its sibling failed.";
    SiblingFailedWhileWaiting "sibling-failed-while-waiting" "A job was waiting when its sibling failed or was cancelled.";
    GuestWaitsForCopy "guest-waits-for-copy" "A guest's write waited for a copy that overlaps it.";
    CopyBeforeWrite "copy-before-write" "A guest's write had old data copied first.";
    WriteOverJobEnd "write-over-job-end" "A guest's write began while the job was in progress and ended after its bitmap was settled.";
    PauseWhileCopying "pause-while-copying" "A user's pause arrived while a copy was in flight.";
    ResumeAfterPause "resume-after-pause" "A user resumed a job that was paused.";
    ErrorStop "error-stop" "A job met an error and stopped.";
    ErrorIgnored "error-ignored" "A job met an error and tried again.";
    ErrorReport "error-report" "A job met an error and failed.";
    CbwFailed "cbw-failed" "Old data could not be saved, so the guest's write failed.";
    BitmapReclaimedDirty "bitmap-reclaimed-dirty" "A successor with bits was merged back.";
    BitmapAbdicatedDirty "bitmap-abdicated-dirty" "A successor with bits took over.";
    AlwaysModeMerged "always-mode-merged" "A bitmap of mode always kept uncopied clusters after a failure.";
    BusyBitmapRefused "busy-bitmap-refused" "A command was refused because a bitmap was busy.";
    ResizeRefused "resize-refused" "A resize was refused because a job uses the node.";
    ResizedWithBitmap "resized-with-bitmap" "A node that has bitmaps was resized.";
    DrainWaitsForRequest "drain-waits-for-request" "A drained section waited for a guest's request.";
    DrainWaitsForCopy "drain-waits-for-copy" "A drained section waited for a copy in flight.";
    EndBeforeReply "end-before-reply" "A job's run function returned before the reply of the command that started it.";
    IothreadHop "iothread-hop" "An iothread entered a job's coroutine.";
    UserFinalize "user-finalize" "A user finalized a job.";
    GroupOfThree "group-of-three" "Three jobs or more started as one group.";
    GroupAllEmpty "group-all-empty" "A group started whose jobs all have nothing to copy.";
    ShutdownWithJob "shutdown-with-job" "The process began to end while a job was in progress.";
    DismissedByUser "dismissed-by-user" "A user dismissed a job.";
    SpeedSleep "speed-sleep" "The rate limiter made a job sleep.";
    MergeIntoRecording "merge-into-recording" "A bitmap was merged into one that records.";
    Rollback "rollback" "A transaction failed after a prepare had succeeded.";
    UnhappyTarget "unhappy-target" "A write to a target failed.";
    GroupSucceeds "group-succeeds" "A group of two jobs or more ended well.";
    GroupAborts "group-aborts" "A group of two jobs or more was aborted.";
    ChainComplete "chain-complete" "A bitmap's backup ended well on a target that, with its chain, is the whole source.";
    VerbRefused "verb-refused" "A job refused a verb in the status it had.";
    FullPool "full-pool" "A copy waited for a free worker.";
    BitmapLoaded "bitmap-loaded" "A stored bitmap was loaded from its file.";
    InconsistentLoaded "inconsistent-loaded" "A stored bitmap was loaded that nobody had stored after it went out of date.";
    InconsistentRefused "inconsistent-refused" "A command was refused because a bitmap is inconsistent.";
}
