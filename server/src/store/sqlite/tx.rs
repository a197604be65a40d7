//! One transaction: each question and each write goes to the module of its table.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::verdict::Verdict;
use rusqlite::Connection;

use super::convert::failure;
use super::{administration, bases, envelopes, feed, people, records, streams, unread, visitors};
use crate::store::{
    Amount, AuditRow, BasePack, Counts, CurrentEntry, CursorsRow, DeviceRow, FeedRow, Head,
    Holding, InvitationRow, LoadKey, LoadRow, MemberRow, NewEntry, NewEnvelope, PackedEnvelope,
    Reader, RecordRow, ReviewRow, SessionRow, StoreError, StoreResult, StoredEnvelope, StreamItem,
    UnreadRow, Writer,
};

pub(super) struct Tx<'c> {
    db: &'c Connection,
}

impl<'c> Tx<'c> {
    pub(super) fn new(db: &'c Connection) -> Self {
        Self { db }
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

    fn entries(&self, record: RecordId) -> StoreResult<usize> {
        envelopes::count(self.db, record).map_err(failure)
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

    fn unread(&self, id: EnvelopeId) -> StoreResult<Option<UnreadRow>> {
        unread::one(self.db, id).map_err(failure)
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
        feed::head(self.db, stream).map_err(failure)
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

    fn current_of(&self, stream: StreamId, name: &[u8]) -> StoreResult<Option<CurrentEntry>> {
        streams::current_of(self.db, stream, name).map_err(failure)
    }

    fn member(&self, id: MemberId) -> StoreResult<Option<MemberRow>> {
        people::member(self.db, id).map_err(failure)
    }

    fn members(&self) -> StoreResult<Vec<MemberRow>> {
        people::members(self.db).map_err(failure)
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

impl Writer for Tx<'_> {
    fn set_meta(&mut self, name: &str, value: &[u8]) -> StoreResult<()> {
        administration::set_meta(self.db, name, value).map_err(failure)
    }

    fn put_certificate(
        &mut self,
        hash: Hash,
        device: DeviceId,
        certificate: &RawCertificate,
    ) -> StoreResult<()> {
        envelopes::put_certificate(self.db, hash, device, certificate).map_err(failure)
    }

    fn put_unread(&mut self, row: &UnreadRow) -> StoreResult<bool> {
        unread::put(self.db, row).map_err(failure)
    }

    fn set_unread_verdict(&mut self, id: EnvelopeId, verdict: Verdict) -> StoreResult<()> {
        let found = unread::set_verdict(self.db, id, verdict).map_err(failure)?;
        found.then_some(()).ok_or(StoreError::Missing("envelope"))
    }

    fn drop_unread(&mut self, id: EnvelopeId) -> StoreResult<()> {
        unread::delete(self.db, id).map_err(failure)
    }

    fn put_record(&mut self, record: &RecordRow) -> StoreResult<()> {
        records::put(self.db, record).map_err(failure)
    }

    fn put_pack(&mut self, id: RecordId, digest: Digest, pack: &[u8]) -> StoreResult<()> {
        records::put_pack(self.db, id, digest, pack).map_err(failure)
    }

    fn append(&mut self, stream: StreamId, entries: &[NewEntry]) -> StoreResult<Head> {
        feed::append(self.db, stream, entries).map_err(failure)
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
        streams::set_current(self.db, stream, name, position, data).map_err(failure)
    }

    fn put_member(&mut self, member: &MemberRow) -> StoreResult<()> {
        people::put_member(self.db, member).map_err(failure)
    }

    fn put_device(&mut self, device: &DeviceRow) -> StoreResult<()> {
        people::put_device(self.db, device).map_err(failure)
    }

    fn put_invitation(&mut self, invitation: &InvitationRow) -> StoreResult<()> {
        people::put_invitation(self.db, invitation).map_err(failure)
    }

    fn put_review(&mut self, review: &ReviewRow) -> StoreResult<()> {
        administration::put_review(self.db, review).map_err(failure)
    }

    fn put_audit(&mut self, row: &AuditRow) -> StoreResult<()> {
        administration::put_audit(self.db, row).map_err(failure)
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
    ) -> StoreResult<bool> {
        streams::need_certificate(self.db, stream, certificate, position)
            .map_err(failure)?
            .ok_or(StoreError::Missing("certificate"))
    }

    fn forget_certificates(&mut self, stream: StreamId, certificates: &[Hash]) -> StoreResult<()> {
        certificates.iter().try_for_each(|hash| {
            streams::forget_certificate(self.db, stream, *hash).map_err(failure)
        })
    }

    fn put_envelope(&mut self, envelope: &NewEnvelope<'_>) -> StoreResult<bool> {
        envelopes::put(self.db, envelope)
            .map_err(failure)?
            .ok_or(StoreError::Missing("certificate"))
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
        let found = streams::hold(self.db, stream, record).map_err(failure)?;
        if found {
            Ok(())
        } else {
            Err(StoreError::Missing("record"))
        }
    }
}
