//! The shared core of OneGrid. It runs on every phone and inside the sync server.
//!
//! ```text
//!  bytes ─▶ wire ─▶ trust ─▶ record::admit ─▶ verdict ─▶ replica (phone) │ store (server)
//!          parse    who      may · gate ·                    │
//!                            fold                            ▼
//!  person ◀─ content (crdt) + state (domain fold) ◀─ envelopes of one record
//! ```
//!
//! **Contract.** The same envelopes and verdicts give the same state on every replica, in whatever order
//! they arrive. Bytes from outside never panic, never exhaust memory, and never change a stored document
//! that they do not validly extend.
//!
//! **Not here:** a clock, randomness, threads or IO outside the features `system`, `replica` (with `vault`)
//! and `net` (the caller hands in `now` and a random generator); HTTP, configuration and logs of the server;
//! any user interface.

#[macro_use]
mod coded;
mod base32;
pub mod cbor;
pub mod crdt;
pub mod dag;
pub mod domain;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
pub mod id;
pub mod limits;
pub mod media;
#[cfg(feature = "net")]
pub mod net;
pub mod record;
#[cfg(feature = "replica")]
pub mod replica;
pub mod sync;
#[cfg(feature = "system")]
pub mod system;
pub mod texts;
pub mod trust;
#[cfg(feature = "replica")]
pub mod vault;
pub mod wire;
