//! The lifecycle that kinds of cases share: moves, events, and the fold that gives the state. It names no kind.

mod apply;
mod apply_handling;
pub mod deadline;
pub mod entry;
pub mod event;
pub mod fold;
mod graph;
pub mod guard;
pub mod input;
pub mod may;
mod merge;
mod merge_steps;
pub mod offer;
pub mod payload;
pub mod record;
pub mod refusal;
pub mod state;
pub mod table;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::domain::handling::{Assignment, AssignmentState, Extension, Handling};
pub use crate::domain::moves::Move;
pub use entry::{Author, Entry, EntryBody, EntryStatus, GenesisFacts};
pub use event::{Event, EventError};
pub use fold::{fold, judge};
pub use input::{InputError, InputField, MoveInput};
pub use offer::MoveOption;
pub use payload::{Deadlines, MergeFault, OnBehalfOf, Part, Party, Severity};
pub use record::RecordState;
pub use refusal::Refusal;
pub use state::{CaseState, Conflict, Outcome, Stage};

/// The version of the fold's rules. Events carry it. The rules of a version are frozen, so other rules get
/// another number.
pub const FOLD_VERSION: u8 = 1;
