//! Wakeup trees: what is still to be seen from a node, in an order that never begins anything known
//! (section 6 of the paper).

use super::execution::{Move, is_weak_initial};

/// A step that is to be done, and what is to be done after it. After a leaf, anything.
#[derive(Clone, Debug)]
pub(super) struct Branch<T> {
    pub(super) first: Move<T>,
    /// In the order in which they are to be seen.
    pub(super) children: Vec<Branch<T>>,
}

impl<T: Copy + Eq> Branch<T> {
    /// `sequence` as a branch without forks; none if it is empty.
    fn chain(sequence: &[Move<T>]) -> Option<Branch<T>> {
        let (first, rest) = sequence.split_first()?;
        Some(Branch {
            first: *first,
            children: Branch::chain(rest).into_iter().collect(),
        })
    }
}

/// Makes sure that a schedule which extends `sequence`, up to exchanges, is seen from the node
/// with these branches.
pub(super) fn insert<T: Copy + Eq>(branches: &mut Vec<Branch<T>>, mut sequence: Vec<Move<T>>) {
    let leads_there = |branch: &&mut Branch<T>| is_weak_initial(branch.first, &sequence);
    match branches.iter_mut().find(leads_there) {
        None => branches.extend(Branch::chain(&sequence)),
        // After a leaf everything is seen.
        Some(leaf) if leaf.children.is_empty() => {}
        Some(branch) => {
            if let Some(index) = sequence
                .iter()
                .position(|next| next.step == branch.first.step)
            {
                sequence.remove(index);
            }
            if !sequence.is_empty() {
                insert(&mut branch.children, sequence);
            }
        }
    }
}
