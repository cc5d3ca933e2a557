//! How each part came to be: the step that made it first, and the row in which that step was done.
//!
//! The number of a part means something in one search only, and a part itself is whatever a system likes,
//! so neither can be written down for another process. Its recipe can: whoever knows the parts of the row puts
//! the state together, does the step, and has the part. There are few parts and many states, so that is a small
//! share of what was done before.

use crate::parts::{Offer, Parts};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The step that made a part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recipe {
    /// The state in which it was done.
    pub row: Arc<[u32]>,
    pub made: Made,
}

/// Which part of which step's end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Made {
    /// The offer that the step was in.
    pub offer: u32,
    /// Which of the offer's steps it was.
    pub index: u32,
    /// The column in which the part then was.
    pub column: u8,
}

impl Made {
    /// The part, from the parts of the row; `None` if there is no such step.
    pub fn part<S: Parts>(&self, system: &S, row: &[S::Part]) -> Option<S::Part> {
        let (offer, index) = (self.offer as usize, self.index as usize);
        let column = usize::from(self.column);
        if offer >= system.offers() || column >= system.columns() {
            return None;
        }
        let mut state = system.put_together(row);
        let mut offered = Offer::new();
        system.offer(&state, offer, &mut offered);
        let step = offered.steps.get(index)?.step;
        system.apply(&mut state, step, &mut Vec::new());
        Some(system.part(&state, column))
    }
}

/// The recipes of all parts but those of the initial state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recipes {
    /// By the column whose numbers they are, and number.
    by_column: Vec<Vec<Option<Recipe>>>,
}

impl Recipes {
    /// Of no part.
    pub fn new(columns: usize) -> Recipes {
        Recipes {
            by_column: vec![Vec::new(); columns],
        }
    }

    /// Notes how a part came to be; `numbers` is the column whose number it has.
    pub fn enter(&mut self, numbers: usize, id: u32, recipe: Recipe) {
        let known = &mut self.by_column[numbers];
        // Workers note what they found a little later than others can use it.
        if known.len() <= id as usize {
            known.resize(id as usize + 1, None);
        }
        known[id as usize] = Some(recipe);
    }

    /// How a part came to be; `None` if it is one of the initial state.
    pub fn get(&self, numbers: usize, id: u32) -> Option<&Recipe> {
        self.by_column.get(numbers)?.get(id as usize)?.as_ref()
    }

    /// All of them, each with the column whose number the part has, and that number.
    pub fn all(&self) -> impl Iterator<Item = (usize, u32, &Recipe)> {
        let columns = self.by_column.iter().enumerate();
        columns.flat_map(|(numbers, recipes)| {
            let numbered = (0..).zip(recipes);
            numbered.filter_map(move |(id, recipe)| Some((numbers, id, recipe.as_ref()?)))
        })
    }

    /// Roughly how many bytes they take.
    pub fn bytes(&self) -> usize {
        let parts: usize = self.by_column.iter().map(Vec::len).sum();
        parts * (size_of::<Option<Recipe>>() + size_of::<u32>() * self.by_column.len() + 16)
    }
}
