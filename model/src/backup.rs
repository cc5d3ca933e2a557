//! The backup job: how it is created, what its coroutine does, what becomes of its bitmap.
//!
//! QEMU: `block/backup.c`, and `backup_common` in `blockdev.c` for the parameters. The copying itself is
//! [`crate::block_copy`]'s; guests' writes meet it in [`crate::guest`].

use crate::bitmap::Use;
use crate::block_copy::{self, BlockCopy, CLUSTER_MIN, Caller, WORKERS_MAX};
use crate::defect;
use crate::error::{Errno, QmpError};
use crate::event::{ErrorAction, Operation};
use crate::graph;
use crate::image::{Allocation, Format};
use crate::job::{self, IoStatus, Job, Status};
use crate::name::Name;
use crate::node::{Listed, Node, NodeKind, Opener, TOP};
use crate::property;
use crate::world::{GroupIx, JobIx, NodeIx, World};

/// What is copied: QEMU's `MirrorSyncMode`, as far as backups go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sync {
    /// Everything.
    Full,
    /// What the top image has allocated.
    Top,
    /// Only what guests overwrite.
    None,
    /// What a bitmap marks, with `bitmap-mode` on-success.
    Incremental,
    /// What a bitmap marks.
    Bitmap,
}

impl Sync {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Sync::Full => "full",
            Sync::Top => "top",
            Sync::None => "none",
            Sync::Incremental => "incremental",
            Sync::Bitmap => "bitmap",
        }
    }
}

/// When the sync bitmap forgets what was copied: QEMU's `BitmapSyncMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BitmapMode {
    /// If the job succeeds.
    OnSuccess,
    /// Never.
    Never,
    /// Always; what was not copied is remembered.
    Always,
}

/// What to do about an error: QEMU's `BlockdevOnError`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// Fail.
    #[default]
    Report,
    /// Try again at once.
    Ignore,
    /// Pause.
    Stop,
    /// Pause on ENOSPC, else fail.
    Enospc,
    /// For jobs the same as enospc.
    Auto,
}

impl OnError {
    /// What the policy says to an error: `block_job_error_action`.
    pub fn action(self, errno: Errno) -> ErrorAction {
        match (self, errno) {
            (OnError::Ignore, _) => ErrorAction::Ignore,
            (OnError::Stop, _) | (OnError::Enospc | OnError::Auto, Errno::Enospc) => {
                ErrorAction::Stop
            }
            (OnError::Report | OnError::Enospc | OnError::Auto, _) => ErrorAction::Report,
        }
    }
}

/// The `format` of `drive-backup`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetFormat {
    /// One that images here can have.
    Known(Format),
    /// None that QEMU has; refused when the target is made or opened.
    Unknown(Name),
}

/// The parameters of `drive-backup` and `blockdev-backup`. Defaults are QEMU's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BackupRequest {
    /// `drive-backup` (the target is a file) or `blockdev-backup` (the target is a node).
    pub drive: bool,
    /// The job's id; without one the drive's name is taken.
    pub job_id: Option<Name>,
    /// Node or drive name of the source.
    pub device: Name,
    /// A file, or a node or drive name.
    pub target: Name,
    /// The target's format; the source's if absent.
    pub format: Option<TargetFormat>,
    /// `mode: existing`: the target file is opened as it is.
    pub existing: bool,
    /// What is copied.
    pub sync: Sync,
    /// The sync bitmap.
    pub bitmap: Option<Name>,
    /// When it forgets.
    pub bitmap_mode: Option<BitmapMode>,
    /// Bytes per second; 0 is no limit.
    pub speed: i64,
    /// Compressed writes.
    pub compress: bool,
    /// Policy for read errors.
    pub on_source_error: OnError,
    /// Policy for write errors.
    pub on_target_error: OnError,
    /// Go on from `pending` by itself.
    pub auto_finalize: bool,
    /// Go on from `concluded` by itself.
    pub auto_dismiss: bool,
    /// The filter's node name.
    pub filter_node_name: Option<Name>,
    /// `x-perf.max-workers`.
    pub workers_max: i64,
    /// `x-perf.max-chunk`, bytes; 0 is no limit.
    pub chunk_max: i64,
    /// `x-perf.min-cluster-size`, bytes (10.0).
    pub cluster_min: u64,
}

