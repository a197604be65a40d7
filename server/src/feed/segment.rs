//! The next part of one stream for a reader that has read it before: entries after a position.

use std::collections::HashMap;

use onegrid_core::domain::StreamId;
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::limits::SEGMENT_ENTRIES_MAX;
use onegrid_core::wire::cursor::CursorAt;
use onegrid_core::wire::page::{FeedEntry, Segment};

use super::cursors::{Standing, at_head, holds_records};
use super::load::Load;
use super::packs::PackResult;
use super::page::{Draft, Wish};
use crate::error::Result;
use crate::limits::{ENTRY_BYTES, FEED_ROWS_A_STEP, NAMED_ENTRY_BYTES, VERDICT_ENTRY_BYTES};
use crate::store::{Entry, FeedRow, Head, LoadKey, Reader, StoreResult};

/// The next step of a page in one stream.
pub(super) enum Begun {
    /// The stream is done, and this is the position of the cursor.
    Stands(CursorAt),
    /// The stream has to be loaded.
    Loads(Load),
}

/// The part of a stream that a reader lacks.
pub(super) enum Due {
    /// The entries after a position.
    Entries {
        /// The last position that the reader has read.
        after: u64,
    },
    /// The cursor comes from another past than the store's.
    OtherPast,
    /// The content of the stream as it was at `began`, from a key on. The entries since then follow later.
    Load {
        /// The head of the stream when the load began.
        began: Head,
        /// The key that the load has reached.
        after: Vec<u8>,
    },
}

/// Returns the part of a stream that a reader at this cursor lacks.
pub(super) fn due(
    tx: &dyn Reader,
    standing: &Standing,
    at: &CursorAt,
    generation: u32,
) -> StoreResult<Due> {
    let Standing { stream, head } = *standing;
    let load = |began: Head, after: &[u8]| Due::Load {
        began,
        after: after.to_vec(),
    };
    Ok(match at {
        CursorAt::At {
            generation: known,
            position,
            digest,
        } => {
            // A position belongs to its generation. Others may stand for other entries with the same
            // sum, because not every entry changes the digest.
            let there = *known == generation
                && *position <= head.position
                && tx.digest_at(stream, *position)? == Some(*digest);
            if there {
                Due::Entries { after: *position }
            } else if holds_records(&stream) {
                Due::OtherPast
            } else {
                load(head, &[])
            }
        }
        CursorAt::Loading {
            generation: known,
            position,
            after,
        } if *known == generation && *position <= head.position => {
            let began = Head {
                position: *position,
                digest: tx.digest_at(stream, *position)?.unwrap_or_default(),
            };
            load(began, after)
        }
        CursorAt::Fresh | CursorAt::Loading { .. } => load(head, &[]),
    })
}

impl Draft<'_> {
    /// Adds the news of one stream for a reader that has read it before, or begins the load that the reader
    /// needs.
    pub(super) fn begin(
        &mut self,
        standing: &Standing,
        at: &CursorAt,
        wish: &Wish<'_>,
    ) -> Result<Begun> {
        let Standing { stream, head } = *standing;
        let generation = wish.generation;
        self.reading = Some(stream);
        Ok(match due(self.tx, standing, at, generation)? {
            Due::Entries { after } => {
                Begun::Stands(self.read_on(stream, after, head, generation, wish.sent)?)
            }
            Due::OtherPast => {
                // The digests will differ, and set reconciliation finds the missing envelopes of both sides.
                if let CursorAt::At {
                    generation: known,
                    position,
                    ..
                } = at
                    && *known == generation
                {
                    // The name of a stream may hold the id of a person.
                    let kind = kind_of(&stream);
                    tracing::warn!(kind, position, "a cursor of another past");
                }
                let next = at_head(head, generation);
                self.push(Segment {
                    stream,
                    first: 0,
                    entries: Vec::new(),
                    next: next.clone(),
                });
                Begun::Stands(next)
            }
            Due::Load { began, after } => Begun::Loads(Load::new(stream, began, at, &after)),
        })
    }

    /// Adds the entries after a position.
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
        let long = |entries: &Vec<FeedEntry>| entries.len() >= SEGMENT_ENTRIES_MAX;
        while last.position < head.position && !self.is_full() && !long(&entries) {
            for row in self.tx.feed(stream, last.position, FEED_ROWS_A_STEP)? {
                if self.is_full() || long(&entries) {
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

    /// Returns one entry of a stream, and puts its content into the page.
    pub(super) fn entry(
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
                self.bytes += NAMED_ENTRY_BYTES;
                let has = self.has_already(stream, *record)?;
                if !has && self.pack(*record)? == PackResult::Damaged {
                    FeedEntry::Nothing
                } else {
                    FeedEntry::Add { record: *record }
                }
            }
            Entry::Withdraw(record) => {
                self.bytes += NAMED_ENTRY_BYTES;
                FeedEntry::Withdraw { record: *record }
            }
            Entry::Verdict(id) => match self.tx.verdict(*id)? {
                Some((Some(hash), verdict)) => {
                    self.bytes += VERDICT_ENTRY_BYTES;
                    FeedEntry::Verdict { hash, verdict }
                }
                Some((None, _)) | None => FeedEntry::Nothing,
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

    /// Whether the reader has the record, because it has just given the record back, or because another
    /// stream that it has read or loaded so far holds the record.
    pub(super) fn has_already(&self, stream: StreamId, record: RecordId) -> StoreResult<bool> {
        if let Some(digest) = self.given.get(&record)
            && self.tx.record(record)?.map(|row| row.digest) == Some(*digest)
        {
            return Ok(true);
        }
        // A record is in a few streams, but a reader may read hundreds.
        for other in self.tx.record_streams(record)? {
            let (read, loading) = (self.positions.get(&other), self.loading.get(&other));
            if other == stream
                || !self.streams.contains(&other)
                || (read.is_none() && loading.is_none())
            {
                continue;
            }
            let Some(holding) = self.tx.holding(other, record)? else {
                continue;
            };
            let read = read.is_some_and(|position| holding.since <= *position);
            let loaded = |(began, key): &(u64, LoadKey)| holding.brought_by(record, *began, key);
            if read || loading.is_some_and(loaded) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The kind of a stream, for the log.
fn kind_of(stream: &StreamId) -> &'static str {
    match stream {
        StreamId::AreaStaff(_) => "area",
        StreamId::Unit(_) => "unit",
        StreamId::Member(_) => "member",
        StreamId::Zone(_) => "zone",
        StreamId::Bulletin(_) => "bulletin",
        StreamId::DirectoryBase | StreamId::DirectoryVillage(_) => "directory",
        StreamId::Command(_) => "command",
    }
}
