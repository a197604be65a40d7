//! One writing transaction: each write is done by the module of its table.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::Verdict;

use super::convert::failure;
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
        administration::set_meta(self.db, name, value).map_err(failure)
    }

    fn put_template(&mut self, row: &TemplateRow) -> StoreResult<()> {
        templates::put(self.db, row).map_err(failure)
    }

    fn put_certificate(
        &mut self,
        hash: Hash,
        device: DeviceId,
        certificate: &RawCertificate,
    ) -> StoreResult<()> {
        envelopes::put_certificate(self.db, hash, device, certificate).map_err(failure)
    }

    fn sign_again(&mut self, renewals: &dyn Renewals) -> StoreResult<u64> {
        signatures::sign_again(self.db, renewals).map_err(failure)
    }

    fn put_unread(&mut self, row: &UnreadRow) -> StoreResult<bool> {
        unread::put(self.db, row).map_err(failure)
    }

    fn set_unread_verdict(&mut self, copy: &RawEnvelope, verdict: Verdict) -> StoreResult<()> {
        let found = unread::set_verdict(self.db, copy, verdict).map_err(failure)?;
        found.then_some(()).ok_or(StoreError::Missing("envelope"))
    }

    fn drop_unread(&mut self, copy: &RawEnvelope) -> StoreResult<()> {
        unread::delete(self.db, copy).map_err(failure)
    }

    fn put_record(&mut self, record: &RecordRow) -> StoreResult<()> {
        self.memo.forget_record();
        records::put(self.db, record).map_err(failure)
    }

    fn put_pack(&mut self, id: RecordId, digest: Digest, pack: &[u8]) -> StoreResult<()> {
        records::put_pack(self.db, id, digest, pack).map_err(failure)
    }

    fn append(&mut self, stream: StreamId, entries: &[NewEntry]) -> StoreResult<Head> {
        let known = self.memo.stream_made(self.db, stream).map_err(failure)?;
        let head = feed::append(self.db, known, entries).map_err(failure)?;
        self.memo.moved(stream, Known { head, ..known });
        Ok(head)
    }

    fn release(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()> {
        streams::release(self.db, stream, record).map_err(failure)
    }

    fn set_current(
        &mut self,
        stream: StreamId,
        name: &[u8],
        position: u64,
        data: Option<&[u8]>,
    ) -> StoreResult<()> {
        let no = self.memo.stream_made(self.db, stream).map_err(failure)?.no;
        streams::set_current(self.db, no, name, position, data).map_err(failure)
    }

    fn put_member(&mut self, member: &MemberRow) -> StoreResult<()> {
        people::put_member(self.db, member).map_err(failure)
    }

    fn put_external_id(&mut self, id: [u8; 16], external_id: &str) -> StoreResult<bool> {
        people::put_external_id(self.db, id, external_id).map_err(failure)
    }

    fn put_admin(&mut self, admin: &AdminRow) -> StoreResult<()> {
        people::put_admin(self.db, admin).map_err(failure)
    }

    fn put_device(&mut self, device: &DeviceRow) -> StoreResult<()> {
        people::put_device(self.db, device).map_err(failure)
    }

    fn put_invitation(&mut self, invitation: &InvitationRow) -> StoreResult<()> {
        people::put_invitation(self.db, invitation).map_err(failure)
    }

    fn drop_invitation(&mut self, id: [u8; 16]) -> StoreResult<bool> {
        people::drop_invitation(self.db, id).map_err(failure)
    }

    fn put_review(&mut self, review: &ReviewRow) -> StoreResult<()> {
        administration::put_review(self.db, review).map_err(failure)
    }

    fn put_audit(&mut self, row: &AuditRow) -> StoreResult<()> {
        administration::put_audit(self.db, row).map_err(failure)
    }

    fn put_reading(&mut self, reading: &ReadingRow) -> StoreResult<()> {
        readings::put(self.db, reading).map_err(failure)
    }

    fn sweep_readings(&mut self, before_day: i64) -> StoreResult<usize> {
        readings::sweep(self.db, before_day).map_err(failure)
    }

    fn add_written(&mut self, day: i64, device: DeviceId, more: Amount) -> StoreResult<()> {
        written::add(self.db, day, device, more).map_err(failure)
    }

    fn sweep_written(&mut self, before_day: i64) -> StoreResult<usize> {
        written::sweep(self.db, before_day).map_err(failure)
    }

    fn put_parcel(&mut self, row: &ParcelRow) -> StoreResult<()> {
        parcels::put(self.db, row).map_err(failure)
    }

    fn add_parcels_brought(
        &mut self,
        day: i64,
        courier: DeviceId,
        more: ParcelAmount,
    ) -> StoreResult<()> {
        parcels::add_brought(self.db, day, courier, more).map_err(failure)
    }

    fn sweep_parcels(&mut self, before_day: i64) -> StoreResult<usize> {
        parcels::sweep(self.db, before_day).map_err(failure)
    }

    fn put_description(&mut self, row: &Description) -> StoreResult<()> {
        attachments::describe(self.db, row).map_err(failure)
    }

    fn put_attachment_file(&mut self, row: &AttachmentFile) -> StoreResult<()> {
        attachments::put_file(self.db, row).map_err(failure)
    }

    fn drop_attachment_file(&mut self, key: AttachmentKey) -> StoreResult<()> {
        attachments::drop_file(self.db, key).map_err(failure)
    }

    fn put_attachment_orphan(&mut self, key: AttachmentKey, since_ms: i64) -> StoreResult<()> {
        attachments::put_orphan(self.db, key, since_ms).map_err(failure)
    }

    fn drop_attachment_orphan(&mut self, key: AttachmentKey) -> StoreResult<()> {
        attachments::drop_orphan(self.db, key).map_err(failure)
    }

    fn put_upload(&mut self, row: &UploadRow) -> StoreResult<()> {
        attachments::put_upload(self.db, row).map_err(failure)
    }

    fn drop_upload(&mut self, device: DeviceId, key: AttachmentKey) -> StoreResult<()> {
        attachments::drop_upload(self.db, device, key).map_err(failure)
    }

    fn add_uploaded(&mut self, day: i64, device: DeviceId, more: UploadAmount) -> StoreResult<()> {
        attachments::add_uploaded(self.db, day, device, more).map_err(failure)
    }

    fn sweep_uploaded(&mut self, before_day: i64) -> StoreResult<usize> {
        attachments::sweep_uploaded(self.db, before_day).map_err(failure)
    }

    fn forget_uploads(&mut self) -> StoreResult<()> {
        attachments::forget(self.db).map_err(failure)
    }

    fn put_cursors(&mut self, device: DeviceId, cursors: &CursorsRow) -> StoreResult<()> {
        visitors::put_cursors(self.db, device, cursors).map_err(failure)
    }

    fn put_session(&mut self, session: &SessionRow) -> StoreResult<()> {
        visitors::put_session(self.db, session).map_err(failure)
    }

    fn end_sessions(&mut self, device: DeviceId) -> StoreResult<usize> {
        visitors::end_sessions(self.db, device).map_err(failure)
    }

    fn sweep_sessions(&mut self, now_ms: i64) -> StoreResult<usize> {
        visitors::sweep_sessions(self.db, now_ms).map_err(failure)
    }

    fn forget_visitors(&mut self) -> StoreResult<()> {
        visitors::forget(self.db).map_err(failure)
    }

    fn need_certificate(
        &mut self,
        stream: StreamId,
        certificate: Hash,
        position: u64,
    ) -> StoreResult<()> {
        let certificate = self.certificate_no(certificate)?;
        let stream = self.memo.stream_made(self.db, stream).map_err(failure)?.no;
        if self.memo.is_needed(stream, certificate) {
            return Ok(());
        }
        streams::need_certificate(self.db, stream, certificate, position).map_err(failure)?;
        self.memo.needed(stream, certificate);
        Ok(())
    }

    fn forget_certificates(&mut self, stream: StreamId, certificates: &[Hash]) -> StoreResult<()> {
        self.memo.forget_needed();
        certificates.iter().try_for_each(|hash| {
            streams::forget_certificate(self.db, stream, *hash).map_err(failure)
        })
    }

    fn put_envelope(&mut self, envelope: &NewEnvelope<'_>) -> StoreResult<()> {
        let certificate = self.certificate_no(envelope.certificate)?;
        envelopes::put(self.db, envelope, certificate).map_err(failure)
    }

    fn put_packed(&mut self, envelope: &PackedEnvelope) -> StoreResult<bool> {
        bases::put_packed(self.db, envelope).map_err(failure)
    }

    fn put_base(
        &mut self,
        record: RecordId,
        base: &BasePack,
        in_place_of: &[Hash],
    ) -> StoreResult<()> {
        bases::put(self.db, record, base, in_place_of).map_err(failure)
    }

    fn set_verdict(&mut self, id: EnvelopeId, verdict: Verdict) -> StoreResult<()> {
        let found = envelopes::set_verdict(self.db, id, verdict).map_err(failure)?;
        if found {
            Ok(())
        } else {
            Err(StoreError::Missing("envelope"))
        }
    }

    fn hold(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()> {
        let stream = self.memo.stream_made(self.db, stream).map_err(failure)?;
        let found = self.memo.holdable(self.db, record).map_err(failure)?;
        let record = found.ok_or(StoreError::Missing("record"))?;
        streams::hold(self.db, stream, record).map_err(failure)
    }
}
