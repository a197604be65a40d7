//! First loads: the content of streams for a reader that is new to them. The open records of all streams (cases,
//! and visits that have not ended) come first, then the rest, stream by stream. So a reader of hundreds of streams
//! can work after the first pages.
//!
//! A load keeps the position at which it began, so every later change follows in the feed. Its cursor names
//! the last record that was sent, so the load continues after the last page that arrived. A record that
//! another stream has brought is named and not sent again. A record that was opened or ended since then is sent
//! again if it may be missing.

use onegrid_core::domain::StreamId;
use onegrid_core::id::RecordId;
use onegrid_core::limits::SEGMENT_ENTRIES_MAX;
use onegrid_core::wire::cursor::CursorAt;
use onegrid_core::wire::page::{FeedEntry, Segment};

use super::cursors::{at_head, holds_records, load_key, load_key_bytes};
use super::packs::PackResult;
use super::page::Draft;
use crate::limits::{ENTRY_BYTES, FEED_ROWS_A_STEP, NAMED_ENTRY_BYTES, PACKS_A_STEP};
use crate::store::{Head, LoadKey, StoreResult};

pub(super) struct Load {
    pub(super) stream: StreamId,
    /// The head of the stream when the load began.
    began: Head,
    at: CursorAt,
    after: Vec<u8>,
    entries: Vec<FeedEntry>,
    done: bool,
}

impl Load {
    pub(super) fn new(stream: StreamId, began: Head, at: &CursorAt, after: &[u8]) -> Self {
        Self {
            stream,
            began,
            at: at.clone(),
            after: after.to_vec(),
            entries: Vec::new(),
            done: false,
        }
    }

    /// Whether the segment of the load is full.
    fn is_long(&self) -> bool {
        self.entries.len() >= SEGMENT_ENTRIES_MAX
    }
}

impl Draft<'_> {
    /// Loads the open records of a stream, as many as fit into the page.
    pub(super) fn load_open(&mut self, load: &mut Load) -> StoreResult<()> {
        if holds_records(&load.stream) {
            self.walk(load, true)?;
        }
        Ok(())
    }

    /// Loads the rest of a stream, as much as fits into the page.
    pub(super) fn load_on(&mut self, load: &mut Load) -> StoreResult<()> {
        if holds_records(&load.stream) {
            self.walk(load, false)
        } else {
            self.load_entries(load)
        }
    }

    /// Puts the loaded entries into the page; returns the position of the cursor after them.
    pub(super) fn end_load(&mut self, load: Load, generation: u32) -> CursorAt {
        let next = if load.done {
            at_head(load.began, generation)
        } else {
            CursorAt::Loading {
                generation,
                position: load.began.position,
                after: load.after,
            }
        };
        if next != load.at || !load.entries.is_empty() {
            self.push(Segment {
                stream: load.stream,
                first: 0,
                entries: load.entries,
                next: next.clone(),
            });
        }
        next
    }

    fn walk(&mut self, load: &mut Load, open_only: bool) -> StoreResult<()> {
        let mut key = load_key(&load.after);
        loop {
            let past_open = open_only && key.is_some_and(|key| key.rest);
            if load.done || self.is_full() || load.is_long() || past_open {
                break;
            }
            let began = load.began.position;
            let rows = self.tx.load(load.stream, began, key, PACKS_A_STEP)?;
            load.done = rows.len() < PACKS_A_STEP;
            for row in rows {
                if open_only && row.key.rest {
                    (key, load.done) = (Some(LoadKey::REST), false);
                    break;
                }
                if self.is_full() || load.is_long() {
                    load.done = false;
                    break;
                }
                key = Some(row.key);
                self.load_record(load, row.key.record)?;
            }
        }
        load.after = key.as_ref().map(load_key_bytes).unwrap_or_default();
        Ok(())
    }

    fn load_record(&mut self, load: &mut Load, record: RecordId) -> StoreResult<()> {
        self.reading = Some(load.stream);
        let has = self.has_already(load.stream, record)?;
        match if has {
            PackResult::Nothing
        } else {
            self.pack(record)?
        } {
            PackResult::Given => count_pack(&mut load.entries, self.packs.len() - 1),
            PackResult::Nothing => {
                self.bytes += NAMED_ENTRY_BYTES;
                load.entries.push(FeedEntry::Add { record });
            }
            PackResult::Damaged => {}
        }
        Ok(())
    }

    fn load_entries(&mut self, load: &mut Load) -> StoreResult<()> {
        let from = load.after.as_slice().try_into();
        let mut from = from.map_or(0, u64::from_be_bytes);
        while !load.done && !self.is_full() && !load.is_long() {
            let rows = self.tx.current(load.stream, from, FEED_ROWS_A_STEP)?;
            load.done = rows.len() < FEED_ROWS_A_STEP;
            for row in rows {
                if self.is_full() || load.is_long() {
                    load.done = false;
                    break;
                }
                from = row.position;
                self.bytes += ENTRY_BYTES + row.data.len();
                load.entries.push(match load.stream {
                    StreamId::Bulletin(_) => FeedEntry::Bulletin(row.data),
                    _ => FeedEntry::Directory(row.data),
                });
            }
        }
        load.after = from.to_be_bytes().to_vec();
        Ok(())
    }
}

/// Adds the pack at this place to the entries, joined to the packs before it.
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

#[cfg(test)]
mod tests {
    use onegrid_core::id::RecordId;

    use crate::store::{Holding, LoadKey};

    #[test]
    fn what_a_load_has_passed_it_has_brought_and_in_doubt_it_has_not() {
        let record = RecordId([5; 16]);
        let holding = |open, since, turned_at| Holding {
            since,
            open,
            turned_at,
            created_ms: 50,
        };
        let key = |n: u8, rest| LoadKey {
            rest,
            created_ms: i64::from(n) * 10,
            record: RecordId([n; 16]),
        };
        // A load goes from the newest record to the oldest, so it has sent every record from the key upwards.
        for (open, key, brought) in [
            (true, key(5, false), true),
            (true, key(6, false), false),
            (true, key(4, false), true),
            (true, LoadKey::REST, true),
            (false, key(4, false), false),
            (false, LoadKey::REST, false),
            (false, key(6, true), false),
            (false, key(5, true), true),
            (false, key(4, true), true),
        ] {
            let found = holding(open, 3, 7).brought_by(record, 9, &key);
            assert_eq!(found, brought, "open {open} {key:?}");
            // The record came, was opened or was ended after the load began.
            assert!(!holding(open, 10, 10).brought_by(record, 9, &key));
            assert!(!holding(open, 3, 10).brought_by(record, 9, &key));
        }
        let other = LoadKey {
            created_ms: 50,
            ..key(6, false)
        };
        assert!(!holding(true, 3, 7).brought_by(record, 9, &other));
    }
}