/// What comes after a pause point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// The run function.
    Begin,
    /// The sync=top scan goes on at this byte.
    Scan(u64),
    /// The copy loop looks at its background call again.
    Look,
    /// The copy loop starts a background call.
    Copy,
    /// The wait of sync=none.
    Idle,
}

/// Where the job's coroutine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// About to run (only while created, or while a hop is queued).
    Then(Then),
    /// In a pause point; its background call was cancelled and has tasks in flight. Not in a pausable place.
    Quiescing(Then),
    /// In a pause point, paused.
    Paused(Then),
    /// The scan waits for the status of the area at this byte.
    Scanning(u64),
    /// Yielded in the copy loop, waiting for the background call.
    AwaitCall,
    /// Cancelled, and waiting for the background call's tasks. Not in a pausable place.
    AwaitCancelled,
    /// Yielded in the wait of sync=none.
    Idle,
    /// The run function returned.
    Returned,
}

/// What one backup job was asked to do, and where its coroutine is. QEMU: `BackupBlockJob`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Backup {
    /// What is copied.
    pub sync: Sync,
    /// The sync bitmap and when it forgets.
    pub bitmap: Option<(Name, BitmapMode)>,
    /// Policy for read errors.
    pub on_source_error: OnError,
    /// Policy for write errors.
    pub on_target_error: OnError,
    /// The source's image node.
    pub source: NodeIx,
    /// The target's image node.
    pub target: NodeIx,
    /// The copy-before-write filter.
    pub filter: NodeIx,
    /// Where the coroutine is.
    pub at: At,
}

impl Backup {
    /// The policy for errors of that half of the copy.
    pub fn policy(&self, operation: Operation) -> OnError {
        match operation {
            Operation::Read => self.on_source_error,
            Operation::Write => self.on_target_error,
        }
    }
}

// ---- parameters

/// The checks both commands share, in QEMU's order: `backup_common`'s callers.
///
/// # Errors
/// The first condition that fails.
pub(crate) fn check_parameters(
    w: &World,
    source: NodeIx,
    request: &mut BackupRequest,
) -> Result<(), QmpError> {
    let sync = request.sync;
    if matches!(sync, Sync::Bitmap | Sync::Incremental) && request.bitmap.is_none() {
        return Err(QmpError::generic(format!(
            "must provide a valid bitmap name for '{}' sync mode",
            sync.name()
        )));
    }
    if sync == Sync::Incremental {
        if request
            .bitmap_mode
            .is_some_and(|mode| mode != BitmapMode::OnSuccess)
        {
            return Err(QmpError::generic(
                "Bitmap sync mode must be 'on-success' when using sync mode 'incremental'",
            ));
        }
        request.bitmap_mode = Some(BitmapMode::OnSuccess);
    }
    if let Some(name) = &request.bitmap {
        let Some(bitmap) = w.node(source).bitmap(name) else {
            return Err(QmpError::generic(format!(
                "Bitmap '{name}' could not be found"
            )));
        };
        let Some(mode) = request.bitmap_mode else {
            return Err(QmpError::generic(
                "Bitmap sync mode must be given when providing a bitmap",
            ));
        };
        bitmap.check(Use::AllowReadonly)?;
        if sync == Sync::None {
            return Err(QmpError::generic(
                "sync mode 'none' does not produce meaningful bitmap outputs",
            ));
        }
        if mode == BitmapMode::Never && sync != Sync::Bitmap {
            return Err(QmpError::generic(format!(
                "Bitmap sync mode 'never' has no meaningful effect when combined with sync mode '{}'",
                sync.name()
            )));
        }
    } else if request.bitmap_mode.is_some() {
        return Err(QmpError::generic(
            "Cannot specify bitmap sync mode without a bitmap",
        ));
    }
    Ok(())
}

fn busy(w: &World, node: NodeIx) -> QmpError {
    QmpError::generic(format!(
        "Node '{}' is busy: block device is in use by block job: backup",
        w.device_or_node(node)
    ))
}

