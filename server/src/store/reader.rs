//! All queries to a store.

use onegrid_core::domain::form::TemplateId;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::parcel::ParcelOutcome;
use onegrid_core::wire::verdict::{Status, Verdict};

use super::{
    AdminRow, Amount, AttachmentFile, AttachmentKey, AuditRow, BasePack, Counts, CurrentEntry,
    CursorsRow, Description, DeviceRow, EntriesAmount, FeedRow, Head, Holding, InvitationRow,
    LoadKey, LoadRow, MemberRow, ParcelAmount, ReadingKey, ReadingRow, RecordFile, RecordRow,
    ReviewRow, SessionRow, StoreResult, StoredEnvelope, StreamItem, TemplateRow, UnreadRow,
    UploadAmount, UploadRow,
};

/// One consistent snapshot. Inside a job it also includes the job's own writes.
pub trait Reader {
    /// Value of one of the store's notes, such as generation or policy.
    fn meta(&self, name: &str) -> StoreResult<Option<Vec<u8>>>;

    /// Certificate with this hash.
    fn certificate(&self, hash: Hash) -> StoreResult<Option<RawCertificate>>;
    /// Certificates of the authors of a record's settled envelopes.
    fn certificates_of(&self, record: RecordId) -> StoreResult<Vec<Hash>>;
    /// Certificates that a stream first needs at a position in `after + 1 ..= through`.
    fn stream_certificates(
        &self,
        stream: StreamId,
        after: u64,
        through: u64,
    ) -> StoreResult<Vec<Hash>>;

    /// Hash and latest verdict of an envelope, readable or not. The hash is `None` if only a base pack lists
    /// the envelope. An envelope that is only kept unread counts as held while one of its copies is held.
    fn verdict(&self, id: EnvelopeId) -> StoreResult<Option<(Option<Hash>, Verdict)>>;
    /// Record of an envelope, even if the envelope's bytes are missing.
    fn record_of(&self, id: EnvelopeId) -> StoreResult<Option<RecordId>>;
    /// Amount of stored envelopes of a record, with any verdict.
    fn stored(&self, record: RecordId) -> StoreResult<Amount>;
    /// The same amount for each author of the record.
    fn stored_by_author(&self, record: RecordId) -> StoreResult<Vec<(DeviceId, Amount)>>;
    /// Base packs of a record that phones gave back.
    fn base_packs(&self, record: RecordId) -> StoreResult<Vec<BasePack>>;
    /// Envelope with its bytes; `None` if the bytes are missing.
    fn envelope(&self, id: EnvelopeId) -> StoreResult<Option<StoredEnvelope>>;
    /// All envelopes of a record whose bytes are stored, in the order of storing.
    fn envelopes(&self, record: RecordId) -> StoreResult<Vec<StoredEnvelope>>;
    /// Settled envelopes of a record with their latest verdicts, in the order of storing.
    fn settled(&self, record: RecordId) -> StoreResult<Vec<(EnvelopeId, Verdict)>>;
    /// Ids of a record's settled envelopes, in the order of storing.
    fn settled_ids(&self, record: RecordId) -> StoreResult<Vec<EnvelopeId>> {
        let settled = self.settled(record)?;
        Ok(settled.into_iter().map(|(id, _)| id).collect())
    }

    /// The stored copy of an unreadable envelope with these bytes and this signature.
    fn unread(&self, copy: &RawEnvelope) -> StoreResult<Option<UnreadRow>>;
    /// Held unreadable envelopes after a number, each with its number, in the order of storing, at most
    /// `count_max`.
    fn unread_held(&self, after: u64, count_max: usize) -> StoreResult<Vec<(u64, UnreadRow)>>;
    /// Amount of held unreadable envelopes that a device sent.
    fn unread_of(&self, device: DeviceId) -> StoreResult<Amount>;

