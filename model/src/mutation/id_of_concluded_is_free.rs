//! Two jobs have one id.

use super::Mutation;
use crate::error::QmpError;
use crate::job::{self, Status};
use crate::world::World;

pub(super) const MUTATION: Mutation = Mutation {
    name: "id-of-concluded-is-free",
    bug: "bug-J19",
    what: "The id of a job that is concluded and not yet dismissed can be taken by a new one.",
    reference: "inferred: no record; it is what the promise about ids is there for",
    breaks: "id-unique",
    story: "bugs/done-by-hand",
    dialect: "10.0",
    plant: |rules| rules.check_id = check_id,
};

fn check_id(w: &World, id: &str) -> Result<(), QmpError> {
    let mut jobs = w.main().jobs.iter().map(|&index| w.job(index));
    if jobs.any(|job| *job.id == *id && job.status == Status::Concluded) {
        return Ok(());
    }
    job::check_id(w, id)
}