/// Is the node a source's filter or somebody's target: `bdrv_op_is_blocked`.
pub(crate) fn check_not_blocked(w: &World, node: NodeIx) -> Result<(), QmpError> {
    let entry = w.node(node);
    if entry.target_of.is_some() || matches!(entry.kind, NodeKind::Filter { .. }) {
        return Err(busy(w, node));
    }
    Ok(())
}

// ---- creation

/// Creates the job, its filter and the bitmap's successor, all in one drained section: `backup_job_create`.
///
/// # Errors
/// The first condition that fails, in QEMU's order; nothing is left behind. The changes of the graph are those after the
/// filter was put in.
pub(crate) fn create(
    w: &mut World,
    request: &BackupRequest,
    source: NodeIx,
    target: NodeIx,
    group: Option<GroupIx>,
) -> Result<JobIx, Refused> {
    let chunk_max = check_nodes(w, request, source, target)?;
    let target_image = &w.file(w.node(w.image_under(target)).chain()[0]).image;
    let target_cluster = target_image.reported_cluster_size();
    let bitmap = request.bitmap.clone().zip(request.bitmap_mode);
    check_bitmap(w, request, source)?;
    if let Some((name, _)) = &bitmap {
        (w.rules().freeze_bitmap)(w, source, name)?;
    }
    match create_frozen(
        w,
        request,
        source,
        target,
        target_cluster,
        chunk_max,
        &bitmap,
        group,
    ) {
        Ok(job) => Ok(job),
        Err(refused) => {
            (w.rules().give_bitmap_back)(w, source, request);
            Err(refused)
        }
    }
}

/// Why a backup cannot be created, and how often the graph is changed before that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub error: QmpError,
    /// How often: `graph.rs` has the counts.
    pub changes: u8,
}

impl From<QmpError> for Refused {
    fn from(error: QmpError) -> Refused {
        Refused { error, changes: 0 }
    }
}

/// Refused once the graph was changed so often.
fn after(changes: u8) -> impl Fn(QmpError) -> Refused {
    move |error| Refused { error, changes }
}

/// What is checked before the filter is put in.
pub(crate) fn check_creation(
    w: &World,
    request: &BackupRequest,
    source: NodeIx,
    target: NodeIx,
) -> Result<(), Refused> {
    check_nodes(w, request, source, target)?;
    check_bitmap(w, request, source)?;
    check_before_filter(w, request, source, target)
}

/// What is checked before the bitmap is frozen: the head of `backup_job_create`. The most that a task may copy (bytes, 0
/// for no limit) is returned.
fn check_nodes(
    w: &World,
    request: &BackupRequest,
    source: NodeIx,
    target: NodeIx,
) -> Result<u64, QmpError> {
    if source == target {
        return Err(QmpError::generic("Source and target cannot be the same"));
    }
    let target_image = &w.file(w.node(w.image_under(target)).chain()[0]).image;
    if request.compress && target_image.format == Format::Raw {
        return Err(QmpError::generic(format!(
            "Compression is not supported for this drive {}",
            w.drive_on(target).map_or("", |drive| drive)
        )));
    }
    check_not_blocked(w, source)?;
    check_not_blocked(w, target)?;
    w.check_room()?;
    if request.workers_max < 1 || request.workers_max > i64::from(i32::MAX) {
        return Err(QmpError::generic(
            "max-workers must be between 1 and 2147483647",
        ));
    }
    u64::try_from(request.chunk_max)
        .map_err(|_| QmpError::generic("max-chunk must be zero (which means no limit) or positive"))
}

/// May the bitmap be written when the job ends?
fn check_bitmap(w: &World, request: &BackupRequest, source: NodeIx) -> Result<(), QmpError> {
    let (Some(name), Some(mode)) = (&request.bitmap, request.bitmap_mode) else {
        return Ok(());
    };
    if mode == BitmapMode::Never {
        return Ok(());
    }
    let bitmap = w.node(source).bitmap(name);
    bitmap
        .expect("internal: checked before")
        .check(Use::Default)
}

