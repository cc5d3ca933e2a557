//! `transaction`: actions that happen together or not at all.
//!
//! Every action is prepared in order; the first that fails makes all prepared ones (and itself) roll back, in
//! reverse; otherwise all are committed, and jobs start only then. `drive-backup` and `blockdev-backup` by
//! themselves are transactions of one action. QEMU: `qmp_transaction` in `blockdev.c`.

use std::sync::Arc;

use crate::backup::{self, BackupRequest, BitmapMode, Refused, Sync, TargetFormat};
use crate::bitmap::{Hold, Undo, Use};
use crate::defect;
use crate::dirty_bitmap;
use crate::error::QmpError;
use crate::event::Reply;
use crate::graph;
use crate::image::Format;
use crate::main_loop::{Flow, Frame, Wait, meanwhile};
use crate::name::Name;
use crate::node::{ALL_NODES, Access, NodeKind, NodeSet, Opener};
use crate::property::{self, transaction::Before};
use crate::stored;
use crate::world::{GroupIx, JobIx, NodeIx, World};

/// A bitmap, by its node (or drive) and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BitmapName {
    /// Node or drive.
    pub node: Name,
    /// Bitmap.
    pub name: Name,
}

/// One action. The bitmap actions are also commands of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `drive-backup`, `blockdev-backup`
    Backup(BackupRequest),
    /// `block-dirty-bitmap-add`
    BitmapAdd {
        /// Which.
        bitmap: BitmapName,
        /// Bytes; the node's default if absent.
        granularity: Option<u64>,
        /// Stored in the image when it is closed.
        persistent: bool,
        /// Does not record at first.
        disabled: bool,
    },
    /// `block-dirty-bitmap-clear`
    BitmapClear(BitmapName),
    /// `block-dirty-bitmap-enable`
    BitmapEnable(BitmapName),
    /// `block-dirty-bitmap-disable`
    BitmapDisable(BitmapName),
    /// `block-dirty-bitmap-merge`
    BitmapMerge {
        /// The bitmap that grows.
        target: BitmapName,
        /// What is merged into it.
        sources: Vec<BitmapName>,
    },
    /// `block-dirty-bitmap-remove`
    BitmapRemove(BitmapName),
    /// `abort`
    Abort,
}

impl Action {
    /// The action's type on the wire.
    pub fn type_name(&self) -> &'static str {
        match self {
            Action::Backup(request) if request.drive => "drive-backup",
            Action::Backup(_) => "blockdev-backup",
            Action::BitmapAdd { .. } => "block-dirty-bitmap-add",
            Action::BitmapClear(_) => "block-dirty-bitmap-clear",
            Action::BitmapEnable(_) => "block-dirty-bitmap-enable",
            Action::BitmapDisable(_) => "block-dirty-bitmap-disable",
            Action::BitmapMerge { .. } => "block-dirty-bitmap-merge",
            Action::BitmapRemove(_) => "block-dirty-bitmap-remove",
            Action::Abort => "abort",
        }
    }
}

/// What has been prepared for one action, and how it is undone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Prepared {
    /// Nothing to undo.
    #[default]
    Nothing,
    /// A backup: the drained section on its source, its target if it was opened here, its job.
    Backup {
        /// The node that was named: an image, or a filter above it.
        source: NodeIx,
        /// The drained section.
        drain: Option<u32>,
        /// The target that was opened, while no job owns it.
        target: Option<NodeIx>,
        /// The job.
        job: Option<JobIx>,
    },
    /// A bitmap was added.
    Added,
    /// Bits were cleared.
    Cleared(NodeIx, Name, Box<Undo>),
    /// Recording was switched, from this.
    Switched(NodeIx, Name, bool),
    /// Bits were merged in; the bits before.
    Merged(NodeIx, Name, Box<Undo>),
    /// A bitmap waits for its removal.
    Removing(NodeIx, Name),
    /// QEMU would die in this action's rollback (or commit).
    Dies,
}

/// How far the action being prepared has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum BackupStage {
    Drain,
    Drained,
    Opened,
    Create,
}

/// How far the transaction has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Begin,
    DrainedAll(u32),
    Prepare(usize, BackupStage),
    Commit(usize),
    Abort(usize),
    Clean(usize),
    End,
}

