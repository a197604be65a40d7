//! Answers to a reader that repairs itself: set reconciliation, lists of ids, and what it wants again.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::sync::port::StreamItem;
use onegrid_core::sync::reconcile::{compare, respond};
use onegrid_core::wire::page::Page;
use onegrid_core::wire::repair::{RepairAnswer, RepairAsk, RepairFound, RepairStep, Settled};

use super::packs::Made;
use super::page::{Draft, Wish};
use crate::error::{Problem, Result};
use crate::server::Server;
use crate::store::{Reader, StoreResult};

/// What a repair adds to an answer.
pub(crate) struct Repaired {
    pub(crate) answers: Vec<RepairAnswer>,
    /// Envelopes, certificates and, unsigned yet, packs.
    pub(crate) page: Page,
    pub(crate) packs: Vec<Vec<u8>>,
    pub(crate) made: Vec<Made>,
    /// Records of which something is given, each with its stream.
    pub(crate) given: BTreeMap<RecordId, StreamId>,
    /// Certificates of authors whom the reader is not told.
    pub(crate) withheld: BTreeSet<Hash>,
}

impl Server {
    /// Answers the steps in their order. A stream that the reader may not read stays closed.
    pub(crate) fn repair(
        &self,
        tx: &dyn Reader,
        asks: &[RepairAsk],
        streams: &BTreeSet<StreamId>,
        wish: &Wish<'_>,
    ) -> Result<Repaired> {
        let mut draft = Draft::new(self, tx, wish);
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            draft.reading = Some(ask.stream);
            let step = if streams.contains(&ask.stream) {
                step(tx, ask, streams, &mut draft)?
            } else {
                RepairFound::Closed
            };
            answers.push(RepairAnswer {
                stream: ask.stream,
                step,
            });
        }
        let parts = draft.into_parts();
        Ok(Repaired {
            answers,
            page: parts.page,
            packs: parts.packs,
            made: parts.made,
            given: parts.given,
            withheld: parts.withheld,
        })
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
            // Whether a record that the reader may not read here exists at all is not said.
            let readable = tx.held_since(ask.stream, *record)?.is_some();
            let here: Vec<Settled> = if readable {
                let settled = tx.settled(*record)?.into_iter();
                settled
                    .map(|(id, verdict)| Settled { id, verdict })
                    .collect()
            } else {
                Vec::new()
            };
            let (reader_lacks, mine) = compare(&here, settled);
            RepairFound::Ids {
                record: *record,
                reader_lacks,
                server_lacks: lacking(tx, &here, &mine)?,
            }
        }
        RepairStep::Want { records, envelopes } => {
            let (mut absent_records, mut absent) = (Vec::new(), Vec::new());
            for record in records {
                let there = tx.held_since(ask.stream, *record)?.is_some();
                if !there || !(draft.pack(*record)? || tx.record(*record)?.is_some()) {
                    absent_records.push(*record);
                }
            }
            for id in envelopes {
                if !want(tx, *id, streams, draft)? {
                    absent.push(*id);
                }
            }
            RepairFound::Given {
                absent_records,
                absent,
            }
        }
    })
}

/// What the reader alone knows as settled, or knows a later verdict on. One that is held here, or that a reviewer
/// has refused, was decided after the backup that this server came back from: the reader's attestation says how.
fn lacking(tx: &dyn Reader, here: &[Settled], ids: &[EnvelopeId]) -> StoreResult<Vec<EnvelopeId>> {
    let mine: HashSet<EnvelopeId> = here.iter().map(|line| line.id).collect();
    let mut lacking = Vec::new();
    for id in ids {
        let known = tx.verdict(*id)?.map(|(_, verdict)| verdict.status);
        let gone = known.is_none_or(|status| !status.is_settled());
        if gone || mine.contains(id) {
            lacking.push(*id);
        }
    }
    Ok(lacking)
}

/// Gives a single envelope, if a stream that the reader may read holds its record.
fn want(
    tx: &dyn Reader,
    id: EnvelopeId,
    streams: &BTreeSet<StreamId>,
    draft: &mut Draft<'_>,
) -> StoreResult<bool> {
    let Some(stored) = tx
        .envelope(id)?
        .filter(|stored| stored.verdict.status.is_settled())
    else {
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

/// An envelope that is known by a base pack alone travels as the whole record.
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
    draft.pack(record)?;
    Ok(true)
}