/// What is checked with the bitmap frozen: the lengths, and what the filter is made from (`bdrv_cbw_append`).
fn check_before_filter(
    w: &World,
    request: &BackupRequest,
    source: NodeIx,
    target: NodeIx,
) -> Result<(), Refused> {
    if w.length(source) != w.length(target) {
        let error = "Source and target image have different sizes";
        return Err(QmpError::generic(error).into());
    }
    if request.cluster_min > i64::MAX.cast_unsigned() {
        let error = format!(
            "min-cluster-size too large: {} > {}",
            request.cluster_min,
            i64::MAX
        );
        return Err(QmpError::generic(error).into());
    }
    match &request.filter_node_name {
        Some(name) => w
            .check_node_name(name)
            .map_err(no_filter)
            .map_err(after(graph::NAMES_NO_FILTER)),
        None => Ok(()),
    }
}

fn no_filter(error: QmpError) -> QmpError {
    QmpError::generic(format!("Could not create node: {}", error.desc))
}

/// A backup that could not be created gives its bitmap back: the error path of `backup_job_create`.
pub(crate) fn give_bitmap_back(w: &mut World, source: NodeIx, request: &BackupRequest) {
    if let Some(name) = &request.bitmap {
        w.reclaim_bitmap(source, name);
    }
}

/// What there is to copy: the copy bitmap of a job that is being created. QEMU: `backup_init_bcs_bitmap`.
pub(crate) fn fill_copy_bitmap(w: &World, copy: &mut BlockCopy, sync: Sync, bitmap: Option<&Name>) {
    match bitmap {
        Some(name) if matches!(sync, Sync::Bitmap | Sync::Incremental) => {
            let source = w.node(copy.source);
            let sync_bitmap = source.bitmap(name).expect("internal: just frozen");
            copy.dirty
                .merge(sync_bitmap)
                .expect("internal: bitmaps follow their node's length");
        }
        _ => copy.dirty.set(0..copy.len),
    }
}

/// The rest of the creation, with the bitmap frozen.
#[allow(clippy::too_many_arguments)]
fn create_frozen(
    w: &mut World,
    request: &BackupRequest,
    source: NodeIx,
    target: NodeIx,
    target_cluster: Option<u64>,
    chunk_max: u64,
    bitmap: &Option<(Name, BitmapMode)>,
    group: Option<GroupIx>,
) -> Result<JobIx, Refused> {
    check_before_filter(w, request, source, target)?;
    let len = w.length(source);
    check_filter(w, request, target).map_err(no_filter)?;
    let cluster = (w.rules().copy_cluster)(request, target_cluster);
    if chunk_max > 0 && chunk_max < cluster {
        let error = QmpError::generic(format!(
            "Required max-chunk ({chunk_max}) is less than backup cluster size ({cluster})"
        ));
        return Err(after(graph::TAKES_FILTER_BACK)(error));
    }
    let id: Name = match &request.job_id {
        Some(id) => id.clone(),
        // The name of the drive on the filter just inserted: none, if that is below another filter.
        None => {
            let entry = w.node(source);
            entry
                .drive
                .clone()
                .filter(|_| entry.filters.is_empty())
                .unwrap_or_else(|| "".into())
        }
    };
    (w.rules().check_id)(w, &id).map_err(after(graph::MAKES_NO_JOB))?;

    let mut copy = BlockCopy::new(source, target, cluster, len);
    copy.workers_max = (request.workers_max as u64).min(WORKERS_MAX);
    if request.compress {
        copy.chunk_max = cluster;
    }
    if chunk_max > 0 {
        copy.chunk_max = copy.chunk_max.min(chunk_max.div_ceil(cluster) * cluster);
    }
    copy.skip_unallocated = request.sync == Sync::Top;
    let name = bitmap.as_ref().map(|(name, _)| name);
    (w.rules().fill_copy_bitmap)(w, &mut copy, request.sync, name);

    let group = group.unwrap_or_else(|| w.add_group(Default::default()));
    let filter_name = match &request.filter_node_name {
        Some(name) => name.clone(),
        None => w.generated_node_name(),
    };
    let context = w.node(source).context;
    let index = w.add_job(
        Job {
            id,
            status: Status::Created,
            started: false,
            busy: false,
            paused: true,
            pause_count: 1,
            user_paused: false,
            cancelled: false,
            force_cancel: false,
            deferred: false,
            ret: None,
            error: None,
            auto_finalize: request.auto_finalize,
            auto_dismiss: request.auto_dismiss,
            iostatus: IoStatus::Ok,
            speed: 0,
            group,
            nodes: 0,
            context,
            exit_after_reply: None,
            backup: Backup {
                sync: request.sync,
                bitmap: bitmap.clone(),
                on_source_error: request.on_source_error,
                on_target_error: request.on_target_error,
                source,
                target,
                filter: 0,
                at: At::Then(Then::Begin),
            },
            ghost: Default::default(),
        },
        copy,
    );
    w.main_mut().jobs.insert(0, index);
    w.group_mut(group).members.insert(0, index);
    job::announce(w, index);

    let Ok(speed) = u64::try_from(request.speed) else {
        (w.rules().fail_early)(w, index);
        return Err(after(graph::TAKES_JOB_BACK)(job::negative_speed()));
    };
    w.job_mut(index).speed = speed;
    w.copy_mut(index).speed = speed;
    attach(w, index, filter_name, cluster);
    Ok(index)
}

