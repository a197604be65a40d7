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

use super::cursors::{Standing, at_head, load_key, urgency};
use super::packs::Made;
use super::segment::Begun;
use crate::error::{Problem, Result};
use crate::limits::{INFLATION_EXPECTED, PACKS_MADE_A_PAGE_MAX};
use crate::server::Server;
use crate::store::{LoadKey, Reader, StoreError, StoreResult};

/// What a page is made for.
pub(crate) struct Wish<'a> {
    pub(crate) generation: u32,
    pub(crate) standings: &'a [Standing],
    /// The reader's cursors; a stream without one is fresh.
    pub(crate) cursors: &'a [Cursor],
    /// Envelopes of the request, by their place in its bundle.
    pub(crate) sent: &'a HashMap<EnvelopeId, u32>,
    /// Records that the reader has just given back, with the digest of what it has of each.
    pub(crate) given: &'a HashMap<RecordId, Digest>,
    /// Certificates that pages which the reader has applied have brought.
    pub(crate) held: &'a HashSet<Hash>,
    /// Bytes of the compressed page.
    pub(crate) bytes_max: u32,
}

/// A page with where it leads.
pub(crate) struct Turned {
    pub(crate) page: Page,
    /// The packs that its segments name, not signed yet.
    pub(crate) packs: Vec<Vec<u8>>,
    /// All cursors after the page.
    pub(crate) cursors: Vec<Cursor>,
    /// Whether something is left.
    pub(crate) more: bool,
    pub(crate) made: Vec<Made>,
    /// Records of which something is in it, each with the stream by which it is given.
    pub(crate) given: BTreeMap<RecordId, StreamId>,
    /// Certificates of authors whom the reader is not told.
    pub(crate) withheld: BTreeSet<Hash>,
}

/// What a draft has become.
pub(super) struct Parts {
    pub(super) page: Page,
    pub(super) packs: Vec<Vec<u8>>,
    /// Packs worth keeping.
    pub(super) made: Vec<Made>,
    /// Records of which something is given.
    pub(super) given: BTreeMap<RecordId, StreamId>,
    pub(super) withheld: BTreeSet<Hash>,
}

/// A page in the making.
pub(super) struct Draft<'a> {
    server: &'a Server,
    pub(super) tx: &'a dyn Reader,
    pub(super) streams: BTreeSet<StreamId>,
    pub(super) positions: HashMap<StreamId, u64>,
    /// Loads under way: where they began and how far they have come.
    pub(super) loading: HashMap<StreamId, (u64, LoadKey)>,
    pub(super) given: &'a HashMap<RecordId, Digest>,
    page: Page,
    pub(super) packs: Vec<Vec<u8>>,
    certificates: HashSet<Hash>,
    envelopes: HashMap<EnvelopeId, u32>,
    packed: HashSet<RecordId>,
    made: Vec<Made>,
    /// The stream that is being read, for the reading log.
    pub(super) reading: Option<StreamId>,
    gives: BTreeMap<RecordId, StreamId>,
    withheld: BTreeSet<Hash>,
    pub(super) bytes: usize,
    bytes_max: usize,
}

