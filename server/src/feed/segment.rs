//! The next part of one stream: entries after a position, or what the stream holds for who is new to it.

use std::collections::HashMap;

use onegrid_core::domain::StreamId;
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::wire::cursor::CursorAt;
use onegrid_core::wire::page::{FeedEntry, Segment};

use super::cursors::{Standing, at_head, holds_records, load_key, load_key_bytes};
use super::page::{Draft, Wish};
use crate::error::Result;
use crate::limits::{FEED_ROWS_A_STEP, PACKS_A_STEP};
use crate::store::{Entry, FeedRow, Head, StoreResult};

impl Draft<'_> {
    /// The next part of one stream; gives where its cursor stands afterwards.
    pub(super) fn segment(
        &mut self,
        standing: &Standing,
        at: &CursorAt,
        wish: &Wish<'_>,
    ) -> Result<CursorAt> {
        let Standing { stream, head } = *standing;
        let generation = wish.generation;
        let next = match at {
            CursorAt::At {
                generation: known,
                position,
                digest,
            } => {
                // Digests speak for records alone: what a directory said before a restore is read anew.
                let comparable = *known == generation || holds_records(&stream);
                let there = comparable
                    && *position <= head.position
                    && self.tx.digest_at(stream, *position)? == Some(*digest);
                if there {
                    let next = self.read_on(stream, *position, head, generation, wish.sent)?;
                    if *known != generation && *position == head.position {
                        // Nothing to read, but the reader has to learn where it stands now.
                        self.push(Segment {
                            stream,
                            first: 0,
                            entries: Vec::new(),
                            next: next.clone(),
                        });
                    }
                    next
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
                Some((Some(hash), verdict)) => FeedEntry::Verdict { hash, verdict },
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

    /// Whether the reader has the record: it has just given it back, or another stream that it had read so
    /// far holds it.
    fn has_already(&self, stream: StreamId, record: RecordId) -> StoreResult<bool> {
        if let Some(digest) = self.given.get(&record)
            && self.tx.record(record)?.map(|row| row.digest) == Some(*digest)
        {
            return Ok(true);
        }
        // A record is in a few streams, a reader may read hundreds.
        for other in self.tx.record_streams(record)? {
            let Some(position) = self.positions.get(&other) else {
                continue;
            };
            if other != stream
                && self.streams.contains(&other)
                && self
                    .tx
                    .held_since(other, record)?
                    .is_some_and(|since| since <= *position)
            {
                return Ok(true);
            }
        }
        Ok(false)
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
        let mut from = after.try_into().map_or(0, u64::from_be_bytes);
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
}

/// Bytes that an entry costs beside what it names.
const ENTRY_BYTES: usize = 8;

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
