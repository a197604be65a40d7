//! Everything that can be asked of a store.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::Verdict;

use super::{
    Amount, AuditRow, BasePack, Counts, CurrentEntry, CursorsRow, DeviceRow, FeedRow, Head,
    Holding, InvitationRow, LoadKey, LoadRow, MemberRow, ReadingKey, ReadingRow, RecordRow,
    ReviewRow, SessionRow, StoreResult, StoredEnvelope, StreamItem, UnreadRow,
};

/// One consistent snapshot. Inside a job it also sees what the job has written.
pub trait Reader {
    /// A value of the store's own notes: generation, keys, rules.
    fn meta(&self, name: &str) -> StoreResult<Option<Vec<u8>>>;

    /// A certificate.
    fn certificate(&self, hash: Hash) -> StoreResult<Option<RawCertificate>>;
    /// The certificates of the authors of a record's settled envelopes.
    fn certificates_of(&self, record: RecordId) -> StoreResult<Vec<Hash>>;
    /// The certificates that a stream first needs at a position in `after + 1 ..= through`.
    fn stream_certificates(
        &self,
        stream: StreamId,
        after: u64,
        through: u64,
    ) -> StoreResult<Vec<Hash>>;

    /// Hash and latest verdict of an envelope, whether or not it could be read; no hash where it is known by a
    /// base pack alone. Where it is only kept unread, it is held as long as one of its copies is.
    fn verdict(&self, id: EnvelopeId) -> StoreResult<Option<(Option<Hash>, Verdict)>>;
    /// The record of an envelope, whether or not its bytes are here.
    fn record_of(&self, id: EnvelopeId) -> StoreResult<Option<RecordId>>;
    /// How many envelopes of a record are stored, whatever their verdicts.
    fn entries(&self, record: RecordId) -> StoreResult<usize>;
    /// The packs on which a record that phones gave back stands.
    fn base_packs(&self, record: RecordId) -> StoreResult<Vec<BasePack>>;
    /// An envelope with its bytes.
    fn envelope(&self, id: EnvelopeId) -> StoreResult<Option<StoredEnvelope>>;
    /// Every envelope of a record whose bytes are stored, in the order of storing.
    fn envelopes(&self, record: RecordId) -> StoreResult<Vec<StoredEnvelope>>;
    /// A record's settled envelopes with the latest verdict on each, in the order of storing.
    fn settled(&self, record: RecordId) -> StoreResult<Vec<(EnvelopeId, Verdict)>>;
    /// Their ids.
    fn settled_ids(&self, record: RecordId) -> StoreResult<Vec<EnvelopeId>> {
        let settled = self.settled(record)?;
        Ok(settled.into_iter().map(|(id, _)| id).collect())
    }

    /// A copy of an envelope that could not be read, by its bytes and its signature.
    fn unread(&self, copy: &RawEnvelope) -> StoreResult<Option<UnreadRow>>;
    /// What waits unread, in the order of storing, each with its number; after a number, at most `count_max`.
    fn unread_held(&self, after: u64, count_max: usize) -> StoreResult<Vec<(u64, UnreadRow)>>;
    /// How much waits unread that a device brought.
    fn unread_of(&self, device: DeviceId) -> StoreResult<Amount>;

    /// The projection of a record.
    fn record(&self, id: RecordId) -> StoreResult<Option<RecordRow>>;
    /// Records in the order of their ids, after the given one, at most `count_max`.
    fn records(&self, after: Option<RecordId>, count_max: usize) -> StoreResult<Vec<RecordRow>>;
    /// Records that the rules have to look at by now, the most urgent first.
    fn records_due(&self, now_ms: i64, count_max: usize) -> StoreResult<Vec<RecordId>>;
    /// The streams that hold a record.
    fn record_streams(&self, id: RecordId) -> StoreResult<Vec<StreamId>>;
    /// The compacted past of a record, if it was kept for this digest.
    fn pack(&self, id: RecordId, digest: Digest) -> StoreResult<Option<Vec<u8>>>;

