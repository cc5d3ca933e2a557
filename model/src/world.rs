//! The world: everything that can change, cut into parts, and who touched what.
//!
//! A *part* is what one lock or one context protects. Rules reach parts only through the accessors here, and
//! each accessor notes its part in the step's [`Footprint`]: reading, writing, or *adding*. Adding is an access
//! that commutes with other additions to the same part (two copy tasks of one job that both end well: each
//! adds to the progress, each removes itself from the list, each writes its own range of the target). Nothing is
//! declared; what a step did is what it touched.
//!
//! Parts are shared until written (`Arc`), so a copy of the world costs as much as a list of pointers.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::block_copy::BlockCopy;
use crate::dialect::Dialect;
use crate::event::{Event, Output, Reply};
use crate::file::{Directory, File};
use crate::group::Group;
use crate::guest::Guest;
use crate::job::Job;
use crate::main_loop::{Context, Main};
use crate::monitor::Monitor;
use crate::node::Node;
use crate::property::{self, Broken};

/// Index of a node. Slots are used again: an index means something only while its owner lives.
pub type NodeIx = usize;
/// Index of a job, and of its block-copy state.
pub type JobIx = usize;
/// Index of a job group.
pub type GroupIx = usize;
/// Index of an image file.
pub type FileIx = usize;
/// Index of a guest. Guest 0 is `qemu-io`, which the human monitor runs.
pub type GuestIx = usize;
/// Index of an event loop other than the main one; see [`crate::main_loop`].
pub type ContextIx = usize;

/// Which parts one step touched: one bit a part.
///
/// Parts beyond a kind's share of the 64 bits fold onto the same bits, which can only make steps look dependent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Footprint {
    /// Parts whose value the step saw.
    pub reads: u64,
    /// Parts the step changed.
    pub writes: u64,
    /// Parts the step changed in a way that commutes with other additions.
    pub adds: u64,
    /// Parts of which the step used what no step enabled beside it can change: which slots are taken, which
    /// file a node has.
    pub looks: u64,
}

/// The bit of a part in a [`Footprint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The monitor: its inbox and the command in progress.
    Monitor,
    /// The main loop: its bottom halves and the functions on its stack.
    Main,
    /// The order in which messages leave.
    Outbox,
    /// The names of the files in the image folder.
    Directory,
    /// A node: bitmaps, blkdebug, drained or not.
    Node(NodeIx),
    /// An image file's contents.
    File(FileIx),
    /// A job's block-copy state.
    Copy(JobIx),
    /// A job.
    Job(JobIx),
    /// A job group.
    Group(GroupIx),
    /// A guest.
    Guest(GuestIx),
    /// An iothread's queue.
    Context(ContextIx),
}

impl Part {
    /// The part's bit.
    pub fn bit(self) -> u64 {
        let (base, share, index) = match self {
            Part::Monitor => (0, 1, 0),
            Part::Main => (1, 1, 0),
            Part::Outbox => (2, 1, 0),
            Part::Directory => (3, 1, 0),
            Part::Node(index) => (4, 12, index),
            Part::File(index) => (16, 12, index),
            Part::Copy(index) => (28, 10, index),
            Part::Job(index) => (38, 10, index),
            Part::Group(index) => (48, 4, index),
            Part::Guest(index) => (52, 8, index),
            Part::Context(index) => (60, 4, index),
        };
        1 << (base + index % share)
    }
}

/// The footprint being noted. Relaxed atomics only because a world in a table is shared between threads that
/// read it; one world is stepped by one thread, and these compile to plain loads and stores.
#[derive(Debug, Default)]
struct Touched {
    reads: AtomicU64,
    writes: AtomicU64,
    adds: AtomicU64,
    looks: AtomicU64,
}

impl Touched {
    fn note(mask: &AtomicU64, part: Part) {
        mask.store(mask.load(Relaxed) | part.bit(), Relaxed);
    }
}

impl Clone for Touched {
    fn clone(&self) -> Touched {
        Touched::default()
    }
}

/// Things of one kind, each its own part, in slots that are used again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slots<T> {
    items: Vec<Option<Arc<T>>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { items: Vec::new() }
    }
}

