//! The measure of everything that a reader lacks, so that its person learns the cost before a sync begins.
//!
//! ```text
//!  cursors ─▶ lacking parts ─┬▶ counts ────────────────────────┐
//!                            └▶ samples ─▶ compressed bytes ───┴▶ amounts
//! ```
//!
//! **Invariants.** It looks only at streams that the device may read now, and into no more rows, packs and bytes
//! than a page does. It gives no content, so the reading log gets no line.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{Hash, RecordId};
use onegrid_core::wire::cursor::CursorAt;
use onegrid_core::wire::measure::{Measure, Quantity};
use onegrid_core::wire::page::{FeedEntry, Page};

use super::answer::carried;
use super::cursors::{Standing, holds_records, load_key, urgency};
use super::packs::FreshPack;
use super::page::{Draft, Wish};
use super::sample::{bytes_of, bytes_of_page, distinct, scaled, segments, spread};
use super::segment::{Due, due};
use crate::error::Result;
use crate::keys::Keys;
use crate::limits::{
    ENTRY_BYTES, MEASURE_ROWS_MAX, MEASURE_RUN, MEASURE_SAMPLE_BYTES_MAX, MEASURE_SAMPLE_MAX,
    NAMED_ENTRY_BYTES,
};
use crate::records::certificates::Certificates;
use crate::store::{EntriesAmount, Entry, Head, LoadRow, Reader, StoreResult};

/// A measure, and the packs that were made for it.
pub(super) struct MeasureResult {
    pub(super) measure: Measure,
    pub(super) made: Vec<FreshPack>,
}

/// Positions of a stream, the first excluded.
#[derive(Debug, Clone, Copy)]
struct Span {
    stream: StreamId,
    after: u64,
    through: u64,
}

impl Span {
    fn positions(&self) -> u64 {
        self.through.saturating_sub(self.after)
    }
}

/// The parts that a reader lacks.
#[derive(Debug, Default)]
struct Lacking {
    /// Open records to be loaded, each in the stream that brings it.
    open: Vec<(StreamId, RecordId)>,
    /// Other records to be loaded.
    rest: Vec<(StreamId, RecordId)>,
    /// All of them.
    records: HashSet<RecordId>,
    /// Directories and bulletins to be loaded.
    directory: Vec<(Span, EntriesAmount)>,
    /// Entries of streams that were read before.
    changes: Vec<Span>,
    certificates: BTreeSet<Hash>,
    rows: usize,
    is_partial: bool,
}

/// The work on one measure.
struct Measuring<'a> {
    keys: &'a Keys,
    cache: &'a Certificates,
    tx: &'a dyn Reader,
    wish: &'a Wish<'a>,
    made: Vec<FreshPack>,
    /// Withheld certificates of drawn records, each with the number of these records.
    hidden: HashMap<Hash, u32>,
    /// Records and changes that were looked at for withheld certificates.
    drawn: u64,
}

/// Measures everything that a reader lacks.
pub(super) fn measure(
    keys: &Keys,
    cache: &Certificates,
    tx: &dyn Reader,
    wish: &Wish<'_>,
) -> Result<MeasureResult> {
    let lacking = Lacking::of(tx, wish)?;
    let mut measuring = Measuring {
        keys,
        cache,
        tx,
        wish,
        made: Vec::new(),
        hidden: HashMap::new(),
        drawn: 0,
    };
    let (open, photos_open) = measuring.records(&lacking.open)?;
    let (rest, photos_rest) = measuring.records(&lacking.rest)?;
    let (changes, photos_changed) = measuring.changes(&lacking)?;
    let all = (lacking.open.len() + lacking.rest.len()) as u64 + changes.count;
    let measure = Measure {
        open,
        rest,
        changes,
        directory: measuring.directory(&lacking.directory)?,
        certificates: measuring
            .certificates(&lacking.certificates)?
            .plus(measuring.sealed(all)?),
        photos_open,
        photos_rest: photos_rest.plus(photos_changed),
        is_partial: lacking.is_partial,
    };
    Ok(MeasureResult {
        measure,
        made: measuring.made,
    })
}

