//! The lifecycle that hazards, tips and requests share: moves, events, and the fold that gives the state.

mod apply;
pub mod entry;
pub mod event;
pub mod fold;
mod graph;
pub mod guard;
mod merge;
pub mod moves;
pub mod payload;
pub mod refusal;
pub mod state;
pub mod table;

#[cfg(test)]
pub(crate) mod tests;

pub use entry::{Author, Entry, EntryBody, EntryStatus, GenesisFacts};
pub use event::{Event, EventError};
pub use fold::{fold, judge};
pub use moves::Move;
pub use payload::{Deadlines, OnBehalfOf, Part, Party, Severity};
pub use refusal::Refusal;
pub use state::{Assignment, AssignmentState, CaseState, Conflict, Outcome, Stage};

/// The version of the fold's rules. Events carry it; it is frozen: other rules are another number.
pub const FOLD_VERSION: u8 = 1;