/// A transaction in progress.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transaction {
    actions: Arc<Vec<Action>>,
    /// One bitmap command by itself: nothing is drained, and its rollback is its own.
    alone: bool,
    grouped: bool,
    group: Option<GroupIx>,
    prepared: Vec<Prepared>,
    error: Option<QmpError>,
    stage: Stage,
    /// What was there before it: a ghost of [`crate::property`].
    before: Option<Arc<Before>>,
}

impl Transaction {
    /// A transaction that has not begun.
    pub fn new(actions: Arc<Vec<Action>>, grouped: bool) -> Transaction {
        Transaction {
            actions,
            alone: false,
            grouped,
            group: None,
            prepared: Vec::new(),
            error: None,
            stage: Stage::Begin,
            before: None,
        }
    }

    /// A bitmap action as a command of its own.
    pub fn alone(actions: Arc<Vec<Action>>) -> Transaction {
        Transaction {
            alone: true,
            ..Transaction::new(actions, false)
        }
    }

    /// An action's prepare failed.
    pub(crate) fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// The action at a place in commit and clean order.
    fn in_order(&self, w: &World, place: usize) -> usize {
        if w.dialect.transaction_reversed {
            self.actions.len() - 1 - place
        } else {
            place
        }
    }

    fn at(mut self: Box<Self>, stage: Stage) -> Frame {
        self.stage = stage;
        Frame::Transaction(self)
    }

    fn fails(self: Box<Self>, w: &mut World, error: QmpError) -> Flow {
        self.fails_after(w, error, 0)
    }

    /// It fails when the graph has changed so often.
    fn fails_after(mut self: Box<Self>, w: &mut World, error: QmpError, changes: u8) -> Flow {
        property::transaction::fails(w, &self.prepared);
        self.error = Some(error);
        let last = self.prepared.len();
        graph::then(w, self.at(Stage::Abort(last)), changes)
    }
}

fn then(frame: Frame) -> Flow {
    Flow::Become(frame, Wait::Nothing)
}

/// Runs the transaction's next stretch.
pub(crate) fn advance(w: &mut World, t: Box<Transaction>) -> Flow {
    match t.stage {
        Stage::Begin => begin(w, t),
        Stage::DrainedAll(drain) => {
            w.drain_end(drain);
            meanwhile(w, t.at(Stage::Prepare(0, BackupStage::Drain)))
        }
        Stage::Prepare(index, stage) => prepare(w, t, index, stage),
        Stage::Commit(place) => commit(w, t, place),
        Stage::Abort(left) => abort(w, t, left),
        Stage::Clean(place) => clean(w, t, place),
        Stage::End => end(w, &t),
    }
}

/// The checks before anything, then all nodes are drained once: running jobs show `paused`, `running`.
fn begin(w: &mut World, mut t: Box<Transaction>) -> Flow {
    if t.alone {
        return then(t.at(Stage::Prepare(0, BackupStage::Drain)));
    }
    if t.grouped {
        if w.dialect.grouped_checked_first
            && let Some(action) = t.actions.iter().find(|action| !suits_group(action, true))
        {
            let error = refuses_group(w, action);
            return Flow::Instead(Frame::Command(Box::new(Reply::Error(error))));
        }
        let group = w.add_group(Default::default());
        w.group_mut(group).held = true;
        t.group = Some(group);
    }
    t.before = Some(property::transaction::before(w));
    let drain = w.drain_begin(ALL_NODES);
    Flow::Become(t.at(Stage::DrainedAll(drain)), Wait::Quiet(ALL_NODES))
}

fn suits_group(action: &Action, checked_first: bool) -> bool {
    match action {
        Action::Backup(_) => true,
        Action::Abort => !checked_first,
        _ => false,
    }
}

fn refuses_group(w: &World, action: &Action) -> QmpError {
    QmpError::generic(format!(
        "Action '{}' does not support {} property completion-mode = grouped",
        action.type_name(),
        w.dialect.grouped_refusal_noun
    ))
}

// ---- prepare

