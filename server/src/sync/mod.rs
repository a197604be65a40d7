//! One request of a phone, from its bytes to its answer.
//!
//! ```text
//!  request ─▶ verdicts and packs given back ─▶ upload ─▶ ingest ─▶ receipt ─┐
//!          ├▶ parcels of other phones ───▶ ingest ─▶ outcomes ─────────────┤
//!          └▶ cursors and repair ───────────────────────▶ feed ─▶ page ─────┴▶ answer
//! ```
//!
//! The upload is stored before the feed reads its snapshot, so the answer already holds its verdicts.
//!
//! **Not here:** judging and storing (`ingest`), the choice of entries for a page (`feed`), sessions
//! (`registry`).

mod tally;

use std::collections::{BTreeSet, HashMap};

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash};
use onegrid_core::limits::{PAGE_BYTES_FIRST, PAGE_BYTES_MAX};
use onegrid_core::trust::request_mac::RequestTag;
use onegrid_core::trust::session::Session;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::frame::Effort;
use onegrid_core::wire::message::{
    Bundle, CursorsAnswer, PROTOCOL_VERSION, SyncRequest, SyncResponse,
};
use onegrid_core::wire::receipt::Receipt;
use onegrid_core::wire::verdict::Attestation;
use tokio::sync::watch;

pub use tally::Tally;

use crate::error::{Problem, Result};
use crate::feed::answer::{self, ReadRequest};
use crate::feed::cursor_memory::CursorMemory;
use crate::ingest::{self, IngestResult, Intake, TakenPacks};
use crate::limits::SLOW_LINE_PAGE_BYTES_MAX;
use crate::registry::{reading, renewal, sessions};
use crate::shared::Shared;
use crate::wakeups::Wake;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncAnswer {
    /// The body of the answer.
    pub body: Vec<u8>,
    /// The message code, for the header [`onegrid_core::trust::request_mac::MAC_HEADER`].
    pub mac: String,
    /// The numbers of this sync for the metrics.
    pub tally: Tally,
}

/// Answers a request whose session and code were checked.
pub(crate) fn answer(
    intake: &Intake,
    remembered: &CursorMemory,
    session: &Session,
    tag: &RequestTag,
    body: &[u8],
    now_ms: i64,
) -> Result<SyncAnswer> {
    let request = SyncRequest::from_bytes(body)
        .map_err(|error| Problem::new(error.code()).because(&error))?;
    let (reconciles, gives_back) = (!request.repair.is_empty(), request.give_back.is_some());
    let effort = effort(request.page_bytes_max);
    let (response, damaged) = respond(intake, remembered, session, request, now_ms)?;
    let tally = Tally {
        damaged,
        ..Tally::of(&response, reconciles, gives_back)
    };
    let body = response
        .to_bytes_with(effort)
        .map_err(|error| Problem::new("server.internal").because(&error))?;
    let mac = session.answer_mac(&tag.mac, &body);
    Ok(SyncAnswer { body, mac, tally })
}

/// Subscribes a device to news in the streams that it may read.
pub(crate) fn subscribe(
    shared: &Shared,
    device: DeviceId,
    now_ms: i64,
) -> Result<watch::Receiver<Wake>> {
    let has_others = shared.store.hints().is_some();
    let (streams, heads) = shared.store.read::<_, Problem>(|tx| {
        let streams = reading::readable(&shared.views, tx, device, now_ms)?;
        let all: Vec<StreamId> = streams.iter().copied().collect();
        let heads = if has_others {
            tx.heads(&all)?
        } else {
            Vec::new()
        };
        Ok((streams, all.into_iter().zip(heads).collect::<Vec<_>>()))
    })?;
    // Others may read the same streams and wait for a hint that was lost.
    shared.wakeups.grown(&heads);
    let waiting = shared.wakeups.subscribe(device, streams);
    // A phone syncs after it has subscribed, so it needs no wake-up for present entries.
    shared.wakeups.know(&heads);
    Ok(waiting)
}

/// Wakes the phones of this node for what other nodes have stored. `hinted` are streams that may have grown; without
/// it, every stream that a phone reads is looked at.
pub(crate) fn follow(shared: &Shared, hinted: Option<&BTreeSet<StreamId>>) -> Result<()> {
    let watched = shared.wakeups.watched(hinted);
    if watched.is_empty() {
        return Ok(());
    }
    let heads = shared
        .store
        .read::<_, Problem>(|tx| Ok(tx.heads(&watched)?))?;
    let heads: Vec<(StreamId, u64)> = watched.into_iter().zip(heads).collect();
    shared.wakeups.grown(&heads);
    Ok(())
}

