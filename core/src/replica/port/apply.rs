//! Applying one answer of the server, slice by slice.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::super::engine::Replica;
use super::super::engine::write::Writing;
use super::super::error::ReplicaError;
use super::super::table::envelope::{self, Origin};
use super::super::table::meta::{self, Name};
use super::super::table::{attachment, attestation, notice, pack, record, stray, stream};
use super::intake::{Incoming, Intake};
use super::{directory, membership, receipt};
use crate::domain::directory::DirectoryMark;
use crate::domain::notification::NotificationKind;
use crate::domain::stream::StreamId;
use crate::id::RecordId;
use crate::limits::{SLICE_BYTES, SLICE_ITEM_BYTES, SLICE_ITEMS, SLICE_RECORDS};
use crate::sync::answer::Answer;
use crate::sync::bundle_file::drop_expired;
use crate::sync::port::{ApplyCounts, ApplyProgress};
use crate::wire::cursor::CursorAt;
use crate::wire::envelope::{Envelope, RawEnvelope};
use crate::wire::pack::PackBatch;
use crate::wire::page::{FeedEntry, Page};
use crate::wire::repair::{RepairFound, RepairStep};

/// The highest generation of the server among the applied answers.
pub(super) fn generation(conn: &rusqlite::Connection) -> Result<u32, ReplicaError> {
    Ok(meta::generation(conn)?.unwrap_or(0))
}

impl Replica {
    /// Applies a slice of an answer: a short transaction that leaves the replica as a shorter answer would
    /// have. A cursor moves with the last item that it covers. So the next request asks again for
    /// everything that a crash left undone, and items that are here already are skipped.
    pub(super) fn apply_part(
        &mut self,
        answer: &Answer,
        applying: &mut ApplyProgress,
        now_ms: i64,
    ) -> Result<ApplyCounts, ReplicaError> {
        self.answer_under_way = false;
        if self.readers.is_halted() {
            return Err(ReplicaError::Suspended);
        }
        let mut work: Work = applying.take().unwrap_or_default();
        let writes = self.writes;
        let mut applied = self.write(now_ms, |writing| work.slice(answer, writing))?;
        applied.writes = self.writes.wrapping_sub(writes);
        if !work.is_done {
            self.answer_under_way = true;
            applying.put(work);
            return Ok(applied);
        }
        applying.finish();
        let server_ms = answer.response().time_ms;
        let kept = self
            .keep_files_in_bounds(now_ms)
            .and_then(|()| self.keep_staged_in_bounds(server_ms, now_ms));
        if let Err(error) = kept {
            tracing::warn!(code = error.code(), "storage is freed after the next sync");
        }
        if let Err(error) = drop_expired(self, now_ms) {
            tracing::warn!(
                code = error.code,
                "old requests are dropped after the next sync"
            );
        }
        // The answer is applied, even if a projection fails.
        if let Err(error) = self.rebuild_slice() {
            tracing::warn!(code = error.code(), "a projection waits for the next sync");
        }
        Ok(applied)
    }
}

/// A part of an answer that is applied whole.
enum Part {
    /// Everything beside receipt and page. Afterwards the remaining work is known.
    Head,
    /// A stream that may no longer be read, with as many of its records as fit.
    LostStream(StreamId),
    /// The receipt's verdicts on one record.
    Receipt(RecordId, receipt::Lines),
    /// Certificates of the page.
    Certificates(Range<usize>),
    /// A pack of the page: the batch, and the pack in it.
    Pack(usize, usize),
    /// The page's envelopes of one record.
    Envelopes(Vec<usize>),
    /// Entries of one segment.
    Entries(usize, Range<usize>),
    /// Packs of the page that the stream of a segment holds.
    Packed(usize, Range<usize>),
    /// All of a segment is applied.
    Cursor(usize),
    /// Records that a repair brought.
    Repair,
}

/// The step after a part.
enum Next {
    Part,
    /// The rest of this part, in another slice.
    Rest,
}

/// An answer on its way into the replica.
struct Work {
    parts: VecDeque<Part>,
    /// Number of the attestation of the page.
    attestation: Option<i64>,
    /// Numbers of the proofs of the batches.
    proofs: Vec<i64>,
    /// The record of each pack, through all batches.
    packed: Vec<Option<RecordId>>,
    is_done: bool,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            parts: VecDeque::from([Part::Head]),
            attestation: None,
            proofs: Vec::new(),
            packed: Vec::new(),
            is_done: false,
        }
    }
}

