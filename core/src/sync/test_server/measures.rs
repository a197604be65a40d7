//! The measure of what a reader lacks.

use super::{CursorsAnswer, Server};
use crate::id::DeviceId;
use crate::sync::testing::STREAMS;
use crate::wire::cursor::{CursorAt, cursor_set_hash};
use crate::wire::measure::{Measure, Quantity};
use crate::wire::message::{Known, SyncRequest};

impl Server {
    /// Returns the number of entries that the reader lacks, with 100 bytes each; `None` without the question.
    pub(super) fn measure(
        &mut self,
        asked: &SyncRequest,
        device: DeviceId,
    ) -> Option<(CursorsAnswer, Option<Measure>)> {
        if asked.measure != Some(true) || !self.measures {
            return None;
        }
        let cursors = match &asked.known {
            Known::All(cursors) => cursors.clone(),
            Known::Hash(hash) => match self.handed.get(&device) {
                Some(cursors) if cursor_set_hash(cursors) == *hash => cursors.clone(),
                _ => {
                    self.needed += 1;
                    return Some((CursorsAnswer::Needed, None));
                }
            },
        };
        let mut count = 0;
        for stream in STREAMS {
            let at = cursors.iter().find(|cursor| cursor.stream == stream);
            let read = match at.map(|cursor| &cursor.at) {
                Some(CursorAt::At { position, .. }) => *position,
                _ => 0,
            };
            count += self.feeds[&stream].len() as u64 - read;
        }
        let open = Quantity {
            count,
            bytes: count * 100,
        };
        let measure = Measure {
            open,
            ..Measure::default()
        };
        Some((CursorsAnswer::Moved, Some(measure)))
    }
}
