//! One transaction: each query is answered by the module of its table. Writes are in
//! `tx_writer.rs`.

use onegrid_core::domain::form::TemplateId;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::parcel::ParcelOutcome;
use onegrid_core::wire::verdict::{Status, Verdict};
use rusqlite::Connection;

use super::convert::failure;
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

pub(super) struct Tx<'c> {
    pub(super) db: &'c Connection,
    pub(super) memo: Memo,
}

impl<'c> Tx<'c> {
    pub(super) fn new(db: &'c Connection) -> Self {
        Self {
            db,
            memo: Memo::default(),
        }
    }

    pub(super) fn certificate_no(&self, hash: Hash) -> StoreResult<i64> {
        let found = self.memo.certificate_no(self.db, hash).map_err(failure)?;
        found.ok_or(StoreError::Missing("certificate"))
    }
}

impl Reader for Tx<'_> {
    fn meta(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
        administration::meta(self.db, name).map_err(failure)
    }

    fn certificate(&self, hash: Hash) -> StoreResult<Option<RawCertificate>> {
        envelopes::certificate(self.db, hash).map_err(failure)
    }

    fn certificates_of(&self, record: RecordId) -> StoreResult<Vec<Hash>> {
        envelopes::certificates_of(self.db, record).map_err(failure)
    }

    fn stream_certificates(
        &self,
        stream: StreamId,
        after: u64,
        through: u64,
    ) -> StoreResult<Vec<Hash>> {
        streams::certificates(self.db, stream, after, through).map_err(failure)
    }

    fn verdict(&self, id: EnvelopeId) -> StoreResult<Option<(Option<Hash>, Verdict)>> {
        envelopes::verdict(self.db, id).map_err(failure)
    }

    fn record_of(&self, id: EnvelopeId) -> StoreResult<Option<RecordId>> {
        envelopes::record_of(self.db, id).map_err(failure)
    }

    fn stored(&self, record: RecordId) -> StoreResult<Amount> {
        envelopes::amount(self.db, record).map_err(failure)
    }

    fn stored_by_author(&self, record: RecordId) -> StoreResult<Vec<(DeviceId, Amount)>> {
        envelopes::amount_by_author(self.db, record).map_err(failure)
    }

    fn base_packs(&self, record: RecordId) -> StoreResult<Vec<BasePack>> {
        bases::of_record(self.db, record).map_err(failure)
    }

    fn envelope(&self, id: EnvelopeId) -> StoreResult<Option<StoredEnvelope>> {
        envelopes::one(self.db, id).map_err(failure)
    }

    fn envelopes(&self, record: RecordId) -> StoreResult<Vec<StoredEnvelope>> {
        envelopes::of_record(self.db, record).map_err(failure)
    }

    fn settled(&self, record: RecordId) -> StoreResult<Vec<(EnvelopeId, Verdict)>> {
        envelopes::settled(self.db, record).map_err(failure)
    }

    fn unread(&self, copy: &RawEnvelope) -> StoreResult<Option<UnreadRow>> {
        unread::one(self.db, copy).map_err(failure)
    }

    fn unread_held(&self, after: u64, count_max: usize) -> StoreResult<Vec<(u64, UnreadRow)>> {
        unread::held(self.db, after, count_max).map_err(failure)
    }

    fn unread_of(&self, device: DeviceId) -> StoreResult<Amount> {
        unread::held_of(self.db, device).map_err(failure)
    }

    fn record(&self, id: RecordId) -> StoreResult<Option<RecordRow>> {
        records::one(self.db, id).map_err(failure)
    }

    fn records(&self, after: Option<RecordId>, count_max: usize) -> StoreResult<Vec<RecordRow>> {
        records::page(self.db, after, count_max).map_err(failure)
    }

    fn records_merged_into(&self, id: RecordId, count_max: usize) -> StoreResult<Vec<RecordId>> {
        records::merged_into(self.db, id, count_max).map_err(failure)
    }

    fn records_open(
        &self,
        after: Option<RecordId>,
        count_max: usize,
    ) -> StoreResult<Vec<RecordId>> {
        records::open(self.db, after, count_max).map_err(failure)
    }

    fn records_due(&self, now_ms: i64, count_max: usize) -> StoreResult<Vec<RecordId>> {
        records::due(self.db, now_ms, count_max).map_err(failure)
    }

    fn record_streams(&self, id: RecordId) -> StoreResult<Vec<StreamId>> {
        streams::of_record(self.db, id).map_err(failure)
    }

    fn pack(&self, id: RecordId, digest: Digest) -> StoreResult<Option<Vec<u8>>> {
        records::pack(self.db, id, digest).map_err(failure)
    }

    fn head(&self, stream: StreamId) -> StoreResult<Head> {
        let known = self.memo.stream(self.db, stream).map_err(failure)?;
        Ok(known.map(|known| known.head).unwrap_or_default())
    }

    fn streams(&self) -> StoreResult<Vec<StreamId>> {
        feed::streams(self.db).map_err(failure)
    }

    fn feed(&self, stream: StreamId, after: u64, count_max: usize) -> StoreResult<Vec<FeedRow>> {
        feed::page(self.db, stream, after, count_max).map_err(failure)
    }

    fn digest_at(&self, stream: StreamId, position: u64) -> StoreResult<Option<Digest>> {
        feed::digest_at(self.db, stream, position).map_err(failure)
    }

    fn load(
        &self,
        stream: StreamId,
        began_at: u64,
        after: Option<LoadKey>,
        count_max: usize,
    ) -> StoreResult<Vec<LoadRow>> {
        streams::load(self.db, stream, began_at, after, count_max).map_err(failure)
    }

    fn stream_items(&self, stream: StreamId) -> StoreResult<Vec<StreamItem>> {
        streams::items(self.db, stream).map_err(failure)
    }

    fn holding(&self, stream: StreamId, record: RecordId) -> StoreResult<Option<Holding>> {
        streams::holding(self.db, stream, record).map_err(failure)
    }

    fn shown(&self, stream: StreamId, record: RecordId) -> StoreResult<Vec<Hash>> {
        streams::shown(self.db, stream, record).map_err(failure)
    }

    fn current(
        &self,
        stream: StreamId,
        after: u64,
        count_max: usize,
    ) -> StoreResult<Vec<CurrentEntry>> {
        streams::current(self.db, stream, after, count_max).map_err(failure)
    }

    fn current_amount(
        &self,
        stream: StreamId,
        after: u64,
        count_max: usize,
    ) -> StoreResult<EntriesAmount> {
        streams::current_amount(self.db, stream, after, count_max).map_err(failure)
    }

    fn current_of(&self, stream: StreamId, name: &[u8]) -> StoreResult<Option<CurrentEntry>> {
        streams::current_of(self.db, stream, name).map_err(failure)
    }

    fn member(&self, id: MemberId) -> StoreResult<Option<MemberRow>> {
        people::member(self.db, id).map_err(failure)
    }

    fn members(&self) -> StoreResult<Vec<MemberRow>> {
        people::members(self.db).map_err(failure)
    }

    fn external_id(&self, id: [u8; 16]) -> StoreResult<Option<String>> {
        people::external_id(self.db, id).map_err(failure)
    }

    fn admins(&self) -> StoreResult<Vec<AdminRow>> {
        people::admins(self.db).map_err(failure)
    }

    fn device(&self, id: DeviceId) -> StoreResult<Option<DeviceRow>> {
        people::device(self.db, id).map_err(failure)
    }

    fn devices(&self) -> StoreResult<Vec<DeviceRow>> {
        people::devices(self.db).map_err(failure)
    }

    fn revoked(&self) -> StoreResult<Vec<DeviceId>> {
        people::revoked(self.db).map_err(failure)
    }

    fn devices_of(&self, member: MemberId) -> StoreResult<Vec<DeviceRow>> {
        people::devices_of(self.db, member).map_err(failure)
    }

    fn invitation(&self, id: [u8; 16]) -> StoreResult<Option<InvitationRow>> {
        people::invitation(self.db, id).map_err(failure)
    }

    fn invitations(
        &self,
        after: Option<[u8; 16]>,
        count_max: usize,
    ) -> StoreResult<Vec<InvitationRow>> {
        people::invitations(self.db, after, count_max).map_err(failure)
    }

    fn review(&self, id: EnvelopeId) -> StoreResult<Option<ReviewRow>> {
        administration::review(self.db, id).map_err(failure)
    }

    fn reviews_open(&self, count_max: usize) -> StoreResult<Vec<ReviewRow>> {
        administration::reviews_open(self.db, count_max).map_err(failure)
    }

    fn audit(&self, after: u64, count_max: usize) -> StoreResult<Vec<AuditRow>> {
        administration::audit(self.db, after, count_max).map_err(failure)
    }

    fn audit_last(&self) -> StoreResult<Option<AuditRow>> {
        administration::audit_last(self.db).map_err(failure)
    }

    fn readings(&self, after: ReadingKey, count_max: usize) -> StoreResult<Vec<ReadingRow>> {
        readings::page(self.db, after, count_max).map_err(failure)
    }

    fn template(&self, id: &TemplateId, version: u32) -> StoreResult<Option<TemplateRow>> {
        templates::find(self.db, id, version).map_err(failure)
    }

    fn newest_template(&self, id: &TemplateId) -> StoreResult<Option<TemplateRow>> {
        templates::newest(self.db, id).map_err(failure)
    }

    fn templates(&self, after: (&str, u32), count_max: usize) -> StoreResult<Vec<TemplateRow>> {
        templates::page(self.db, after, count_max).map_err(failure)
    }

    fn written(&self, day: i64, device: DeviceId) -> StoreResult<Amount> {
        written::of(self.db, day, device).map_err(failure)
    }

    fn parcel_outcome(&self, hash: Hash) -> StoreResult<Option<ParcelOutcome>> {
        parcels::outcome(self.db, hash).map_err(failure)
    }

    fn parcels_brought(&self, day: i64, courier: DeviceId) -> StoreResult<ParcelAmount> {
        parcels::brought(self.db, day, courier).map_err(failure)
    }

    fn descriptions(&self, key: AttachmentKey) -> StoreResult<Vec<(Description, Status)>> {
        attachments::descriptions(self.db, key).map_err(failure)
    }

    fn attachment_file(&self, key: AttachmentKey) -> StoreResult<Option<AttachmentFile>> {
        attachments::file(self.db, key).map_err(failure)
    }

    fn record_files(&self, record: RecordId) -> StoreResult<Vec<RecordFile>> {
        attachments::of_record(self.db, record).map_err(failure)
    }

    fn attachment_files(
        &self,
        after: Option<AttachmentKey>,
        count_max: usize,
    ) -> StoreResult<Vec<AttachmentFile>> {
        attachments::files(self.db, after, count_max).map_err(failure)
    }

    fn attachment_orphans(
        &self,
        after: Option<AttachmentKey>,
        count_max: usize,
    ) -> StoreResult<Vec<(AttachmentKey, i64)>> {
        attachments::orphans(self.db, after, count_max).map_err(failure)
    }

    fn upload(&self, device: DeviceId, key: AttachmentKey) -> StoreResult<Option<UploadRow>> {
        attachments::upload(self.db, device, key).map_err(failure)
    }

    fn uploads_of(&self, device: DeviceId) -> StoreResult<Vec<UploadRow>> {
        attachments::uploads_of(self.db, device).map_err(failure)
    }

    fn uploads_before(
        &self,
        touched_before_ms: i64,
        count_max: usize,
    ) -> StoreResult<Vec<UploadRow>> {
        attachments::uploads_before(self.db, touched_before_ms, count_max).map_err(failure)
    }

    fn uploaded(&self, day: i64, device: DeviceId) -> StoreResult<UploadAmount> {
        attachments::uploaded(self.db, day, device).map_err(failure)
    }

    fn cursors(&self, device: DeviceId) -> StoreResult<Option<CursorsRow>> {
        visitors::cursors(self.db, device).map_err(failure)
    }

    fn session(&self, id: [u8; 16]) -> StoreResult<Option<SessionRow>> {
        visitors::session(self.db, id).map_err(failure)
    }

    fn counts(&self) -> StoreResult<Counts> {
        administration::counts(self.db).map_err(failure)
    }
}
