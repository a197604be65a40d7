//! Building a page: the next part of each stream, within a budget of bytes.

use std::collections::{BTreeSet, HashMap, HashSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::cursor::{Cursor, CursorAt};
use onegrid_core::wire::pack::PackBatch;
use onegrid_core::wire::page::{FeedEntry, Page, Segment};

use super::cursors::{Standing, at_head, holds_records, load_key, load_key_bytes, urgency};
use super::packs::Made;
use crate::error::{Problem, Result};
use crate::limits::{FEED_ROWS_A_STEP, INFLATION_EXPECTED, PACKS_A_STEP};
use crate::server::Server;
use crate::store::{Entry, FeedRow, Head, Reader, StoreError, StoreResult};

/// What a page is made for.
pub(crate) struct Wish<'a> {
    pub(crate) generation: u32,
    pub(crate) standings: &'a [Standing],
    /// The reader's cursors; a stream without one is fresh.
    pub(crate) cursors: &'a [Cursor],
    /// Envelopes of the request, by their place in its bundle.
    pub(crate) sent: &'a HashMap<EnvelopeId, u32>,
    /// Bytes of the compressed page.
    pub(crate) bytes_max: u32,
}

/// A page with where it leads.
pub(crate) struct Turned {
    pub(crate) page: Page,
    /// All cursors after the page.
    pub(crate) cursors: Vec<Cursor>,
    /// Whether something is left.
    pub(crate) more: bool,
    pub(crate) made: Vec<Made>,
}

/// A page in the making.
pub(super) struct Draft<'a> {
    server: &'a Server,
    pub(super) tx: &'a dyn Reader,
    streams: BTreeSet<StreamId>,
    positions: HashMap<StreamId, u64>,
    page: Page,
    packs: Vec<Vec<u8>>,
    certificates: HashSet<Hash>,
    envelopes: HashMap<EnvelopeId, u32>,
    packed: HashSet<RecordId>,
    made: Vec<Made>,
    bytes: usize,
    bytes_max: usize,
}

impl Server {
    /// The next page for a reader.
    pub(crate) fn turn(&self, tx: &dyn Reader, wish: &Wish<'_>) -> Result<Turned> {
        let mut draft = Draft::new(self, tx, wish);
        let known: HashMap<StreamId, &CursorAt> = wish
            .cursors
            .iter()
            .map(|cursor| (cursor.stream, &cursor.at))
            .collect();
        let mut order: Vec<&Standing> = wish.standings.iter().collect();
        order.sort_by_key(|standing| (urgency(&standing.stream), standing.stream));
        let mut cursors = Vec::with_capacity(order.len());
        let mut more = false;
        for standing in order {
            let stream = standing.stream;
            let at = known.get(&stream).copied().unwrap_or(&CursorAt::Fresh);
            let next = draft.segment(standing, at, wish)?;
            more |= next != at_head(standing.head, wish.generation);
            cursors.push(Cursor { stream, at: next });
        }
        let Draft {
            mut page,
            packs,
            made,
            ..
        } = draft;
        if !packs.is_empty() {
            page.packs.push(self.sign_packs(packs, wish.generation, 0));
        }
        Ok(Turned {
            page,
            cursors,
            more,
            made,
        })
    }

    fn sign_packs(&self, packs: Vec<Vec<u8>>, generation: u32, time_ms: i64) -> PackBatch {
        PackBatch::sign(
            packs,
            generation,
            time_ms,
            self.keys.packs(),
            self.keys.authority(),
        )
    }