impl Lacking {
    fn of(tx: &dyn Reader, wish: &Wish<'_>) -> StoreResult<Self> {
        let known: HashMap<StreamId, &CursorAt> = wish
            .cursors
            .iter()
            .map(|cursor| (cursor.stream, &cursor.at))
            .collect();
        let mut order: Vec<&Standing> = wish.standings.iter().collect();
        order.sort_by_key(|standing| (urgency(&standing.stream), standing.stream));
        let mut lacking = Self::default();
        for standing in order {
            let Standing { stream, head } = *standing;
            let at = known.get(&stream).copied().unwrap_or(&CursorAt::Fresh);
            match due(tx, standing, at, wish.generation)? {
                Due::Entries { after } => lacking.entries(tx, stream, after, head)?,
                Due::OtherPast => {}
                Due::Load { began, after } => {
                    lacking.load(tx, stream, began, &after)?;
                    lacking.entries(tx, stream, began.position, head)?;
                }
            }
        }
        lacking
            .certificates
            .retain(|hash| !wish.held.contains(hash));
        Ok(lacking)
    }

    fn entries(
        &mut self,
        tx: &dyn Reader,
        stream: StreamId,
        after: u64,
        head: Head,
    ) -> StoreResult<()> {
        if after < head.position {
            let through = head.position;
            self.changes.push(Span {
                stream,
                after,
                through,
            });
            self.certify(tx, stream, after, through)?;
        }
        Ok(())
    }

    fn load(
        &mut self,
        tx: &dyn Reader,
        stream: StreamId,
        began: Head,
        after: &[u8],
    ) -> StoreResult<()> {
        let rows_left = MEASURE_ROWS_MAX.saturating_sub(self.rows);
        if !holds_records(&stream) {
            let after = after.try_into().map_or(0, u64::from_be_bytes);
            let amount = tx.current_amount(stream, after, rows_left)?;
            self.count(usize::try_from(amount.entries).unwrap_or(usize::MAX));
            let span = Span {
                stream,
                after,
                through: began.position,
            };
            self.directory.push((span, amount));
            return Ok(());
        }
        let rows = tx.load(stream, began.position, load_key(after), rows_left)?;
        self.count(rows.len());
        for LoadRow { key, .. } in rows {
            if self.records.insert(key.record) {
                let of = if key.rest {
                    &mut self.rest
                } else {
                    &mut self.open
                };
                of.push((stream, key.record));
            }
        }
        self.certify(tx, stream, 0, began.position)
    }

    fn certify(
        &mut self,
        tx: &dyn Reader,
        stream: StreamId,
        after: u64,
        through: u64,
    ) -> StoreResult<()> {
        if holds_records(&stream) && self.certificates.len() < MEASURE_ROWS_MAX {
            let needed = tx.stream_certificates(stream, after, through)?;
            self.certificates.extend(needed);
        }
        Ok(())
    }

    fn count(&mut self, rows: usize) {
        self.rows = self.rows.saturating_add(rows);
        self.is_partial |= self.rows >= MEASURE_ROWS_MAX;
    }
}