impl<T: Clone> Slots<T> {
    fn get(&self, index: usize) -> Option<&T> {
        self.items.get(index)?.as_deref()
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(index)?.as_mut().map(Arc::make_mut)
    }

    fn free(&self) -> usize {
        self.items
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.items.len())
    }

    fn put(&mut self, index: usize, item: T) {
        if index >= self.items.len() {
            self.items.resize(index + 1, None);
        }
        self.items[index] = Some(Arc::new(item));
    }

    fn take(&mut self, index: usize) {
        self.items[index] = None;
        while let Some(None) = self.items.last() {
            self.items.pop();
        }
    }

    fn indices(&self) -> impl Iterator<Item = usize> + use<'_, T> {
        self.items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| item.as_ref().map(|_| index))
    }
}

/// Everything that can change: QEMU's process, the image files beside it, and the guests in it.
#[derive(Clone, Debug)]
pub struct World {
    /// The QEMU release whose rules are played.
    pub dialect: &'static Dialect,
    monitor: Arc<Monitor>,
    main: Arc<Main>,
    directory: Arc<Directory>,
    nodes: Slots<Node>,
    files: Slots<File>,
    copies: Slots<BlockCopy>,
    jobs: Slots<Job>,
    groups: Slots<Group>,
    guests: Slots<Guest>,
    contexts: Slots<Context>,
    out: Vec<Output>,
    touched: Touched,
    /// The first promise that was broken.
    pub(crate) broken: Option<Arc<Broken>>,
    /// The interesting cases that the step done last has been; no part of the state.
    pub(crate) witnessed: u64,
}

/// The state is the parts; what was said since the last step and the footprint being noted are not.
impl PartialEq for World {
    fn eq(&self, other: &World) -> bool {
        self.parts() == other.parts() && self.broken == other.broken
    }
}

impl Eq for World {}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
        self.broken.hash(state);
    }
}

macro_rules! slot_accessors {
    ($kind:ident, $field:ident, $type:ty, $get:ident, $get_mut:ident, $add:ident, $index:ty) => {
        /// Reads the part.
        #[inline]
        pub fn $get(&self, index: $index) -> &$type {
            self.note_read(Part::$kind(index));
            self.$field
                .get(index)
                .expect(concat!("internal: no such ", stringify!($get)))
        }

        /// Writes the part.
        #[inline]
        pub(crate) fn $get_mut(&mut self, index: $index) -> &mut $type {
            self.note_write(Part::$kind(index));
            self.$field
                .get_mut(index)
                .expect(concat!("internal: no such ", stringify!($get)))
        }

        /// Adds to the part: a change that commutes with other additions. Each caller argues why it does, and
        /// `model/tests/independence.rs` tries both orders.
        #[inline]
        #[allow(dead_code)]
        pub(crate) fn $add(&mut self, index: $index) -> &mut $type {
            Touched::note(&self.touched.adds, Part::$kind(index));
            self.$field
                .get_mut(index)
                .expect(concat!("internal: no such ", stringify!($get)))
        }
    };
}

impl World {
    /// An empty folder, no QEMU yet.
    pub fn new(dialect: &'static Dialect) -> World {
        let mut world = World {
            dialect,
            monitor: Arc::default(),
            main: Arc::default(),
            directory: Arc::default(),
            nodes: Slots::default(),
            files: Slots::default(),
            copies: Slots::default(),
            jobs: Slots::default(),
            groups: Slots::default(),
            guests: Slots::default(),
            contexts: Slots::default(),
            out: Vec::new(),
            touched: Touched::default(),
            broken: None,
            witnessed: 0,
        };
        world.add_guest(Guest::qemu_io());
        world
    }

    #[allow(clippy::type_complexity)]
    fn parts(
        &self,
    ) -> (
        &str,
        (&Monitor, &Main, &Directory, &Slots<Node>, &Slots<File>),
        (
            &Slots<BlockCopy>,
            &Slots<Job>,
            &Slots<Group>,
            &Slots<Guest>,
            &Slots<Context>,
        ),
    ) {
        (
            self.dialect.name,
            (
                &self.monitor,
                &self.main,
                &self.directory,
                &self.nodes,
                &self.files,
            ),
            (
                &self.copies,
                &self.jobs,
                &self.groups,
                &self.guests,
                &self.contexts,
            ),
        )
    }

