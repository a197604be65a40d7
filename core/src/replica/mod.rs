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
//! undelivered is ever purged. A person's work that the rules do not let count stays, and the person is
//! told. Projections follow from envelopes and verdicts alone: [`Replica::rebuild`] makes the same ones.
//!
//! **Not here:** a clock and randomness (handed in), the network (`sync`, `net`), rules (`domain`).

mod disk;
mod engine;
mod error;
mod identity;
mod load;
mod marker;
mod migrate;
mod open;
mod outbox_copy;
mod port;
mod projection;
mod reader;
mod readers;
mod rescue;
mod salvage;
mod search;
mod site;
mod table;
mod token;
mod way_back;

pub use crate::domain::notification::NotificationKind;
pub use disk::{Disk, DiskLock, MarkerFile, StdDisk};
pub use engine::changes::Changes;
pub use engine::conflict::{ConflictCard, ConflictSubject, field_text};
pub use engine::list::ListPage;
pub use engine::report::Draft;
pub use engine::story::{FieldChange, StoryEntry, StoryPage};
pub use engine::tally::{Tally, TallyCounts, Uncounted};
pub use engine::view::{Comment, RecordView, SetAside, TimelineEntry};
pub use engine::{Replica, ReplicaOptions};
pub use error::ReplicaError;
pub use marker::{Epoch, Marker};
pub use projection::places::{CategoryInfo, GrantWords, Located, Page, PersonInfo, UnitInfo};
pub use projection::rebuild::Rebuilding;
pub use reader::Reader;
pub use readers::Readers;
pub use rescue::Rescue;
pub use site::{FileKey, ReplicaLock};
pub use table::area::AreaInfo;
pub use table::notice::Notice;
pub use table::notification::Notification;
pub use table::record::RecordRow;
pub use table::record_list::{Assigned, Filter, ListOrder, Near};
pub use table::record_map::{MapPage, MapPoint, MapWindow};
pub use token::PageToken;
pub use way_back::WayBack;

#[cfg(test)]
mod tests;