impl<'a> Measuring<'a> {
    fn draft(&self) -> Draft<'a> {
        let mut draft = Draft::new(self.cache, self.tx, self.wish);
        draft.bytes_max = MEASURE_SAMPLE_BYTES_MAX;
        draft
    }

    /// Measures records that are to be loaded, and their photos.
    fn records(&mut self, records: &[(StreamId, RecordId)]) -> Result<(Quantity, Quantity)> {
        let mut draft = self.draft();
        let is_new_reader = draft.positions.is_empty() && draft.loading.is_empty();
        let (mut drawn, mut had) = (0, 0);
        let total = records.len() as u64;
        for place in spread(total, MEASURE_SAMPLE_MAX) {
            let Some((stream, record)) = records.get(usize::try_from(place).unwrap_or(usize::MAX))
            else {
                continue;
            };
            if draft.is_full() {
                break;
            }
            drawn += 1;
            if !is_new_reader && draft.has_already(*stream, *record)? {
                had += 1;
                continue;
            }
            draft.reading = Some(*stream);
            draft.pack(*record)?;
            self.hide(&draft, *record)?;
        }
        let mut parts = draft.into_parts();
        self.made.append(&mut parts.made);
        let bytes = bytes_of(self.keys, parts, BTreeMap::new(), self.wish.generation)?;
        let count = total - scaled(had, drawn, total);
        let photos = self.photos(records)?;
        let amount = Quantity {
            count,
            bytes: scaled(bytes, drawn, total),
        };
        let photos = Quantity {
            count: scaled(photos.count, total, count),
            bytes: scaled(photos.bytes, total, count),
        };
        Ok((amount, photos))
    }

    fn photos(&self, records: &[(StreamId, RecordId)]) -> StoreResult<Quantity> {
        let mut photos = Quantity::default();
        for (_, record) in records {
            photos = photos.plus(self.photos_of(*record, &Entry::Add(*record))?);
        }
        Ok(photos)
    }

    /// Measures the entries of streams that the reader has read before, and the photos that they describe.
    fn changes(&mut self, lacking: &Lacking) -> Result<(Quantity, Quantity)> {
        let total: u64 = lacking.changes.iter().map(Span::positions).sum();
        let mut draft = self.draft();
        let mut entries: BTreeMap<StreamId, Vec<FeedEntry>> = BTreeMap::new();
        let (mut drawn, mut photos) = (0, Quantity::default());
        let nothing_sent = HashMap::new();
        // Neighbours compress together, so the sample has runs of entries.
        let runs = total.div_ceil(MEASURE_RUN as u64);
        for run in spread(runs, MEASURE_SAMPLE_MAX / MEASURE_RUN) {
            if draft.is_full() {
                break;
            }
            let Some((stream, after, left)) = place_in(&lacking.changes, run * MEASURE_RUN as u64)
            else {
                continue;
            };
            let rows_max = MEASURE_RUN.min(usize::try_from(left).unwrap_or(MEASURE_RUN));
            for row in self.tx.feed(stream, after, rows_max)? {
                drawn += 1;
                let record = self.record_of(&row.entry)?;
                let comes_elsewhere = match record {
                    Some(record) => {
                        lacking.records.contains(&record) || self.owner(record)? != Some(stream)
                    }
                    None => false,
                };
                let entry = if comes_elsewhere {
                    draft.bytes += NAMED_ENTRY_BYTES;
                    FeedEntry::Nothing
                } else {
                    draft.reading = Some(stream);
                    draft.entry(stream, &row.entry, &nothing_sent)?
                };
                if let Some(record) = record.filter(|_| !comes_elsewhere) {
                    self.hide(&draft, record)?;
                    photos = photos.plus(self.photos_of(record, &row.entry)?);
                }
                entries.entry(stream).or_default().push(entry);
            }
        }
        let mut parts = draft.into_parts();
        self.made.append(&mut parts.made);
        let bytes = bytes_of(self.keys, parts, entries, self.wish.generation)?;
        let all = |amount| scaled(amount, drawn, total);
        let amount = Quantity {
            count: total,
            bytes: all(bytes),
        };
        let photos = Quantity {
            count: all(photos.count),
            bytes: all(photos.bytes),
        };
        Ok((amount, photos))
    }

    fn record_of(&self, entry: &Entry) -> StoreResult<Option<RecordId>> {
        match entry {
            Entry::Envelope(id) => self.tx.record_of(*id),
            Entry::Add(record) => Ok(Some(*record)),
            Entry::Withdraw(_) | Entry::Verdict(_) | Entry::Directory(_) | Entry::Bulletin(_) => {
                Ok(None)
            }
        }
    }

    /// The stream that brings the changes of a record to this reader: the first one that holds the record.
    fn owner(&self, record: RecordId) -> StoreResult<Option<StreamId>> {
        let reads: HashSet<StreamId> = self.wish.standings.iter().map(|s| s.stream).collect();
        let holding = self.tx.record_streams(record)?.into_iter();
        Ok(holding
            .filter(|stream| reads.contains(stream))
            .min_by_key(|stream| (urgency(stream), *stream)))
    }

    /// The photos that come with one entry: described photos, or all photos of a record that is added.
    fn photos_of(&self, record: RecordId, entry: &Entry) -> StoreResult<Quantity> {
        let mut photos = Quantity::default();
        let mut last = None;
        for file in self.tx.record_files(record)? {
            let is_described = match entry {
                Entry::Envelope(id) => file.envelope == *id,
                _ => true,
            };
            if is_described && last.replace(file.id) != Some(file.id) {
                photos = photos.plus(Quantity {
                    count: 1,
                    bytes: file.bytes,
                });
            }
        }
        Ok(photos)
    }

    /// Measures the current entries of directories and bulletins.
    fn directory(&self, parts: &[(Span, EntriesAmount)]) -> Result<Quantity> {
        let count: u64 = parts.iter().map(|(_, amount)| amount.entries).sum();
        let plain: u64 = parts.iter().map(|(_, amount)| amount.bytes).sum();
        let mut entries: BTreeMap<StreamId, Vec<FeedEntry>> = BTreeMap::new();
        let mut drawn_plain = 0;
        for (span, amount) in parts {
            let share = scaled(MEASURE_SAMPLE_MAX as u64, count, amount.entries).max(1);
            let share = usize::try_from(share).unwrap_or(MEASURE_SAMPLE_MAX);
            let mut drawn = BTreeSet::new();
            for place in spread(span.positions(), share) {
                if drawn_plain >= MEASURE_SAMPLE_BYTES_MAX {
                    break;
                }
                let after = span.after + place;
                let Some(row) = self.tx.current(span.stream, after, 1)?.pop() else {
                    continue;
                };
                if drawn.insert(row.position) {
                    drawn_plain += row.data.len() + ENTRY_BYTES;
                    let entry = match span.stream {
                        StreamId::Bulletin(_) => FeedEntry::Bulletin(row.data),
                        _ => FeedEntry::Directory(row.data),
                    };
                    entries.entry(span.stream).or_default().push(entry);
                }
            }
        }
        let page = Page {
            segments: segments(entries),
            ..Page::default()
        };
        let compressed = bytes_of_page(&page)?.saturating_sub(bytes_of_page(&Page::default())?);
        let plain = plain + count * ENTRY_BYTES as u64;
        Ok(Quantity {
            count,
            bytes: scaled(compressed, drawn_plain as u64, plain),
        })
    }

    fn certificates(&self, hashes: &BTreeSet<Hash>) -> Result<Quantity> {
        let all: Vec<&Hash> = hashes.iter().collect();
        let total = all.len() as u64;
        let mut page = Page::default();
        let without = bytes_of_page(&page)?;
        let mut drawn = 0;
        for place in spread(total, MEASURE_SAMPLE_MAX) {
            let Some(hash) = all.get(usize::try_from(place).unwrap_or(usize::MAX)) else {
                continue;
            };
            drawn += 1;
            page.certificates.extend(self.tx.certificate(**hash)?);
        }
        let bytes = bytes_of_page(&page)?.saturating_sub(without);
        Ok(Quantity {
            count: total,
            bytes: scaled(bytes, drawn, total),
        })
    }

    /// Notes the certificates of a drawn record that the reader gets sealed.
    fn hide(&mut self, draft: &Draft<'_>, record: RecordId) -> StoreResult<()> {
        self.drawn += 1;
        for hash in draft.withheld_of(record)? {
            if !self.wish.held.contains(&carried(hash)) {
                *self.hidden.entry(hash).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Measures the sealed certificates of all these records and changes. Sealed bytes cannot be compressed.
    fn sealed(&self, all: u64) -> Result<Quantity> {
        let times: Vec<u32> = self.hidden.values().copied().collect();
        let count = distinct(&times, self.drawn, all);
        let (mut drawn, mut bytes) = (0, 0);
        for hash in self.hidden.keys().take(MEASURE_SAMPLE_MAX / 8) {
            if let Some(raw) = self.tx.certificate(*hash)?
                && let Some(sealed) = self.keys.seal(*hash, &raw)
            {
                drawn += 1;
                bytes += (sealed.bytes.len() + sealed.certificate.as_bytes().len()) as u64;
            }
        }
        Ok(Quantity {
            count,
            bytes: scaled(bytes, drawn, count),
        })
    }
}

/// Finds a place among the positions of all spans; returns its stream, the position before it, and the positions
/// from there to the end of the span.
fn place_in(spans: &[Span], place: u64) -> Option<(StreamId, u64, u64)> {
    let mut left = place;
    for span in spans {
        if left < span.positions() {
            return Some((span.stream, span.after + left, span.positions() - left));
        }
        left -= span.positions();
    }
    None
}
