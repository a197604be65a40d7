//! Handling: the areas and parties that are responsible for a record, with their deadlines. Cases have it, and
//! so have records with steps whose table asks for it.
//!
//! **Not here:** the moves that change it (`case`), and the tables that allow them (`case::table`, `steps`).

mod party;
mod state;

pub use party::{Deadlines, OnBehalfOf, Part, Party};
pub use state::{Assignment, AssignmentState, Extension, Handling};
