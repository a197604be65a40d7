//! One request of a phone: the server imports its upload and returns the news for it.

pub mod tally;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::limits::{PAGE_BYTES_FIRST, PAGE_BYTES_MAX, SEALED_MAX};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::trust::request_mac::RequestTag;
use onegrid_core::trust::session::Session;
use onegrid_core::wire::cursor::{Cursor, cursor_set_hash};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::frame::Effort;
use onegrid_core::wire::message::{
    Bundle, Closed, CursorsAnswer, Known, PROTOCOL_VERSION, SyncRequest, SyncResponse,
};
use onegrid_core::wire::page::Page;
use onegrid_core::wire::receipt::Receipt;
use onegrid_core::wire::sealed::SealedCertificate;
use onegrid_core::wire::verdict::Attestation;
use tally::Tally;
use tokio::sync::watch;

use crate::directory;
use crate::directory::routing::{self, At};
use crate::error::{Problem, Result};
use crate::feed::cursors::{Standing, at_heads, combined, standings};
use crate::feed::page::{Turned, Wish};
use crate::feed::readings;
use crate::ingest::{Ingested, TakenPacks};
use crate::limits::{SEALED_ANSWER_BYTES_MAX, SLOW_LINE_PAGE_BYTES_MAX};
use crate::registry::{devices, renewal};
use crate::server::Server;
use crate::store::{Reader, ReadingRow};
use crate::wakeups::Wake;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The body of the answer.
    pub body: Vec<u8>,
    /// The message code, for the header [`onegrid_core::trust::request_mac::MAC_HEADER`].
    pub mac: String,
    /// The numbers of this sync for the metrics.
    pub tally: Tally,
}

/// The view of one snapshot for a reader.
struct Seen {
    generation: u32,
    streams: BTreeSet<StreamId>,
    standings: Vec<Standing>,
}

impl Server {
    /// Handles the `POST` of a sync request with its two headers.
    pub fn handle_sync(
        &self,
        headers: (&str, &str),
        path: &str,
        body: &[u8],
        now_ms: i64,
    ) -> Result<Answered> {
        let (session, tag) = self.authenticate(headers, ("POST", path), body, now_ms)?;
        self.answer_sync(&session, &tag, body, now_ms)
    }

    /// Answers a request after [`Self::authenticate`] has checked its session and code.
    pub fn answer_sync(
        &self,
        session: &Session,
        tag: &RequestTag,
        body: &[u8],
        now_ms: i64,
    ) -> Result<Answered> {
        let request = SyncRequest::from_bytes(body)
            .map_err(|error| Problem::new(error.code()).because(&error))?;
        let (reconciles, gives_back) = (!request.repair.is_empty(), request.give_back.is_some());
        let effort = effort(request.page_bytes_max);
        let (response, damaged) = self.sync(session, request, now_ms)?;
        let tally = Tally {
            damaged,
            ..Tally::of(&response, reconciles, gives_back)
        };
        let body = response
            .to_bytes_with(effort)
            .map_err(|error| Problem::new("server.internal").because(&error))?;
        let mac = session.answer_mac(&tag.mac, &body);
        Ok(Answered { body, mac, tally })
    }

    /// Subscribes to news in the streams that a device may read. A wake-up is only a hint; the data always
    /// travel by [`Self::handle_sync`].
    pub fn subscribe(&self, device: DeviceId, now_ms: i64) -> Result<watch::Receiver<Wake>> {
        let streams = self
            .store
            .read::<_, Problem>(|tx| self.readable(tx, device, now_ms))?;
        Ok(self.wakeups.subscribe(device, streams))
    }

    /// Returns the streams that a device may read now.
    pub fn readable(
        &self,
        tx: &dyn Reader,
        device: DeviceId,
        now_ms: i64,
    ) -> Result<BTreeSet<StreamId>> {
        let revoked = tx
            .device(device)?
            .is_none_or(|row| row.revoked_ms.is_some());
        let certificate = devices::newest(tx, device)?;
        let Some(certificate) = certificate.filter(|_| !revoked) else {
            return Err(Problem::new("session.revoked"));
        };
        let Some(member) = certificate.facts().member else {
            return Err(Problem::new("session.revoked"));
        };
        if renewal::is_over(&certificate, now_ms) {
            return Err(Problem::new(Closed::Expired.code()));
        }
        let view = self.views.at(tx)?;
        let at = At {
            directory: &view.directory,
            now_ms,
        };
        Ok(routing::read_by(member, &certificate.facts().grants, at))
    }

