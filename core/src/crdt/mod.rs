//! Content documents of records, behind one gate: the only module that touches automerge.
//!
//! ```text
//!  raw change ─▶ inspect ─▶ History::check ─▶ scratch copy ─▶ save, load again ─▶ Document
//!               own parse   author, sequence,   automerge,      heads compared     swapped only
//!               of bytes    counters, references panics caught                      when all hold
//! ```
//!
//! **Contract.**
//! - Changes reach automerge only through [`Document::admit`] and [`Document::genesis`]. The document of a
//!   pack that the server signed reaches it through [`Document::from_save`].
//! - Whether a change is admitted depends on the change and its causal past alone. It never depends on other
//!   changes that happen to be there, on time, on memory or on the size of the merged document. So every
//!   replica refuses the same changes, in whatever order they arrive.
//! - A refused change costs nothing, changes nothing and takes only its descendants along.
//! - Raw changes are the truth. A saved document is a cache.
//!
//! **The profile of a content document.** The Genesis makes all containers: the root map, further maps and
//! texts. Later changes set and delete keys of maps, and insert and delete characters of texts. They make no
//! container, because two phones that make the same container at the same time would hide each other's
//! entries. Counters, lists, marks and values of unknown types are refused.
//!
//! **Not here:** the permission to write (domain), signatures (trust), verdicts and the DAG of a record
//! (record).

mod actor;
mod change;
mod chunk;
mod columns;
mod conflict;
mod content;
mod document;
mod edit;
mod error;
mod genesis;
mod history;
mod operations;
mod push;
mod quiet;
mod reader;
mod rebuilt;
mod references;
mod rewrite;
mod saved;
mod shape;
mod value;

pub use actor::{ActorId, DevicePrefix};
pub use change::{ChangeInfo, inspect};
pub use conflict::{FieldConflict, FieldVersion};
pub use document::{Candidate, Document, KnownChange};
pub use edit::{EditError, FieldEdit, Write};
pub use error::{GateError, Limit};
pub use genesis::build_genesis;
pub use quiet::is_guarded;
pub use rebuilt::Rebuilds;

#[cfg(test)]
mod tests;
