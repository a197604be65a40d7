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
    administration, attachments, bases, envelopes, foresight, parcels, people, readings, records,
    signatures, streams, templates, unread, visitors, written,
};
use crate::store::{
    AdminRow, Ahead, Amount, AttachmentFile, AttachmentKey, AuditRow, BasePack, CurrentEntry,
    CursorsRow, Description, DeviceRow, Head, InvitationRow, MemberRow, NewEntry, NewEnvelope,
    PackedEnvelope, ParcelAmount, ParcelRow, ReadingRow, RecordRow, Renewals, ReviewRow,
    SessionRow, StoreError, StoreResult, TemplateRow, UnreadRow, UploadAmount, UploadRow, Writer,
};

impl Writer for Tx<'_> {
    fn foresee(&mut self, ahead: &Ahead) -> StoreResult<()> {
        foresight::read(self.db, self.memo, ahead)
    }

    fn set_meta(&mut self, name: &str, value: &[u8]) -> StoreResult<()> {
        foresight::set(
            &self.memo.foresight.notes,
            &name.to_owned(),
            Some(value.to_vec()),
        );
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
        self.memo.foresight.forget();
        signatures::sign_again(self.db, renewals)
    }

    fn put_unread(&mut self, row: &UnreadRow) -> StoreResult<bool> {
        self.memo.foresight.verdicts.borrow_mut().clear();
        unread::put(self.db, row)
    }

    fn set_unread_verdict(&mut self, copy: &RawEnvelope, verdict: Verdict) -> StoreResult<()> {
        self.memo.foresight.verdicts.borrow_mut().clear();
        let found = unread::set_verdict(self.db, copy, verdict)?;
        found.then_some(()).ok_or(StoreError::Missing("envelope"))
    }

    fn drop_unread(&mut self, copy: &RawEnvelope) -> StoreResult<()> {
        self.memo.foresight.verdicts.borrow_mut().clear();
        unread::delete(self.db, copy)
    }

    fn put_record(&mut self, record: &RecordRow) -> StoreResult<()> {
        let mut known = self.memo.foresight.records.borrow_mut();
        let row = known.get_mut(&record.id);
        let before = row.as_ref().map(|row| row.as_ref());
        let stays = before.is_some_and(|row| row.is_none_or(|row| row.open == record.open));
        if let Some(row) = row {
            // The rest of a record stays as it was at first.
            *row = Some(match row.take() {
                Some(before) => RecordRow {
                    kind: before.kind,
                    audience: before.audience,
                    home: before.home,
                    created_ms: before.created_ms,
                    ..record.clone()
                },
                None => record.clone(),
            });
        }
        if stays {
            return self.db.wait_with(|batch| batch.record(record));
        }
        records::put(self.db, record)
    }

    fn put_pack(&mut self, id: RecordId, digest: Digest, pack: &[u8]) -> StoreResult<()> {
        records::put_pack(self.db, id, digest, pack)
    }

    fn append(&mut self, stream: StreamId, entries: &[NewEntry]) -> StoreResult<Head> {
        let known = self.memo.stream_made(self.db, stream)?;
        let head = self.db.wait_with(|batch| batch.append(known, entries))??;
        self.memo.moved(stream, Known { head, ..known });
        Ok(head)
    }

    fn release(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()> {
        if let Some(streams) = self.memo.foresight.holders.borrow_mut().get_mut(&record) {
            streams.retain(|held| *held != stream);
        }
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
        let mut known = self.memo.foresight.entries.borrow_mut();
        if let Some(entry) = known.get_mut(&(stream, name.to_vec())) {
            let first = entry.as_ref().map_or(position, |entry| entry.position);
            *entry = data.map(|data| CurrentEntry {
                position: first,
                data: data.to_vec(),
            });
        }
        match data {
            Some(data) => self
                .db
                .wait_with(|batch| batch.current(no, name, position, data)),
            None => streams::drop_current(self.db, no, name),
        }
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
        self.db
            .wait_with(|batch| batch.need(stream, certificate, position))
    }

    fn forget_certificates(&mut self, stream: StreamId, certificates: &[Hash]) -> StoreResult<()> {
        self.memo.forget_needed();
        streams::forget_certificates(self.db, stream, certificates)
    }

    fn put_envelope(&mut self, envelope: &NewEnvelope<'_>) -> StoreResult<()> {
        let certificate = self.certificate_no(envelope.certificate)?;
        let id = envelope.hash.envelope_id();
        let mut known = self.memo.foresight.verdicts.borrow_mut();
        if known.get(&id).is_some_and(Option::is_none) {
            known.insert(id, Some((Some(envelope.hash), envelope.verdict)));
        } else {
            known.remove(&id);
        }
        self.db
            .wait_with(|batch| batch.envelope(envelope, certificate))
    }

    fn put_packed(&mut self, envelope: &PackedEnvelope) -> StoreResult<bool> {
        self.memo
            .foresight
            .verdicts
            .borrow_mut()
            .remove(&envelope.id);
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
        self.memo.foresight.verdicts.borrow_mut().remove(&id);
        envelopes::set_verdict(self.db, id, verdict)
    }

    fn hold(&mut self, stream: StreamId, record: RecordId) -> StoreResult<()> {
        let known = self.memo.stream_made(self.db, stream)?;
        if let Some(streams) = self.memo.foresight.holders.borrow_mut().get_mut(&record)
            && !streams.contains(&stream)
        {
            streams.push(stream);
            streams.sort_by_key(StreamId::to_bytes);
        }
        let records = self.memo.foresight.records.borrow();
        if records.get(&record).is_some_and(Option::is_some) {
            return self.db.wait_with(|batch| batch.hold(known, record));
        }
        streams::hold(self.db, known, record)
    }
}
