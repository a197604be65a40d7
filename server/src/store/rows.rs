//! What the store keeps, as typed rows. No row knows which backend it came from.

use onegrid_core::domain::role::Grant;
use onegrid_core::domain::{AreaPath, StreamId};
use onegrid_core::id::{AreaId, DeviceId, EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::{DirectoryMark, RawEnvelope};
use onegrid_core::wire::pack::PackProof;
use onegrid_core::wire::verdict::Verdict;

/// An envelope with the latest verdict on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEnvelope {
    /// The received bytes.
    pub raw: RawEnvelope,
    /// The record it is about.
    pub record: RecordId,
    /// Hash of its author's certificate.
    pub certificate: Hash,
    /// The latest verdict.
    pub verdict: Verdict,
}

/// An envelope to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewEnvelope<'a> {
    /// The received bytes.
    pub raw: &'a RawEnvelope,
    /// Its hash.
    pub hash: Hash,
    /// The record it is about.
    pub record: RecordId,
    /// Its author.
    pub author: DeviceId,
    /// Hash of the author's certificate, which must be stored.
    pub certificate: Hash,
    /// The verdict.
    pub verdict: Verdict,
}

/// An envelope that is known by a base pack alone: no bytes, no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedEnvelope {
    /// Its id.
    pub id: EnvelopeId,
    /// The record it is about.
    pub record: RecordId,
    /// Its author.
    pub author: DeviceId,
    /// Hash of the author's certificate, which need not be stored.
    pub certificate: Hash,
    /// The verdict.
    pub verdict: Verdict,
}

/// A copy of an envelope that this version can not read, or that builds on one: kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadRow {
    /// The received bytes.
    pub raw: RawEnvelope,
    /// The device that brought it; the bound of what is kept unread counts by it.
    pub device: DeviceId,
    /// When it arrived, server time, ms UTC: what was valid then decides.
    pub since_ms: i64,
    /// Held; or refused, when it could be read at last.
    pub verdict: Verdict,
}

/// Who was given what on which day: the order of the reading log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadingKey {
    /// The day, counted from 1970-01-01, UTC.
    pub day: i64,
    /// The device that it was given to.
    pub device: DeviceId,
    /// The record.
    pub record: RecordId,
}

/// One line of the reading log: ids and times, no word of what the record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingRow {
    /// Day, device, record.
    pub key: ReadingKey,
    /// The member whose device it was.
    pub member: MemberId,
    /// The stream by which it was given.
    pub stream: StreamId,
    /// The first time that day, server time, ms UTC.
    pub first_ms: i64,
}

/// How much something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Envelopes.
    pub envelopes: u64,
    /// Bytes of their headers and bodies.
    pub bytes: u64,
}

/// A pack that a phone gave back, with the server's own signature from before the loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePack {
    /// SHA-256 of the pack.
    pub hash: Hash,
    /// The bytes of the pack.
    pub pack: Vec<u8>,
    /// The signature of its batch.
    pub proof: PackProof,
}

/// A record as lists and rules need it: a projection, rebuilt from its envelopes at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// The record.
    pub id: RecordId,
    /// Code of its kind.
    pub kind: u8,
    /// Code of its audience.
    pub audience: u8,
    /// Where it was born.
    pub home: AreaPath,
    /// When its author made it, by the author's clock, ms UTC.
    pub created_ms: i64,
    /// Whether it is a case that has not ended.
    pub open: bool,
    /// Code of its state; 0 where the kind has none.
    pub state: u8,
    /// Code of its category, where one is known.
    pub category: Option<String>,
    /// Latitude and longitude, WGS-84, 1e-7 degrees.
    pub position: Option<(i32, i32)>,
    /// When the rules have to look at it next, ms UTC.
    pub due_ms: Option<i64>,
    /// Digest over its settled envelopes.
    pub digest: Digest,
    /// Server time of the last change, ms UTC.
    pub changed_ms: i64,
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The last position; 0 in an empty stream.
    pub position: u64,
    /// Sum over its member records.
    pub digest: Digest,
}

/// What one position of a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An envelope of a record that the stream holds or begins to hold with it.
    Envelope(EnvelopeId),
    /// A record with a past joins the stream.
    Add(RecordId),
    /// A record leaves the stream.
    Withdraw(RecordId),
    /// A verdict that changed.
    Verdict(EnvelopeId),
    /// An entry of the directory.
    Directory(Vec<u8>),
    /// A summary for everybody enrolled in the village.
    Bulletin(Vec<u8>),
}

/// An entry to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// What it says.
    pub entry: Entry,
    /// What it adds to the digest of the stream (wrapping; the negative of a record's digest when that
    /// leaves).
    pub adds: Digest,
}

/// An entry at its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// The position.
    pub position: u64,
    /// What it says.
    pub entry: Entry,
    /// Digest of the stream after it.
    pub digest: Digest,
}

