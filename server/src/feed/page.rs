//! Building a page: the next part of each stream, within a budget of bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::limits::PACKS_MAX;
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::cursor::{Cursor, CursorAt};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::pack::PackBatch;
use onegrid_core::wire::page::{Page, Segment};

use super::cursors::{Standing, at_head, holds_records, load_key, urgency};
use super::load::Load;
use super::packs::{self, FreshPack, PackResult};
use super::segment::Begun;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::{
    ENTRY_BYTES, FIRST_CASES_MAX, INFLATION_EXPECTED, PACKS_MADE_A_PAGE_MAX, PAGE_PLAIN_BYTES_MAX,
    VERDICT_ENTRY_BYTES,
};
use crate::records::certificates::Certificates;
use crate::store::{LoadKey, Reader, StoreError, StoreResult};

/// The request that a page answers.
pub(crate) struct Wish<'a> {
    pub(crate) generation: u32,
    pub(crate) standings: &'a [Standing],
    /// The reader's cursors; a stream without one is fresh.
    pub(crate) cursors: &'a [Cursor],
    /// Envelopes of the request, by their place in its bundle.
    pub(crate) sent: &'a HashMap<EnvelopeId, u32>,
    /// Records that the reader has just given back, each with the digest of the reader's copy.
    pub(crate) given: &'a HashMap<RecordId, Digest>,
    /// Certificates that the reader has from pages that it has applied.
    pub(crate) held: &'a HashSet<Hash>,
    /// The limit of the compressed page, in bytes.
    pub(crate) bytes_max: u32,
}

/// A page and the reader's cursors after it.
pub(crate) struct PageResult {
    pub(crate) page: Page,
    /// The packs that the segments name, not signed yet.
    pub(crate) packs: Vec<Vec<u8>>,
    /// All cursors after the page.
    pub(crate) cursors: Vec<Cursor>,
    /// Whether a further page follows.
    pub(crate) more: bool,
    pub(crate) made: Vec<FreshPack>,
    /// Records with content in the page, each with the stream that gives it.
    pub(crate) given: BTreeMap<RecordId, StreamId>,
    /// Certificates of authors that are withheld from the reader.
    pub(crate) withheld: BTreeSet<Hash>,
    /// Records that were left out because their data are damaged.
    pub(crate) damaged: BTreeSet<RecordId>,
    /// Size of the page before compression, in bytes.
    pub(crate) bytes: usize,
}

/// The parts of a finished draft.
pub(super) struct Parts {
    pub(super) page: Page,
    pub(super) packs: Vec<Vec<u8>>,
    /// Packs worth keeping.
    pub(super) made: Vec<FreshPack>,
    /// Records with content in the page.
    pub(super) given: BTreeMap<RecordId, StreamId>,
    pub(super) withheld: BTreeSet<Hash>,
    /// Records that were left out because their data are damaged.
    pub(super) damaged: BTreeSet<RecordId>,
    pub(super) bytes: usize,
}

/// A page under construction.
pub(super) struct Draft<'a> {
    cache: &'a Certificates,
    pub(super) tx: &'a dyn Reader,
    pub(super) streams: BTreeSet<StreamId>,
    pub(super) positions: HashMap<StreamId, u64>,
    /// Open loads: the position at which each began, and the key that it has reached.
    pub(super) loading: HashMap<StreamId, (u64, LoadKey)>,
    pub(super) given: &'a HashMap<RecordId, Digest>,
    page: Page,
    pub(super) packs: Vec<Vec<u8>>,
    certificates: HashSet<Hash>,
    envelopes: HashMap<EnvelopeId, u32>,
    packed: HashSet<RecordId>,
    made: Vec<FreshPack>,
    /// The stream that the draft reads now, for the reading log.
    pub(super) reading: Option<StreamId>,
    gives: BTreeMap<RecordId, StreamId>,
    withheld: BTreeSet<Hash>,
    damaged: BTreeSet<RecordId>,
    pub(super) bytes: usize,
    pub(super) bytes_max: usize,
    /// The most packs that the page may hold now.
    packs_max: usize,
}

