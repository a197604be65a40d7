//! Entries are the input of the fold: the envelopes of one record, checked and stripped of bytes.

use crate::domain::{AreaPath, Audience, Grant, RecordKind, Source};
use crate::id::{DeviceId, EnvelopeId, MemberId, RecordId, UnitId};

use super::{Event, OnBehalfOf};

/// One envelope of a record, with its author's grant and its latest verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The envelope of the entry.
    pub id: EnvelopeId,
    /// The entries that the author had seen last. A parent that is not among the entries of the fold is
    /// ignored.
    pub parents: Vec<EnvelopeId>,
    /// The author of the entry.
    pub author: Author,
    /// The content of the entry.
    pub body: EntryBody,
    /// The author's own clock at the time of writing, ms UTC.
    pub clock_ms: i64,
    /// The server time of the verdict, ms UTC; `None` before the verdict.
    pub verdict_at_ms: Option<i64>,
    /// Whether the entry counts.
    pub status: EntryStatus,
}

/// Whether an entry counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryStatus {
    /// The entry is accepted or has no verdict. It is applied when it is legal.
    Effective,
    /// The entry is void or held. It stays in the graph and changes nothing.
    Ignored,
}

/// The author of an entry, and the role that the author acts under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The phone, or the server's own author.
    pub device: DeviceId,
    /// The person; `None` when the certificate is withheld from this replica. The server, which knows the
    /// certificate, has accepted such an entry, so it counts as permitted.
    pub member: Option<MemberId>,
    /// The grant that the author acts under; `None` when the certificate is withheld from this replica.
    pub grant: Option<Grant>,
    /// The units of all grants in the certificate.
    pub units: Vec<UnitId>,
}

/// The body of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// The Genesis, which creates the record.
    Genesis(GenesisFacts),
    /// A change of the content. The fold never reads it.
    Content,
    /// A decision.
    Event {
        /// The decision; [`Event::Unknown`] if a newer version made it.
        event: Event,
        /// The party that the decision was made for, if the author acts on behalf of another.
        on_behalf_of: Option<OnBehalfOf>,
    },
    /// A body of a newer version.
    Unknown,
}

/// The facts about a record that never change. Its Genesis carries them, beside a nonce and the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisFacts {
    /// The kind of the record.
    pub kind: RecordKind,
    /// The area where it was born, with its ancestors.
    pub home: AreaPath,
    /// The group of people who may read the record.
    pub audience: Audience,
    /// The team that it is shared with.
    pub team: Option<UnitId>,
    /// The source of the record.
    pub source: Source,
    /// The people named in a restricted record. They read it too.
    pub named: Vec<MemberId>,
    /// The record that this one is linked to.
    pub linked: Option<RecordId>,
}
