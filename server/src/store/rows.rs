//! Typed rows of the store, independent of any backend.

use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::domain::role::Grant;
use onegrid_core::domain::{AreaPath, StreamId};
use onegrid_core::id::{AreaId, DeviceId, EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::pack::PackProof;
use onegrid_core::wire::parcel::ParcelOutcome;
use onegrid_core::wire::verdict::Verdict;

/// A stored envelope with its latest verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEnvelope {
    /// Bytes as they arrived.
    pub raw: RawEnvelope,
    /// Record of the envelope.
    pub record: RecordId,
    /// Hash of the author's certificate.
    pub certificate: Hash,
    /// Latest verdict on the envelope.
    pub verdict: Verdict,
}

/// An envelope to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewEnvelope<'a> {
    /// Bytes as they arrived.
    pub raw: &'a RawEnvelope,
    /// Hash over header and body.
    pub hash: Hash,
    /// Record of the envelope.
    pub record: RecordId,
    /// Device that signed the envelope.
    pub author: DeviceId,
    /// Hash of the author's certificate, which must be stored.
    pub certificate: Hash,
    /// Verdict on the envelope.
    pub verdict: Verdict,
}

/// An envelope that only a base pack lists: it has no bytes and no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedEnvelope {
    /// Id in the pack.
    pub id: EnvelopeId,
    /// Record of the envelope.
    pub record: RecordId,
    /// Device that signed the envelope.
    pub author: DeviceId,
    /// Hash of the author's certificate, which need not be stored.
    pub certificate: Hash,
    /// Verdict on the envelope.
    pub verdict: Verdict,
}

/// A copy of an envelope that this version cannot read, or that builds on such an envelope. It is kept as it
/// arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadRow {
    /// Bytes as they arrived.
    pub raw: RawEnvelope,
    /// Device that sent the copy; the limits on unread envelopes count by it.
    pub device: DeviceId,
    /// Server time of arrival, ms UTC. The later judgement uses the rules of this time.
    pub since_ms: i64,
    /// Held; or refused after it could be read at last.
    pub verdict: Verdict,
}

/// Key and order of the reading log: one line for each day, device and record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadingKey {
    /// Day, counted from 1970-01-01, UTC.
    pub day: i64,
    /// Device that received the record.
    pub device: DeviceId,
    /// Record that the device received.
    pub record: RecordId,
}

/// One line of the reading log: ids and times, without content of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingRow {
    /// Day, device and record.
    pub key: ReadingKey,
    /// Member of the device at that time.
    pub member: MemberId,
    /// Stream that delivered the record.
    pub stream: StreamId,
    /// First delivery on that day, server time, ms UTC.
    pub first_ms: i64,
}

/// A number of envelopes and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Number of envelopes.
    pub envelopes: u64,
    /// Bytes of their headers and bodies.
    pub bytes: u64,
}

/// A parcel that a courier brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParcelRow {
    /// SHA-256 of the sealed bytes.
    pub hash: Hash,
    /// The day of its arrival, counted from 1970-01-01, UTC.
    pub day: i64,
    /// The device that brought it.
    pub courier: DeviceId,
    /// Sealed bytes.
    pub bytes: u64,
    /// Its end.
    pub outcome: ParcelOutcome,
}

/// A number of parcels and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParcelAmount {
    /// Number of parcels.
    pub parcels: u64,
    /// Sealed bytes.
    pub bytes: u64,
}

/// A pack that a phone gave back, with the server's own signature from before the loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePack {
    /// SHA-256 of the pack.
    pub hash: Hash,
    /// Bytes of the pack.
    pub pack: Vec<u8>,
    /// Signature over the batch that contained the pack.
    pub proof: PackProof,
}

/// A record as lists and rules need it. This projection can be rebuilt from the record's envelopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// Id of the record.
    pub id: RecordId,
    /// Code of its kind.
    pub kind: u8,
    /// Code of its audience.
    pub audience: u8,
    /// Area where it was created.
    pub home: AreaPath,
    /// Creation, by the author's clock, ms UTC.
    pub created_ms: i64,
    /// Whether it is a case that has not ended, or another record whose steps have not, such as a planned visit.
    pub open: bool,
    /// Code of its state; 0 for kinds without states.
    pub state: u8,
    /// Code of its category, if known.
    pub category: Option<String>,
    /// Latitude and longitude, WGS-84, 1e-7 degrees.
    pub position: Option<(i32, i32)>,
    /// Next check by the rules, ms UTC.
    pub due_ms: Option<i64>,
    /// Digest over its settled envelopes.
    pub digest: Digest,
    /// Server time of the last change, ms UTC.
    pub changed_ms: i64,
    /// The record that it is a duplicate of.
    pub merged_into: Option<RecordId>,
}