/// Returns the next page for a reader.
pub(super) fn turn(cache: &Certificates, tx: &dyn Reader, wish: &Wish<'_>) -> Result<PageResult> {
    let mut draft = Draft::new(cache, tx, wish);
    draft.certificates.clone_from(wish.held);
    let known: HashMap<StreamId, &CursorAt> = wish
        .cursors
        .iter()
        .map(|cursor| (cursor.stream, &cursor.at))
        .collect();
    let mut order: Vec<&Standing> = wish.standings.iter().collect();
    order.sort_by_key(|standing| (urgency(&standing.stream), standing.stream));
    let mut cursors = Vec::with_capacity(order.len());
    let mut more = false;
    let mut loads = Vec::new();
    let mut begun = draft.first_cases(&order, &known, wish)?;
    for standing in order {
        let stream = standing.stream;
        let at = known.get(&stream).copied().unwrap_or(&CursorAt::Fresh);
        let next = match begun.remove(&stream) {
            Some(load) => Begun::Loads(load),
            None => draft.begin(standing, at, wish)?,
        };
        match next {
            Begun::Stands(at) => {
                more |= at != at_head(standing.head, wish.generation);
                cursors.push(Cursor { stream, at });
            }
            Begun::Loads(mut load) => {
                // The whole directory comes before all further cases, and open cases come before the rest.
                if stream == StreamId::DirectoryBase {
                    draft.load_on(&mut load)?;
                } else {
                    draft.load_open(&mut load)?;
                }
                loads.push((standing.head, load));
            }
        }
    }
    for (head, mut load) in loads {
        draft.load_on(&mut load)?;
        let stream = load.stream;
        let at = draft.end_load(load, wish.generation);
        more |= at != at_head(head, wish.generation);
        cursors.push(Cursor { stream, at });
    }
    let parts = draft.into_parts();
    Ok(PageResult {
        page: parts.page,
        packs: parts.packs,
        cursors,
        more,
        made: parts.made,
        given: parts.given,
        withheld: parts.withheld,
        damaged: parts.damaged,
        bytes: parts.bytes,
    })
}

/// Puts the packs into the page and signs its content, each list once.
pub(super) fn seal(
    keys: &Keys,
    page: &mut Page,
    packs: Vec<Vec<u8>>,
    generation: u32,
    now_ms: i64,
) -> Result<()> {
    let mut rest = packs;
    while !rest.is_empty() {
        let left = rest.split_off(rest.len().min(PACKS_MAX));
        let (key, authority) = (keys.packs(), keys.authority());
        let batch = PackBatch::sign(rest, generation, now_ms, key, authority);
        page.packs.push(batch);
        rest = left;
    }
    page.sign(generation, now_ms, keys.receipts(), keys.authority())
        .map_err(|error| Problem::new("server.internal").because(&error))
}

impl<'a> Draft<'a> {
    pub(super) fn new(cache: &'a Certificates, tx: &'a dyn Reader, wish: &Wish<'a>) -> Self {
        let positions = wish.cursors.iter().filter_map(|cursor| match cursor.at {
            CursorAt::At {
                generation,
                position,
                ..
            } if generation == wish.generation => Some((cursor.stream, position)),
            _ => None,
        });
        let loading = wish.cursors.iter().filter_map(|cursor| match &cursor.at {
            CursorAt::Loading {
                generation,
                position,
                after,
            } if *generation == wish.generation => {
                Some((cursor.stream, (*position, load_key(after)?)))
            }
            _ => None,
        });
        Self {
            cache,
            tx,
            streams: wish
                .standings
                .iter()
                .map(|standing| standing.stream)
                .collect(),
            positions: positions.collect(),
            loading: loading.collect(),
            given: wish.given,
            page: Page::default(),
            packs: Vec::new(),
            certificates: HashSet::new(),
            envelopes: HashMap::new(),
            packed: HashSet::new(),
            made: Vec::new(),
            reading: None,
            gives: BTreeMap::new(),
            withheld: BTreeSet::new(),
            damaged: BTreeSet::new(),
            bytes: 0,
            bytes_max: usize::try_from(wish.bytes_max)
                .unwrap_or(usize::MAX)
                .saturating_mul(INFLATION_EXPECTED)
                .min(PAGE_PLAIN_BYTES_MAX),
            packs_max: usize::MAX,
        }
    }

    /// Begins the loads of a new reader with the cases of its first screen. The directory is large, and a
    /// person can already read a case without it. The loads continue in their turn.
    fn first_cases(
        &mut self,
        order: &[&Standing],
        known: &HashMap<StreamId, &CursorAt>,
        wish: &Wish<'_>,
    ) -> Result<HashMap<StreamId, Load>> {
        let is_fresh =
            |stream: &StreamId| matches!(known.get(stream), None | Some(CursorAt::Fresh));
        let mut begun = HashMap::new();
        if !is_fresh(&StreamId::DirectoryBase) {
            return Ok(begun);
        }
        self.packs_max = FIRST_CASES_MAX;
        for standing in order {
            let stream = standing.stream;
            if holds_records(&stream)
                && is_fresh(&stream)
                && let Begun::Loads(mut load) = self.begin(standing, &CursorAt::Fresh, wish)?
            {
                self.load_open(&mut load)?;
                begun.insert(stream, load);
            }
        }
        self.packs_max = usize::MAX;
        Ok(begun)
    }

