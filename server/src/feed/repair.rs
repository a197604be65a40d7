//! Answers to a reader that repairs itself: set reconciliation, lists of ids, and records that it asks for again.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::sync::port::StreamItem;
use onegrid_core::sync::reconcile::{compare, respond};
use onegrid_core::wire::page::Page;
use onegrid_core::wire::repair::{
    RepairAnswer, RepairAsk, RepairFound, RepairStep, SettledEnvelope,
};

use super::packs::{FreshPack, PackResult};
use super::page::{Draft, Wish};
use crate::error::{Problem, Result};
use crate::limits::{NAMED_ENTRY_BYTES, REPAIR_ANSWERS_BYTES_MAX, REPAIR_PAGE_BYTES_MIN};
use crate::records::certificates::Certificates;
use crate::store::{Reader, StoreResult};

/// The additions of a repair to an answer.
pub(crate) struct RepairResult {
    pub(crate) answers: Vec<RepairAnswer>,
    /// Envelopes, certificates and packs that are not signed yet.
    pub(crate) page: Page,
    pub(crate) packs: Vec<Vec<u8>>,
    pub(crate) made: Vec<FreshPack>,
    /// Records with content in the page, each with its stream.
    pub(crate) given: BTreeMap<RecordId, StreamId>,
    /// Certificates of authors that are withheld from the reader.
    pub(crate) withheld: BTreeSet<Hash>,
    /// Records that were left out because their data are damaged.
    pub(crate) damaged: BTreeSet<RecordId>,
}

/// Answers the steps in order. A stream that the reader may not read stays closed. `used` is the size of the
/// page in the same answer, in bytes. The reader asks again for everything that does not fit beside that
/// page.
pub(super) fn repair(
    cache: &Certificates,
    tx: &dyn Reader,
    asks: &[RepairAsk],
    streams: &BTreeSet<StreamId>,
    wish: &Wish<'_>,
    used: usize,
) -> Result<RepairResult> {
    let mut draft = Draft::new(cache, tx, wish);
    draft.bytes = used;
    draft.bytes_max = draft.bytes_max.max(REPAIR_PAGE_BYTES_MIN);
    let mut answers = Vec::with_capacity(asks.len());
    let mut said = 0;
    for ask in asks {
        if said >= REPAIR_ANSWERS_BYTES_MAX {
            break;
        }
        draft.reading = Some(ask.stream);
        let step = if streams.contains(&ask.stream) {
            step(tx, ask, streams, &mut draft)?
        } else {
            RepairFound::Closed
        };
        said += bytes_of(&step);
        answers.push(RepairAnswer {
            stream: ask.stream,
            step,
        });
    }
    let parts = draft.into_parts();
    Ok(RepairResult {
        answers,
        page: parts.page,
        packs: parts.packs,
        made: parts.made,
        given: parts.given,
        withheld: parts.withheld,
        damaged: parts.damaged,
    })
}

/// Estimates the bytes of an answer.
fn bytes_of(step: &RepairFound) -> usize {
    match step {
        RepairFound::Reconcile(message) => message.len(),
        RepairFound::Ids {
            reader_lacks,
            server_lacks,
            ..
        } => (reader_lacks.len() + server_lacks.len()) * NAMED_ENTRY_BYTES,
        RepairFound::Given {
            absent_records,
            absent,
            ..
        } => (absent_records.len() + absent.len()) * NAMED_ENTRY_BYTES,
        RepairFound::Closed => 0,
    }
}