impl Work {
    /// As much as one transaction takes.
    fn slice(
        &mut self,
        answer: &Answer,
        writing: &mut Writing<'_>,
    ) -> Result<ApplyCounts, ReplicaError> {
        let mut intake = Intake::new(writing, Origin::Server);
        let mut bytes_left = SLICE_BYTES;
        while let Some(part) = self.parts.pop_front() {
            let bytes = bytes_of(answer, &part);
            if let Next::Rest = self.apply(answer, &mut intake, &part)? {
                self.parts.push_front(part);
                break;
            }
            bytes_left = bytes_left.saturating_sub(bytes);
            if bytes_left == 0 {
                break;
            }
        }
        intake.rewrite()?;
        // This is done after the whole answer, because one stream may take up a record that another one
        // withdraws.
        if self.parts.is_empty() {
            let purged = membership::purge_withdrawn(intake.writing, SLICE_RECORDS)?;
            self.is_done = purged < SLICE_RECORDS;
        }
        Ok(intake.applied)
    }

    fn apply(
        &mut self,
        answer: &Answer,
        intake: &mut Intake<'_, '_>,
        part: &Part,
    ) -> Result<Next, ReplicaError> {
        match part {
            Part::Head => self.head(answer, intake)?,
            Part::LostStream(id) => {
                let removed = membership::lose_stream(intake.writing, *id, SLICE_RECORDS)?;
                if removed == SLICE_RECORDS {
                    return Ok(Next::Rest);
                }
            }
            Part::Receipt(id, lines) => receipt::apply(intake, *id, lines)?,
            Part::Certificates(range) => {
                let generation = answer.response().generation;
                let certificates = page_of(answer).map(|page| &page.certificates[range.clone()]);
                intake.certificates(certificates.unwrap_or_default(), Some(generation))?;
            }
            Part::Pack(batch, at) => {
                let packs = page_of(answer).map(|page| &page.packs[*batch]);
                let record = match packs {
                    Some(PackBatch { proof, packs }) => {
                        intake.pack(&packs[*at], self.proofs[*batch], proof)?
                    }
                    None => None,
                };
                self.packed.push(record);
            }
            Part::Envelopes(indices) => {
                let page = page_of(answer).into_iter();
                let all = page.flat_map(|page| indices.iter().map(|at| &page.envelopes[*at]));
                let incoming = all.map(|(raw, verdict)| Incoming {
                    raw: raw.clone(),
                    verdict: self.attestation.map(|no| (*verdict, no)),
                });
                intake.envelopes(incoming.collect())?;
            }
            Part::Entries(segment, range) => {
                entries(answer, self.attestation, intake, (*segment, range))?;
            }
            Part::Packed(segment, range) => {
                if let Some(known) = stream_of(answer, intake, *segment)? {
                    for record in self.packed.get(range.clone()).unwrap_or_default() {
                        hold(intake, known.no, *record)?;
                    }
                }
            }
            Part::Cursor(segment) => cursor(answer, intake, *segment)?,
            Part::Repair => apply_repair(intake, answer)?,
        }
        Ok(Next::Part)
    }

    fn head(&mut self, answer: &Answer, intake: &mut Intake<'_, '_>) -> Result<(), ReplicaError> {
        let response = answer.response();
        let conn = intake.writing.conn;
        if response.generation > generation(conn)? {
            next_generation(intake.writing, response.generation)?;
        }
        if let Some(streams) = &response.streams {
            let lost = membership::set_streams(intake.writing, streams)?;
            self.parts.extend(lost.into_iter().map(Part::LostStream));
        }
        if let Some(closed) = response.closed
            && !notice::is_unseen(conn, closed.code())?
        {
            let at_ms = response.time_ms;
            notice::insert(conn, at_ms, closed.code(), (None, None), "")?;
            let cause = &at_ms.to_be_bytes();
            directory::tell(intake.writing, NotificationKind::Expired, cause, at_ms)?;
        }
        intake.sealed(&response.sealed)?;
        if let Some(receipt) = answer.receipt() {
            let by_record = receipt::by_record(conn, receipt)?.into_iter();
            let parts = by_record.map(|(id, lines)| Part::Receipt(id, lines));
            self.parts.extend(parts);
        }
        if let Some(page) = page_of(answer) {
            let signed = answer.page_attestation();
            self.attestation = signed
                .map(|signed| attestation::insert(conn, signed))
                .transpose()?;
            for batch in &page.packs {
                self.proofs.push(pack::put_proof(conn, &batch.proof)?);
            }
            self.parts.extend(parts_of(page));
        }
        self.parts.push_back(Part::Repair);
        Ok(())
    }
}