/// The cluster of a copy in bytes: never less than the target's, or copying a part of that would hide what is below
/// the rest of it. QEMU: `block_copy_calculate_cluster_size`.
pub(crate) fn copy_cluster(request: &BackupRequest, of_target: Option<u64>) -> u64 {
    CLUSTER_MIN
        .max(of_target.unwrap_or(0))
        .max(request.cluster_min)
}

/// May the filter be made: its hold on the target, the size of its clusters. QEMU: `cbw_open`.
fn check_filter(w: &mut World, request: &BackupRequest, target: NodeIx) -> Result<(), QmpError> {
    check_target_writable(w, request, target)?;
    if request.cluster_min > 0 && !request.cluster_min.is_power_of_two() {
        return Err(QmpError::generic(
            "Cannot create block-copy-state: min-cluster-size needs to be a power of 2",
        ));
    }
    Ok(())
}

/// May the filter write its target? A read-only node lets nobody, one that is being backed up only its filter, and a
/// guest's device nobody beside itself. QEMU: `bdrv_refresh_perms`.
fn check_target_writable(
    w: &mut World,
    request: &BackupRequest,
    target: NodeIx,
) -> Result<(), QmpError> {
    let entry = w.node(target);
    if entry.read_only {
        return Err(QmpError::generic("Block node is read-only"));
    }
    let unshared_by = match (entry.filters.first(), &entry.drive) {
        (Some(&above), _) => {
            let above = &w.node(above).name;
            format!(
                "node '{above}' (uses node '{}' as 'file' child)",
                entry.name
            )
        }
        (None, Some(drive)) if entry.has_device => {
            format!(
                "block device '{drive}' (uses node '{}' as 'root' child)",
                entry.name
            )
        }
        _ => return Ok(()),
    };
    let name = entry.name.clone();
    let filter = match &request.filter_node_name {
        Some(filter) => filter.clone(),
        None => w.generated_node_name(),
    };
    Err(QmpError::generic(format!(
        "Permission conflict on node '{name}': permissions 'write' are both required by node '{filter}' (uses \
         node '{name}' as 'target' child) and unshared by {unshared_by}."
    )))
}