/// Returns the response and the number of records that were left out because the store cannot read them.
fn respond(
    intake: &Intake,
    remembered: &CursorMemory,
    session: &Session,
    request: SyncRequest,
    now_ms: i64,
) -> Result<(SyncResponse, u64)> {
    let shared = &*intake.shared;
    if brings(&request) {
        shared.gate.check()?;
    }
    let session_expires_ms = sessions::prolong(shared, session, now_ms)?;
    let closed = renewal::reading_ended(&shared.store, session.device, now_ms)?;
    let attested = match &request.give_back {
        Some(given) => ingest::take_back(shared, given, now_ms)?,
        None => HashMap::new(),
    };
    let mut bundle = request.bundle.unwrap_or_default();
    let sealed = request.give_back.iter().flat_map(|given| &given.sealed);
    bundle
        .certificates
        .extend(sealed.filter_map(|sealed| shared.keys.unseal(sealed)));
    let taken = match &request.give_back {
        Some(given) => ingest::take_packs(intake, given, &bundle.certificates, now_ms)?,
        None => TakenPacks::default(),
    };
    let sent = sent(&bundle);
    let had_bundle = !bundle.envelopes.is_empty();
    ingest::release_given_back(intake, &attested, now_ms)?;
    let ingested = ingest::ingest_from(
        intake,
        ingest::Bringer::Device(session.device),
        bundle,
        &attested,
        now_ms,
    )?;
    let parcels = request
        .parcels
        .map(|parcels| ingest::take_parcels(intake, session.device, &parcels, now_ms));
    let generation = shared.generation()?;
    let reader = closed.is_none().then_some(session.device);
    let mut response = SyncResponse {
        version: PROTOCOL_VERSION,
        generation,
        time_ms: now_ms,
        session_expires_ms,
        receipt: receipt(shared, reader, had_bundle, &ingested, generation, now_ms)?,
        missing: ingested.missing,
        cursors: CursorsAnswer::Unchanged,
        streams: None,
        page: None,
        repair: Vec::new(),
        heads: Digest::EMPTY,
        more: false,
        closed,
        sealed: Vec::new(),
        not_taken: taken.left.into_iter().collect(),
        parcels,
        measure: None,
    };
    let mut damaged = ingested.damaged;
    let Some(device) = reader else {
        return Ok((response, damaged.len() as u64));
    };
    let asked = ReadRequest {
        device,
        known: &request.known,
        repair: &request.repair,
        sent: &sent,
        given: &taken.digests,
        bytes_max: request.page_bytes_max.min(PAGE_BYTES_MAX),
        measures: request.measure == Some(true),
        now_ms,
    };
    damaged.extend(answer::fill(shared, remembered, &asked, &mut response)?);
    Ok((response, damaged.len() as u64))
}

/// Whether a phone delivers something.
fn brings(request: &SyncRequest) -> bool {
    request.bundle.is_some() || request.give_back.is_some() || request.parcels.is_some()
}

/// Names only positions in streams that the device may read, because `member/<reporter>` would reveal the
/// reporter to a handler.
fn receipt(
    shared: &Shared,
    reader: Option<DeviceId>,
    had_bundle: bool,
    ingested: &IngestResult,
    generation: u32,
    now_ms: i64,
) -> Result<Option<Receipt>> {
    if !had_bundle || !ingested.missing.is_empty() {
        return Ok(None);
    }
    let readable = match reader {
        Some(device) => shared
            .store
            .read::<_, Problem>(|tx| reading::readable(&shared.views, tx, device, now_ms))?,
        None => BTreeSet::new(),
    };
    let mut lines = ingested.lines.clone();
    for line in &mut lines {
        line.at.retain(|at| readable.contains(&at.stream));
    }
    let (key, authority) = (shared.keys.receipts(), shared.keys.authority());
    let attestation = Attestation::sign(generation, now_ms, lines, key, authority);
    Ok(Some(Receipt::of(attestation)))
}

/// Returns the effort for an answer. A reader that has measured a slow line asks for small pages, and each byte
/// saved there saves time. The first page of a line comes before any measurement.
fn effort(page_bytes_max: u32) -> Effort {
    let measured = page_bytes_max != PAGE_BYTES_FIRST;
    if measured && (1..=SLOW_LINE_PAGE_BYTES_MAX).contains(&page_bytes_max) {
        Effort::Thorough
    } else {
        Effort::Usual
    }
}

/// Returns the envelopes of an upload, each with its place in the bundle.
fn sent(bundle: &Bundle) -> HashMap<EnvelopeId, u32> {
    let hashes: Vec<Hash> = bundle.envelopes.iter().map(RawEnvelope::hash).collect();
    hashes
        .iter()
        .zip(0..)
        .map(|(hash, place)| (hash.envelope_id(), place))
        .collect()
}
