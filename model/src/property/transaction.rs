//! A transaction beside its rules: what was there before, and that a failed one has left it so.

use std::sync::Arc;

use super::Witness;
use crate::name::Name;
use crate::transaction::{Action, Prepared};
use crate::world::{JobIx, World};

/// Every bitmap by its node's name and its own, whether it recorded, and whether it was busy.
pub type Before = Vec<(Name, Name, bool, bool)>;

/// What is there before a transaction.
pub(crate) fn before(w: &World) -> Arc<Before> {
    Arc::new(bitmaps(w))
}

fn bitmaps(w: &World) -> Before {
    let of_node = |node| {
        let entry = w.node(node);
        let named = entry.bitmaps().filter_map(|bitmap| {
            let name = bitmap.name.clone()?;
            Some((entry.name.clone(), name, bitmap.recording(), bitmap.busy()))
        });
        named.collect::<Vec<_>>()
    };
    w.node_indices().flat_map(of_node).collect()
}

/// All actions are prepared: the start instant of the jobs among them, if there are any.
pub(crate) fn all_prepared(w: &mut World, prepared: &[Prepared]) {
    let jobs: Vec<JobIx> = prepared
        .iter()
        .filter_map(|prepared| match prepared {
            Prepared::Backup { job, .. } => *job,
            _ => None,
        })
        .collect();
    super::data::instant(w, &jobs);
}

/// An action could not be prepared, and those prepared before it are about to be taken back.
pub(crate) fn fails(w: &mut World, prepared: &[Prepared]) {
    let earlier = &prepared[..prepared.len().saturating_sub(1)];
    let some = earlier
        .iter()
        .any(|prepared| *prepared != Prepared::Nothing);
    w.witness_if(some, Witness::Rollback);
}

/// What is there before an action is taken back that was not prepared; `None` if nothing of it is taken back. (A backup
/// lets go of what it has opened, and that is right.)
pub(crate) fn before_undoing(w: &World, prepared: &Prepared) -> Option<Arc<Before>> {
    let nothing = matches!(prepared, Prepared::Nothing | Prepared::Backup { .. });
    (!nothing).then(|| before(w))
}

/// An action that was not prepared was taken back: all must be as it was before that.
pub(crate) fn undone(w: &mut World, action: &Action, before: Option<&Before>) {
    let Some(before) = before else {
        return;
    };
    let after = bitmaps(w);
    let touched = after.iter().zip(before).find(|(now, then)| now != then);
    if let Some((now, _)) = touched {
        let (verb, name) = (action.type_name(), &now.1);
        let message = format!("the rollback of {verb}, which was refused, changes bitmap {name}");
        w.breaks("abort-safe", message);
    }
}

/// A transaction is over. If it failed, nothing of it may be left.
pub(crate) fn over(w: &mut World, prepared: &[Prepared], before: Option<&Before>, failed: bool) {
    super::bitmap::kept(w, prepared);
    let Some(before) = before.filter(|_| failed) else {
        return;
    };
    let command = w.monitor().serial;
    let mut jobs = w.main().jobs.iter().copied();
    let left = jobs.find(|&job| w.job(job).ghost.command() == command);
    if let Some(job) = left {
        let message = format!(
            "a transaction failed, and its job {} is left",
            w.job(job).id
        );
        return w.breaks("atomic-prepare", message);
    }
    let after = bitmaps(w);
    let find = |list: &Before, node: &Name, name: &Name| {
        let mut entries = list.iter();
        let found = entries.find(|entry| entry.0 == *node && entry.1 == *name);
        found.map(|(_, _, recording, busy)| (*recording, *busy))
    };
    let mut wrong = None;
    for (node, name, recording, busy) in before {
        let there = w.node_indices().any(|at| w.node(at).name == *node);
        match find(&after, node, name) {
            None if there => wrong = Some(format!("bitmap {name} is gone")),
            // Jobs that are not the transaction's may have begun or ended meanwhile.
            Some((now, busy_now)) if !busy && !busy_now && now != *recording => {
                wrong = Some(format!("bitmap {name} has switched its recording"));
            }
            Some((_, true)) if !busy => wrong = Some(format!("bitmap {name} is busy")),
            _ => {}
        }
    }
    for (node, name, ..) in &after {
        if find(before, node, name).is_none() {
            wrong = Some(format!("bitmap {name} is new"));
        }
    }
    if let Some(wrong) = wrong {
        w.breaks(
            "atomic-prepare",
            format!("a transaction failed, and {wrong}"),
        );
    }
}