    /// Projection of a record.
    fn record(&self, id: RecordId) -> StoreResult<Option<RecordRow>>;
    /// Records after the given id, in the order of their ids, at most `count_max`.
    fn records(&self, after: Option<RecordId>, count_max: usize) -> StoreResult<Vec<RecordRow>>;
    /// Open records after the given id, in the order of their ids, at most `count_max`.
    fn records_open(&self, after: Option<RecordId>, count_max: usize)
    -> StoreResult<Vec<RecordId>>;
    /// Records with a due check by the rules, the most urgent first, at most `count_max`.
    fn records_due(&self, now_ms: i64, count_max: usize) -> StoreResult<Vec<RecordId>>;
    /// Records that are merged into this one, in the order of their ids, at most `count_max`.
    fn records_merged_into(&self, id: RecordId, count_max: usize) -> StoreResult<Vec<RecordId>>;
    /// Streams that hold a record.
    fn record_streams(&self, id: RecordId) -> StoreResult<Vec<StreamId>>;
    /// Compacted past of a record, if it was stored for this digest.
    fn pack(&self, id: RecordId, digest: Digest) -> StoreResult<Option<Vec<u8>>>;

    /// Head of a stream; an unknown stream is empty.
    fn head(&self, stream: StreamId) -> StoreResult<Head>;
    /// Positions of the heads of these streams, in their order; 0 for an unknown one.
    fn heads(&self, streams: &[StreamId]) -> StoreResult<Vec<u64>> {
        let heads = streams.iter().map(|stream| self.head(*stream));
        heads.map(|head| Ok(head?.position)).collect()
    }
    /// All streams with at least one entry.
    fn streams(&self) -> StoreResult<Vec<StreamId>>;
    /// Entries after a position, at most `count_max`.
    fn feed(&self, stream: StreamId, after: u64, count_max: usize) -> StoreResult<Vec<FeedRow>>;
    /// Digest after a position; at position 0 the empty digest.
    fn digest_at(&self, stream: StreamId, position: u64) -> StoreResult<Option<Digest>>;
    /// Next records of a first load that began when the stream was at position `began_at`.
    fn load(
        &self,
        stream: StreamId,
        began_at: u64,
        after: Option<LoadKey>,
        count_max: usize,
    ) -> StoreResult<Vec<LoadRow>>;
    /// All records of a stream.
    fn stream_items(&self, stream: StreamId) -> StoreResult<Vec<StreamItem>>;
    /// State of a record in the stream; `None` if the stream does not hold it.
    fn holding(&self, stream: StreamId, record: RecordId) -> StoreResult<Option<Holding>>;
    /// Position where the stream began to hold a record; `None` if it does not hold it.
    fn held_since(&self, stream: StreamId, record: RecordId) -> StoreResult<Option<u64>> {
        Ok(self.holding(stream, record)?.map(|holding| holding.since))
    }
    /// Certificates of a record's authors that readers of the stream may see.
    fn shown(&self, stream: StreamId, record: RecordId) -> StoreResult<Vec<Hash>>;
    /// Current entries of a directory or bulletin stream after a position, at most `count_max`.
    fn current(
        &self,
        stream: StreamId,
        after: u64,
        count_max: usize,
    ) -> StoreResult<Vec<CurrentEntry>>;
    /// Amount of current entries after a position, counted over at most `count_max`.
    fn current_amount(
        &self,
        stream: StreamId,
        after: u64,
        count_max: usize,
    ) -> StoreResult<EntriesAmount>;
    /// Current entry under a name.
    fn current_of(&self, stream: StreamId, name: &[u8]) -> StoreResult<Option<CurrentEntry>>;

    /// Member with this id.
    fn member(&self, id: MemberId) -> StoreResult<Option<MemberRow>>;
    /// All members, in the order of their ids.
    fn members(&self) -> StoreResult<Vec<MemberRow>>;
    /// The id that the office uses for a member or unit, if an import brought it.
    fn external_id(&self, id: [u8; 16]) -> StoreResult<Option<String>>;
    /// Accounts of administrators, in the order of their names.
    fn admins(&self) -> StoreResult<Vec<AdminRow>>;
    /// Device with this id.
    fn device(&self, id: DeviceId) -> StoreResult<Option<DeviceRow>>;
    /// All devices, in the order of their ids.
    fn devices(&self) -> StoreResult<Vec<DeviceRow>>;
    /// Ids of all revoked devices.
    fn revoked(&self) -> StoreResult<Vec<DeviceId>>;
    /// All devices of a member, revoked ones included.
    fn devices_of(&self, member: MemberId) -> StoreResult<Vec<DeviceRow>>;