    // ---- what was touched

    fn note_read(&self, part: Part) {
        Touched::note(&self.touched.reads, part);
    }

    /// Notes an addition that another step of the same worker will make.
    pub(crate) fn note_add(&self, part: Part) {
        Touched::note(&self.touched.adds, part);
    }

    pub(crate) fn note_write(&self, part: Part) {
        Touched::note(&self.touched.writes, part);
    }

    pub(crate) fn forget_touched(&mut self) {
        self.touched = Touched::default();
    }

    pub(crate) fn footprint(&self) -> Footprint {
        Footprint {
            reads: self.touched.reads.load(Relaxed),
            writes: self.touched.writes.load(Relaxed),
            adds: self.touched.adds.load(Relaxed),
            looks: self.touched.looks.load(Relaxed),
        }
    }

    // ---- what was said

    /// Says an event, after everything said before.
    pub(crate) fn emit(&mut self, event: Event) {
        property::job::says(self, &event);
        self.say(Output::Event(event));
    }

    pub(crate) fn say(&mut self, output: Output) {
        self.note_write(Part::Outbox);
        self.out.push(output);
    }

    pub(crate) fn say_reply(&mut self, reply: Reply) {
        property::replies(self);
        self.say(Output::Reply(reply));
    }

    /// Takes what was said since the last call, oldest first.
    pub fn take_output(&mut self, hear: impl FnMut(Output)) {
        self.out.drain(..).for_each(hear);
    }

    // ---- the parts there is one of

    /// Reads the monitor.
    #[inline]
    pub fn monitor(&self) -> &Monitor {
        self.note_read(Part::Monitor);
        &self.monitor
    }

    #[inline]
    pub(crate) fn monitor_mut(&mut self) -> &mut Monitor {
        self.note_write(Part::Monitor);
        Arc::make_mut(&mut self.monitor)
    }

    /// Reads the main loop.
    #[inline]
    pub fn main(&self) -> &Main {
        self.note_read(Part::Main);
        &self.main
    }

    #[inline]
    pub(crate) fn main_mut(&mut self) -> &mut Main {
        self.note_write(Part::Main);
        Arc::make_mut(&mut self.main)
    }

    /// Reads the image folder.
    #[inline]
    pub fn directory(&self) -> &Directory {
        self.note_read(Part::Directory);
        &self.directory
    }

    #[inline]
    pub(crate) fn directory_mut(&mut self) -> &mut Directory {
        self.note_write(Part::Directory);
        Arc::make_mut(&mut self.directory)
    }

    // ---- the parts there are many of

    slot_accessors!(Node, nodes, Node, node, node_mut, node_add, NodeIx);
    slot_accessors!(File, files, File, file, file_mut, file_add, FileIx);
    slot_accessors!(Copy, copies, BlockCopy, copy, copy_mut, copy_add, JobIx);
    slot_accessors!(Job, jobs, Job, job, job_mut, job_add, JobIx);
    slot_accessors!(Group, groups, Group, group, group_mut, group_add, GroupIx);
    slot_accessors!(Guest, guests, Guest, guest, guest_mut, guest_add, GuestIx);
    slot_accessors!(
        Context,
        contexts,
        Context,
        context,
        context_mut,
        context_add,
        ContextIx
    );

    /// The top file of an image node. Which file that is never changes, so looking is no access.
    pub(crate) fn top_file(&self, node: NodeIx) -> FileIx {
        self.nodes
            .get(node)
            .expect("internal: no such node")
            .chain()[0]
    }

