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
use crate::defect::Met;
use crate::dialect::Dialect;
use crate::error::QmpError;
use crate::event::{Event, Output, Reply};
use crate::file::{Directory, File};
use crate::group::Group;
use crate::guest::Guest;
use crate::job::Job;
use crate::main_loop::{Context, Main};
use crate::monitor::Monitor;
use crate::name::Name;
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

/// How many nodes there may be at once: sets of them are words of 64 bits.
const NODES_MAX: usize = 64;

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
    /// What there is: which slots are taken, how nodes are called.
    Graph,
}

impl Part {
    /// The part's bit.
    pub const fn bit(self) -> u64 {
        1 << (self.base() + self.index() % self.share())
    }

    /// The first bit of the part's kind.
    const fn base(self) -> usize {
        match self {
            Part::Monitor => 0,
            Part::Main => 1,
            Part::Outbox => 2,
            Part::Directory => 3,
            Part::Node(_) => 4,
            Part::File(_) => 16,
            Part::Copy(_) => 28,
            Part::Job(_) => 38,
            Part::Group(_) => 48,
            Part::Guest(_) => 52,
            Part::Context(_) => 60,
            Part::Graph => 63,
        }
    }

    /// How many bits the part's kind has. Parts with higher indices fold onto the same ones.
    pub(crate) const fn share(self) -> usize {
        match self {
            Part::Monitor | Part::Main | Part::Outbox | Part::Directory | Part::Graph => 1,
            Part::Node(_) | Part::File(_) => 12,
            Part::Copy(_) | Part::Job(_) => 10,
            Part::Group(_) => 4,
            Part::Guest(_) => 8,
            Part::Context(_) => 3,
        }
    }

    /// The part's number among those of its kind.
    pub(crate) const fn index(self) -> usize {
        match self {
            Part::Monitor | Part::Main | Part::Outbox | Part::Directory | Part::Graph => 0,
            Part::Node(index)
            | Part::File(index)
            | Part::Copy(index)
            | Part::Job(index)
            | Part::Group(index)
            | Part::Guest(index)
            | Part::Context(index) => index,
        }
    }

    /// The first of the parts that have this bit.
    pub(crate) fn of_column(column: usize) -> Part {
        match column {
            0 => Part::Monitor,
            1 => Part::Main,
            2 => Part::Outbox,
            3 => Part::Directory,
            4..16 => Part::Node(column - 4),
            16..28 => Part::File(column - 16),
            28..38 => Part::Copy(column - 28),
            38..48 => Part::Job(column - 38),
            48..52 => Part::Group(column - 48),
            52..60 => Part::Guest(column - 52),
            60..63 => Part::Context(column - 60),
            _ => Part::Graph,
        }
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
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
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
        if let Some(slot) = self.items.get_mut(index) {
            *slot = None;
        }
        while let Some(None) = self.items.last() {
            self.items.pop();
        }
    }

    /// The items in the slots `first`, `first + share`, …
    pub(crate) fn folded(&self, first: usize, share: usize) -> Vec<Option<Arc<T>>> {
        let slots = self.items.iter().skip(first).step_by(share);
        let mut folded: Vec<_> = slots.cloned().collect();
        while let Some(None) = folded.last() {
            folded.pop();
        }
        folded
    }

    /// [`Slots::folded`] backwards.
    pub(crate) fn unfold(&mut self, first: usize, share: usize, folded: &[Option<Arc<T>>]) {
        let slots = || (first..).step_by(share);
        for slot in self.items.iter_mut().skip(first).step_by(share) {
            *slot = None;
        }
        for (index, item) in slots().zip(folded) {
            if index >= self.items.len() {
                self.items.resize(index + 1, None);
            }
            self.items[index].clone_from(item);
        }
        while let Some(None) = self.items.last() {
            self.items.pop();
        }
    }

