//! One transaction: each query is answered by the module of its table. Writes are in
//! `tx_writer.rs`.

use super::db::Db;
use super::foresight::look;
use super::memo::Memo;
use super::{
    administration, attachments, bases, envelopes, feed, parcels, people, readings, records,
    streams, templates, unread, visitors, written,
};
use crate::store::{
    AdminRow, Amount, AttachmentFile, AttachmentKey, AuditRow, BasePack, Counts, CurrentEntry,
    CursorsRow, Description, DeviceRow, EntriesAmount, FeedRow, Head, Holding, InvitationRow,
    LoadKey, LoadRow, MemberRow, ParcelAmount, Reader, ReadingKey, ReadingRow, RecordFile,
    RecordRow, ReviewRow, SessionRow, StoreError, StoreResult, StoredEnvelope, StreamItem,
    TemplateRow, UnreadRow, UploadAmount, UploadRow,
};
use onegrid_core::domain::form::TemplateId;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::parcel::ParcelOutcome;
use onegrid_core::wire::verdict::{Status, Verdict};

pub(super) struct Tx<'c> {
    pub(super) db: &'c Db,
    pub(super) memo: &'c Memo,
}

impl Tx<'_> {
    pub(super) fn certificate_no(&self, hash: Hash) -> StoreResult<i64> {
        let found = self.memo.certificate_no(self.db, hash)?;
        found.ok_or(StoreError::Missing("certificate"))
    }
}

