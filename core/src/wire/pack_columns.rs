//! The columns and flags of packs, and the state that writer and reader both keep.

use std::collections::HashMap;

// Columns of packs, in the order of travel.
pub(super) const COUNTS: usize = 0;
pub(super) const FACTS: usize = 1;
pub(super) const BLOBS: usize = 2;
pub(super) const LENGTHS: usize = 3;
pub(super) const FLAGS: usize = 4;
pub(super) const PARENTS: usize = 5;
pub(super) const ACTORS: usize = 6;
pub(super) const RAW_IDS: usize = 7;
pub(super) const IDS: usize = 8;
pub(super) const CLOCKS: usize = 9;
pub(super) const TIMES: usize = 10;
pub(super) const STATUSES: usize = 11;
pub(super) const WRITERS: usize = 12;
pub(super) const SEQS: usize = 13;
pub(super) const CODES: usize = 14;
pub(super) const DATA: usize = 15;
pub(super) const EXTRAS: usize = 16;
pub(super) const STUBS: usize = 17;
pub(super) const DOCUMENTS: usize = 18;
pub(super) const COLUMNS: usize = 19;

// Flags of an entry. The two lowest bits give its kind.
pub(super) const IS: u8 = 3;
pub(super) const IS_CHANGE: u8 = 0;
pub(super) const IS_EVENT: u8 = 1;
pub(super) const IS_STUB: u8 = 2;
pub(super) const IS_GENESIS: u8 = 3;
/// Parents follow; otherwise it is the entry before, and none for the first.
pub(super) const HAS_PARENTS: u8 = 1 << 2;
/// Status and generation follow; otherwise accepted, in the generation of the entry before.
pub(super) const HAS_STATUS: u8 = 1 << 3;
/// The verdict has the time of the entry before.
pub(super) const SAME_TIME: u8 = 1 << 4;
/// The sequence number follows; otherwise it is the next one of that actor.
pub(super) const HAS_SEQ: u8 = 1 << 5;
/// Extras follow.
pub(super) const HAS_EXTRAS: u8 = 1 << 6;
/// The fold version follows; otherwise it is the one of the event before.
pub(super) const HAS_FOLD: u8 = 1 << 7;

// Extras of a change or event.
pub(super) const REPLACES_ENTRY: u8 = 1;
pub(super) const REPLACES_OTHER: u8 = 2;
pub(super) const ON_BEHALF: u8 = 4;
/// Ids of earlier entries were taken out of the event's data.
pub(super) const REFERS: u8 = 8;
/// How an id begins in an event's data: CBOR byte string of 16 bytes.
pub(super) const ID_HEAD: u8 = 0x50;

pub(super) const SAME: u64 = 0;
pub(super) const NEW: u64 = 1;
pub(super) const LISTED: u64 = 2;

/// The last values, from entry to entry and from pack to pack.
#[derive(Default)]
pub(super) struct Last {
    pub(super) genesis_clock_ms: i64,
    pub(super) clock_ms: i64,
    pub(super) time_ms: i64,
    pub(super) generation: u32,
    pub(super) fold_version: u8,
    /// The next sequence number of each actor of this document.
    pub(super) seqs: HashMap<u32, u64>,
}

impl Last {
    /// The clock that the next one is compared with. For a first entry it is the first one of the
    /// pack before.
    pub(super) fn clock_base(&self, index: usize) -> i64 {
        if index == 0 {
            self.genesis_clock_ms
        } else {
            self.clock_ms
        }
    }

    pub(super) fn note_clock(&mut self, index: usize, clock_ms: i64) {
        if index == 0 {
            self.genesis_clock_ms = clock_ms;
        }
        self.clock_ms = clock_ms;
    }

    pub(super) fn seq(&self, actor: u32) -> u64 {
        self.seqs.get(&actor).copied().unwrap_or(1)
    }

    pub(super) fn note_seq(&mut self, actor: u32, seq: u64) {
        self.seqs.insert(actor, seq.wrapping_add(1));
    }
}