fn prepare(w: &mut World, mut t: Box<Transaction>, index: usize, stage: BackupStage) -> Flow {
    let actions = t.actions.clone();
    let Some(action) = actions.get(index) else {
        return then(t.at(Stage::Commit(0)));
    };
    if stage == BackupStage::Drain {
        t.prepared.push(Prepared::Nothing);
        if t.grouped && !suits_group(action, false) {
            if matches!(action, Action::BitmapEnable(_)) {
                t.prepared[index] = enable_before_its_bitmap(w);
            }
            let error = refuses_group(w, action);
            return t.fails(w, error);
        }
    }
    if let Action::Backup(request) = action {
        return prepare_backup(w, t, index, stage, request);
    }
    let asked = property::bitmap::asks(w, action);
    let done = (w.rules().prepare_action)(w, action, &mut t.prepared[index]);
    property::bitmap::prepared(w, action, &t.prepared[index], done.is_ok(), asked);
    match done {
        Ok(()) => {
            // Nothing holds the nodes of bitmap actions: guests in iothreads may write between two of them.
            meanwhile(w, t.at(Stage::Prepare(index + 1, BackupStage::Drain)))
        }
        Err(error) => {
            if t.alone {
                t.prepared[index] = Prepared::Nothing;
            }
            t.fails(w, error)
        }
    }
}

/// One action without a job: done at once.
pub(crate) fn prepare_action(
    w: &mut World,
    action: &Action,
    prepared: &mut Prepared,
) -> Result<(), QmpError> {
    match action {
        Action::Backup(_) => unreachable!("backups are prepared in stages"),
        Action::BitmapAdd {
            bitmap,
            granularity,
            persistent,
            disabled,
        } => {
            dirty_bitmap::add(w, bitmap, *granularity, *persistent, *disabled)?;
            *prepared = Prepared::Added;
        }
        Action::BitmapClear(bitmap) => {
            let node = dirty_bitmap::find(w, bitmap)?;
            dirty_bitmap::named(w, node, bitmap).check(Use::Default)?;
            let undo = dirty_bitmap::named_mut(w, node, bitmap).clear();
            *prepared = Prepared::Cleared(node, bitmap.name.clone(), Box::new(undo));
        }
        Action::BitmapEnable(bitmap) => {
            *prepared = enable_before_its_bitmap(w);
            let node = dirty_bitmap::find(w, bitmap)?;
            *prepared = enable_before_its_check(w, node, bitmap);
            let entry = dirty_bitmap::named(w, node, bitmap);
            entry.check(Use::AllowReadonly)?;
            *prepared = Prepared::Switched(node, bitmap.name.clone(), entry.disabled);
            dirty_bitmap::named_mut(w, node, bitmap).disabled = false;
        }
        Action::BitmapDisable(bitmap) => {
            let node = dirty_bitmap::find(w, bitmap)?;
            let entry = dirty_bitmap::named(w, node, bitmap);
            entry.check(Use::AllowReadonly)?;
            *prepared = Prepared::Switched(node, bitmap.name.clone(), entry.disabled);
            dirty_bitmap::named_mut(w, node, bitmap).disabled = true;
        }
        Action::BitmapMerge { target, sources } => {
            let (node, undo) = (w.rules().merge_sources)(w, target, sources)?;
            *prepared = match undo {
                Some(undo) => Prepared::Merged(node, target.name.clone(), Box::new(undo)),
                None => merge_of_nothing(w),
            };
        }
        Action::BitmapRemove(bitmap) => {
            let node = dirty_bitmap::find(w, bitmap)?;
            dirty_bitmap::check_removable(dirty_bitmap::named(w, node, bitmap))?;
            // At once: a rollback does not bring it back, the node's end may.
            stored::forget(w, node, &bitmap.name);
            w.set_hold(node, &bitmap.name, Hold::Removing);
            *prepared = Prepared::Removing(node, bitmap.name.clone());
        }
        Action::Abort => {
            return Err(QmpError::generic("Transaction aborted using Abort action"));
        }
    }
    Ok(())
}

/// What is taken back of an enable that has found no bitmap. QEMU's rollback does not ask whether there is one.
fn enable_before_its_bitmap(w: &World) -> Prepared {
    if w.dialect.has(&defect::ENABLE_ROLLBACK_CRASHES) {
        Prepared::Dies
    } else {
        Prepared::Nothing
    }
}

