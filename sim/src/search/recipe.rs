//! How each part came to be: the step that made it first, and the row in which that step was done.
//!
//! The number of a part means something in one search only, and a part itself is whatever a system likes,
//! so neither can be sent to another. Its recipe can: whoever knows the parts of the row puts the state
//! together, does the step, and has the part.

use super::memo::Update;
use super::rows::Rows;
use std::hash::Hash;
use std::sync::Arc;

/// The step that made a part.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// The state in which it was done.
    pub row: Arc<[u32]>,
    /// The offer it was in.
    pub offer: u32,
    /// Which of the offer's steps it was.
    pub index: u32,
    /// The column in which the part then was.
    pub column: u8,
}

/// The recipes of all parts but those of the initial state.
pub(super) struct Recipes {
    /// By the column whose numbers they are, and number.
    by_column: Vec<Vec<Option<Recipe>>>,
}

impl Recipes {
    /// For a search that has met nothing but the initial state.
    pub fn new<P: Clone + Eq + Hash>(rows: &Rows<P>) -> Recipes {
        let by_column = (0..rows.columns()).map(|column| vec![None; rows.numbers_in(column)]);
        Recipes {
            by_column: by_column.collect(),
        }
    }

    /// Notes where the new ones among the parts came from that a step put in the place of others.
    pub fn note<P: Clone + Eq + Hash>(
        &mut self,
        rows: &Rows<P>,
        row: &[u32],
        (offer, index): (usize, usize),
        updates: &[Update],
    ) {
        let mut shared: Option<Arc<[u32]>> = None;
        for update in updates {
            let known = &mut self.by_column[rows.numbers_of(update.column.into())];
            if update.to as usize == known.len() {
                known.push(Some(Recipe {
                    row: Arc::clone(shared.get_or_insert_with(|| row.into())),
                    offer: offer as u32,
                    index: index as u32,
                    column: update.column,
                }));
            }
        }
    }

    /// Notes the recipe of a part that another search has met; `numbers` is the column whose number it has.
    pub fn learn(&mut self, numbers: usize, id: u32, recipe: Recipe) {
        let known = &mut self.by_column[numbers];
        if id as usize == known.len() {
            known.push(Some(recipe));
        }
    }

    /// How a part came to be; `None` if it is one of the initial state.
    pub fn get(&self, numbers: usize, id: u32) -> Option<&Recipe> {
        self.by_column[numbers].get(id as usize)?.as_ref()
    }

    /// Roughly how many bytes they take.
    pub fn bytes(&self) -> usize {
        let parts: usize = self.by_column.iter().map(Vec::len).sum();
        parts * (size_of::<Option<Recipe>>() + 4 * self.by_column.len() + 16)
    }
}