    /// The nodes there are, by index.
    pub fn node_indices(&self) -> impl Iterator<Item = NodeIx> + use<'_> {
        self.nodes.indices()
    }

    /// The guests there are, by index.
    pub fn guest_indices(&self) -> impl Iterator<Item = GuestIx> + use<'_> {
        self.guests.indices()
    }

    /// The jobs there are, by index; [`Main::jobs`] has them in QEMU's order.
    pub fn job_indices(&self) -> impl Iterator<Item = JobIx> + use<'_> {
        self.jobs.indices()
    }

    /// The iothreads there are, by index.
    pub fn context_indices(&self) -> impl Iterator<Item = ContextIx> + use<'_> {
        self.contexts.indices()
    }

    pub(crate) fn add_node(&mut self, node: Node) -> NodeIx {
        let index = self.nodes.free();
        assert!(index < 64, "internal: more than 64 nodes");
        self.note_write(Part::Node(index));
        self.nodes.put(index, node);
        index
    }

    pub(crate) fn remove_node(&mut self, index: NodeIx) {
        self.note_write(Part::Node(index));
        self.nodes.take(index);
    }

    pub(crate) fn add_file(&mut self, file: File) -> FileIx {
        let index = self.files.free();
        self.note_write(Part::File(index));
        self.files.put(index, file);
        index
    }

    pub(crate) fn remove_file(&mut self, index: FileIx) {
        self.note_write(Part::File(index));
        self.files.take(index);
    }

    pub(crate) fn add_job(&mut self, job: Job, copy: BlockCopy) -> JobIx {
        let index = self.jobs.free();
        self.note_write(Part::Job(index));
        self.note_write(Part::Copy(index));
        self.jobs.put(index, job);
        self.copies.put(index, copy);
        index
    }

    pub(crate) fn remove_job(&mut self, index: JobIx) {
        self.note_write(Part::Job(index));
        self.note_write(Part::Copy(index));
        self.jobs.take(index);
        self.copies.take(index);
    }

    /// The job, if the index still means one.
    pub fn try_job(&self, index: JobIx) -> Option<&Job> {
        self.note_read(Part::Job(index));
        self.jobs.get(index)
    }

    /// The job of that name. Ids are unique among jobs, so which it is depends on nothing but that job, which the
    /// caller reads.
    pub(crate) fn job_called(&self, id: &str) -> Option<JobIx> {
        let called = |&index: &JobIx| self.jobs.get(index).is_some_and(|job| *job.id == *id);
        self.jobs.indices().find(called)
    }

    /// Whether the index means a job; asked of a part that the step has written.
    pub(crate) fn has_job(&self, index: JobIx) -> bool {
        self.jobs.get(index).is_some()
    }

    /// The group, if the index still means one.
    pub(crate) fn try_group(&self, index: GroupIx) -> Option<&Group> {
        self.note_read(Part::Group(index));
        self.groups.get(index)
    }

    pub(crate) fn add_group(&mut self, group: Group) -> GroupIx {
        let index = self.groups.free();
        self.note_write(Part::Group(index));
        self.groups.put(index, group);
        index
    }

    pub(crate) fn remove_group(&mut self, index: GroupIx) {
        self.note_write(Part::Group(index));
        self.groups.take(index);
    }

    /// Adds a guest; it does nothing before [`World::start_guest`].
    pub fn add_guest(&mut self, guest: Guest) -> GuestIx {
        let index = self.guests.free();
        self.guests.put(index, guest);
        index
    }

    pub(crate) fn add_context(&mut self, context: Context) -> ContextIx {
        let index = self.contexts.free();
        self.note_write(Part::Context(index));
        self.contexts.put(index, context);
        index
    }

    /// The process is gone: nothing of it is left but the files.
    pub(crate) fn remove_process(&mut self) {
        for index in self.files.indices().collect::<Vec<_>>() {
            let file = self.file_mut(index);
            file.openers = 0;
            if !file.linked {
                self.remove_file(index);
            }
        }
        *self.monitor_mut() = Monitor::default();
        *self.main_mut() = Main::default();
        self.nodes
            .indices()
            .for_each(|index| self.note_write(Part::Node(index)));
        self.jobs
            .indices()
            .for_each(|index| self.note_write(Part::Job(index)));
        self.copies
            .indices()
            .for_each(|index| self.note_write(Part::Copy(index)));
        self.groups
            .indices()
            .for_each(|index| self.note_write(Part::Group(index)));
        self.contexts
            .indices()
            .for_each(|index| self.note_write(Part::Context(index)));
        self.nodes = Slots::default();
        self.jobs = Slots::default();
        self.copies = Slots::default();
        self.groups = Slots::default();
        self.contexts = Slots::default();
    }
}