    /// Signs what a page says.
    pub(crate) fn seal(&self, page: &mut Page, generation: u32, now_ms: i64) -> Result<()> {
        for batch in &mut page.packs {
            let packs = std::mem::take(&mut batch.packs);
            *batch = self.sign_packs(packs, generation, now_ms);
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
    pub(super) fn new(server: &'a Server, tx: &'a dyn Reader, wish: &Wish<'_>) -> Self {
        let positions = wish.cursors.iter().filter_map(|cursor| match cursor.at {
            CursorAt::At {
                generation,
                position,
                ..
            } if generation == wish.generation => Some((cursor.stream, position)),
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
            page: Page::default(),
            packs: Vec::new(),
            certificates: HashSet::new(),
            envelopes: HashMap::new(),
            packed: HashSet::new(),
            made: Vec::new(),
            bytes: 0,
            bytes_max: usize::try_from(wish.bytes_max)
                .unwrap_or(usize::MAX)
                .saturating_mul(INFLATION_EXPECTED),
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
    }

    /// The next part of one stream; gives where its cursor stands afterwards.
    fn segment(&mut self, standing: &Standing, at: &CursorAt, wish: &Wish<'_>) -> Result<CursorAt> {
        let Standing { stream, head } = *standing;
        let generation = wish.generation;
        let next = match at {
            CursorAt::At {
                generation: known,
                position,
                digest,
            } => {
                let there = *position <= head.position
                    && self.tx.digest_at(stream, *position)? == Some(*digest);
                if there {
                    self.read_on(stream, *position, head, generation, wish.sent)?
                } else if holds_records(&stream) {
                    // A past that is not the store's: the digests will differ, and set reconciliation finds
                    // what either side lacks.
                    if *known == generation {
                        tracing::warn!(%stream, position, "a cursor of another past");
                    }
                    let next = at_head(head, generation);
                    self.push(Segment {
                        stream,
                        first: 0,
                        entries: Vec::new(),
                        next: next.clone(),
                    });
                    next
                } else {
                    self.load(stream, head, &[], generation)?
                }
            }
            CursorAt::Loading {
                generation: known,
                position,
                after,
            } if *known == generation && *position <= head.position => {
                let began = Head {
                    position: *position,
                    digest: self.tx.digest_at(stream, *position)?.unwrap_or_default(),
                };
                self.load(stream, began, after, generation)?
            }
            CursorAt::Fresh | CursorAt::Loading { .. } => {
                self.load(stream, head, &[], generation)?
            }
        };
        Ok(next)
    }

    fn push(&mut self, segment: Segment) {
        self.page.segments.push(segment);
    }

    /// Entries after a position.
    fn read_on(
        &mut self,
        stream: StreamId,
        position: u64,
        head: Head,
        generation: u32,
        sent: &HashMap<EnvelopeId, u32>,
    ) -> Result<CursorAt> {
        let mut last = FeedRow {
            position,
            entry: Entry::Directory(Vec::new()),
            digest: self.tx.digest_at(stream, position)?.unwrap_or_default(),
        };
        let mut entries = Vec::new();
        while last.position < head.position && !self.is_full() {
            for row in self.tx.feed(stream, last.position, FEED_ROWS_A_STEP)? {
                if self.is_full() {
                    break;
                }
                entries.push(self.entry(stream, &row.entry, sent)?);
                last = row;
            }
        }
        let next = CursorAt::At {
            generation,
            position: last.position,
            digest: last.digest,
        };
        if !entries.is_empty() {
            for hash in self
                .tx
                .stream_certificates(stream, position, last.position)?
            {
                self.certificate(hash)?;
            }
            self.push(Segment {
                stream,
                first: position + 1,
                entries,
                next: next.clone(),
            });
        }
        Ok(next)
    }

    fn entry(
        &mut self,
        stream: StreamId,
        entry: &Entry,
        sent: &HashMap<EnvelopeId, u32>,
    ) -> Result<FeedEntry> {
        self.bytes += ENTRY_BYTES;
        Ok(match entry {
            Entry::Envelope(id) => match sent.get(id) {
                Some(place) => FeedEntry::Sent(*place),
                None => match self.envelope(*id)? {
                    Some(place) => FeedEntry::Envelope(place),
                    None => FeedEntry::Nothing,
                },
            },
            Entry::Add(record) => {
                if !self.has_already(stream, *record)? {
                    self.pack(*record)?;
                }
                FeedEntry::Add { record: *record }
            }
            Entry::Withdraw(record) => FeedEntry::Withdraw { record: *record },
            Entry::Verdict(id) => match self.tx.verdict(*id)? {
                Some((hash, verdict)) => FeedEntry::Verdict { hash, verdict },
                None => FeedEntry::Nothing,
            },
            Entry::Directory(data) => {
                self.bytes += data.len();
                FeedEntry::Directory(data.clone())
            }
            Entry::Bulletin(data) => {
                self.bytes += data.len();
                FeedEntry::Bulletin(data.clone())
            }
        })
    }

    /// Whether the reader has the record from another stream that it had read so far.
    fn has_already(&self, stream: StreamId, record: RecordId) -> StoreResult<bool> {
        for (other, position) in &self.positions {
            let readable = *other != stream && self.streams.contains(other);
            if readable
                && holds_records(other)
                && self
                    .tx
                    .held_since(*other, record)?
                    .is_some_and(|since| since <= *position)
            {
                return Ok(true);
            }
        }
        Ok(false)
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

    /// The next part of what a stream holds. `began` is where the stream stood when the load began.
    fn load(
        &mut self,
        stream: StreamId,
        began: Head,
        after: &[u8],
        generation: u32,
    ) -> Result<CursorAt> {
        if holds_records(&stream) {
            self.load_records(stream, began, after, generation)
        } else {
            self.load_entries(stream, began, after, generation)
        }
    }

    fn load_records(
        &mut self,
        stream: StreamId,
        began: Head,
        after: &[u8],
        generation: u32,
    ) -> Result<CursorAt> {
        let mut key = load_key(after);
        let mut entries: Vec<FeedEntry> = Vec::new();
        let mut done = false;
        while !done && !self.is_full() {
            let rows = self.tx.load(stream, began.position, key, PACKS_A_STEP)?;
            done = rows.len() < PACKS_A_STEP;
            for row in rows {
                if self.is_full() {
                    done = false;
                    break;
                }
                key = Some(row.key);
                let record = row.key.record;
                if !self.has_already(stream, record)? && self.pack(record)? {
                    count_pack(&mut entries, self.packs.len() - 1);
                } else {
                    self.bytes += ENTRY_BYTES;
                    entries.push(FeedEntry::Add { record });
                }
            }
        }
        let next = if done {
            at_head(began, generation)
        } else {
            let after = key.as_ref().map(load_key_bytes).unwrap_or_default();
            CursorAt::Loading {
                generation,
                position: began.position,
                after,
            }
        };
        self.push(Segment {
            stream,
            first: 0,
            entries,
            next: next.clone(),
        });
        Ok(next)
    }

    fn load_entries(
        &mut self,
        stream: StreamId,
        began: Head,
        after: &[u8],
        generation: u32,
    ) -> Result<CursorAt> {
        let mut from = after.try_into().map(u64::from_be_bytes).unwrap_or(0);
        let mut entries = Vec::new();
        let mut done = false;
        while !done && !self.is_full() {
            let rows = self.tx.current(stream, from, FEED_ROWS_A_STEP)?;
            done = rows.len() < FEED_ROWS_A_STEP;
            for row in rows {
                if self.is_full() {
                    done = false;
                    break;
                }
                from = row.position;
                self.bytes += ENTRY_BYTES + row.data.len();
                entries.push(match stream {
                    StreamId::Bulletin(_) => FeedEntry::Bulletin(row.data),
                    _ => FeedEntry::Directory(row.data),
                });
            }
        }
        let next = if done {
            at_head(began, generation)
        } else {
            let after = from.to_be_bytes().to_vec();
            CursorAt::Loading {
                generation,
                position: began.position,
                after,
            }
        };
        self.push(Segment {
            stream,
            first: 0,
            entries,
            next: next.clone(),
        });
        Ok(next)
    }

    /// The page as it stands, with its packs, for a repair.
    pub(super) fn into_parts(self) -> (Page, Vec<Vec<u8>>, Vec<Made>) {
        (self.page, self.packs, self.made)
    }
}

/// Bytes that an entry costs beside what it names.
const ENTRY_BYTES: usize = 8;

fn certificate_bytes(raw: &RawCertificate) -> usize {
    raw.facts.len() + raw.signature.len()
}

/// Counts the pack at this place in, joining it to those before it.
fn count_pack(entries: &mut Vec<FeedEntry>, place: usize) {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    if let Some(FeedEntry::Packs { first, count }) = entries.last_mut()
        && *first + *count == place
    {
        *count += 1;
        return;
    }
    entries.push(FeedEntry::Packs {
        first: place,
        count: 1,
    });
}