/// How far the first load of a stream has got. Open cases come first, in both phases the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadKey {
    /// Phase 1 walks over open cases, phase 2 over everything else.
    pub rest: bool,
    /// Creation of the last record that was sent, ms UTC.
    pub created_ms: i64,
    /// The last record that was sent.
    pub record: RecordId,
}

impl LoadKey {
    /// All open cases have been sent, and nothing of the rest.
    pub const REST: Self = Self {
        rest: true,
        created_ms: i64::MAX,
        record: RecordId([0xff; 16]),
    };
}

/// How a stream holds a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Position from which the stream holds it.
    pub since: u64,
    /// Whether it is an open case.
    pub open: bool,
    /// Position from which `open` is what it is.
    pub turned_at: u64,
    /// Its creation, ms UTC.
    pub created_ms: i64,
}

impl Holding {
    /// Whether a load of the stream that began at a position and has come to a key has brought the record, for
    /// certain: in doubt it has not.
    #[must_use]
    pub fn brought_by(&self, record: RecordId, began: u64, key: &LoadKey) -> bool {
        if self.since > began || self.turned_at > began {
            return false;
        }
        match (self.open, key.rest) {
            (true, true) => true,
            (false, false) => false,
            _ => key.created_ms < self.created_ms || key.record == record,
        }
    }
}

/// One record of a first load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadRow {
    /// Key to resume after this one.
    pub key: LoadKey,
    /// Digest of the record now.
    pub digest: Digest,
}

/// A record of a stream, as set reconciliation compares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamItem {
    /// Creation, ms UTC.
    pub created_ms: i64,
    /// The record.
    pub record: RecordId,
    /// Its digest.
    pub digest: Digest,
}

/// What a directory or bulletin stream says now about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentEntry {
    /// Where the thing was first spoken of.
    pub position: u64,
    /// The bytes of the entry.
    pub data: Vec<u8>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The person.
    pub id: MemberId,
    /// The name that colleagues see.
    pub public_name: Option<String>,
    /// The area whose directory carries the name.
    pub area: AreaId,
    /// What certificates of this person's devices are issued with.
    pub grants: Vec<Grant>,
    /// Where the directory stood when the grants last changed.
    pub granted_at: DirectoryMark,
    /// Server time of the last change, ms UTC.
    pub changed_ms: i64,
}

/// An enrolled device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// The device.
    pub id: DeviceId,
    /// Its public key.
    pub public_key: [u8; 32],
    /// Its member; the server's own author has none.
    pub member: Option<MemberId>,
    /// Hash of its newest certificate.
    pub certificate: Hash,
    /// Server time of the enrolment, ms UTC.
    pub enrolled_ms: i64,
    /// Server time of the revocation, ms UTC.
    pub revoked_ms: Option<i64>,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationRow {
    /// Its id.
    pub id: [u8; 16],
    /// The signed invitation and for whom it is, as the registry writes it.
    pub data: Vec<u8>,
    /// Until when it may be redeemed, ms UTC.
    pub expires_ms: i64,
    /// Which device redeemed it.
    pub redeemed_by: Option<DeviceId>,
    /// When, server time, ms UTC.
    pub redeemed_ms: Option<i64>,
}

/// An envelope that waits, or waited, for review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRow {
    /// The envelope.
    pub envelope: EnvelopeId,
    /// Since when, server time, ms UTC.
    pub since_ms: i64,
    /// The decision, with its server time (ms UTC) and who took it.
    pub decided: Option<(i64, bool, String)>,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Number, from 1, without gaps.
    pub no: u64,
    /// Server time, ms UTC.
    pub at_ms: i64,
    /// Who: id of a device or member, `admin` or `server`.
    pub actor: String,
    /// What, as a stable code `area.action`.
    pub action: String,
    /// On what: ids, never names.
    pub subject: String,
    /// SHA-256 over the hash of the line before and this line.
    pub hash: Hash,
}

/// The set of cursors that a device was last given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorsRow {
    /// Hash of the set.
    pub hash: Hash,
    /// The set, encoded.
    pub cursors: Vec<u8>,
}

/// An open session.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: [u8; 16],
    /// Whose it is.
    pub device: DeviceId,
    /// The key of its message codes.
    pub secret: [u8; 32],
    /// Until when, ms UTC.
    pub expires_ms: i64,
}

impl std::fmt::Debug for SessionRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SessionRow(device {}, until {})",
            self.device, self.expires_ms
        )
    }
}

/// How much there is, for `status` and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records.
    pub records: u64,
    /// Records that are open cases.
    pub open: u64,
    /// Envelopes.
    pub envelopes: u64,
    /// Envelopes that await review.
    pub held: u64,
    /// Devices that are enrolled and not revoked.
    pub devices: u64,
    /// Members.
    pub members: u64,
    /// Streams.
    pub streams: u64,
}
