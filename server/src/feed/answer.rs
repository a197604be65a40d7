//! The reading half of an answer: the news of all streams, and the repair that the reader asks for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::limits::SEALED_MAX;
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::cursor::{Cursor, cursor_set_hash};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::measure::Measure;
use onegrid_core::wire::message::{CursorsAnswer, Known, SyncResponse};
use onegrid_core::wire::page::Page;
use onegrid_core::wire::repair::RepairAsk;
use onegrid_core::wire::sealed::SealedCertificate;

use super::cursor_memory::CursorMemory;
use super::cursors::{Standing, at_heads, combined, standings};
use super::measure;
use super::packs::{self, FreshPack};
use super::page::{self, PageResult, Wish};
use super::readings;
use super::repair;
use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::SEALED_ANSWER_BYTES_MAX;
use crate::registry::reading;
use crate::shared::Shared;
use crate::store::{Reader, ReadingRow};

/// The parts of a request that the reading half needs.
pub(crate) struct ReadRequest<'a> {
    pub(crate) device: DeviceId,
    pub(crate) known: &'a Known,
    pub(crate) repair: &'a [RepairAsk],
    /// Envelopes of the request, by their place in its bundle.
    pub(crate) sent: &'a HashMap<EnvelopeId, u32>,
    /// Records that the reader has just given back, each with the digest of the reader's copy.
    pub(crate) given: &'a HashMap<RecordId, Digest>,
    /// The limit of the compressed page, in bytes.
    pub(crate) bytes_max: u32,
    /// Whether the reader asks for the measure in place of a page.
    pub(crate) measures: bool,
    pub(crate) now_ms: i64,
}

/// The view of one snapshot for a reader.
struct ReaderView {
    generation: u32,
    streams: BTreeSet<StreamId>,
    standings: Vec<Standing>,
}

/// The work that remains after the snapshot is closed.
#[derive(Default)]
struct Remainder {
    cursors: Option<CursorSet>,
    made: Vec<FreshPack>,
    readings: Vec<ReadingRow>,
    damaged: BTreeSet<RecordId>,
}

/// The cursors of an answer, and the certificates that the reader has after it has applied the answer.
type CursorSet = (Vec<Cursor>, HashSet<Hash>);

/// Fills the reading half of a response from one snapshot; returns the records that were left out.
pub(crate) fn fill(
    shared: &Shared,
    remembered: &CursorMemory,
    asked: &ReadRequest<'_>,
    response: &mut SyncResponse,
) -> Result<BTreeSet<RecordId>> {
    let outcome = shared
        .store
        .read::<_, Problem>(|tx| fill_from(shared, remembered, tx, asked, response))?;
    let Some(left) = outcome else {
        return Ok(BTreeSet::new());
    };
    readings::note(&shared.store, left.readings)?;
    packs::keep(&shared.store, left.made);
    if let Some((cursors, held)) = left.cursors {
        remembered.remember(&shared.store, asked.device, cursors, held);
    }
    Ok(left.damaged)
}

/// Measures everything that the reader lacks, in place of a page.
fn measure_into(
    response: &mut SyncResponse,
    shared: &Shared,
    tx: &dyn Reader,
    wish: &Wish<'_>,
) -> Result<Remainder> {
    let measured = measure::measure(&shared.keys, &shared.certificates, tx, wish)?;
    response.cursors = CursorsAnswer::Moved;
    response.more = true;
    response.measure = Some(measured.measure);
    Ok(Remainder {
        made: measured.made,
        ..Remainder::default()
    })
}