/// Newest position of a stream, and the digest there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The last position; 0 in an empty stream.
    pub position: u64,
    /// Sum of the digests of the records in the stream.
    pub digest: Digest,
}

/// Content of one position of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An envelope of a record that the stream holds, or holds from this position.
    Envelope(EnvelopeId),
    /// A record with earlier envelopes joins the stream.
    Add(RecordId),
    /// A record leaves the stream.
    Withdraw(RecordId),
    /// The verdict on an envelope changed.
    Verdict(EnvelopeId),
    /// A signed entry of the directory.
    Directory(Vec<u8>),
    /// A summary for all members enrolled in the village.
    Bulletin(Vec<u8>),
}

/// An entry to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Content of the entry.
    pub entry: Entry,
    /// Addition to the digest of the stream (wrapping). If a record leaves, it is the negative of the
    /// record's digest.
    pub adds: Digest,
}

/// An entry at its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// Position in the stream, from 1.
    pub position: u64,
    /// Content of the entry.
    pub entry: Entry,
    /// Digest of the stream after this entry.
    pub digest: Digest,
}

/// Progress of a stream's first load. Open records precede all others, and each phase begins with the newest
/// record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadKey {
    /// False in phase 1, which covers open records; true in phase 2, which covers all others.
    pub rest: bool,
    /// Creation of the last record that was sent, ms UTC.
    pub created_ms: i64,
    /// The last record that was sent.
    pub record: RecordId,
}

impl LoadKey {
    /// Key after all open records, before the first other one.
    pub const REST: Self = Self {
        rest: true,
        created_ms: i64::MAX,
        record: RecordId([0xff; 16]),
    };
}

/// State of a record in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Position where the stream began to hold the record.
    pub since: u64,
    /// Whether the record is open.
    pub open: bool,
    /// Position of the last change of `open`.
    pub turned_at: u64,
    /// Creation of the record, ms UTC.
    pub created_ms: i64,
}

impl Holding {
    /// Whether a load that began at position `began` and has reached `key` has certainly sent the record. In
    /// doubt, returns false.
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
    /// Key to resume the load after this record.
    pub key: LoadKey,
    /// Present digest of the record.
    pub digest: Digest,
}

/// A record of a stream, as set reconciliation compares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamItem {
    /// Creation of the record, ms UTC.
    pub created_ms: i64,
    /// The record; set reconciliation orders by creation, then by this id.
    pub record: RecordId,
    /// Present digest of the record.
    pub digest: Digest,
}

/// The current entry under a name in a directory or bulletin stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentEntry {
    /// Position of the first entry under this name.
    pub position: u64,
    /// Bytes of the newest entry.
    pub data: Vec<u8>,
}

/// A member of the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// OneGrid's id of the person, not the office's.
    pub id: MemberId,
    /// Name that colleagues see; `None` if the directory has none.
    pub public_name: Option<String>,
    /// Area whose directory carries the name.
    pub area: AreaId,
    /// Grants for new certificates of the member's devices.
    pub grants: Vec<Grant>,
    /// Mark of the directory at the last change of the grants.
    pub granted_at: DirectoryMark,
    /// Server time of the last change of the grants, ms UTC.
    pub changed_ms: i64,
    /// Server time when the member was switched off, ms UTC.
    pub disabled_ms: Option<i64>,
}

/// The account of an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminRow {
    /// Name that the audit log has.
    pub name: String,
    /// Roles as bits; the registry gives them their meaning.
    pub roles: u8,
    /// Server time of its first roles, ms UTC.
    pub added_ms: i64,
    /// Server time when it was switched off, ms UTC.
    pub disabled_ms: Option<i64>,
}

/// An enrolled device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Id, derived from the public key.
    pub id: DeviceId,
    /// Ed25519 key that verifies the device's signatures.
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

/// An invitation, redeemed or open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationRow {
    /// Id, derived from the invitation's public key.
    pub id: [u8; 16],
    /// Invitation with its member, encoded by the registry.
    pub data: Vec<u8>,
    /// Last time for redemption, ms UTC.
    pub expires_ms: i64,
    /// Device that redeemed it.
    pub redeemed_by: Option<DeviceId>,
    /// Server time of the redemption, ms UTC.
    pub redeemed_ms: Option<i64>,
}

