//! The second lifecycle: stages and steps that a kind declares as data.
//!
//! ```text
//!  StepTable of a kind ──▶ case::{may, guard, fold, offer, input} ──▶ StepsState
//!    stages, steps, ranks                                             stage, steps in force, workers
//! ```
//!
//! **Contract.** One event, `step`, serves every table, so a new kind needs no event of its own. A table names
//! the stages from which a step is possible, and its rank where branches meet.
//!
//! **Not here:** the rules of branches that meet (`case::merge`), permissions (`case::may`), tables (`kinds`).

mod state;
mod table;

pub use state::{AuthoredStep, StageEntry, StepsState};
pub use table::{
    HANDLING_MOVES, HandlingSpec, NAMED, PARTY, ReasonSpec, STAGE_CODES_FROM, STRANGER, StageSpec,
    StepSpec, StepTable,
};
