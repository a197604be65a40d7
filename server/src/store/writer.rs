//! All changes to a store, inside one transaction.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::Verdict;

use super::{
    AdminRow, Amount, AttachmentFile, AttachmentKey, AuditRow, BasePack, CursorsRow, Description,
    DeviceRow, Head, InvitationRow, MemberRow, NewEntry, NewEnvelope, PackedEnvelope, ParcelAmount,
    ParcelRow, Reader, ReadingRow, RecordRow, ReviewRow, SessionRow, StoreResult, TemplateRow,
    UnreadRow, UploadAmount, UploadRow,
};

/// New signatures for what the server keeps, after its keys have changed.
pub trait Renewals {
    /// The certificate under a key of today; `None` where it has one.
    fn certificate(&self, raw: &RawCertificate) -> Option<RawCertificate>;

    /// The bytes of a directory entry under a key of today; `None` where they have one.
    fn entry(&self, bytes: &[u8]) -> Option<Vec<u8>>;
}

/// Rows that a job will ask for or write.
#[derive(Debug, Clone, Default)]
pub struct Ahead {
    /// Names of notes.
    pub notes: Vec<&'static str>,
    /// Hashes of certificates.
    pub certificates: Vec<Hash>,
    /// Records, with the streams that hold them.
    pub records: Vec<RecordId>,
    /// Envelopes with their verdicts.
    pub envelopes: Vec<EnvelopeId>,
    /// Streams with their heads.
    pub streams: Vec<StreamId>,
    /// Current entries of streams by their names.
    pub entries: Vec<(StreamId, Vec<u8>)>,
}

/// A transaction that writes.
///
/// A backend may send a call that returns nothing later, together with others. Its fault then shows at a later call
/// of the job, or as the result of the job.
pub trait Writer: Reader {
    /// Names the rows that the job will ask for. A backend far away may read them together; its later answers are the
    /// same without it.
    fn foresee(&mut self, ahead: &Ahead) -> StoreResult<()> {
        let _ = ahead;
        Ok(())
    }

    /// Sets one of the store's notes.
    fn set_meta(&mut self, name: &str, value: &[u8]) -> StoreResult<()>;

    /// Stores a version of a template; a stored one stays.
    fn put_template(&mut self, row: &TemplateRow) -> StoreResult<()>;

    /// Stores a certificate; a stored one stays.
    fn put_certificate(
        &mut self,
        hash: Hash,
        device: DeviceId,
        certificate: &RawCertificate,
    ) -> StoreResult<()>;
    /// Signs certificates and directory entries again as `renewals` says. Returns their number.
    fn sign_again(&mut self, renewals: &dyn Renewals) -> StoreResult<u64>;
    /// Notes that a stream needs a certificate from this position; an earlier note stays.
    fn need_certificate(
        &mut self,
        stream: StreamId,
        certificate: Hash,
        position: u64,
    ) -> StoreResult<()>;
    /// Forgets that a stream needs these certificates, unless a record in the stream still uses them.
    fn forget_certificates(&mut self, stream: StreamId, certificates: &[Hash]) -> StoreResult<()>;