/// An envelope that waits for review or was reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRow {
    /// Envelope under review.
    pub envelope: EnvelopeId,
    /// Server time of its hold, ms UTC.
    pub since_ms: i64,
    /// The decision: its server time (ms UTC), whether the envelope was accepted, and the deciding person.
    pub decided: Option<(i64, bool, String)>,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Number, from 1, without gaps.
    pub no: u64,
    /// Server time, ms UTC.
    pub at_ms: i64,
    /// Actor: id of a device or member, name of an administrator, `os:` and a user of the machine, or `server`.
    pub actor: String,
    /// Action as a stable code `area.action`.
    pub action: String,
    /// Subject as an id, never a name.
    pub subject: String,
    /// SHA-256 over the previous line's hash and this line.
    pub hash: Hash,
}

impl AuditRow {
    /// The id of the subject. Details may follow it after a blank.
    #[must_use]
    pub fn subject_id(&self) -> &str {
        self.subject.split(' ').next().unwrap_or_default()
    }
}

/// A version of a template of checklists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRow {
    /// Stable id of the template.
    pub id: String,
    /// Its version, from 1.
    pub version: u32,
    /// Canonical bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of the canonical bytes.
    pub hash: Hash,
    /// Server time of the import, ms UTC.
    pub imported_ms: i64,
    /// Actor of the import: `admin` or `server`.
    pub imported_by: String,
}

/// Names a photo or recording: the record that it belongs to, and the hash of its salt and bytes. A file that
/// two records show has two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttachmentKey {
    /// Record that it belongs to.
    pub record: RecordId,
    /// Hash of the salt and the bytes.
    pub id: Hash,
}

/// The description of a photo or recording, as an event of its record carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// Record and id.
    pub key: AttachmentKey,
    /// Envelope of the event.
    pub envelope: EnvelopeId,
    /// Device that signed the envelope.
    pub author: DeviceId,
    /// Code of the media type.
    pub media: u8,
    /// Length of the file, bytes.
    pub bytes: u64,
    /// Salt of the id.
    pub salt: [u8; 16],
}

/// A photo or recording whose whole file is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachmentFile {
    /// Record and id.
    pub key: AttachmentKey,
    /// Code of the media type.
    pub media: u8,
    /// Length of the file, bytes.
    pub bytes: u64,
    /// Salt of the id.
    pub salt: [u8; 16],
    /// Server time when the file was whole, ms UTC.
    pub stored_ms: i64,
}

/// A whole file of a record, by an accepted description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordFile {
    /// Hash of the salt and the bytes.
    pub id: Hash,
    /// Length of the file, bytes.
    pub bytes: u64,
    /// Envelope of the description.
    pub envelope: EnvelopeId,
}

/// A number of current entries of a stream and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EntriesAmount {
    /// Number of entries.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A file that a device sends piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadRow {
    /// Device that sends it.
    pub device: DeviceId,
    /// Record and id.
    pub key: AttachmentKey,
    /// Length of the whole file, bytes.
    pub bytes: u64,
    /// Bytes that survive a power cut.
    pub durable: u64,
    /// Server time of its beginning, ms UTC.
    pub begun_ms: i64,
    /// Server time of the last progress, ms UTC.
    pub touched_ms: i64,
}

/// A number of files and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UploadAmount {
    /// Number of files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The newest cursor set that a device was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorsRow {
    /// Hash of the set; the device names the set by it.
    pub hash: Hash,
    /// The encoded set.
    pub cursors: Vec<u8>,
}

/// An open session.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Id that each request names in a header.
    pub id: [u8; 16],
    /// Device that opened the session.
    pub device: DeviceId,
    /// Key for the message authentication codes of its requests.
    pub secret: [u8; 32],
    /// End of the session, ms UTC.
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

/// Counts over the store, for `status` and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Number of records.
    pub records: u64,
    /// Number of open records: cases that have not ended, and visits.
    pub open: u64,
    /// Number of envelopes.
    pub envelopes: u64,
    /// Number of envelopes that await review.
    pub held: u64,
    /// Number of enrolled devices that are not revoked.
    pub devices: u64,
    /// Number of members.
    pub members: u64,
    /// Number of streams.
    pub streams: u64,
}