fn page_of(answer: &Answer) -> Option<&Page> {
    answer.response().page.as_ref()
}

/// The approximate cost of a part, in bytes.
fn bytes_of(answer: &Answer, part: &Part) -> usize {
    let page = page_of(answer);
    let of_envelope = |at: &usize| {
        let found = page.and_then(|page| page.envelopes.get(*at));
        found.map_or(0, |(raw, _)| raw.len()) + SLICE_ITEM_BYTES
    };
    match part {
        Part::Head | Part::Cursor(_) | Part::Repair => 0,
        // Each takes a slice to itself.
        Part::LostStream(_) => SLICE_BYTES,
        Part::Receipt(_, lines) => lines.len() * SLICE_ITEM_BYTES,
        Part::Certificates(range) => range.len() * SLICE_ITEM_BYTES,
        Part::Pack(batch, at) => {
            let batch = page.and_then(|page| page.packs.get(*batch));
            let pack = batch.and_then(|batch| batch.packs.get(*at));
            pack.map_or(0, Vec::len) + SLICE_ITEM_BYTES
        }
        Part::Envelopes(all) => all.iter().map(of_envelope).sum(),
        Part::Entries(_, range) | Part::Packed(_, range) => range.len() * SLICE_ITEM_BYTES / 4,
    }
}

/// The stream of a segment; `None` where this phone does not know yet that it may read it. Then the next
/// answer names all streams.
fn stream_of(
    answer: &Answer,
    intake: &Intake<'_, '_>,
    segment: usize,
) -> Result<Option<stream::StreamRow>, ReplicaError> {
    match page_of(answer).and_then(|page| page.segments.get(segment)) {
        Some(segment) => Ok(stream::get(intake.writing.conn, segment.stream)?),
        None => Ok(None),
    }
}

fn entries(
    answer: &Answer,
    attestation: Option<i64>,
    intake: &mut Intake<'_, '_>,
    (segment, range): (usize, &Range<usize>),
) -> Result<(), ReplicaError> {
    let (Some(page), Some(known)) = (page_of(answer), stream_of(answer, intake, segment)?) else {
        return Ok(());
    };
    for entry in &page.segments[segment].entries[range.clone()] {
        match entry {
            FeedEntry::Envelope(index) => {
                let raw = usize::try_from(*index)
                    .ok()
                    .and_then(|at| page.envelopes.get(at));
                hold(intake, known.no, raw.and_then(|(raw, _)| record_of(raw)))?;
            }
            FeedEntry::Sent(index) => {
                let bundle = answer.request().bundle.as_ref();
                let raw = usize::try_from(*index)
                    .ok()
                    .and_then(|at| bundle.and_then(|bundle| bundle.envelopes.get(at)));
                hold(intake, known.no, raw.and_then(record_of))?;
            }
            FeedEntry::Known(id) => {
                let record = intake.record_of(*id)?;
                hold(intake, known.no, record)?;
            }
            FeedEntry::Add { record } => hold(intake, known.no, Some(*record))?,
            FeedEntry::Withdraw { record } => {
                membership::remove(intake.writing, known.no, *record)?;
            }
            FeedEntry::Verdict { hash, verdict } => {
                let id = hash.envelope_id();
                if let Some(record) = intake.record_of(id)? {
                    let mut record = intake.writing.take(record)?;
                    intake.verdicts(&mut record, [(id, *verdict, attestation)])?;
                    intake.writing.touch(record);
                }
            }
            FeedEntry::Directory(bytes) => {
                directory::store(intake.writing, &known.id, bytes)?;
                intake.applied.pulled += 1;
            }
            FeedEntry::Bulletin(bytes) => {
                directory::store_bulletin(intake.writing, &known.id, bytes)?;
                intake.applied.pulled += 1;
            }
            // Parts of their own.
            FeedEntry::Packs { .. } | FeedEntry::Nothing => {}
        }
    }
    Ok(())
}