fn step(
    tx: &dyn Reader,
    ask: &RepairAsk,
    streams: &BTreeSet<StreamId>,
    draft: &mut Draft<'_>,
) -> Result<RepairFound> {
    Ok(match &ask.step {
        RepairStep::Reconcile(message) => {
            let items: Vec<StreamItem> = tx
                .stream_items(ask.stream)?
                .into_iter()
                .map(|item| StreamItem {
                    created_ms: item.created_ms,
                    record: item.record,
                    digest: item.digest,
                })
                .collect();
            let answer = respond(&items, message)
                .map_err(|error| Problem::new("http.bad_request").because(&error))?;
            RepairFound::Reconcile(answer)
        }
        RepairStep::Ids { record, settled } => {
            // The answer does not reveal whether a record exists that the reader may not read here.
            let readable = tx.held_since(ask.stream, *record)?.is_some();
            let here: Vec<SettledEnvelope> = if readable {
                let settled = tx.settled(*record)?.into_iter();
                settled
                    .map(|(id, verdict)| SettledEnvelope { id, verdict })
                    .collect()
            } else {
                Vec::new()
            };
            let (reader_lacks, _) = compare(&here, settled);
            RepairFound::Ids {
                record: *record,
                reader_lacks,
                server_lacks: lacking(tx, settled)?,
            }
        }
        RepairStep::Want { records, envelopes } => {
            let (mut absent_records, mut absent) = (Vec::new(), Vec::new());
            let mut covered = 0;
            for record in records {
                if draft.is_full() {
                    break;
                }
                covered += 1;
                if !wanted_record(tx, ask.stream, *record, draft)? {
                    absent_records.push(*record);
                }
            }
            for id in envelopes {
                if draft.is_full() {
                    break;
                }
                covered += 1;
                if !want(tx, *id, streams, draft)? {
                    absent.push(*id);
                }
            }
            RepairFound::Given {
                absent_records,
                absent,
                covered,
            }
        }
    })
}

/// Returns the envelopes that only the reader knows, and those with a verdict of a higher rank at the reader, whether
/// or not the reader may read them here. An envelope may be held here, or refused by a reviewer, and settled at the
/// reader. Then it was decided after the backup that this server came back from, and the reader's attestation carries
/// the decision.
fn lacking(tx: &dyn Reader, settled: &[SettledEnvelope]) -> StoreResult<Vec<EnvelopeId>> {
    let mut lacking = Vec::new();
    for line in settled {
        let known = tx.verdict(line.id)?.map(|(_, verdict)| verdict);
        if known.is_none_or(|known| line.verdict.is_later_than(&known)) {
            lacking.push(line.id);
        }
    }
    Ok(lacking)
}

/// Adds a whole record, if the stream holds it.
fn wanted_record(
    tx: &dyn Reader,
    stream: StreamId,
    record: RecordId,
    draft: &mut Draft<'_>,
) -> StoreResult<bool> {
    if tx.held_since(stream, record)?.is_none() {
        return Ok(false);
    }
    Ok(match draft.pack(record)? {
        PackResult::Given => true,
        PackResult::Nothing => tx.record(record)?.is_some(),
        PackResult::Damaged => false,
    })
}

/// Adds a single envelope, if a readable stream of the reader holds its record.
fn want(
    tx: &dyn Reader,
    id: EnvelopeId,
    streams: &BTreeSet<StreamId>,
    draft: &mut Draft<'_>,
) -> StoreResult<bool> {
    let found = match tx.envelope(id) {
        // The draft notes that it leaves the envelope out.
        Err(error) if error.is_local() => return Ok(draft.envelope(id)?.is_some()),
        found => found?,
    };
    let Some(stored) = found.filter(|stored| stored.verdict.status.is_settled()) else {
        return in_base(tx, id, streams, draft);
    };
    let record: RecordId = stored.record;
    let holding: Vec<StreamId> = tx
        .record_streams(record)?
        .into_iter()
        .filter(|stream| streams.contains(stream))
        .collect();
    if holding.is_empty() {
        return Ok(false);
    }
    for stream in holding {
        if tx.shown(stream, record)?.contains(&stored.certificate) {
            draft.certificate(stored.certificate)?;
        }
    }
    Ok(draft.envelope(id)?.is_some())
}

/// Adds the whole record of an envelope that is known only from a base pack; returns whether it did.
fn in_base(
    tx: &dyn Reader,
    id: EnvelopeId,
    streams: &BTreeSet<StreamId>,
    draft: &mut Draft<'_>,
) -> StoreResult<bool> {
    let settled = tx
        .verdict(id)?
        .is_some_and(|(hash, verdict)| hash.is_none() && verdict.status.is_settled());
    let Some(record) = tx.record_of(id)?.filter(|_| settled) else {
        return Ok(false);
    };
    let holding = tx.record_streams(record)?;
    if !holding.iter().any(|stream| streams.contains(stream)) {
        return Ok(false);
    }
    Ok(draft.pack(record)? != PackResult::Damaged)
}