fn fill_from(
    shared: &Shared,
    remembered: &CursorMemory,
    tx: &dyn Reader,
    asked: &ReadRequest<'_>,
    response: &mut SyncResponse,
) -> Result<Option<Remainder>> {
    let seen = see(shared, tx, asked.device, asked.now_ms)?;
    response.heads = combined(&seen.standings);
    response.generation = seen.generation;
    let Some(cursors) = cursors_of(shared, remembered, asked, &seen)? else {
        response.cursors = CursorsAnswer::Needed;
        return Ok(None);
    };
    let heads = at_heads(&seen.standings, seen.generation);
    let unchanged = cursor_set_hash(&cursors) == cursor_set_hash(&heads);
    if unchanged && (asked.measures || asked.repair.is_empty()) {
        response.measure = asked.measures.then(Measure::default);
        return Ok(None);
    }
    let mut held = remembered.held(asked.device, cursor_set_hash(&cursors));
    let wish = Wish {
        generation: seen.generation,
        standings: &seen.standings,
        cursors: &cursors,
        sent: asked.sent,
        given: asked.given,
        held: &held,
        bytes_max: asked.bytes_max,
    };
    if asked.measures {
        return measure_into(response, shared, tx, &wish).map(Some);
    }
    let known: BTreeSet<StreamId> = cursors.iter().map(|cursor| cursor.stream).collect();
    response.streams = (known != seen.streams).then(|| seen.streams.iter().copied().collect());
    let mut page = Page::default();
    let (mut packs, mut made, mut next) = (Vec::new(), Vec::new(), None);
    let mut brought: Vec<Hash> = Vec::new();
    let (mut given, mut withheld) = (BTreeMap::new(), BTreeSet::new());
    let (mut damaged, mut used) = (BTreeSet::new(), 0);
    if !unchanged {
        response.cursors = CursorsAnswer::Moved;
        if asked.bytes_max > 0 {
            let turned: PageResult = page::turn(&shared.certificates, tx, &wish)?;
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
        let cache = &shared.certificates;
        let repaired = repair::repair(cache, tx, asked.repair, &seen.streams, &wish, used)?;
        response.repair = repaired.answers;
        made.extend(repaired.made);
        given.extend(repaired.given);
        withheld.extend(repaired.withheld);
        damaged.extend(repaired.damaged);
        packs.extend(repaired.packs);
        join(&mut page, repaired.page);
    }
    response.page = signed(&shared.keys, page, packs, seen.generation, asked.now_ms)?;
    held.extend(brought);
    response.sealed = sealed(&shared.keys, tx, withheld, &mut held)?;
    Ok(Some(Remainder {
        cursors: next.map(|cursors| (cursors, held)),
        made,
        readings: readings::lines(tx, asked.device, &given, asked.now_ms)?,
        damaged,
    }))
}

/// Returns the page with its packs and signatures; `None` for an empty one.
fn signed(
    keys: &Keys,
    mut page: Page,
    packs: Vec<Vec<u8>>,
    generation: u32,
    now_ms: i64,
) -> Result<Option<Page>> {
    if page.is_empty() && packs.is_empty() && page.certificates.is_empty() {
        return Ok(None);
    }
    page::seal(keys, &mut page, packs, generation, now_ms)?;
    Ok(Some(page))
}

/// Seals the withheld certificates that the reader does not hold yet.
fn sealed(
    keys: &Keys,
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
            && let Some(sealed) = keys.seal(hash, &raw)
        {
            held.insert(carried(hash));
            bytes += sealed.bytes.len() + sealed.certificate.as_bytes().len();
            given.push(sealed);
        }
    }
    Ok(given)
}

fn see(shared: &Shared, tx: &dyn Reader, device: DeviceId, now_ms: i64) -> Result<ReaderView> {
    let streams = reading::readable(&shared.views, tx, device, now_ms)?;
    shared.wakeups.reads(device, &streams);
    let standings = standings(tx, &streams)?;
    Ok(ReaderView {
        generation: directory::generation(tx)?,
        streams,
        standings,
    })
}

/// Returns the reader's cursors; `None` if their hash is unknown.
fn cursors_of(
    shared: &Shared,
    remembered: &CursorMemory,
    asked: &ReadRequest<'_>,
    seen: &ReaderView,
) -> Result<Option<Vec<Cursor>>> {
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
            remembered.recall(&shared.store, asked.device, *hash)
        }
    }
}

/// Returns the name of a sealed certificate among the certificates that a device has.
pub(super) fn carried(certificate: Hash) -> Hash {
    Hash::of(&[b"sealed", certificate.as_bytes()])
}

fn certificate_hash(raw: &RawCertificate) -> Hash {
    Hash::of(&[&raw.facts])
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