impl Server {
    /// The next page for a reader.
    pub(crate) fn turn(&self, tx: &dyn Reader, wish: &Wish<'_>) -> Result<Turned> {
        let mut draft = Draft::new(self, tx, wish);
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
        for standing in order {
            let stream = standing.stream;
            let at = known.get(&stream).copied().unwrap_or(&CursorAt::Fresh);
            match draft.begin(standing, at, wish)? {
                Begun::Stands(at) => {
                    more |= at != at_head(standing.head, wish.generation);
                    cursors.push(Cursor { stream, at });
                }
                Begun::Loads(mut load) => {
                    // What all others build on comes whole; of the rest first what is open.
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
        Ok(Turned {
            page: parts.page,
            packs: parts.packs,
            cursors,
            more,
            made: parts.made,
            given: parts.given,
            withheld: parts.withheld,
        })
    }

    /// Puts the packs into the page and signs all that it says, each list once.
    pub(crate) fn seal(
        &self,
        page: &mut Page,
        packs: Vec<Vec<u8>>,
        generation: u32,
        now_ms: i64,
    ) -> Result<()> {
        let mut rest = packs;
        while !rest.is_empty() {
            let left = rest.split_off(rest.len().min(PACKS_MAX));
            let (key, authority) = (self.keys.packs(), self.keys.authority());
            let batch = PackBatch::sign(rest, generation, now_ms, key, authority);
            page.packs.push(batch);
            rest = left;
        }
        page.sign(
            generation,
            now_ms,
            self.keys.receipts(),
            self.keys.authority(),
        )
        .map_err(|error| Problem::new("server.internal").because(&error))
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(server: &'a Server, tx: &'a dyn Reader, wish: &Wish<'a>) -> Self {
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
            server,
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
            bytes: 0,
            bytes_max: usize::try_from(wish.bytes_max)
                .unwrap_or(usize::MAX)
                .saturating_mul(INFLATION_EXPECTED),
        }
    }

    /// Whether the next thing has to wait for the next page: for its bytes, or because making this one has
    /// taken its share of the server's time.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max || self.made.len() >= PACKS_MADE_A_PAGE_MAX
    }

    /// Puts an envelope into the page once; gives its place.
    pub(super) fn envelope(&mut self, id: EnvelopeId) -> StoreResult<Option<u32>> {
        if let Some(place) = self.envelopes.get(&id) {
            return Ok(Some(*place));
        }
        let Some(stored) = self.tx.envelope(id)? else {
            return Ok(None);
        };
        self.bytes += stored.raw.len();
        self.gives(stored.record)?;
        let place = u32::try_from(self.page.envelopes.len())
            .map_err(|_| StoreError::Row("a page without end"))?;
        self.page.envelopes.push((stored.raw, stored.verdict));
        self.envelopes.insert(id, place);
        Ok(Some(place))
    }

    /// Puts the pack of a record into the page once, with the certificates that its readers may see. Gives
    /// whether it is a new one.
    pub(super) fn pack(&mut self, record: RecordId) -> StoreResult<bool> {
        if !self.packed.insert(record) {
            return Ok(false);
        }
        let Some(bytes) = self.server.pack(self.tx, record, &mut self.made)? else {
            return Ok(false);
        };
        self.bytes += bytes.len();
        self.gives(record)?;
        self.packs.push(bytes);
        for stream in self.tx.record_streams(record)? {
            if self.streams.contains(&stream) {
                for hash in self.tx.shown(stream, record)? {
                    self.certificate(hash)?;
                }
            }
        }
        Ok(true)
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

    /// Notes whose certificates the reader does not get. Readers of an area get all: no query is spent on them.
    fn withhold(&mut self, record: RecordId) -> StoreResult<()> {
        let streams = self.tx.record_streams(record)?;
        let read: Vec<StreamId> = streams
            .into_iter()
            .filter(|stream| self.streams.contains(stream))
            .collect();
        if read
            .iter()
            .any(|stream| matches!(stream, StreamId::AreaStaff(_)))
        {
            return Ok(());
        }
        let mut shown = HashSet::new();
        for stream in read {
            shown.extend(self.tx.shown(stream, record)?);
        }
        let all = self.tx.certificates_of(record)?;
        self.withheld
            .extend(all.into_iter().filter(|hash| !shown.contains(hash)));
        Ok(())
    }

    /// The page as it stands, with its packs and the records that it gives.
    pub(super) fn into_parts(self) -> Parts {
        Parts {
            page: self.page,
            packs: self.packs,
            made: self.made,
            given: self.gives,
            withheld: self.withheld,
        }
    }

    pub(super) fn push(&mut self, segment: Segment) {
        self.page.segments.push(segment);
    }
}

fn certificate_bytes(raw: &RawCertificate) -> usize {
    raw.facts.len() + raw.signature.len()
}
