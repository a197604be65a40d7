//! What the fold reads: the envelopes of one record, checked and stripped of bytes.

use crate::domain::{AreaPath, Audience, Grant, RecordKind, Source};
use crate::id::{DeviceId, EnvelopeId, MemberId, RecordId, UnitId};

use super::{Event, OnBehalfOf};

/// One envelope of a record, with its author's grant and its latest verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The envelope.
    pub id: EnvelopeId,
    /// What the author had seen. A parent that is not among the entries counts as not there.
    pub parents: Vec<EnvelopeId>,
    /// Who wrote it.
    pub author: Author,
    /// What was written.
    pub body: EntryBody,
    /// The author's own clock, ms UTC, as it stood.
    pub clock_ms: i64,
    /// The server time of the verdict, ms UTC; `None` while there is none.
    pub verdict_at_ms: Option<i64>,
    /// Whether it counts.
    pub status: EntryStatus,
}

/// Whether an entry counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryStatus {
    /// Accepted, or without verdict: applied when legal.
    Effective,
    /// Void or held: stays in the graph, moves nothing.
    Ignored,
}

/// Who wrote an entry, under which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The phone, or the server's own author.
    pub device: DeviceId,
    /// The person; `None` when the certificate is withheld from this replica. Such an entry was accepted by
    /// the server, which knows the certificate, and so counts as permitted.
    pub member: Option<MemberId>,
    /// The grant that the author acts under; `None` as for `member`.
    pub grant: Option<Grant>,
    /// The units of all grants in the certificate.
    pub units: Vec<UnitId>,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// The birth of the record.
    Genesis(GenesisFacts),
    /// A change of the content. The fold never reads it.
    Content,
    /// A decision.
    Event {
        /// The decision. An event of a newer version is [`Event::Unknown`].
        event: Event,
        /// For whom it was made, if not for the author.
        on_behalf_of: Option<OnBehalfOf>,
    },
    /// A body of a newer version.
    Unknown,
}

/// What never changes about a record: what its Genesis says, but for its nonce and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisFacts {
    /// What it is.
    pub kind: RecordKind,
    /// The area where it was born, with its ancestors.
    pub home: AreaPath,
    /// Who reads it.
    pub audience: Audience,
    /// The team that it is shared with.
    pub team: Option<UnitId>,
    /// Where it came from.
    pub source: Source,
    /// Who else reads a restricted record.
    pub named: Vec<MemberId>,
    /// The record that it belongs to.
    pub linked: Option<RecordId>,
}
