//! The world as a row of columns: what a search keeps of it, and what it puts together again.
//!
//! Column *n* holds what bit *n* of a [`Footprint`](crate::world::Footprint) stands for. Parts that fold onto one
//! bit are one column. The outbox's column holds the first broken promise and the defects that happened: what was said is
//! gone when a step is over.

use std::sync::Arc;

use crate::block_copy::BlockCopy;
use crate::defect::Met;
use crate::file::{Directory, File};
use crate::group::Group;
use crate::guest::Guest;
use crate::job::Job;
use crate::main_loop::{Context, Main};
use crate::monitor::Monitor;
use crate::name::Name;
use crate::node::Node;
use crate::property::Broken;
use crate::world::{Part, World};

/// How many columns a world has.
pub const COLUMNS: usize = 64;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// The monitor.
    Monitor(Arc<Monitor>),
    /// The main loop.
    Main(Arc<Main>),
    /// The first broken promise, and the defects that happened.
    Broken(Option<Arc<Broken>>, Met),
    /// The image folder's names.
    Directory(Arc<Directory>),
    /// What there is, by name and number; it follows from the other columns.
    Graph(Arc<Graph>),
    /// Nodes.
    Nodes(Folded<Node>),
    /// Image files.
    Files(Folded<File>),
    /// Jobs' block-copy states.
    Copies(Folded<BlockCopy>),
    /// Jobs.
    Jobs(Folded<Job>),
    /// Job groups.
    Groups(Folded<Group>),
    /// Guests.
    Guests(Folded<Guest>),
    /// Iothreads.
    Contexts(Folded<Context>),
}

/// The parts of one kind that share a bit, by rising index; no empty slots at the end.
pub type Folded<T> = Vec<Option<Arc<T>>>;

/// Which slots are taken, and how nodes are called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Graph {
    /// The nodes: index, node name, drive name.
    pub nodes: Vec<(usize, Name, Option<Name>)>,
    /// The other slots taken, by kind: files, jobs, groups, contexts.
    pub taken: [Vec<usize>; 4],
}

impl World {
    /// What a column holds.
    pub fn column(&self, column: usize) -> Column {
        match Part::of_column(column) {
            Part::Monitor => Column::Monitor(Arc::clone(&self.monitor)),
            Part::Main => Column::Main(Arc::clone(&self.main)),
            Part::Outbox => Column::Broken(self.broken.clone(), self.met),
            Part::Directory => Column::Directory(Arc::clone(&self.directory)),
            Part::Graph => Column::Graph(Arc::new(self.graph())),
            part @ Part::Node(first) => Column::Nodes(self.nodes.folded(first, part.share())),
            part @ Part::File(first) => Column::Files(self.files.folded(first, part.share())),
            part @ Part::Copy(first) => Column::Copies(self.copies.folded(first, part.share())),
            part @ Part::Job(first) => Column::Jobs(self.jobs.folded(first, part.share())),
            part @ Part::Group(first) => Column::Groups(self.groups.folded(first, part.share())),
            part @ Part::Guest(first) => Column::Guests(self.guests.folded(first, part.share())),
            part @ Part::Context(first) => {
                Column::Contexts(self.contexts.folded(first, part.share()))
            }
        }
    }

    /// About how many bytes on the heap what a column holds takes: for what a part has there itself as much again.
    pub fn bytes_of_column(column: usize) -> usize {
        let part = match Part::of_column(column) {
            Part::Monitor => size_of::<Monitor>(),
            Part::Main => size_of::<Main>(),
            Part::Outbox => size_of::<Broken>(),
            Part::Directory => size_of::<Directory>(),
            Part::Graph => size_of::<Graph>(),
            Part::Node(_) => size_of::<Node>(),
            Part::File(_) => size_of::<File>(),
            Part::Copy(_) => size_of::<BlockCopy>(),
            Part::Job(_) => size_of::<Job>(),
            Part::Group(_) => size_of::<Group>(),
            Part::Guest(_) => size_of::<Guest>(),
            Part::Context(_) => size_of::<Context>(),
        };
        2 * part
    }

    /// The world in which a column holds this.
    pub fn set_column(&mut self, column: usize, held: &Column) {
        let part = Part::of_column(column);
        let (first, share) = (part.index(), part.share());
        match held {
            Column::Monitor(monitor) => self.monitor = Arc::clone(monitor),
            Column::Main(main) => self.main = Arc::clone(main),
            Column::Broken(broken, met) => {
                self.broken.clone_from(broken);
                self.met = *met;
            }
            Column::Directory(directory) => self.directory = Arc::clone(directory),
            Column::Graph(_) => {}
            Column::Nodes(folded) => self.nodes.unfold(first, share, folded),
            Column::Files(folded) => self.files.unfold(first, share, folded),
            Column::Copies(folded) => self.copies.unfold(first, share, folded),
            Column::Jobs(folded) => self.jobs.unfold(first, share, folded),
            Column::Groups(folded) => self.groups.unfold(first, share, folded),
            Column::Guests(folded) => self.guests.unfold(first, share, folded),
            Column::Contexts(folded) => self.contexts.unfold(first, share, folded),
        }
    }

    fn graph(&self) -> Graph {
        let named = self.nodes.indices().filter_map(|index| {
            let node = self.nodes.get(index)?;
            Some((index, node.name.clone(), node.drive.clone()))
        });
        Graph {
            nodes: named.collect(),
            taken: [
                self.files.indices().collect(),
                self.jobs.indices().collect(),
                self.groups.indices().collect(),
                self.contexts.indices().collect(),
            ],
        }
    }
}