/// What is taken back of an enable that has found its bitmap and may not have it. QEMU's rollback writes back a flag
/// that was to be remembered later.
fn enable_before_its_check(w: &World, node: NodeIx, bitmap: &BitmapName) -> Prepared {
    if w.dialect.has(&defect::ENABLE_ROLLBACK_DISABLES) {
        Prepared::Switched(node, bitmap.name.clone(), true)
    } else {
        Prepared::Nothing
    }
}

/// A merge without sources. QEMU's commit frees the copy of the old bits, which is made at the first source.
fn merge_of_nothing(w: &World) -> Prepared {
    if w.dialect.has(&defect::MERGE_OF_NOTHING_CRASHES) {
        Prepared::Dies
    } else {
        Prepared::Nothing
    }
}

/// A backup is prepared: its source is drained, its target opened, its job created.
/// QEMU: `drive_backup_action`, `blockdev_backup_action`.
fn prepare_backup(
    w: &mut World,
    mut t: Box<Transaction>,
    index: usize,
    stage: BackupStage,
    request: &BackupRequest,
) -> Flow {
    if let Some(Prepared::Backup { source, .. }) = t.prepared.get(index)
        && stage != BackupStage::Drain
        && is_gone(w, *source)
    {
        // Nothing is left in it, so the preparation fails; that the drain cannot be ended shows at the very end.
        return t.fails(
            w,
            QmpError::generic("bdrv_getlength failed: No medium found"),
        );
    }
    let source = match w.lookup(&request.device) {
        Ok(source) => source,
        Err(error) => return t.fails(w, error),
    };
    match stage {
        BackupStage::Drain => {
            if !request.drive
                && let Err(error) = w.lookup(&request.target)
            {
                return t.fails(w, error);
            }
            let nodes = w.drained_with(source);
            let drain = (w.rules().drain_source)(w, nodes);
            let wait = drain.map_or(Wait::Nothing, |_| Wait::Quiet(nodes));
            t.prepared[index] = Prepared::Backup {
                source,
                drain,
                target: None,
                job: None,
            };
            Flow::Become(t.at(Stage::Prepare(index, BackupStage::Drained)), wait)
        }
        BackupStage::Drained if request.drive => {
            if let Err(error) = create_target(w, source, request) {
                return t.fails(w, error);
            }
            Flow::Become(t.at(Stage::Prepare(index, BackupStage::Opened)), Wait::Io)
        }
        BackupStage::Drained | BackupStage::Opened => {
            let opened = match open_target(w, source, request) {
                Ok(opened) => opened,
                Err(error) => {
                    let is_there = w.directory().find(&request.target).is_some();
                    return t.fails_after(w, error, graph::fails_to_open(is_there));
                }
            };
            let mut request = with_sync(w, source, request);
            let checked = backup::check_parameters(w, source, &mut request)
                .and_then(|()| opened.map_or_else(|| w.lookup(&request.target), Ok))
                .map_err(Refused::from)
                .and_then(|target| backup::check_creation(w, &request, source, target));
            if let Prepared::Backup { target, .. } = &mut t.prepared[index] {
                *target = opened;
            }
            let opens = opened.map_or(0, |target| {
                graph::creates(w, target, request.existing) + graph::opens(w, target)
            });
            if let Err(refused) = checked {
                return t.fails_after(w, refused.error, opens + refused.changes);
            }
            let next = t.at(Stage::Prepare(index, BackupStage::Create));
            graph::then(w, next, opens + graph::CREATES_JOB)
        }
        BackupStage::Create => create_job(w, t, index, source, request),
    }
}

/// A backup's source is drained until the transaction is over.
pub(crate) fn drain_source(w: &mut World, nodes: NodeSet) -> Option<u32> {
    Some(w.drain_begin(nodes))
}