    /// What the table takes, and those items that nobody else has, without what is behind them.
    fn bytes_of_its_own(&self) -> usize {
        let own = self
            .items
            .iter()
            .flatten()
            .filter(|item| Arc::strong_count(item) == 1);
        self.items.capacity() * size_of::<Option<Arc<T>>>() + own.count() * size_of::<T>()
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = usize> + use<'_, T> {
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
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) main: Arc<Main>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) nodes: Slots<Node>,
    pub(crate) files: Slots<File>,
    pub(crate) copies: Slots<BlockCopy>,
    pub(crate) jobs: Slots<Job>,
    pub(crate) groups: Slots<Group>,
    pub(crate) guests: Slots<Guest>,
    pub(crate) contexts: Slots<Context>,
    out: Vec<Output>,
    touched: Touched,
    /// The first promise that was broken.
    pub(crate) broken: Option<Arc<Broken>>,
    /// The known defects of the dialect that happened.
    pub(crate) met: Met,
    /// The interesting cases that the step done last has been; no part of the state.
    pub(crate) witnessed: u64,
}

/// The state is the parts; what was said since the last step and the footprint being noted are not.
impl PartialEq for World {
    fn eq(&self, other: &World) -> bool {
        self.parts() == other.parts() && (&self.broken, self.met) == (&other.broken, other.met)
    }
}