    /// Returns the answer and the number of records that were left out because the store cannot read them.
    fn sync(
        &self,
        session: &Session,
        request: SyncRequest,
        now_ms: i64,
    ) -> Result<(SyncResponse, u64)> {
        let session_expires_ms = self.prolong(session, now_ms)?;
        let closed = self.reading_ended(session.device, now_ms)?;
        let attested = match &request.give_back {
            Some(given) => self.take_back(given, now_ms)?,
            None => HashMap::new(),
        };
        let mut bundle = request.bundle.unwrap_or_default();
        let sealed = request.give_back.iter().flat_map(|given| &given.sealed);
        bundle
            .certificates
            .extend(sealed.filter_map(|sealed| self.keys.unseal(sealed)));
        let taken = match &request.give_back {
            Some(given) => self.take_packs(given, &bundle.certificates, now_ms)?,
            None => TakenPacks::default(),
        };
        let sent = sent(&bundle);
        let had_bundle = !bundle.envelopes.is_empty();
        self.release_given_back(&attested, now_ms)?;
        let ingested = self.ingest_from(session.device, bundle, &attested, now_ms)?;
        let generation = self.generation()?;
        let reader = closed.is_none().then_some(session.device);
        let mut response = SyncResponse {
            version: PROTOCOL_VERSION,
            generation,
            time_ms: now_ms,
            session_expires_ms,
            receipt: self.receipt(reader, had_bundle, &ingested, generation, now_ms)?,
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
        };
        let mut damaged = ingested.damaged;
        let Some(device) = reader else {
            return Ok((response, damaged.len() as u64));
        };
        let asked = Asked {
            device,
            known: &request.known,
            repair: &request.repair,
            sent: &sent,
            given: &taken.digests,
            bytes_max: request.page_bytes_max.min(PAGE_BYTES_MAX),
            now_ms,
        };
        damaged.extend(self.answer(&asked, &mut response)?);
        Ok((response, damaged.len() as u64))
    }

    /// Names only positions in streams that the device may read, because `member/<reporter>` would reveal the
    /// reporter to a handler.
    fn receipt(
        &self,
        reader: Option<DeviceId>,
        had_bundle: bool,
        ingested: &Ingested,
        generation: u32,
        now_ms: i64,
    ) -> Result<Option<Receipt>> {
        if !had_bundle || !ingested.missing.is_empty() {
            return Ok(None);
        }
        let readable = match reader {
            Some(device) => self
                .store
                .read::<_, Problem>(|tx| self.readable(tx, device, now_ms))?,
            None => BTreeSet::new(),
        };
        let mut lines = ingested.lines.clone();
        for line in &mut lines {
            line.at.retain(|at| readable.contains(&at.stream));
        }
        let (key, authority) = (self.keys.receipts(), self.keys.authority());
        let attestation = Attestation::sign(generation, now_ms, lines, key, authority);
        Ok(Some(Receipt::of(attestation)))
    }

    /// Runs the reading half of an answer on one snapshot; returns the records that were left out.
    fn answer(&self, asked: &Asked<'_>, response: &mut SyncResponse) -> Result<BTreeSet<RecordId>> {
        let outcome = self
            .store
            .read::<_, Problem>(|tx| self.answer_from(tx, asked, response))?;
        let Some(left) = outcome else {
            return Ok(BTreeSet::new());
        };
        self.note_readings(left.readings)?;
        self.keep_packs(left.made);
        if let Some((cursors, held)) = left.cursors {
            self.remember(asked.device, cursors, held);
        }
        Ok(left.damaged)
    }

    fn answer_from(
        &self,
        tx: &dyn Reader,
        asked: &Asked<'_>,
        response: &mut SyncResponse,
    ) -> Result<Option<Left>> {
        let seen = self.see(tx, asked.device, asked.now_ms)?;
        response.heads = combined(&seen.standings);
        response.generation = seen.generation;
        let Some(cursors) = self.cursors_of(asked, &seen)? else {
            response.cursors = CursorsAnswer::Needed;
            return Ok(None);
        };
        let heads = at_heads(&seen.standings, seen.generation);
        let unchanged = cursor_set_hash(&cursors) == cursor_set_hash(&heads);
        if unchanged && asked.repair.is_empty() {
            return Ok(None);
        }
        let known: BTreeSet<StreamId> = cursors.iter().map(|cursor| cursor.stream).collect();
        response.streams = (known != seen.streams).then(|| seen.streams.iter().copied().collect());
        let mut held = self.held(asked.device, cursor_set_hash(&cursors));
        let wish = Wish {
            generation: seen.generation,
            standings: &seen.standings,
            cursors: &cursors,
            sent: asked.sent,
            given: asked.given,
            held: &held,
            bytes_max: asked.bytes_max,
        };
        let mut page = Page::default();
        let (mut packs, mut made, mut next) = (Vec::new(), Vec::new(), None);
        let mut brought: Vec<Hash> = Vec::new();
        let (mut given, mut withheld) = (BTreeMap::new(), BTreeSet::new());
        let (mut damaged, mut used) = (BTreeSet::new(), 0);
        if !unchanged {
            response.cursors = CursorsAnswer::Moved;
            if asked.bytes_max > 0 {
                let turned: Turned = self.turn(tx, &wish)?;
                (page, packs, made) = (turned.page, turned.packs, turned.made);
                next = Some(turned.cursors);
                (given, withheld) = (turned.given, turned.withheld);
                (damaged, used) = (turned.damaged, turned.bytes);
                brought = page.certificates.iter().map(certificate_hash).collect();
                response.more = turned.more;
            } else {
                response.more = true;
            }
        }
        if !asked.repair.is_empty() {
            let repaired = self.repair(tx, asked.repair, &seen.streams, &wish, used)?;
            response.repair = repaired.answers;
            made.extend(repaired.made);
            given.extend(repaired.given);
            withheld.extend(repaired.withheld);
            damaged.extend(repaired.damaged);
            packs.extend(repaired.packs);
            join(&mut page, repaired.page);
        }
        let says_nothing = page.is_empty() && packs.is_empty() && page.certificates.is_empty();
        if !says_nothing {
            self.seal(&mut page, packs, seen.generation, asked.now_ms)?;
            response.page = Some(page);
        }
        held.extend(brought);
        response.sealed = self.sealed(tx, withheld, &mut held)?;
        Ok(Some(Left {
            cursors: next.map(|cursors| (cursors, held)),
            made,
            readings: readings::lines(tx, asked.device, &given, asked.now_ms)?,
            damaged,
        }))
    }

