//! A disk for tests. It records everything that a program writes, shows the disk as a power cut would leave it
//! after any of these writes, and fails on demand.
//!
//! ```text
//!  SQLite ──▶ vfs ───────┐                  ┌──▶ Replay::image(loss) ──▶ files after a power cut
//!                        ├──▶ Recording ────┤
//!  files of the host ────┘        ▲         └──▶ events, and what was promised between them
//!                               Fault
//! ```
//!
//! **The model of a power cut.** Data of a file is durable once the file was synced. Until then each sector of
//! each write survives or is lost on its own, so writes are dropped, reordered and torn. A new name, a rename
//! and a removal are durable once the folder was synced; until then a beginning of them survives, in their
//! order, as a journaling file system keeps them. A synced byte never changes.
//!
//! **Not here:** the opinion what a program owes after a cut. A test reads the image with the program's own code.
//!
//! The VFS is the default of the process after the first [`Recording::start`], and files that nobody records
//! pass through unchanged. Syncs of recorded files return at once, because no real power is cut.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod fault;
mod recording;
mod replay;
mod vfs;

pub use fault::{Call, Failure, Fault};
pub use recording::{Event, FileId, Recording};
pub use replay::{Image, Loss, Replay};
