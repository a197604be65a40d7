//! Everything that can be done to a store, inside one transaction.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::Verdict;

use super::{
    Amount, AuditRow, BasePack, CursorsRow, DeviceRow, Head, InvitationRow, MemberRow, NewEntry,
    NewEnvelope, PackedEnvelope, Reader, ReadingRow, RecordRow, ReviewRow, SessionRow, StoreResult,
    UnreadRow,
};

/// A transaction that writes.
pub trait Writer: Reader {
    /// Sets one of the store's own notes.
    fn set_meta(&mut self, name: &str, value: &[u8]) -> StoreResult<()>;

    /// Keeps a certificate; one that is there stays.
    fn put_certificate(
        &mut self,
        hash: Hash,
        device: DeviceId,
        certificate: &RawCertificate,
    ) -> StoreResult<()>;
    /// Notes that a stream needs a certificate from this position on; an earlier note stays. Says whether
    /// it was the first.
    fn need_certificate(
        &mut self,
        stream: StreamId,
        certificate: Hash,
        position: u64,
    ) -> StoreResult<bool>;
    /// Forgets that a stream needs these certificates, where no record in it has them any more.
    fn forget_certificates(&mut self, stream: StreamId, certificates: &[Hash]) -> StoreResult<()>;

    /// Stores an envelope. One that is there stays as it is; one that only a pack told of gets its bytes and keeps
    /// its verdict. Says whether there were no bytes before.
    fn put_envelope(&mut self, envelope: &NewEnvelope<'_>) -> StoreResult<bool>;
    /// Notes an envelope that a base pack lists. One that is there stays as it is; says whether it is new.
    fn put_packed(&mut self, envelope: &PackedEnvelope) -> StoreResult<bool>;
    /// Keeps a pack as the base of a record, in place of those that it makes needless.
    fn put_base(
        &mut self,
        record: RecordId,
        base: &BasePack,
        in_place_of: &[Hash],
    ) -> StoreResult<()>;
    /// Replaces the verdict on a stored envelope.
    fn set_verdict(&mut self, id: EnvelopeId, verdict: Verdict) -> StoreResult<()>;

    /// Keeps a copy of an envelope unread. The same bytes with the same signature stay as they are while they
    /// are held, and wait again where they were refused; says whether this changed anything.
    fn put_unread(&mut self, row: &UnreadRow) -> StoreResult<bool>;
    /// Replaces the verdict on a copy that is kept unread.
    fn set_unread_verdict(&mut self, copy: &RawEnvelope, verdict: Verdict) -> StoreResult<()>;
    /// The copy has been read, and is kept among the others now.
    fn drop_unread(&mut self, copy: &RawEnvelope) -> StoreResult<()>;

    /// Writes the projection of a record, and carries a change of `open` into its streams.
    fn put_record(&mut self, record: &RecordRow) -> StoreResult<()>;
    /// Keeps the compacted past of a record.
    fn put_pack(&mut self, id: RecordId, digest: Digest, pack: &[u8]) -> StoreResult<()>;

    /// Appends entries at the next positions and gives the new head.
    fn append(&mut self, stream: StreamId, entries: &[NewEntry]) -> StoreResult<Head>;
    /// The stream holds the record from now on.
    fn hold(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()>;
    /// The stream no longer holds the record.
    fn release(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()>;
    /// What a directory or bulletin stream says about a thing now; `None`: nothing any more. What replaces
    /// something keeps its place in the order, so that what others build on comes before them.
    fn set_current(
        &mut self,
        stream: StreamId,
        name: &[u8],
        position: u64,
        data: Option<&[u8]>,
    ) -> StoreResult<()>;

    /// Writes a member.
    fn put_member(&mut self, member: &MemberRow) -> StoreResult<()>;
    /// Writes a device.
    fn put_device(&mut self, device: &DeviceRow) -> StoreResult<()>;
    /// Writes an invitation.
    fn put_invitation(&mut self, invitation: &InvitationRow) -> StoreResult<()>;
    /// Writes an entry of the review queue.
    fn put_review(&mut self, review: &ReviewRow) -> StoreResult<()>;
    /// Appends a line to the audit log; its number must be the next.
    fn put_audit(&mut self, row: &AuditRow) -> StoreResult<()>;
    /// Notes in the reading log that something was given out; once a day is enough.
    fn put_reading(&mut self, reading: &ReadingRow) -> StoreResult<()>;
    /// Removes the lines of the reading log of days before this one, and gives their number.
    fn sweep_readings(&mut self, before_day: i64) -> StoreResult<usize>;
    /// Adds to what a device wrote on a day.
    fn add_written(&mut self, day: i64, device: DeviceId, more: Amount) -> StoreResult<()>;
    /// Forgets how much was written on days before this one.
    fn sweep_written(&mut self, before_day: i64) -> StoreResult<usize>;
    /// Remembers the cursors that a device was given.
    fn put_cursors(&mut self, device: DeviceId, cursors: &CursorsRow) -> StoreResult<()>;
    /// Opens or prolongs a session.
    fn put_session(&mut self, session: &SessionRow) -> StoreResult<()>;
    /// Ends every session of a device and gives their number.
    fn end_sessions(&mut self, device: DeviceId) -> StoreResult<usize>;
    /// Removes sessions that ran out before now.
    fn sweep_sessions(&mut self, now_ms: i64) -> StoreResult<usize>;
    /// Removes every session, every remembered cursor set and every invitation that nobody has redeemed, as after
    /// a restore.
    fn forget_visitors(&mut self) -> StoreResult<()>;
}