    /// Seals the withheld certificates that the reader does not hold yet.
    fn sealed(
        &self,
        tx: &dyn Reader,
        withheld: BTreeSet<Hash>,
        held: &mut HashSet<Hash>,
    ) -> Result<Vec<SealedCertificate>> {
        let mut given = Vec::new();
        let mut bytes = 0;
        for hash in withheld {
            // A device keeps each certificate. Certificates that do not fit come when their record is given
            // again.
            if given.len() == SEALED_MAX || bytes >= SEALED_ANSWER_BYTES_MAX {
                break;
            }
            if !held.contains(&carried(hash))
                && let Some(raw) = tx.certificate(hash)?
                && let Some(sealed) = self.keys.seal(hash, &raw)
            {
                held.insert(carried(hash));
                bytes += sealed.bytes.len() + sealed.certificate.as_bytes().len();
                given.push(sealed);
            }
        }
        Ok(given)
    }

    fn see(&self, tx: &dyn Reader, device: DeviceId, now_ms: i64) -> Result<Seen> {
        let streams = self.readable(tx, device, now_ms)?;
        self.wakeups.reads(device, &streams);
        let standings = standings(tx, &streams)?;
        Ok(Seen {
            generation: directory::generation(tx)?,
            streams,
            standings,
        })
    }

    /// Returns the reader's cursors; `None` if their hash is unknown.
    fn cursors_of(&self, asked: &Asked<'_>, seen: &Seen) -> Result<Option<Vec<Cursor>>> {
        match asked.known {
            Known::All(cursors) => {
                let mut distinct = cursors.clone();
                distinct.sort_by_key(|cursor| cursor.stream);
                distinct.dedup_by_key(|cursor| cursor.stream);
                Ok(Some(distinct))
            }
            Known::Hash(hash) => {
                let heads = at_heads(&seen.standings, seen.generation);
                if cursor_set_hash(&heads) == *hash {
                    return Ok(Some(heads));
                }
                self.recall(asked.device, *hash)
            }
        }
    }
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

/// The work that remains after the snapshot is closed.
struct Left {
    cursors: Option<Given>,
    made: Vec<crate::feed::packs::Made>,
    readings: Vec<ReadingRow>,
    damaged: BTreeSet<RecordId>,
}

/// The cursors of an answer, and the certificates that the reader has after it has applied the answer.
type Given = (Vec<Cursor>, HashSet<Hash>);

/// Returns the name of a sealed certificate among the certificates that a device has.
fn carried(certificate: Hash) -> Hash {
    Hash::of(&[b"sealed", certificate.as_bytes()])
}

fn certificate_hash(raw: &RawCertificate) -> Hash {
    Hash::of(&[&raw.facts])
}

/// The parts of a request that the reading half needs.
struct Asked<'a> {
    device: DeviceId,
    known: &'a Known,
    repair: &'a [onegrid_core::wire::repair::RepairAsk],
    sent: &'a HashMap<EnvelopeId, u32>,
    given: &'a HashMap<RecordId, Digest>,
    bytes_max: u32,
    now_ms: i64,
}

fn sent(bundle: &Bundle) -> HashMap<EnvelopeId, u32> {
    let hashes: Vec<Hash> = bundle.envelopes.iter().map(RawEnvelope::hash).collect();
    hashes
        .iter()
        .zip(0..)
        .map(|(hash, place)| (hash.envelope_id(), place))
        .collect()
}

/// Adds the page of a repair to a page, each thing once. The indices of the page's own segments stay valid.
fn join(page: &mut Page, more: Page) {
    for certificate in more.certificates {
        if !page.certificates.contains(&certificate) {
            page.certificates.push(certificate);
        }
    }
    let there: BTreeSet<Hash> = page.envelopes.iter().map(|(raw, _)| raw.hash()).collect();
    page.envelopes.extend(
        more.envelopes
            .into_iter()
            .filter(|(raw, _)| !there.contains(&raw.hash())),
    );
}
