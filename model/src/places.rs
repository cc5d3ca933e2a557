//! Where the clusters of a qcow2 file lie, as far as it shows: which neighbours for the guest are neighbours in the file.
//!
//! QEMU takes clusters as one run only if they follow each other in the file, so a status ends, and a read is cut, where
//! they do not. A new cluster is put behind the newest one, so this comes of the order of the writes. No absolute places
//! are kept: two orders that leave the same neighbours, and the same cluster at the end, are one state.
//!
//! Not covered: holes that are too small for what comes next, tables between clusters of data, and the order in which
//! copy tasks write a target: see [`Places::adopt`].

use crate::runs::{Bits, Range};

/// The places of an image's clusters. Clusters are named by their number: the guest's offset by the cluster's size.
///
/// QEMU: the offsets in the L2 tables, and `BDRVQcow2State.free_cluster_index`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Places {
    /// Those that have one. A zero cluster that was data keeps it: `QCOW2_CLUSTER_ZERO_ALLOC`.
    given: Bits,
    /// Those that lie elsewhere than behind the cluster before them, which has a place, too.
    apart: Bits,
    /// What is given a place next comes behind this one, if that is of interest: if the next cluster has none yet.
    last: Option<u64>,
}

impl Places {
    /// No cluster has a place.
    pub fn new() -> Places {
        Places::default()
    }

    /// Has that cluster a place?
    pub fn has(&self, cluster: u64) -> bool {
        self.given.get(cluster).is_some()
    }

    /// How many clusters from the first of these on have a place, or have none, all of them: up to which one.
    pub fn alike(&self, clusters: Range) -> u64 {
        self.given.extent(clusters.start, clusters.end).1
    }

    /// Up to which cluster these follow each other in the file. QEMU: `count_contiguous_subclusters`.
    pub fn together(&self, clusters: Range) -> u64 {
        let next = clusters.start + 1;
        match self.apart.next_from(next) {
            Some((apart, ())) => apart.start.max(next).min(clusters.end),
            None => clusters.end,
        }
    }

    /// Clusters that have no place get those behind the newest one, in order. QEMU: `handle_alloc`.
    pub fn give(&mut self, clusters: Range) {
        let Range { start, end } = clusters;
        let before = start.checked_sub(1);
        if before.is_some_and(|before| self.has(before)) && self.last != before {
            self.apart.set(start..start + 1, ());
        }
        if self.has(end) {
            self.apart.set(end..end + 1, ());
        }
        self.given.set(clusters, ());
        self.last = Some(end - 1).filter(|_| !self.has(end));
    }

    /// Clusters were written in an order that nobody followed: they are taken to lie where they belong.
    pub fn adopt(&mut self, clusters: Range) {
        self.given.set(clusters, ());
        self.last = None;
    }

    /// Clusters are given back, and the next one takes the place of the first of them. QEMU: `qcow2_free_clusters`.
    pub fn free(&mut self, clusters: Range) {
        let first = self.given.next_from(clusters.start);
        let first = first.map(|(run, ())| run.start.max(clusters.start));
        let Some(first) = first.filter(|&first| first < clusters.end) else {
            return;
        };
        let before = first.checked_sub(1);
        let followed = |before: &u64| self.has(*before) && self.apart.get(first).is_none();
        self.last = before.filter(followed);
        self.apart.clear(clusters.start..clusters.end + 1);
        self.given.clear(clusters);
    }

    /// Something else was put behind the newest cluster: stored bitmaps.
    pub fn put_other(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(places: &Places, clusters: Range) -> Vec<Range> {
        let mut runs = Vec::new();
        let mut at = clusters.start;
        while at < clusters.end {
            let end = places.together(at..clusters.end);
            runs.push(at..end);
            at = end;
        }
        runs
    }

    /// As `qemu-img map` of 7.2.22 and 10.0.2 shows it: 320k, cut to 128k, then 128k+64k, 512k+64k, 192k+128k.
    #[test]
    fn a_place_that_is_given_back_is_the_next_to_be_taken() {
        let mut places = Places::new();
        places.give(0..5);
        places.free(2..10);
        for clusters in [2..3, 8..9, 3..5] {
            places.give(clusters);
        }
        assert_eq!(runs(&places, 0..9), [0..3, 3..9]);
    }

    #[test]
    fn clusters_lie_in_the_order_of_their_writes() {
        let mut places = Places::new();
        places.give(5..7);
        places.give(0..5);
        places.give(7..9);
        assert_eq!(runs(&places, 0..9), [0..5, 5..7, 7..9]);
        places.put_other();
        places.give(9..10);
        assert_eq!(runs(&places, 5..10), [5..7, 7..9, 9..10]);
    }

    /// Orders that differ in nothing that can be noticed are one state.
    #[test]
    fn orders_with_the_same_neighbours_are_equal() {
        let of = |order: &[u64]| {
            let mut places = Places::new();
            order.iter().for_each(|&at| places.give(at..at + 1));
            places
        };
        assert_eq!(of(&[0, 4, 2, 6]), of(&[4, 2, 0, 6]));
        assert_ne!(of(&[0, 1]), of(&[1, 0]));
    }
}
