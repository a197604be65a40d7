//! The phone: an encrypted file with everything that one person may read, and the engine over it.
//!
//! ```text
//!  person ─▶ engine (report, edit, act, settle) ─▶ Record::admit ─┐
//!  server ─▶ sync_port (receipt, page, packs)   ─▶ Record::admit ─┼─▶ one transaction:
//!  phone  ─▶ peer_port (envelopes of others)    ─▶ Record::admit ─┘   envelopes, verdicts,
//!                                                                     projections, cursors
//!  person ◀─ lists, counts, map, search (projections) · record page (envelopes, folded)
//! ```
//!
//! **Contract.** A call that writes returns once the transaction is on disk, or changes nothing. Nothing
//! undelivered is ever purged. What a person wrote and the rules do not let count stays, and the person is
//! told. Projections follow from envelopes and verdicts alone: [`Replica::rebuild`] makes the same ones.
//!
//! **Not here:** a clock and randomness (handed in), the network (`sync`, `net`), rules (`domain`).

mod engine;
mod error;
mod marker;
mod migrate;
mod open;
mod outbox_copy;
mod port;
mod rescue;
mod salvage;
mod search;
mod table;

pub use engine::conflict::{ConflictCard, ConflictSubject};
pub use engine::report::Draft;
pub use engine::view::{Comment, RecordView, SetAside, TimelineEntry};
pub use engine::{Replica, ReplicaOptions};
pub use error::ReplicaError;
pub use marker::{Epoch, Marker, MarkerFile};
pub use open::FileKey;
pub use rescue::Rescue;
pub use table::notice::Notice;
pub use table::record::RecordRow;
pub use table::record_list::{Filter, ListPage, PageKey};
pub use table::record_map::{MapPoint, MapWindow};

#[cfg(test)]
mod tests;