    /// Stores an envelope. A stored envelope stays unchanged. If a pack listed the envelope, it gets its
    /// bytes and keeps its verdict.
    fn put_envelope(&mut self, envelope: &NewEnvelope<'_>) -> StoreResult<()>;
    /// Notes an envelope that a base pack lists; a known envelope stays unchanged. Returns whether it is new.
    fn put_packed(&mut self, envelope: &PackedEnvelope) -> StoreResult<bool>;
    /// Stores a pack as a base of a record, and deletes the packs that it replaces.
    fn put_base(
        &mut self,
        record: RecordId,
        base: &BasePack,
        in_place_of: &[Hash],
    ) -> StoreResult<()>;
    /// Replaces the verdict on a stored envelope.
    fn set_verdict(&mut self, id: EnvelopeId, verdict: Verdict) -> StoreResult<()>;

    /// Stores a copy of an unreadable envelope. If the same bytes with the same signature are held already,
    /// they stay unchanged; if they were refused, they are held again. Returns whether anything changed.
    fn put_unread(&mut self, row: &UnreadRow) -> StoreResult<bool>;
    /// Replaces the verdict on a copy that is kept unread.
    fn set_unread_verdict(&mut self, copy: &RawEnvelope, verdict: Verdict) -> StoreResult<()>;
    /// Removes a copy that could be read and is now stored as an ordinary envelope.
    fn drop_unread(&mut self, copy: &RawEnvelope) -> StoreResult<()>;

    /// Writes the projection of a record, and updates `open` in the record's streams.
    fn put_record(&mut self, record: &RecordRow) -> StoreResult<()>;
    /// Stores the compacted past of a record.
    fn put_pack(&mut self, id: RecordId, digest: Digest, pack: &[u8]) -> StoreResult<()>;

    /// Appends entries at the next positions, and returns the new head.
    fn append(&mut self, stream: StreamId, entries: &[NewEntry]) -> StoreResult<Head>;
    /// Lets the stream hold the record from the stream's present head.
    fn hold(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()>;
    /// Ends the stream's hold on the record.
    fn release(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()>;
    /// Sets the current entry under a name in a directory or bulletin stream; `None` removes it. A
    /// replacement keeps the place of the first entry, so that entries stay before others that build on them.
    fn set_current(
        &mut self,
        stream: StreamId,
        name: &[u8],
        position: u64,
        data: Option<&[u8]>,
    ) -> StoreResult<()>;

    /// Inserts or replaces a member.
    fn put_member(&mut self, member: &MemberRow) -> StoreResult<()>;
    /// Notes the id that the office uses for a member or unit, and returns whether it is news.
    fn put_external_id(&mut self, id: [u8; 16], external_id: &str) -> StoreResult<bool>;
    /// Inserts or replaces the account of an administrator.
    fn put_admin(&mut self, admin: &AdminRow) -> StoreResult<()>;
    /// Inserts or replaces a device.
    fn put_device(&mut self, device: &DeviceRow) -> StoreResult<()>;
    /// Inserts or replaces an invitation.
    fn put_invitation(&mut self, invitation: &InvitationRow) -> StoreResult<()>;
    /// Removes an invitation that no phone has redeemed, and returns whether there was one.
    fn drop_invitation(&mut self, id: [u8; 16]) -> StoreResult<bool>;
    /// Inserts or replaces an entry of the review queue.
    fn put_review(&mut self, review: &ReviewRow) -> StoreResult<()>;
    /// Appends a line to the audit log; its number must be the next.
    fn put_audit(&mut self, row: &AuditRow) -> StoreResult<()>;
    /// Notes a delivery in the reading log; only the first one of a day counts.
    fn put_reading(&mut self, reading: &ReadingRow) -> StoreResult<()>;
    /// Deletes the lines of the reading log before this day, and returns their number.
    fn sweep_readings(&mut self, before_day: i64) -> StoreResult<usize>;
    /// Adds to the amount that a device wrote on a day.
    fn add_written(&mut self, day: i64, device: DeviceId, more: Amount) -> StoreResult<()>;
    /// Deletes the written amounts of days before this one.
    fn sweep_written(&mut self, before_day: i64) -> StoreResult<usize>;
    /// Notes the outcome of a parcel.
    fn put_parcel(&mut self, row: &ParcelRow) -> StoreResult<()>;
    /// Adds to the parcels that a courier brought on a day.
    fn add_parcels_brought(
        &mut self,
        day: i64,
        courier: DeviceId,
        more: ParcelAmount,
    ) -> StoreResult<()>;
    /// Deletes the parcels and the amounts of days before this one, and returns the number of parcels.
    fn sweep_parcels(&mut self, before_day: i64) -> StoreResult<usize>;

    /// Notes the description of a photo or recording; a known one stays.
    fn put_description(&mut self, row: &Description) -> StoreResult<()>;
    /// Notes that a whole file is here; a known one stays.
    fn put_attachment_file(&mut self, row: &AttachmentFile) -> StoreResult<()>;
    /// Forgets a file.
    fn drop_attachment_file(&mut self, key: AttachmentKey) -> StoreResult<()>;
    /// Notes an orphan; a known one keeps its time.
    fn put_attachment_orphan(&mut self, key: AttachmentKey, since_ms: i64) -> StoreResult<()>;
    /// Forgets an orphan.
    fn drop_attachment_orphan(&mut self, key: AttachmentKey) -> StoreResult<()>;
    /// Inserts or replaces an upload.
    fn put_upload(&mut self, row: &UploadRow) -> StoreResult<()>;
    /// Forgets an upload.
    fn drop_upload(&mut self, device: DeviceId, key: AttachmentKey) -> StoreResult<()>;
    /// Adds to the amount that a device uploaded on a day.
    fn add_uploaded(&mut self, day: i64, device: DeviceId, more: UploadAmount) -> StoreResult<()>;
    /// Deletes the uploaded amounts of days before this one.
    fn sweep_uploaded(&mut self, before_day: i64) -> StoreResult<usize>;
    /// Deletes all uploads and orphans, as after a restore.
    fn forget_uploads(&mut self) -> StoreResult<()>;

    /// Stores the cursor set that a device was given.
    fn put_cursors(&mut self, device: DeviceId, cursors: &CursorsRow) -> StoreResult<()>;
    /// Opens or prolongs a session.
    fn put_session(&mut self, session: &SessionRow) -> StoreResult<()>;
    /// Ends all sessions of a device, and returns their number.
    fn end_sessions(&mut self, device: DeviceId) -> StoreResult<usize>;
    /// Deletes sessions that ended before `now_ms`, and returns their number.
    fn sweep_sessions(&mut self, now_ms: i64) -> StoreResult<usize>;
    /// Deletes all sessions, all cursor sets and all invitations that were not redeemed, as after a restore.
    fn forget_visitors(&mut self) -> StoreResult<()>;
}
