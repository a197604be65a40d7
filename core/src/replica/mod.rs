//! The phone: an encrypted file with everything that one person may read, and the engine over it.
//!
//! ```text
//!  person ─▶ engine (report, edit, act, settle) ─▶ Record::admit ─┐
//!  server ─▶ port/star (receipt, page, packs)   ─▶ Record::admit ─┼─▶ one transaction:
//!  phone  ─▶ port/peer (envelopes of others)    ─▶ Record::admit ─┘   envelopes, verdicts,
//!                                                                     projections, cursors
//!  person ◀─ lists, counts, map, search (projections) · record page (envelopes, folded)
//! ```
//!
//! **Contract.** A call that writes returns once the transaction is on disk, or changes nothing. Nothing
//! undelivered is ever purged. A person's work that the rules do not let count stays, and the person is
//! told. Projections follow from envelopes and verdicts alone: [`Replica::rebuild`] makes the same ones.
//!
//! # Example
//!
//! Two phones without a network. One reports a hazard and is closed; its file keeps the report. Then the phones
//! meet, and the host moves the bytes between them until the meeting is done. The file `core/doc/deployment.rs`
//! has the surroundings.
//!
//! ```
//! # mod deployment { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/deployment.rs")); }
//! # use deployment::*;
//! use onegrid_core::replica::{Draft, Replica};
//! use onegrid_core::sync::peer::Peer;
//! # use onegrid_core::trust::sign::SecretKey;
//! # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
//! # let rng = &mut ChaCha20Rng::seed_from_u64(1);
//! # let deployment = Deployment::new(rng)?;
//! # let (own, other) = (SecretKey::generate(rng), SecretKey::generate(rng));
//! # let folders = (tempfile::tempdir()?, tempfile::tempdir()?);
//! # let (folder, elsewhere) = (folders.0.path(), folders.1.path());
//!
//! let mut now_ms = 1_760_000_000_000;
//! let mut phone = enrolled(folder, &own, &deployment)?;
//!
//! // When this returns, the report is on disk.
//! let record = phone.report(&Draft::staff(hazard("Gas cylinders"), home()), now_ms)?;
//! phone.close()?;
//!
//! let mut phone = Replica::open(options(folder, &own))?;
//! assert_eq!(phone.undelivered()?, 1);
//!
//! let mut colleague = enrolled(elsewhere, &other, &deployment)?;
//! let mut caller = Peer::call(&phone, rng)?;
//! let mut listener = Peer::listen(&colleague)?;
//! while !(caller.is_done() && listener.is_done()) {
//!     now_ms += 20;
//!     listener.received(&mut colleague, &caller.output(), now_ms, rng)?;
//!     caller.received(&mut phone, &listener.output(), now_ms, rng)?;
//! }
//!
//! let row = colleague.row(record)?.ok_or("the record arrived")?;
//! assert_eq!(row.title, "Gas cylinders");
//! assert!(row.provisional, "no server has judged it");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Not here:** a clock and randomness (handed in), the network (`sync`, `net`), rules (`domain`).

mod attachments;
mod disk;
mod engine;
mod error;
mod forms;
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
pub use attachments::new::NewAttachment;
pub use disk::{Disk, DiskLock, MarkerFile, StdDisk};
pub use engine::changes::Changes;
pub use engine::conflict::{ConflictCard, ConflictSubject};
pub use engine::due::FormCounts;
pub use engine::fill::{Finding, FormDraft, FormEdit, FormRecords, Subject};
pub use engine::form_page::{FormPage, LinkDirection, LinkedRecord};
pub use engine::list::ListPage;
pub use engine::report::Draft;
pub use engine::story::{FieldChange, StoryEntry, StoryPage};
pub use engine::tally::{Tally, TallyCounts, Uncounted};
pub use engine::templates::TemplateInfo;
pub use engine::view::{Comment, RecordView, SetAside, TimelineEntry};
pub use engine::walk::{JudgedScan, TrackAdded};
pub use engine::words::FieldWords;
pub use engine::{Replica, ReplicaOptions};
pub use error::{FormProblem, ReplicaError};
pub use marker::{Epoch, Marker};
pub use projection::places::{CategoryInfo, GrantWords, Located, Page, PersonInfo, UnitInfo};
pub use projection::rebuild::Rebuilding;
pub use reader::Reader;
pub use readers::Readers;
pub use rescue::Rescue;
pub use site::{FileKey, ReplicaLock};
pub use table::area::AreaInfo;
pub use table::attachment::{AttachmentInfo, AttachmentState};
pub use table::form::FormRow;
pub use table::form_list::{DueFilter, FormItem};
pub use table::notice::Notice;
pub use table::notification::Notification;
pub use table::parcel::ParcelCounts;
pub use table::record::RecordRow;
pub use table::record_link::LinkKind;
pub use table::record_list::{Assigned, Filter, ListOrder, Near};
pub use table::record_map::{MapPage, MapPoint, MapWindow};
pub use token::PageToken;
pub use way_back::WayBack;

#[cfg(test)]
mod tests;
