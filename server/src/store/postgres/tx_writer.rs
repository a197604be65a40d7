//! One writing transaction: each write is done by the module of its table.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::Verdict;

use super::memo::Known;
use super::tx::Tx;
use super::{
    administration, attachments, bases, envelopes, feed, parcels, people, readings, records,
    signatures, streams, templates, unread, visitors, written,
};
use crate::store::{
    AdminRow, Amount, AttachmentFile, AttachmentKey, AuditRow, BasePack, CursorsRow, Description,
    DeviceRow, Head, InvitationRow, MemberRow, NewEntry, NewEnvelope, PackedEnvelope, ParcelAmount,
    ParcelRow, ReadingRow, RecordRow, Renewals, ReviewRow, SessionRow, StoreError, StoreResult,
    TemplateRow, UnreadRow, UploadAmount, UploadRow, Writer,
};

impl Writer for Tx<'_> {
    fn set_meta(&mut self, name: &str, value: &[u8]) -> StoreResult<()> {
        administration::set_meta(self.db, name, value)
    }

    fn put_template(&mut self, row: &TemplateRow) -> StoreResult<()> {
        templates::put(self.db, row)
    }

    fn put_certificate(
        &mut self,
        hash: Hash,
        device: DeviceId,
        certificate: &RawCertificate,
    ) -> StoreResult<()> {
        envelopes::put_certificate(self.db, hash, device, certificate)
    }

    fn sign_again(&mut self, renewals: &dyn Renewals) -> StoreResult<u64> {
        signatures::sign_again(self.db, renewals)
    }

    fn put_unread(&mut self, row: &UnreadRow) -> StoreResult<bool> {
        unread::put(self.db, row)
    }

    fn set_unread_verdict(&mut self, copy: &RawEnvelope, verdict: Verdict) -> StoreResult<()> {
        let found = unread::set_verdict(self.db, copy, verdict)?;
        found.then_some(()).ok_or(StoreError::Missing("envelope"))
    }

    fn drop_unread(&mut self, copy: &RawEnvelope) -> StoreResult<()> {
        unread::delete(self.db, copy)
    }

    fn put_record(&mut self, record: &RecordRow) -> StoreResult<()> {
        records::put(self.db, record)
    }

    fn put_pack(&mut self, id: RecordId, digest: Digest, pack: &[u8]) -> StoreResult<()> {
        records::put_pack(self.db, id, digest, pack)
    }

    fn append(&mut self, stream: StreamId, entries: &[NewEntry]) -> StoreResult<Head> {
        let known = self.memo.stream_made(self.db, stream)?;
        let head = feed::append(self.db, known, entries)?;
        self.memo.moved(stream, Known { head, ..known });
        Ok(head)
    }

    fn release(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()> {
        streams::release(self.db, stream, record)
    }

    fn set_current(
        &mut self,
        stream: StreamId,
        name: &[u8],
        position: u64,
        data: Option<&[u8]>,
    ) -> StoreResult<()> {
        let no = self.memo.stream_made(self.db, stream)?.no;
        streams::set_current(self.db, no, name, position, data)
    }

    fn put_member(&mut self, member: &MemberRow) -> StoreResult<()> {
        people::put_member(self.db, member)
    }

    fn put_external_id(&mut self, id: [u8; 16], external_id: &str) -> StoreResult<bool> {
        people::put_external_id(self.db, id, external_id)
    }

    fn put_admin(&mut self, admin: &AdminRow) -> StoreResult<()> {
        people::put_admin(self.db, admin)
    }

    fn put_device(&mut self, device: &DeviceRow) -> StoreResult<()> {
        people::put_device(self.db, device)
    }

    fn put_invitation(&mut self, invitation: &InvitationRow) -> StoreResult<()> {
        people::put_invitation(self.db, invitation)
    }

    fn drop_invitation(&mut self, id: [u8; 16]) -> StoreResult<bool> {
        people::drop_invitation(self.db, id)
    }

    fn put_review(&mut self, review: &ReviewRow) -> StoreResult<()> {
        administration::put_review(self.db, review)
    }

    fn put_audit(&mut self, row: &AuditRow) -> StoreResult<()> {
        administration::put_audit(self.db, row)
    }

    fn put_reading(&mut self, reading: &ReadingRow) -> StoreResult<()> {
        readings::put(self.db, reading)
    }

    fn sweep_readings(&mut self, before_day: i64) -> StoreResult<usize> {
        readings::sweep(self.db, before_day)
    }

    fn add_written(&mut self, day: i64, device: DeviceId, more: Amount) -> StoreResult<()> {
        written::add(self.db, day, device, more)
    }

    fn sweep_written(&mut self, before_day: i64) -> StoreResult<usize> {
        written::sweep(self.db, before_day)
    }

    fn put_parcel(&mut self, row: &ParcelRow) -> StoreResult<()> {
        parcels::put(self.db, row)
    }

    fn add_parcels_brought(
        &mut self,
        day: i64,
        courier: DeviceId,
        more: ParcelAmount,
    ) -> StoreResult<()> {
        parcels::add_brought(self.db, day, courier, more)
    }

    fn sweep_parcels(&mut self, before_day: i64) -> StoreResult<usize> {
        parcels::sweep(self.db, before_day)
    }

    fn put_description(&mut self, row: &Description) -> StoreResult<()> {
        attachments::describe(self.db, row)
    }

    fn put_attachment_file(&mut self, row: &AttachmentFile) -> StoreResult<()> {
        attachments::put_file(self.db, row)
    }

    fn drop_attachment_file(&mut self, key: AttachmentKey) -> StoreResult<()> {
        attachments::drop_file(self.db, key)
    }

    fn put_attachment_orphan(&mut self, key: AttachmentKey, since_ms: i64) -> StoreResult<()> {
        attachments::put_orphan(self.db, key, since_ms)
    }

    fn drop_attachment_orphan(&mut self, key: AttachmentKey) -> StoreResult<()> {
        attachments::drop_orphan(self.db, key)
    }

    fn put_upload(&mut self, row: &UploadRow) -> StoreResult<()> {
        attachments::put_upload(self.db, row)
    }

    fn drop_upload(&mut self, device: DeviceId, key: AttachmentKey) -> StoreResult<()> {
        attachments::drop_upload(self.db, device, key)
    }

    fn add_uploaded(&mut self, day: i64, device: DeviceId, more: UploadAmount) -> StoreResult<()> {
        attachments::add_uploaded(self.db, day, device, more)
    }

    fn sweep_uploaded(&mut self, before_day: i64) -> StoreResult<usize> {
        attachments::sweep_uploaded(self.db, before_day)
    }

    fn forget_uploads(&mut self) -> StoreResult<()> {
        attachments::forget(self.db)
    }

    fn put_cursors(&mut self, device: DeviceId, cursors: &CursorsRow) -> StoreResult<()> {
        visitors::put_cursors(self.db, device, cursors)
    }

    fn put_session(&mut self, session: &SessionRow) -> StoreResult<()> {
        visitors::put_session(self.db, session)
    }

    fn end_sessions(&mut self, device: DeviceId) -> StoreResult<usize> {
        visitors::end_sessions(self.db, device)
    }

    fn sweep_sessions(&mut self, now_ms: i64) -> StoreResult<usize> {
        visitors::sweep_sessions(self.db, now_ms)
    }

    fn forget_visitors(&mut self) -> StoreResult<()> {
        visitors::forget(self.db)
    }

    fn need_certificate(
        &mut self,
        stream: StreamId,
        certificate: Hash,
        position: u64,
    ) -> StoreResult<()> {
        let certificate = self.certificate_no(certificate)?;
        let stream = self.memo.stream_made(self.db, stream)?.no;
        if self.memo.needed(stream, certificate) {
            return Ok(());
        }
        streams::need_certificate(self.db, stream, certificate, position)
    }

    fn forget_certificates(&mut self, stream: StreamId, certificates: &[Hash]) -> StoreResult<()> {
        self.memo.forget_needed();
        streams::forget_certificates(self.db, stream, certificates)
    }

    fn put_envelope(&mut self, envelope: &NewEnvelope<'_>) -> StoreResult<()> {
        let certificate = self.certificate_no(envelope.certificate)?;
        envelopes::put(self.db, envelope, certificate)
    }

    fn put_packed(&mut self, envelope: &PackedEnvelope) -> StoreResult<bool> {
        bases::put_packed(self.db, envelope)
    }

    fn put_base(
        &mut self,
        record: RecordId,
        base: &BasePack,
        in_place_of: &[Hash],
    ) -> StoreResult<()> {
        bases::put(self.db, record, base, in_place_of)
    }

    fn set_verdict(&mut self, id: EnvelopeId, verdict: Verdict) -> StoreResult<()> {
        let found = envelopes::set_verdict(self.db, id, verdict)?;
        found.then_some(()).ok_or(StoreError::Missing("envelope"))
    }

    fn hold(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()> {
        let stream = self.memo.stream_made(self.db, stream)?;
        streams::hold(self.db, stream, record)
    }
}
