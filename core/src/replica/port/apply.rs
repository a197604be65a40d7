//! Applying one answer of the server.

use super::super::engine::Replica;
use super::super::engine::write::Writing;
use super::super::error::ReplicaError;
use super::super::table::envelope::Origin;
use super::super::table::meta::{self, Name};
use super::super::table::{attestation, envelope, notice, record, stray, stream};
use super::intake::{Incoming, Intake};
use super::{directory, membership, receipt};
use crate::domain::stream::StreamId;
use crate::id::RecordId;
use crate::sync::answer::Answer;
use crate::sync::port::Applied;
use crate::wire::cursor::CursorAt;
use crate::wire::envelope::{DirectoryMark, Envelope};
use crate::wire::page::{FeedEntry, Page, Segment};
use crate::wire::repair::{RepairFound, RepairStep};

/// The highest generation of the server that an answer was applied of.
pub(super) fn generation(conn: &rusqlite::Connection) -> Result<u32, ReplicaError> {
    Ok(meta::get_fixed(conn, Name::Generation)?.map_or(0, u32::from_be_bytes))
}

impl Replica {
    /// One durable transaction: receipt, page, cursors.
    pub(super) fn apply_answer(
        &mut self,
        answer: &Answer,
        now_ms: i64,
    ) -> Result<Applied, ReplicaError> {
        self.write(now_ms, |writing| {
            let response = answer.response();
            if response.generation > generation(writing.conn)? {
                next_generation(writing, response.generation)?;
            }
            if let Some(streams) = &response.streams {
                membership::set_streams(writing, streams)?;
            }
            if let Some(closed) = response.closed
                && !notice::is_unseen(writing.conn, closed.code())?
            {
                let at_ms = response.time_ms;
                notice::insert(writing.conn, at_ms, closed.code(), (None, None), "")?;
            }
            let mut intake = Intake::new(writing, Origin::Server);
            intake.sealed(&response.sealed)?;
            receipt::apply(&mut intake, answer)?;
            if let Some(page) = &response.page {
                apply_page(&mut intake, answer, page)?;
            }
            apply_repair(&intake, answer)?;
            intake.finish()
        })
    }
}

/// The server was restored: what it had turned down it may not remember, so it is asked again. For what no stream
/// holds no digest speaks.
fn next_generation(writing: &mut Writing<'_>, generation: u32) -> Result<(), ReplicaError> {
    meta::put(writing.conn, Name::Generation, &generation.to_be_bytes())?;
    stray::insert_all(writing.conn)?;
    for record in envelope::ask_again(writing.conn)? {
        writing.reload(record)?;
    }
    Ok(())
}

fn apply_page(
    intake: &mut Intake<'_, '_>,
    answer: &Answer,
    page: &Page,
) -> Result<(), ReplicaError> {
    intake.certificates(&page.certificates, Some(answer.response().generation))?;
    let signed = answer.page_attestation();
    let no = signed
        .map(|signed| attestation::insert(intake.writing.conn, signed))
        .transpose()?;
    let mut packed: Vec<Option<RecordId>> = Vec::new();
    for batch in &page.packs {
        packed.extend(intake.packs(batch)?);
    }
    let incoming = page.envelopes.iter().map(|(raw, verdict)| Incoming {
        raw: raw.clone(),
        verdict: no.map(|no| (*verdict, no)),
    });
    intake.envelopes(incoming.collect())?;
    for segment in &page.segments {
        apply_segment(intake, answer, page, segment, &packed, no)?;
    }
    Ok(())
}

/// Records that a repair found missing from a stream: whether they came just now or were here by another
/// stream, the server says that this one holds them.
fn apply_repair(intake: &Intake<'_, '_>, answer: &Answer) -> Result<(), ReplicaError> {
    let asked = &answer.request().repair;
    for (ask, found) in asked.iter().zip(&answer.response().repair) {
        let (RepairStep::Want { records, .. }, RepairFound::Given { absent_records, .. }) =
            (&ask.step, &found.step)
        else {
            continue;
        };
        let known = stream::get(intake.writing.conn, ask.stream)?;
        let Some(known) = known.filter(|_| ask.stream == found.stream) else {
            continue;
        };
        for id in records.iter().filter(|id| !absent_records.contains(id)) {
            if record::digest(intake.writing.conn, *id)?.is_some() {
                membership::add(intake.writing, known.no, *id)?;
            }
        }
    }
    Ok(())
}

fn apply_segment(
    intake: &mut Intake<'_, '_>,
    answer: &Answer,
    page: &Page,
    segment: &Segment,
    packed: &[Option<RecordId>],
    attestation: Option<i64>,
) -> Result<(), ReplicaError> {
    let Some(known) = stream::get(intake.writing.conn, segment.stream)? else {
        // Not a stream that this phone knows it may read: the next answer names all of them.
        return Ok(());
    };
    for entry in &segment.entries {
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
                directory::store(intake.writing, &segment.stream, bytes)?;
                intake.applied.pulled += 1;
            }
            FeedEntry::Bulletin(bytes) => {
                directory::store_bulletin(intake.writing, &segment.stream, bytes)?;
                intake.applied.pulled += 1;
            }
            FeedEntry::Packs { first, count } => {
                let first = usize::try_from(*first).unwrap_or(usize::MAX);
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                for record in packed.iter().skip(first).take(count) {
                    hold(intake, known.no, *record)?;
                }
            }
            FeedEntry::Nothing => {}
        }
    }
    stream::set_cursor(intake.writing.conn, known.no, &segment.next)?;
    if let (
        StreamId::DirectoryBase,
        CursorAt::At {
            generation,
            position,
            ..
        },
    ) = (segment.stream, &segment.next)
    {
        let mark = DirectoryMark {
            generation: *generation,
            position: *position,
        };
        let bytes = minicbor::to_vec(mark).map_err(|_| ReplicaError::Inconsistent)?;
        meta::put(intake.writing.conn, Name::DirectoryMark, &bytes)?;
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

fn record_of(raw: &crate::wire::envelope::RawEnvelope) -> Option<RecordId> {
    Envelope::parse(raw.clone())
        .ok()
        .map(|envelope| envelope.record())
}