/// The filter goes in above the source, and the job holds its nodes: drained sections over them hold the job.
/// QEMU: `bdrv_cbw_append`, `block_job_add_bdrv`.
fn attach(w: &mut World, index: JobIx, filter_name: Name, cluster: u64) {
    let Backup { source, target, .. } = w.job(index).backup;
    let internal = |set: bool| {
        let mut bitmap = crate::bitmap::Bitmap::new(None, cluster, w.length(source));
        bitmap.disabled = true;
        if set {
            bitmap.set(0..w.length(source));
        }
        Listed::Bitmap(bitmap)
    };
    // Newest first: what readers of the snapshot may access, and what guests' writes have copied.
    let mut listed = vec![internal(true), internal(false)];
    if w.dialect.copy_bitmap_on_filter {
        listed.push(Listed::Copy(index));
    } else {
        w.node_mut(source).listed.insert(0, Listed::Copy(index));
    }
    let filter = w.add_node(Node {
        name: filter_name,
        drive: None,
        opener: Opener::Job,
        read_only: false,
        over: None,
        has_device: false,
        kind: NodeKind::Filter { source, job: index },
        listed,
        filters: Vec::new(),
        blkdebug: None,
        written: false,
        surveyed: 0,
        mapped: false,
        counted: false,
        quiesced: 0,
        requests: 0,
        target_of: None,
        context: w.node(source).context,
        ghost: Default::default(),
    });
    w.node_mut(source).filters.insert(0, filter);
    w.node_mut(target).target_of = Some(index);
    let mut reasons = 0;
    for drain in &mut w.main_mut().drains {
        if drain.nodes & (1 << source | 1 << target) != 0 {
            drain.jobs.insert(0, index);
            reasons += 1;
        }
        drain.nodes |= (drain.nodes >> source & 1) << filter;
    }
    w.node_mut(filter).quiesced = w.drains_over(filter);
    let job = w.job_mut(index);
    job.backup.filter = filter;
    job.nodes = 1 << target | 1 << filter;
    job.pause_count += reasons;
}

// ---- the coroutine

/// Runs the job's coroutine from where it is to where it yields or returns.
pub(crate) fn run(w: &mut World, index: JobIx) {
    property::job::enters(w, index);
    while step(w, index) {}
}

/// One move of the coroutine; `false` when it has yielded or returned.
fn step(w: &mut World, index: JobIx) -> bool {
    match w.job(index).backup.at {
        At::Then(Then::Begin) if (w.rules().may_pause)(w.job(index)) => {
            pause_point(w, index, Then::Begin)
        }
        At::Then(Then::Begin) => (w.rules().begin_run)(w, index),
        At::Then(Then::Scan(at)) => scan(w, index, at),
        At::Then(Then::Look) => look(w, index),
        At::Then(Then::Copy) => {
            go_to(w, index, At::AwaitCall);
            let range = (w.rules().job_range)(w.copy(index));
            block_copy::begin_call(w, index, Caller::Job, range);
            w.job(index).backup.at == At::AwaitCall && look(w, index)
        }
        At::Then(Then::Idle) => idle(w, index),
        At::Paused(then) => {
            w.job_mut(index).paused = false;
            (w.rules().run_again)(w, index);
            go_to(w, index, At::Then(then))
        }
        At::Quiescing(then) => quiesced(w, index, then),
        At::AwaitCall => pause_point(w, index, Then::Look),
        At::Idle => pause_point(w, index, Then::Idle),
        At::AwaitCancelled => returns(w, index, None),
        // Nobody may enter it then: the promise `no-run-after-return`.
        At::Scanning(_) | At::Returned => false,
    }
}

/// What the background call is to copy: all of the source, up to the end of its last cluster.
pub(crate) fn job_range(copy: &BlockCopy) -> (u64, u64) {
    copy.clusters(&(0..copy.len))
}

fn go_to(w: &mut World, index: JobIx, at: At) -> bool {
    w.job_mut(index).backup.at = at;
    true
}

fn yields(w: &mut World, index: JobIx, at: At) -> bool {
    let job = w.job_mut(index);
    job.backup.at = at;
    job.busy = false;
    false
}

fn returns(w: &mut World, index: JobIx, ret: Option<Errno>) -> bool {
    // In an iothread the I/O takes no pass of the main loop.
    let call = w
        .copy(index)
        .call(Caller::Job)
        .filter(|_| w.job(index).context.is_none());
    let exit_after_reply = call
        .filter(|call| call.chained)
        .and_then(|call| call.begun_in);
    w.job_mut(index).exit_after_reply = exit_after_reply;
    w.copy_mut(index)
        .calls
        .retain(|call| call.caller != Caller::Job);
    go_to(w, index, At::Returned);
    job::returned(w, index, ret);
    false
}

