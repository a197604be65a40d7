//! Walks: people go along a section together, each with a phone, mostly without network.
//!
//! ```text
//!  log entries of a record ──▶ Walk: one Walker for each phone ──▶ coverage: passes, gaps
//!   track · scan · join          way, scans, and why not counted     of a Section by hour and day
//! ```
//!
//! **Contract.** Nothing is dropped: a point, a scan or a phone that does not count stays in the record and is
//! shown with the reason. Metres are shown, and no rule reads them. Each function here gives phone and server the
//! same answer from the same record. Keys are asked through [`Seals`].
//!
//! **Not here:** the record and its stages (`kinds`), signatures (`trust`), the storage of log entries (`crdt`),
//! the place where a deployment keeps its sections: callers hand them in.

pub mod checkpoint;
pub mod coverage;
pub mod join;
mod joiners;
pub mod plan;
#[cfg(test)]
pub(crate) mod samples;
pub mod scan;
pub mod section;
mod spec;
pub mod track;
mod view;
mod viewer;

pub use spec::{Seals, WalkSpec, WalkerReason};
pub use view::{Gap, LEFT_ENTRY, TRACK_PREFIX, Walk, Walker, WayFacts};
pub use viewer::Viewer;