fn create_job(
    w: &mut World,
    mut t: Box<Transaction>,
    index: usize,
    source: NodeIx,
    request: &BackupRequest,
) -> Flow {
    let mut request = with_sync(w, source, request);
    let opened = match &t.prepared[index] {
        Prepared::Backup { target, .. } => *target,
        _ => None,
    };
    let created = backup::check_parameters(w, source, &mut request)
        .and_then(|()| match opened {
            Some(target) => Ok(target),
            None => w.lookup(&request.target),
        })
        .map_err(Refused::from)
        .and_then(|target| (w.rules().create_backup)(w, &request, source, target, t.group));
    match created {
        Ok(created) => {
            if let Prepared::Backup { target, job, .. } = &mut t.prepared[index] {
                (*target, *job) = (None, Some(created));
            }
            let next = t.at(Stage::Prepare(index + 1, BackupStage::Drain));
            graph::then(w, next, graph::CREATED_JOB)
        }
        Err(refused) => t.fails_after(w, refused.error, refused.changes),
    }
}

/// `drive-backup` with sync=top of an image without a backing file is one with sync=full.
fn with_sync(w: &World, source: NodeIx, request: &BackupRequest) -> BackupRequest {
    let top = w.node(w.image_under(source)).chain()[0];
    let alone = request.drive && w.file(top).image.backing.is_none();
    let sync = if alone && request.sync == Sync::Top {
        Sync::Full
    } else {
        request.sync
    };
    BackupRequest {
        sync,
        ..request.clone()
    }
}

/// What `drive-backup` does before its target is open: checks, and the new image file.
fn create_target(w: &mut World, source: NodeIx, request: &BackupRequest) -> Result<(), QmpError> {
    backup::check_not_blocked(w, source)?;
    if let Some(TargetFormat::Unknown(format)) = &request.format {
        return Err(QmpError::generic(if request.existing {
            format!("Unknown driver '{format}'")
        } else {
            format!("Unknown file format '{format}'")
        }));
    }
    if request.existing {
        return Ok(());
    }
    check_folder(&request.target)?;
    w.check_not_open(&request.target)?;
    let NodeKind::Image { chain, file } = &w.node(source).kind else {
        unreachable!("filters are refused above");
    };
    let image = &w.file(chain[0]).image;
    let backing = match request.sync {
        Sync::None => Some(file.clone()),
        Sync::Top => image.backing.clone(),
        _ => None,
    };
    let format = match request.format {
        Some(TargetFormat::Known(format)) => format,
        _ => image.format,
    };
    let length = image.length;
    w.create_image(
        &request.target,
        Some(length),
        format,
        None,
        backing.as_ref(),
    )
    .map_err(QmpError::generic)
}

/// There is one folder, and it has no folders in it.
fn check_folder(file: &str) -> Result<(), QmpError> {
    let inside = file.strip_prefix("$DIR/").unwrap_or(file);
    if inside.is_empty() || inside.contains('/') {
        return Err(QmpError::generic(format!(
            "Could not create '{file}': No such file or directory"
        )));
    }
    Ok(())
}

/// Opens the target file of a `drive-backup`; with sync=none, the source is what is below it.
fn open_target(
    w: &mut World,
    source: NodeIx,
    request: &BackupRequest,
) -> Result<Option<NodeIx>, QmpError> {
    if !request.drive {
        return Ok(None);
    }
    let source_format = w.file(w.top_file(w.image_under(source))).image.format;
    let created = (!request.existing).then_some(source_format);
    let asked = match request.format {
        Some(TargetFormat::Known(format)) => Some(format),
        _ => None,
    };
    let access = Access {
        read_only: false,
        format: asked.or(created),
        over: (request.sync == Sync::None).then(|| w.image_under(source)),
    };
    let target = w.open_node(&request.target, None, Opener::Job, access)?;
    let opened_as_raw = access.format == Some(Format::Raw);
    if opened_as_raw && w.file(w.top_file(target)).image.format != Format::Raw {
        // The bytes of the file itself would be the disk: as many as no disk of a story has.
        w.close_node(target);
        return Err(QmpError::generic(
            "Source and target image have different sizes",
        ));
    }
    Ok(Some(target))
}

// ---- commit, abort, clean, end