fn cursor(answer: &Answer, intake: &Intake<'_, '_>, segment: usize) -> Result<(), ReplicaError> {
    let (Some(page), Some(known)) = (page_of(answer), stream_of(answer, intake, segment)?) else {
        return Ok(());
    };
    let conn = intake.writing.conn;
    let next = &page.segments[segment].next;
    stream::set_cursor(conn, known.no, next)?;
    if let (
        StreamId::DirectoryBase,
        CursorAt::At {
            generation,
            position,
            ..
        },
    ) = (known.id, next)
    {
        let mark = DirectoryMark {
            generation: *generation,
            position: *position,
        };
        let bytes = minicbor::to_vec(mark).map_err(|_| ReplicaError::Inconsistent)?;
        meta::put(conn, Name::DirectoryMark, &bytes)?;
    }
    Ok(())
}

/// The parts of a page in their order: certificates before what they signed, records before the streams that
/// hold them, and the cursors last.
fn parts_of(page: &Page) -> Vec<Part> {
    let mut parts: Vec<Part> = chunks(0..page.certificates.len())
        .map(Part::Certificates)
        .collect();
    for (no, batch) in page.packs.iter().enumerate() {
        parts.extend((0..batch.packs.len()).map(|at| Part::Pack(no, at)));
    }
    let mut by_record: BTreeMap<Option<RecordId>, Vec<usize>> = BTreeMap::new();
    for (at, (raw, _)) in page.envelopes.iter().enumerate() {
        by_record.entry(record_of(raw)).or_default().push(at);
    }
    parts.extend(by_record.into_values().map(Part::Envelopes));
    for (no, segment) in page.segments.iter().enumerate() {
        for range in chunks(0..segment.entries.len()) {
            parts.push(Part::Entries(no, range.clone()));
            for entry in &segment.entries[range] {
                if let FeedEntry::Packs { first, count } = entry {
                    let first = usize::try_from(*first).unwrap_or(usize::MAX);
                    let count = usize::try_from(*count).unwrap_or(usize::MAX);
                    let all: usize = page.packs.iter().map(|batch| batch.packs.len()).sum();
                    let range = first.min(all)..first.saturating_add(count).min(all);
                    parts.extend(chunks(range).map(|range| Part::Packed(no, range)));
                }
            }
        }
    }
    // Streams that move together keep the same pace.
    parts.extend((0..page.segments.len()).map(Part::Cursor));
    parts
}

/// A range in pieces of a few items.
fn chunks(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range
        .step_by(SLICE_ITEMS)
        .map(move |from| from..end.min(from + SLICE_ITEMS))
}

/// The server was restored and may have forgotten its refusals, so it is asked again. Records in no stream
/// are asked about too, because no digest covers them.
fn next_generation(writing: &mut Writing<'_>, next: u32) -> Result<(), ReplicaError> {
    if generation(writing.conn)? > 0 {
        meta::put(writing.conn, Name::Behind, &[1])?;
    }
    meta::put(writing.conn, Name::Generation, &next.to_be_bytes())?;
    attachment::forget_refusals(writing.conn)?;
    stray::insert_all(writing.conn)?;
    for record in envelope::ask_again(writing.conn)? {
        writing.reload(record)?;
    }
    Ok(())
}

/// Notes records that a repair found missing from a stream. They arrived just now or were here through
/// another stream, and the server says that this one holds them.
fn apply_repair(intake: &Intake<'_, '_>, answer: &Answer) -> Result<(), ReplicaError> {
    let asked = &answer.request().repair;
    for (ask, found) in asked.iter().zip(&answer.response().repair) {
        let (
            RepairStep::Want { records, .. },
            RepairFound::Given {
                absent_records,
                covered,
                ..
            },
        ) = (&ask.step, &found.step)
        else {
            continue;
        };
        let covered = usize::try_from(*covered).unwrap_or(usize::MAX);
        let known = stream::get(intake.writing.conn, ask.stream)?;
        let Some(known) = known.filter(|_| ask.stream == found.stream) else {
            continue;
        };
        let looked_at = records.iter().take(covered);
        for id in looked_at.filter(|id| !absent_records.contains(id)) {
            if record::digest(intake.writing.conn, *id)?.is_some() {
                membership::add(intake.writing, known.no, *id)?;
            }
        }
    }
    Ok(())
}

fn hold(
    intake: &Intake<'_, '_>,
    stream: i64,
    record: Option<RecordId>,
) -> Result<(), ReplicaError> {
    match record {
        Some(record) => membership::add(intake.writing, stream, record),
        None => Ok(()),
    }
}

fn record_of(raw: &RawEnvelope) -> Option<RecordId> {
    Envelope::parse(raw.clone())
        .ok()
        .map(|envelope| envelope.record())
}