/// A reason to pause counts no more once the job must stop.
pub(crate) fn may_pause(job: &Job) -> bool {
    job.should_pause() && !job.force_cancel
}

/// A place where the job may pause: `job_pause_point`. Pausing stops the background call first
/// (`backup_pause`), and tasks in flight end.
fn pause_point(w: &mut World, index: JobIx, then: Then) -> bool {
    if !(w.rules().may_pause)(w.job(index)) {
        return go_to(w, index, At::Then(then));
    }
    go_to(w, index, At::Quiescing(then));
    if call_in_progress(w, index) {
        block_copy::cancel_call(w, index);
        return false;
    }
    true
}

fn quiesced(w: &mut World, index: JobIx, then: Then) -> bool {
    if !(w.rules().may_pause)(w.job(index)) {
        return go_to(w, index, At::Then(then));
    }
    w.job_mut(index).paused = true;
    job::set_status(w, index, Status::Paused);
    yields(w, index, At::Paused(then))
}

/// A pause is over: `job_pause_point`'s tail.
pub(crate) fn run_again(w: &mut World, index: JobIx) {
    job::set_status(w, index, Status::Running);
}

pub(crate) fn call_in_progress(w: &World, index: JobIx) -> bool {
    w.copy(index)
        .call(Caller::Job)
        .is_some_and(|call| call.state != block_copy::CallState::Finished)
}

/// The run function begins: `backup_run`.
pub(crate) fn begin(w: &mut World, index: JobIx) -> bool {
    w.copy_mut(index).begun = true;
    let first = match w.job(index).backup.sync {
        Sync::None => Then::Idle,
        Sync::Top => Then::Scan(0),
        Sync::Full | Sync::Incremental | Sync::Bitmap => Then::Copy,
    };
    go_to(w, index, At::Then(first))
}

/// sync=none only waits for its cancellation.
fn idle(w: &mut World, index: JobIx) -> bool {
    if w.job(index).force_cancel {
        return returns(w, index, None);
    }
    if w.job(index).should_pause() {
        return pause_point(w, index, Then::Idle);
    }
    yields(w, index, At::Idle)
}

/// The next area of the sync=top scan: its status is asked for, which may take an I/O.
fn scan(w: &mut World, index: JobIx, at: u64) -> bool {
    let job = w.job(index);
    if job.force_cancel {
        return returns(w, index, Some(Errno::Ecanceled));
    }
    if job.should_pause() {
        return pause_point(w, index, Then::Scan(at));
    }
    if at >= w.copy(index).len {
        w.copy_mut(index).skip_unallocated = false;
        return go_to(w, index, At::Then(Then::Copy));
    }
    go_to(w, index, At::Scanning(at));
    false
}

/// The status of the scan's area is known: clusters the top image lacks are not copied.
/// QEMU: `block_copy_reset_unallocated`.
pub(crate) fn scanned(w: &mut World, index: JobIx) {
    let At::Scanning(at) = w.job(index).backup.at else {
        panic!("internal: no scan in progress");
    };
    w.note_tables(w.copy(index).source, TOP);
    let copy = w.copy(index);
    let (cluster, len) = (copy.cluster, copy.len);
    let top = w.node(copy.source).chain()[0];
    let (allocation, mut end) = w.file(top).image.allocation(at, len);
    if allocation == Allocation::Unallocated {
        end = if end < len {
            end / cluster * cluster
        } else {
            end
        };
        if end > at {
            w.copy_mut(index).dirty.reset(at..end);
        }
    }
    let end = end.max(at + 1).div_ceil(cluster) * cluster;
    go_to(w, index, At::Then(Then::Scan(end)));
    run(w, index);
}