fn commit(w: &mut World, t: Box<Transaction>, place: usize) -> Flow {
    if place == 0 {
        property::transaction::all_prepared(w, &t.prepared);
    }
    if place == t.actions.len() {
        return then(t.at(Stage::Clean(0)));
    }
    let index = t.in_order(w, place);
    match &t.prepared[index] {
        Prepared::Backup {
            job: Some(index), ..
        } => (w.rules().start_job)(w, *index),
        Prepared::Removing(node, name) if dirty_bitmap::is_gone(w, *node, name) => {
            return dangles(w);
        }
        Prepared::Removing(node, name) => {
            dirty_bitmap::remove_now(w, *node, name);
            property::bitmap::removed(w, *node, name);
        }
        Prepared::Dies => {
            if matches!(t.actions[index], Action::BitmapMerge { .. }) {
                w.meets(&defect::MERGE_OF_NOTHING_CRASHES);
                return crate::process::dies(
                    w,
                    "a merge of nothing frees bits that it never copied",
                );
            }
        }
        _ => {}
    }
    meanwhile(w, t.at(Stage::Commit(place + 1)))
}

/// A bitmap that was prepared went with the filter on which it was, and QEMU's pointer to it dangles.
fn dangles(w: &mut World) -> Flow {
    w.meets(&defect::BITMAP_ON_FILTER_VANISHES);
    crate::process::dies(w, "a bitmap of the transaction is gone with its filter")
}

/// Has the rollback of a later backup freed the bitmap that an action's rollback is about to touch? With bitmap-mode
/// always the successor takes the bitmap's place and name, and earlier actions remember the bitmap itself.
fn is_freed(w: &World, t: &Transaction, index: usize) -> bool {
    if !w.dialect.has(&defect::FREED_BITMAP_CRASHES) {
        return false;
    }
    let (node, name) = match (&t.prepared[index], &t.actions[index]) {
        (Prepared::Cleared(node, name, _) | Prepared::Merged(node, name, _), _) => (*node, name),
        // Only one that was switched is switched back.
        (Prepared::Switched(node, name, disabled), action)
            if matches!(action, Action::BitmapEnable(_)) == *disabled =>
        {
            (*node, name)
        }
        (Prepared::Added, Action::BitmapAdd { bitmap, .. }) if w.dialect.add_remembers_bitmap => {
            match dirty_bitmap::find(w, bitmap) {
                Ok(node) => (node, &bitmap.name),
                Err(_) => return false,
            }
        }
        _ => return false,
    };
    // Not the last: it was not prepared as a whole, so it has no job.
    let later = index + 1..t.prepared.len() - 1;
    later.into_iter().any(|later| {
        matches!(
            (&t.actions[later], &t.prepared[later]),
            (Action::Backup(request), Prepared::Backup { source, .. })
                if *source == node
                    && request.bitmap.as_ref() == Some(name)
                    && request.bitmap_mode == Some(BitmapMode::Always)
        )
    })
}

