//! What the rows of all campaigns of seeds have in common: which campaign it was, what was to be done, what was done.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::output::Case;
use crate::partition::Partition;
use crate::version::VERSION;

/// Some seeds that follow each other: the first, and the one behind the last.
pub type Span = [u64; 2];

/// Which campaign a row belongs to. All parts of one campaign have the same, but for the partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// The version of blockrace, and of its rules.
    pub version: String,
    /// The seeds of the whole campaign.
    pub asked: Span,
    /// Which part of them was to be done; nothing if it was all of them.
    pub partition: Option<Partition>,
    /// Whether it goes on after a failure.
    pub keep_going: bool,
}

impl Campaign {
    /// One of this blockrace.
    pub fn new(asked: &Range<u64>, partition: Option<Partition>, keep_going: bool) -> Campaign {
        Campaign {
            version: VERSION.to_owned(),
            asked: [asked.start, asked.end],
            partition,
            keep_going,
        }
    }

    /// The seeds that were to be done.
    pub fn part(&self) -> Range<u64> {
        let [start, end] = self.asked;
        Partition::of(self.partition, &(start..end))
    }

    /// What must be the same in all parts.
    pub fn terms(&self) -> Vec<(&'static str, String)> {
        vec![
            ("version of blockrace", self.version.clone()),
            ("range of seeds", words(&self.asked)),
            ("--keep-going", self.keep_going.to_string()),
        ]
    }
}

/// `0..1000`.
pub fn words([start, end]: &Span) -> String {
    format!("{start}..{end}")
}

/// As many seeds from the first one on as were done.
pub fn covered(part: &Range<u64>, done: u64) -> Vec<Span> {
    match done {
        0 => Vec::new(),
        _ => vec![[part.start, part.start.saturating_add(done).min(part.end)]],
    }
}

/// Spans that touch each other are one.
pub fn joined(spans: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::new();
    for [start, end] in spans {
        match all.last_mut() {
            Some(last) if last[1] == start => last[1] = end,
            _ => all.push([start, end]),
        }
    }
    all
}

/// The row of one thing that a part of a campaign judged, and that can be added to the rows of the other parts.
pub trait Part: Serialize + DeserializeOwned {
    /// The command that writes such rows.
    const COMMAND: &'static str;
    /// What the seeds are seeds of.
    const UNIT: &'static str;

    /// What was judged.
    fn name(&self) -> String;
    /// The campaign.
    fn campaign(&self) -> &Campaign;
    /// The campaign.
    fn campaign_mut(&mut self) -> &mut Campaign;
    /// What must be the same in all parts, beside what the campaign says.
    fn terms(&self) -> Vec<(&'static str, String)>;
    /// What was done.
    fn covered(&self) -> &[Span];
    /// Whether what was found ended the whole campaign: what later parts did does not count then.
    fn ends(&self) -> bool;
    /// What was found first, in one line, if anything was.
    fn found(&self) -> Option<String>;

    /// Adds the row of the part behind it.
    ///
    /// # Errors
    /// What the later row lacks or has that cannot be.
    fn add(&mut self, later: &Self) -> Result<(), String>;
    /// All parts are added, and together they cover this; nothing is missing, or something is.
    fn conclude(&mut self, covered: Vec<Span>, is_whole: bool);

    /// What it means for the command's end.
    fn exit(&self) -> Exit;
    /// How many runs, or other pieces of work.
    fn runs(&self) -> u64;
    /// The lines for people; `width` is how wide a column of names is.
    fn told(&self, width: usize) -> Vec<String>;
    /// For documents.
    fn case(&self) -> Case;
}