/// The copy loop looks at its background call: `backup_loop`.
fn look(w: &mut World, index: JobIx) -> bool {
    let cancelled = w.job(index).force_cancel;
    if call_in_progress(w, index) {
        if cancelled {
            go_to(w, index, At::AwaitCancelled);
            block_copy::cancel_call(w, index);
            return false;
        }
        if w.job(index).should_pause() {
            return pause_point(w, index, Then::Look);
        }
        return yields(w, index, At::AwaitCall);
    }
    let call = w
        .copy(index)
        .call(Caller::Job)
        .expect("internal: the loop has a call");
    let (call_cancelled, failed) = (call.cancelled, call.failed);
    if cancelled || (failed.is_none() && !call_cancelled) {
        return returns(w, index, None);
    }
    w.copy_mut(index)
        .calls
        .retain(|call| call.caller != Caller::Job);
    let Some((operation, errno)) = failed.filter(|_| !call_cancelled) else {
        return go_to(w, index, At::Then(Then::Copy));
    };
    match (w.rules().error_action)(w, index, operation, errno) {
        ErrorAction::Report => returns(w, index, Some(errno)),
        ErrorAction::Ignore => go_to(w, index, At::Then(Then::Copy)),
        ErrorAction::Stop => pause_point(w, index, Then::Copy),
    }
}

/// The background call is over: whoever waits for it in the job's coroutine goes on.
pub(crate) fn call_finished(w: &mut World, index: JobIx) {
    match w.job(index).backup.at {
        At::AwaitCall if w.job(index).busy => {}
        At::AwaitCall => {
            w.job_mut(index).busy = true;
            run(w, index);
        }
        At::Quiescing(_) | At::AwaitCancelled => run(w, index),
        // A job that is paused (or gone on) has no call in progress: the promise `pause-is-quiescent`.
        _ => property::job::left_copying(w, index),
    }
}

/// The speed limit changes: `block_copy_set_speed`. A sleeper looks again.
pub(crate) fn set_speed(w: &mut World, index: JobIx, speed: u64) {
    w.copy_mut(index).speed = speed;
    block_copy::kick(w, index);
}

// ---- the end

/// A backup has nothing to bring to an end before it stops: `backup_cancel`.
pub(crate) const CANCEL_IS_FORCED: bool = true;

/// The bitmap's fate is decided by how the job ended: `backup_cleanup_sync_bitmap`.
pub(crate) fn settle_bitmap(w: &mut World, index: JobIx) {
    let job = w.job(index);
    let Some((name, mode)) = job.backup.bitmap.clone() else {
        return;
    };
    let (source, success) = (job.backup.source, job.ret.is_none());
    let forgets = (success || mode == BitmapMode::Always) && mode != BitmapMode::Never;
    let unstarted = !w.copy(index).begun;
    if !forgets || unstarted && !w.dialect.has(&defect::UNSTARTED_MARKS_ALL) {
        return w.reclaim_bitmap(source, &name);
    }
    w.abdicate_bitmap(source, &name);
    if !success {
        let copy = w.copy(index);
        let mut uncopied = copy.dirty.clone();
        if unstarted {
            uncopied.set(0..copy.len);
        }
        let unsure = if w.dialect.has(&defect::ALWAYS_SETTLES_TOO_EARLY) {
            Vec::new()
        } else {
            copy.claimed()
        };
        let bitmap = w
            .node_mut(source)
            .bitmap_mut(&name)
            .expect("internal: it was frozen");
        bitmap
            .merge(&uncopied)
            .expect("internal: a busy bitmap is not resized");
        for range in unsure {
            bitmap.set(range);
        }
    }
}

/// The job lets go of its nodes, and its filter is removed: `backup_clean`. Whether closing the target takes an
/// I/O (something was written to it since its last flush) is returned.
pub(crate) fn detach(w: &mut World, index: JobIx) -> bool {
    let Backup {
        source,
        target,
        filter,
        ..
    } = w.job(index).backup;
    w.job_mut(index).nodes = 0;
    w.node_mut(source)
        .listed
        .retain(|listed| *listed != Listed::Copy(index));
    w.node_mut(source).filters.retain(|&other| other != filter);
    property::bitmap::go_with(w, filter);
    w.remove_node(filter);
    w.node_mut(target).target_of = None;
    let target = w.node(target);
    target.opener == Opener::Job && target.written
}

/// A target that the job opened is closed.
pub(crate) fn close_target(w: &mut World, index: JobIx) {
    let target = w.job(index).backup.target;
    if w.node(target).opener == Opener::Job {
        w.close_node(target);
    }
}