    /// Whether the next entry has to wait for the next page, because the page has enough bytes or has taken its
    /// share of the server's time. While the first cases are read, their number also fills the page.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
            || self.made.len() >= PACKS_MADE_A_PAGE_MAX
            || self.packs.len() >= self.packs_max
    }

    /// Puts an envelope into the page once; returns its place. An envelope that cannot be read is left out.
    pub(super) fn envelope(&mut self, id: EnvelopeId) -> StoreResult<Option<u32>> {
        if let Some(place) = self.envelopes.get(&id) {
            return Ok(Some(*place));
        }
        let stored = match self.tx.envelope(id) {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(None),
            Err(error) if error.is_local() => {
                let record = self.tx.record_of(id)?;
                self.leave_out(record.unwrap_or(RecordId(id.0)), &error);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.bytes += stored.raw.len() + VERDICT_ENTRY_BYTES;
        self.gives(stored.record)?;
        let place = u32::try_from(self.page.envelopes.len())
            .map_err(|_| StoreError::Row("a page without end"))?;
        self.page.envelopes.push((stored.raw, stored.verdict));
        self.envelopes.insert(id, place);
        Ok(Some(place))
    }

    /// Puts the pack of a record into the page once, with the certificates that its readers may see.
    ///
    /// A record that cannot be read never fails the whole page. The record is left out, so the digests differ
    /// and its readers ask for it again until they get it.
    pub(super) fn pack(&mut self, record: RecordId) -> StoreResult<PackResult> {
        if self.damaged.contains(&record) {
            return Ok(PackResult::Damaged);
        }
        if !self.packed.insert(record) {
            return Ok(PackResult::Nothing);
        }
        match self.pack_of(record) {
            Err(error) if error.is_local() => {
                self.leave_out(record, &error);
                Ok(PackResult::Damaged)
            }
            found => found,
        }
    }

    fn pack_of(&mut self, record: RecordId) -> StoreResult<PackResult> {
        let Some(bytes) = packs::pack(self.cache, self.tx, record, &mut self.made)? else {
            return Ok(PackResult::Nothing);
        };
        for stream in self.tx.record_streams(record)? {
            if self.streams.contains(&stream) {
                for hash in self.tx.shown(stream, record)? {
                    self.certificate(hash)?;
                }
            }
        }
        self.gives(record)?;
        self.bytes += bytes.len() + ENTRY_BYTES;
        self.packs.push(bytes);
        Ok(PackResult::Given)
    }

    fn leave_out(&mut self, record: RecordId, error: &StoreError) {
        if self.damaged.insert(record) {
            tracing::error!(code = error.code(), %record, "a damaged record was left out of an answer");
        }
    }

    /// Puts a certificate into the page once.
    pub(super) fn certificate(&mut self, hash: Hash) -> StoreResult<()> {
        if self.certificates.insert(hash)
            && let Some(raw) = self.tx.certificate(hash)?
        {
            self.bytes += certificate_bytes(&raw);
            self.page.certificates.push(raw);
        }
        Ok(())
    }

    fn gives(&mut self, record: RecordId) -> StoreResult<()> {
        if let Some(stream) = self.reading
            && !self.gives.contains_key(&record)
        {
            self.gives.insert(record, stream);
            self.withhold(record)?;
        }
        Ok(())
    }

    /// Notes the certificates of a record that are withheld from the reader.
    fn withhold(&mut self, record: RecordId) -> StoreResult<()> {
        let withheld = self.withheld_of(record)?;
        self.withheld.extend(withheld);
        Ok(())
    }

    /// Returns the certificates of a record that are withheld from the reader. Readers of an area get every
    /// certificate, so no query is needed for them.
    pub(super) fn withheld_of(&self, record: RecordId) -> StoreResult<Vec<Hash>> {
        let streams = self.tx.record_streams(record)?;
        let read: Vec<StreamId> = streams
            .into_iter()
            .filter(|stream| self.streams.contains(stream))
            .collect();
        if read
            .iter()
            .any(|stream| matches!(stream, StreamId::AreaStaff(_) | StreamId::Command(_)))
        {
            return Ok(Vec::new());
        }
        let mut shown = HashSet::new();
        for stream in read {
            shown.extend(self.tx.shown(stream, record)?);
        }
        let all = self.tx.certificates_of(record)?;
        Ok(all
            .into_iter()
            .filter(|hash| !shown.contains(hash))
            .collect())
    }

    /// Returns the page as it is now, with its packs and the records that it gives.
    pub(super) fn into_parts(self) -> Parts {
        Parts {
            page: self.page,
            packs: self.packs,
            made: self.made,
            given: self.gives,
            withheld: self.withheld,
            damaged: self.damaged,
            bytes: self.bytes,
        }
    }

    pub(super) fn push(&mut self, segment: Segment) {
        self.page.segments.push(segment);
    }
}

fn certificate_bytes(raw: &RawCertificate) -> usize {
    raw.facts.len() + raw.signature.len()
}