    /// Where a stream stands; an unknown one is empty.
    fn head(&self, stream: StreamId) -> StoreResult<Head>;
    /// Every stream with something in it.
    fn streams(&self) -> StoreResult<Vec<StreamId>>;
    /// Entries after a position, at most `count_max`.
    fn feed(&self, stream: StreamId, after: u64, count_max: usize) -> StoreResult<Vec<FeedRow>>;
    /// The digest after a position; of position 0 that of nothing.
    fn digest_at(&self, stream: StreamId, position: u64) -> StoreResult<Option<Digest>>;
    /// The next records of a first load that began when the stream stood at `began_at`.
    fn load(
        &self,
        stream: StreamId,
        began_at: u64,
        after: Option<LoadKey>,
        count_max: usize,
    ) -> StoreResult<Vec<LoadRow>>;
    /// Every record of a stream.
    fn stream_items(&self, stream: StreamId) -> StoreResult<Vec<StreamItem>>;
    /// How the stream holds the record; `None` when it does not now.
    fn holding(&self, stream: StreamId, record: RecordId) -> StoreResult<Option<Holding>>;
    /// Since which position.
    fn held_since(&self, stream: StreamId, record: RecordId) -> StoreResult<Option<u64>> {
        Ok(self.holding(stream, record)?.map(|holding| holding.since))
    }
    /// The certificates of a record's authors that the readers of the stream may see.
    fn shown(&self, stream: StreamId, record: RecordId) -> StoreResult<Vec<Hash>>;
    /// What a directory or bulletin stream says now, of positions after the given one, at most `count_max`.
    fn current(
        &self,
        stream: StreamId,
        after: u64,
        count_max: usize,
    ) -> StoreResult<Vec<CurrentEntry>>;
    /// What it says now about one thing.
    fn current_of(&self, stream: StreamId, name: &[u8]) -> StoreResult<Option<CurrentEntry>>;

    /// A member.
    fn member(&self, id: MemberId) -> StoreResult<Option<MemberRow>>;
    /// All members, in the order of their ids.
    fn members(&self) -> StoreResult<Vec<MemberRow>>;
    /// A device.
    fn device(&self, id: DeviceId) -> StoreResult<Option<DeviceRow>>;
    /// All devices, in the order of their ids.
    fn devices(&self) -> StoreResult<Vec<DeviceRow>>;
    /// The devices that are revoked.
    fn revoked(&self) -> StoreResult<Vec<DeviceId>>;
    /// The devices of a member.
    fn devices_of(&self, member: MemberId) -> StoreResult<Vec<DeviceRow>>;

    /// An invitation.
    fn invitation(&self, id: [u8; 16]) -> StoreResult<Option<InvitationRow>>;
    /// One envelope's review.
    fn review(&self, id: EnvelopeId) -> StoreResult<Option<ReviewRow>>;
    /// What awaits review, the oldest first, at most `count_max`.
    fn reviews_open(&self, count_max: usize) -> StoreResult<Vec<ReviewRow>>;
    /// Lines of the audit log after a number, at most `count_max`.
    fn audit(&self, after: u64, count_max: usize) -> StoreResult<Vec<AuditRow>>;
    /// The last line of the audit log.
    fn audit_last(&self) -> StoreResult<Option<AuditRow>>;
    /// Lines of the reading log after one, at most `count_max`.
    fn readings(&self, after: ReadingKey, count_max: usize) -> StoreResult<Vec<ReadingRow>>;
    /// How much a device wrote on a day (counted from 1970-01-01, UTC) that was stored.
    fn written(&self, day: i64, device: DeviceId) -> StoreResult<Amount>;
    /// The cursors that a device was last given.
    fn cursors(&self, device: DeviceId) -> StoreResult<Option<CursorsRow>>;
    /// A session.
    fn session(&self, id: [u8; 16]) -> StoreResult<Option<SessionRow>>;
    /// How much there is.
    fn counts(&self) -> StoreResult<Counts>;
}
