//! The news in the streams that a device may read.
//!
//! ```text
//!  readable streams (registry) ─┐
//!  cursors of the request ──────┴▶ unchanged │ page (segments, envelopes, packs) │ measure (amounts alone)
//! ```
//!
//! **Invariants.** Nothing is sent from a stream that the device may not read now. A page never leaves a hole,
//! because a cursor moves only over entries that are in the page.
//!
//! **Not here:** uploads (`sync` hands them to `ingest`).

pub mod answer;
pub mod cursor_memory;
pub mod cursors;
mod load;
mod measure;
pub mod packs;
pub mod page;
pub mod readings;
pub mod repair;
mod sample;
mod segment;