impl Eq for World {}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
        self.broken.hash(state);
        // Of a world without one nothing is hashed, so that its fingerprint is what it always was.
        if self.met != Met::default() {
            self.met.hash(state);
        }
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
    /// How many bytes on the heap are this world's alone, and not shared with one that it came from: about, since for
    /// what a part has on the heap itself it takes as much again.
    pub fn bytes_of_its_own(&self) -> usize {
        fn part<T>(part: &Arc<T>) -> usize {
            usize::from(Arc::strong_count(part) == 1) * size_of::<T>()
        }
        let parts = part(&self.monitor) + part(&self.main) + part(&self.directory);
        let slots = self.nodes.bytes_of_its_own()
            + self.files.bytes_of_its_own()
            + self.copies.bytes_of_its_own()
            + self.jobs.bytes_of_its_own()
            + self.groups.bytes_of_its_own()
            + self.guests.bytes_of_its_own()
            + self.contexts.bytes_of_its_own();
        2 * (parts + slots) + self.out.capacity() * size_of::<Output>()
    }

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
            met: Met::default(),
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

    /// Notes the use of what stays as it is while any step is possible beside this one.
    pub(crate) fn note_look(&self, part: Part) {
        Touched::note(&self.touched.looks, part);
    }

    /// A new footprint begins.
    pub fn forget_touched(&self) {
        let Touched {
            reads,
            writes,
            adds,
            looks,
        } = &self.touched;
        for mask in [reads, writes, adds, looks] {
            mask.store(0, Relaxed);
        }
    }

    /// What was touched since [`World::forget_touched`].
    pub fn footprint(&self) -> Footprint {
        Footprint {
            reads: self.touched.reads.load(Relaxed),
            writes: self.touched.writes.load(Relaxed),
            adds: self.touched.adds.load(Relaxed),
            looks: self.touched.looks.load(Relaxed),
        }
    }

    // ---- what was said

    /// Says an event of a job, after everything said before.
    pub(crate) fn emit(&mut self, job: JobIx, event: Event) {
        property::job::says(self, job, &event);
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
        self.note_look(Part::Node(node));
        self.nodes
            .get(node)
            .expect("internal: no such node")
            .chain()[0]
    }

    /// A node's name and its drive's. They never change, and [`World::node_indices`] has noted that it is there.
    pub(crate) fn names_of(&self, node: NodeIx) -> Option<(&Name, Option<&Name>)> {
        let node = self.nodes.get(node)?;
        Some((&node.name, node.drive.as_ref()))
    }

    /// The nodes there are, by index.
    pub fn node_indices(&self) -> impl Iterator<Item = NodeIx> + use<'_> {
        self.note_read(Part::Graph);
        self.nodes.indices()
    }

    /// The guests there are, by index.
    pub fn guest_indices(&self) -> impl Iterator<Item = GuestIx> + use<'_> {
        self.guests.indices()
    }

    /// The jobs there are, by index; [`Main::jobs`] has them in QEMU's order.
    pub fn job_indices(&self) -> impl Iterator<Item = JobIx> + use<'_> {
        self.note_read(Part::Graph);
        self.jobs.indices()
    }

    /// The iothreads there are, by index.
    pub fn context_indices(&self) -> impl Iterator<Item = ContextIx> + use<'_> {
        self.note_read(Part::Graph);
        self.contexts.indices()
    }

    /// How many slots for nodes there are, taken or not.
    pub(crate) fn node_slots(&self) -> usize {
        self.nodes.items.len()
    }

    /// How many slots for jobs there are, taken or not.
    pub fn job_slots(&self) -> usize {
        self.jobs.items.len()
    }

    /// How many slots for guests there are.
    pub fn guest_slots(&self) -> usize {
        self.guests.items.len()
    }

    /// How many slots for iothreads there are.
    pub fn context_slots(&self) -> usize {
        self.contexts.items.len()
    }

    /// Is there room for another node?
    ///
    /// # Errors
    /// A refusal that QEMU would not give, in words that say so.
    pub(crate) fn check_room(&self) -> Result<(), QmpError> {
        match self.nodes.free() < NODES_MAX {
            true => Ok(()),
            false => Err(QmpError::generic(format!(
                "blockrace does not model more than {NODES_MAX} nodes at once"
            ))),
        }
    }

    pub(crate) fn add_node(&mut self, node: Node) -> NodeIx {
        let index = self.nodes.free();
        self.note_write(Part::Graph);
        assert!(
            index < NODES_MAX,
            "internal: whoever adds a node asks for room before"
        );
        self.note_write(Part::Node(index));
        self.nodes.put(index, node);
        self.main_mut().nodes.push(index);
        index
    }

    /// A node is gone; drained sections over some nodes, this one among them, do not hold the next one of its number.
    pub(crate) fn remove_node(&mut self, index: NodeIx) {
        self.note_write(Part::Graph);
        self.note_write(Part::Node(index));
        self.nodes.take(index);
        let main = self.main_mut();
        main.nodes.retain(|&other| other != index);
        for drain in &mut main.drains {
            if drain.nodes != crate::node::ALL_NODES {
                drain.nodes &= !(1 << index);
            }
        }
    }

    pub(crate) fn add_file(&mut self, file: File) -> FileIx {
        let index = self.files.free();
        self.note_write(Part::Graph);
        self.note_write(Part::File(index));
        self.files.put(index, file);
        index
    }

    pub(crate) fn remove_file(&mut self, index: FileIx) {
        self.note_write(Part::Graph);
        self.note_write(Part::File(index));
        self.files.take(index);
    }

    pub(crate) fn add_job(&mut self, job: Job, copy: BlockCopy) -> JobIx {
        let index = self.jobs.free();
        self.note_write(Part::Graph);
        self.note_write(Part::Job(index));
        self.note_write(Part::Copy(index));
        self.jobs.put(index, job);
        self.copies.put(index, copy);
        index
    }

    pub(crate) fn remove_job(&mut self, index: JobIx) {
        self.note_write(Part::Graph);
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

    /// The group, if the index still means one.
    pub(crate) fn try_group(&self, index: GroupIx) -> Option<&Group> {
        self.note_read(Part::Group(index));
        self.groups.get(index)
    }

    pub(crate) fn add_group(&mut self, group: Group) -> GroupIx {
        let index = self.groups.free();
        self.note_write(Part::Graph);
        self.note_write(Part::Group(index));
        self.groups.put(index, group);
        index
    }

    pub(crate) fn remove_group(&mut self, index: GroupIx) {
        self.note_write(Part::Graph);
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
        self.note_write(Part::Graph);
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
        self.note_write(Part::Graph);
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