    /// Invitation with this id, redeemed or not.
    fn invitation(&self, id: [u8; 16]) -> StoreResult<Option<InvitationRow>>;
    /// Invitations after an id, in the order of their ids, at most `count_max`.
    fn invitations(
        &self,
        after: Option<[u8; 16]>,
        count_max: usize,
    ) -> StoreResult<Vec<InvitationRow>>;
    /// Review of an envelope, open or decided.
    fn review(&self, id: EnvelopeId) -> StoreResult<Option<ReviewRow>>;
    /// Open reviews, the oldest first, at most `count_max`.
    fn reviews_open(&self, count_max: usize) -> StoreResult<Vec<ReviewRow>>;
    /// Lines of the audit log after a number, at most `count_max`.
    fn audit(&self, after: u64, count_max: usize) -> StoreResult<Vec<AuditRow>>;
    /// Newest line of the audit log.
    fn audit_last(&self) -> StoreResult<Option<AuditRow>>;
    /// Lines of the reading log after a key, at most `count_max`.
    fn readings(&self, after: ReadingKey, count_max: usize) -> StoreResult<Vec<ReadingRow>>;
    /// A version of a template.
    fn template(&self, id: &TemplateId, version: u32) -> StoreResult<Option<TemplateRow>>;
    /// The newest version of a template.
    fn newest_template(&self, id: &TemplateId) -> StoreResult<Option<TemplateRow>>;
    /// Versions of templates after an id and version, in the order of both, at most `count_max`.
    fn templates(&self, after: (&str, u32), count_max: usize) -> StoreResult<Vec<TemplateRow>>;
    /// Stored amount from a device on a day (counted from 1970-01-01, UTC).
    fn written(&self, day: i64, device: DeviceId) -> StoreResult<Amount>;
    /// The outcome of a parcel that a courier brought.
    fn parcel_outcome(&self, hash: Hash) -> StoreResult<Option<ParcelOutcome>>;
    /// The parcels that a courier brought on a day, whatever their outcomes.
    fn parcels_brought(&self, day: i64, courier: DeviceId) -> StoreResult<ParcelAmount>;

    /// Descriptions of a photo or recording with the status of each, in the order of storing.
    fn descriptions(&self, key: AttachmentKey) -> StoreResult<Vec<(Description, Status)>>;
    /// A photo or recording whose whole file is here.
    fn attachment_file(&self, key: AttachmentKey) -> StoreResult<Option<AttachmentFile>>;
    /// Whole files of a record with each of their accepted descriptions, in the order of their ids.
    fn record_files(&self, record: RecordId) -> StoreResult<Vec<RecordFile>>;
    /// Files after a key, in the order of their keys, at most `count_max`.
    fn attachment_files(
        &self,
        after: Option<AttachmentKey>,
        count_max: usize,
    ) -> StoreResult<Vec<AttachmentFile>>;
    /// Orphans after a key with the time of their first sight, in the order of their keys, at most `count_max`.
    fn attachment_orphans(
        &self,
        after: Option<AttachmentKey>,
        count_max: usize,
    ) -> StoreResult<Vec<(AttachmentKey, i64)>>;
    /// The upload of a file by a device.
    fn upload(&self, device: DeviceId, key: AttachmentKey) -> StoreResult<Option<UploadRow>>;
    /// All uploads of a device, the least recently touched first.
    fn uploads_of(&self, device: DeviceId) -> StoreResult<Vec<UploadRow>>;
    /// Uploads last touched before this time, the least recently touched first, at most `count_max`.
    fn uploads_before(
        &self,
        touched_before_ms: i64,
        count_max: usize,
    ) -> StoreResult<Vec<UploadRow>>;
    /// Amount that a device uploaded on a day (counted from 1970-01-01, UTC).
    fn uploaded(&self, day: i64, device: DeviceId) -> StoreResult<UploadAmount>;

    /// Newest cursor set that a device was given.
    fn cursors(&self, device: DeviceId) -> StoreResult<Option<CursorsRow>>;
    /// Session with this id, even if it has ended.
    fn session(&self, id: [u8; 16]) -> StoreResult<Option<SessionRow>>;
    /// Counts over the whole store.
    fn counts(&self) -> StoreResult<Counts>;
}