impl Reader for Tx<'_> {
    fn meta(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
        let notes = &self.memo.foresight.notes;
        look(notes, &name.to_owned(), || {
            administration::meta(self.db, name)
        })
    }

    fn certificate(&self, hash: Hash) -> StoreResult<Option<RawCertificate>> {
        envelopes::certificate(self.db, hash)
    }

    fn certificates_of(&self, record: RecordId) -> StoreResult<Vec<Hash>> {
        envelopes::certificates_of(self.db, record)
    }

    fn stream_certificates(
        &self,
        stream: StreamId,
        after: u64,
        through: u64,
    ) -> StoreResult<Vec<Hash>> {
        streams::certificates(self.db, stream, after, through)
    }

    fn verdict(&self, id: EnvelopeId) -> StoreResult<Option<(Option<Hash>, Verdict)>> {
        let verdicts = &self.memo.foresight.verdicts;
        look(verdicts, &id, || envelopes::verdict(self.db, id))
    }

    fn record_of(&self, id: EnvelopeId) -> StoreResult<Option<RecordId>> {
        envelopes::record_of(self.db, id)
    }

    fn stored(&self, record: RecordId) -> StoreResult<Amount> {
        envelopes::amount(self.db, record)
    }

    fn stored_by_author(&self, record: RecordId) -> StoreResult<Vec<(DeviceId, Amount)>> {
        envelopes::amount_by_author(self.db, record)
    }

    fn base_packs(&self, record: RecordId) -> StoreResult<Vec<BasePack>> {
        bases::of_record(self.db, record)
    }

    fn envelope(&self, id: EnvelopeId) -> StoreResult<Option<StoredEnvelope>> {
        envelopes::one(self.db, id)
    }

    fn envelopes(&self, record: RecordId) -> StoreResult<Vec<StoredEnvelope>> {
        envelopes::of_record(self.db, record)
    }

    fn settled(&self, record: RecordId) -> StoreResult<Vec<(EnvelopeId, Verdict)>> {
        envelopes::settled(self.db, record)
    }

    fn unread(&self, copy: &RawEnvelope) -> StoreResult<Option<UnreadRow>> {
        unread::one(self.db, copy)
    }

    fn unread_held(&self, after: u64, count_max: usize) -> StoreResult<Vec<(u64, UnreadRow)>> {
        unread::held(self.db, after, count_max)
    }

    fn unread_of(&self, device: DeviceId) -> StoreResult<Amount> {
        unread::held_of(self.db, device)
    }

    fn record(&self, id: RecordId) -> StoreResult<Option<RecordRow>> {
        let records = &self.memo.foresight.records;
        look(records, &id, || records::one(self.db, id))
    }

    fn records(&self, after: Option<RecordId>, count_max: usize) -> StoreResult<Vec<RecordRow>> {
        records::page(self.db, after, count_max)
    }

    fn records_merged_into(&self, id: RecordId, count_max: usize) -> StoreResult<Vec<RecordId>> {
        records::merged_into(self.db, id, count_max)
    }

    fn records_open(
        &self,
        after: Option<RecordId>,
        count_max: usize,
    ) -> StoreResult<Vec<RecordId>> {
        records::open(self.db, after, count_max)
    }

    fn records_due(&self, now_ms: i64, count_max: usize) -> StoreResult<Vec<RecordId>> {
        records::due(self.db, now_ms, count_max)
    }

    fn record_streams(&self, id: RecordId) -> StoreResult<Vec<StreamId>> {
        match self.memo.foresight.holders.borrow().get(&id) {
            Some(streams) => Ok(streams.clone()),
            None => streams::of_record(self.db, id),
        }
    }

    fn pack(&self, id: RecordId, digest: Digest) -> StoreResult<Option<Vec<u8>>> {
        records::pack(self.db, id, digest)
    }

    fn head(&self, stream: StreamId) -> StoreResult<Head> {
        let known = self.memo.stream(self.db, stream)?;
        Ok(known.map(|known| known.head).unwrap_or_default())
    }

    fn heads(&self, streams: &[StreamId]) -> StoreResult<Vec<u64>> {
        feed::heads(self.db, streams)
    }

    fn streams(&self) -> StoreResult<Vec<StreamId>> {
        feed::streams(self.db)
    }

    fn feed(&self, stream: StreamId, after: u64, count_max: usize) -> StoreResult<Vec<FeedRow>> {
        feed::page(self.db, stream, after, count_max)
    }

    fn digest_at(&self, stream: StreamId, position: u64) -> StoreResult<Option<Digest>> {
        feed::digest_at(self.db, stream, position)
    }

    fn load(
        &self,
        stream: StreamId,
        began_at: u64,
        after: Option<LoadKey>,
        count_max: usize,
    ) -> StoreResult<Vec<LoadRow>> {
        match self.memo.stream(self.db, stream)? {
            Some(known) => streams::load(self.db, known.no, began_at, after, count_max),
            None => Ok(Vec::new()),
        }
    }

    fn stream_items(&self, stream: StreamId) -> StoreResult<Vec<StreamItem>> {
        streams::items(self.db, stream)
    }

    fn holding(&self, stream: StreamId, record: RecordId) -> StoreResult<Option<Holding>> {
        streams::holding(self.db, stream, record)
    }

    fn shown(&self, stream: StreamId, record: RecordId) -> StoreResult<Vec<Hash>> {
        streams::shown(self.db, stream, record)
    }

    fn current(
        &self,
        stream: StreamId,
        after: u64,
        count_max: usize,
    ) -> StoreResult<Vec<CurrentEntry>> {
        streams::current(self.db, stream, after, count_max)
    }

    fn current_amount(
        &self,
        stream: StreamId,
        after: u64,
        count_max: usize,
    ) -> StoreResult<EntriesAmount> {
        streams::current_amount(self.db, stream, after, count_max)
    }

    fn current_of(&self, stream: StreamId, name: &[u8]) -> StoreResult<Option<CurrentEntry>> {
        let entries = &self.memo.foresight.entries;
        look(entries, &(stream, name.to_vec()), || {
            streams::current_of(self.db, stream, name)
        })
    }

    fn member(&self, id: MemberId) -> StoreResult<Option<MemberRow>> {
        people::member(self.db, id)
    }

    fn members(&self) -> StoreResult<Vec<MemberRow>> {
        people::members(self.db)
    }

    fn external_id(&self, id: [u8; 16]) -> StoreResult<Option<String>> {
        people::external_id(self.db, id)
    }

    fn admins(&self) -> StoreResult<Vec<AdminRow>> {
        people::admins(self.db)
    }

    fn device(&self, id: DeviceId) -> StoreResult<Option<DeviceRow>> {
        people::device(self.db, id)
    }

    fn devices(&self) -> StoreResult<Vec<DeviceRow>> {
        people::devices(self.db)
    }

    fn revoked(&self) -> StoreResult<Vec<DeviceId>> {
        people::revoked(self.db)
    }

    fn devices_of(&self, member: MemberId) -> StoreResult<Vec<DeviceRow>> {
        people::devices_of(self.db, member)
    }

    fn invitation(&self, id: [u8; 16]) -> StoreResult<Option<InvitationRow>> {
        people::invitation(self.db, id)
    }

    fn invitations(
        &self,
        after: Option<[u8; 16]>,
        count_max: usize,
    ) -> StoreResult<Vec<InvitationRow>> {
        people::invitations(self.db, after, count_max)
    }

    fn review(&self, id: EnvelopeId) -> StoreResult<Option<ReviewRow>> {
        administration::review(self.db, id)
    }

    fn reviews_open(&self, count_max: usize) -> StoreResult<Vec<ReviewRow>> {
        administration::reviews_open(self.db, count_max)
    }

    fn audit(&self, after: u64, count_max: usize) -> StoreResult<Vec<AuditRow>> {
        administration::audit(self.db, after, count_max)
    }

    fn audit_last(&self) -> StoreResult<Option<AuditRow>> {
        administration::audit_last(self.db)
    }

    fn readings(&self, after: ReadingKey, count_max: usize) -> StoreResult<Vec<ReadingRow>> {
        readings::page(self.db, after, count_max)
    }

    fn template(&self, id: &TemplateId, version: u32) -> StoreResult<Option<TemplateRow>> {
        templates::find(self.db, id, version)
    }

    fn newest_template(&self, id: &TemplateId) -> StoreResult<Option<TemplateRow>> {
        templates::newest(self.db, id)
    }

    fn templates(&self, after: (&str, u32), count_max: usize) -> StoreResult<Vec<TemplateRow>> {
        templates::page(self.db, after, count_max)
    }

    fn written(&self, day: i64, device: DeviceId) -> StoreResult<Amount> {
        written::of(self.db, day, device)
    }

    fn parcel_outcome(&self, hash: Hash) -> StoreResult<Option<ParcelOutcome>> {
        parcels::outcome(self.db, hash)
    }

    fn parcels_brought(&self, day: i64, courier: DeviceId) -> StoreResult<ParcelAmount> {
        parcels::brought(self.db, day, courier)
    }

    fn descriptions(&self, key: AttachmentKey) -> StoreResult<Vec<(Description, Status)>> {
        attachments::descriptions(self.db, key)
    }

    fn attachment_file(&self, key: AttachmentKey) -> StoreResult<Option<AttachmentFile>> {
        attachments::file(self.db, key)
    }

    fn record_files(&self, record: RecordId) -> StoreResult<Vec<RecordFile>> {
        attachments::of_record(self.db, record)
    }

    fn attachment_files(
        &self,
        after: Option<AttachmentKey>,
        count_max: usize,
    ) -> StoreResult<Vec<AttachmentFile>> {
        attachments::files(self.db, after, count_max)
    }

    fn attachment_orphans(
        &self,
        after: Option<AttachmentKey>,
        count_max: usize,
    ) -> StoreResult<Vec<(AttachmentKey, i64)>> {
        attachments::orphans(self.db, after, count_max)
    }

    fn upload(&self, device: DeviceId, key: AttachmentKey) -> StoreResult<Option<UploadRow>> {
        attachments::upload(self.db, device, key)
    }

    fn uploads_of(&self, device: DeviceId) -> StoreResult<Vec<UploadRow>> {
        attachments::uploads_of(self.db, device)
    }

    fn uploads_before(
        &self,
        touched_before_ms: i64,
        count_max: usize,
    ) -> StoreResult<Vec<UploadRow>> {
        attachments::uploads_before(self.db, touched_before_ms, count_max)
    }

    fn uploaded(&self, day: i64, device: DeviceId) -> StoreResult<UploadAmount> {
        attachments::uploaded(self.db, day, device)
    }

    fn cursors(&self, device: DeviceId) -> StoreResult<Option<CursorsRow>> {
        visitors::cursors(self.db, device)
    }

    fn session(&self, id: [u8; 16]) -> StoreResult<Option<SessionRow>> {
        visitors::session(self.db, id)
    }

    fn counts(&self) -> StoreResult<Counts> {
        administration::counts(self.db)
    }
}
