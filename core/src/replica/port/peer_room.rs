//! The room that a phone has for undelivered work of others. Another phone could bring more of it than a
//! server ever accepts. Work that finds no room stays with the phone that brought it, and comes again.

use std::collections::HashMap;

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::table::envelope;
use crate::id::DeviceId;
use crate::limits::{
    PEER_UNJUDGED_AUTHOR_BYTES_MAX, PEER_UNJUDGED_BYTES_MAX, PEER_UNJUDGED_REST_BYTES,
};
use crate::wire::envelope::Envelope;

/// The envelopes of other phones that are here without a verdict, in bytes.
#[derive(Debug, Default)]
pub(super) struct PeerRoom {
    used: u64,
    by_author: HashMap<DeviceId, u64>,
}

impl PeerRoom {
    pub(super) fn read(conn: &Connection) -> Result<Self, ReplicaError> {
        let mut room = Self::default();
        for (author, count, bytes) in envelope::unjudged_of_peers(conn)? {
            let bytes = bytes.saturating_add(count.saturating_mul(PEER_UNJUDGED_REST_BYTES));
            room.used = room.used.saturating_add(bytes);
            if let Some(author) = author {
                room.by_author.insert(author, bytes);
            }
        }
        Ok(room)
    }

    /// Makes room for one more envelope. Returns `false` where there is none.
    pub(super) fn takes(&mut self, envelope: &Envelope) -> bool {
        let bytes = envelope.raw().len() as u64 + PEER_UNJUDGED_REST_BYTES;
        let of_author = self.by_author.entry(envelope.header().author).or_default();
        let fits = self.used + bytes <= PEER_UNJUDGED_BYTES_MAX
            && *of_author + bytes <= PEER_UNJUDGED_AUTHOR_BYTES_MAX;
        if fits {
            self.used += bytes;
            *of_author += bytes;
        }
        fits
    }
}