fn abort(w: &mut World, mut t: Box<Transaction>, left: usize) -> Flow {
    let Some(index) = left.checked_sub(1) else {
        return then(t.at(Stage::Clean(0)));
    };
    let prepared = t.prepared[index].clone();
    // The last was not prepared as a whole, or it would not be last.
    let failed = index + 1 == t.prepared.len();
    let before = failed.then(|| property::transaction::before_undoing(w, &prepared));
    let mut changes = 0;
    if is_freed(w, &t, index) {
        w.meets(&defect::FREED_BITMAP_CRASHES);
        return crate::process::aborts(w, "a bitmap of the transaction was freed with a job's");
    }
    match &prepared {
        Prepared::Nothing => {}
        Prepared::Backup { target, job, .. } => {
            if let Some(target) = *target {
                changes = graph::closes(w, target);
                w.close_node(target);
            }
            // Its group may have ended it together with another.
            if let Some(job) = job.filter(|&job| w.try_job(job).is_some()) {
                if let Prepared::Backup { job, target, .. } = &mut t.prepared[index] {
                    (*job, *target) = (None, None);
                }
                let frame = (w.rules().cancel)(w, job, true);
                let next = t.at(Stage::Abort(index));
                return match frame {
                    Some(frame) => Flow::BecomeAndCall(next, frame),
                    None => Flow::Become(next, Wait::JobCompleted(job)),
                };
            }
        }
        Prepared::Added => {
            // It is looked up by its name again, and must be there (`&error_abort`).
            let Action::BitmapAdd { bitmap, .. } = &t.actions[index] else {
                unreachable!("only an add adds");
            };
            match dirty_bitmap::find(w, bitmap) {
                Ok(node)
                    if dirty_bitmap::check_removable(dirty_bitmap::named(w, node, bitmap))
                        .is_ok() =>
                {
                    dirty_bitmap::remove_now(w, node, &bitmap.name);
                }
                Ok(_) => {
                    return crate::process::aborts(w, "a bitmap that was added may not be removed");
                }
                Err(_) => {
                    w.meets(&defect::BITMAP_ON_FILTER_VANISHES);
                    return crate::process::aborts(
                        w,
                        "a bitmap that was added is gone with its filter",
                    );
                }
            }
        }
        Prepared::Cleared(node, name, _)
        | Prepared::Merged(node, name, _)
        | Prepared::Switched(node, name, _)
        | Prepared::Removing(node, name)
            if dirty_bitmap::is_gone(w, *node, name) =>
        {
            return dangles(w);
        }
        Prepared::Cleared(node, name, undo) | Prepared::Merged(node, name, undo) => {
            dirty_bitmap::by_name(w, *node, name).restore((**undo).clone());
        }
        Prepared::Switched(node, name, disabled) => {
            let bitmap = dirty_bitmap::by_name(w, *node, name);
            let switched = std::mem::replace(&mut bitmap.disabled, *disabled) != *disabled;
            if failed && switched {
                w.meets(&defect::ENABLE_ROLLBACK_DISABLES);
            }
        }
        Prepared::Removing(node, name) => w.set_hold(*node, name, Hold::Idle),
        // The merge of nothing is only fatal when it is committed.
        Prepared::Dies if matches!(t.actions[index], Action::BitmapMerge { .. }) => {}
        Prepared::Dies => {
            w.meets(&defect::ENABLE_ROLLBACK_CRASHES);
            return crate::process::dies(
                w,
                "the rollback of an enable switches a bitmap that is not there",
            );
        }
    }
    property::bitmap::rolled_back(w, &t.actions[index], &prepared);
    property::transaction::undone(w, &t.actions[index], before.flatten().as_deref());
    graph::then(w, t.at(Stage::Abort(index)), changes)
}

fn clean(w: &mut World, t: Box<Transaction>, place: usize) -> Flow {
    if place == t.actions.len() {
        return then(t.at(Stage::End));
    }
    let index = t.in_order(w, place);
    if let Some(Prepared::Backup {
        source,
        drain: Some(drain),
        ..
    }) = t.prepared.get(index)
    {
        if is_gone(w, *source) {
            return drained_node_is_gone(w);
        }
        (w.rules().end_source_drain)(w, &t, *drain);
    }
    meanwhile(w, t.at(Stage::Clean(place + 1)))
}

/// Whether the node is no longer there, and QEMU goes on with it all the same.
fn is_gone(w: &World, node: NodeIx) -> bool {
    w.dialect.has(&defect::GONE_FILTER_CRASHES) && !w.node_indices().any(|other| other == node)
}

/// The named source was the filter of an earlier backup, and went when that one ended or was rolled back.
fn drained_node_is_gone(w: &mut World) -> Flow {
    w.meets(&defect::GONE_FILTER_CRASHES);
    crate::process::aborts(w, "a drained section ends whose node is gone")
}

/// The source of a prepared backup is let go, whether the transaction succeeded or not: `drive_backup_clean`.
pub(crate) fn end_source_drain(w: &mut World, _: &Transaction, drain: u32) {
    w.drain_end(drain);
}

fn end(w: &mut World, t: &Transaction) -> Flow {
    let (before, failed) = (t.before.as_deref(), t.error.is_some());
    property::transaction::over(w, &t.prepared, before, failed);
    if let Some(group) = t.group {
        w.group_mut(group).held = false;
        crate::group::release(w, group);
    }
    let reply = match &t.error {
        Some(error) => Reply::Error(error.clone()),
        None => Reply::Done,
    };
    Flow::Instead(Frame::Command(Box::new(reply)))
}
