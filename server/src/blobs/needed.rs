//! The files that the server lacks, out of those that a phone holds.

use std::collections::HashSet;

use onegrid_core::id::DeviceId;

use super::{Blobs, rights};
use crate::error::{Problem, Result};
use crate::store::AttachmentKey;

impl Blobs {
    /// Returns the places of the files that the device may give and the server lacks.
    pub fn needed(
        &self,
        device: DeviceId,
        held: &[AttachmentKey],
        now_ms: i64,
    ) -> Result<Vec<u32>> {
        let views = &self.shared.views;
        self.shared.store.read::<_, Problem>(|tx| {
            let streams = rights::streams_of_giver(views, tx, device, now_ms)?;
            let mut places = Vec::new();
            let mut asked = HashSet::new();
            for (key, place) in held.iter().zip(0..) {
                // A file that is named again costs nothing.
                if asked.insert(*key)
                    && self.file_here(tx, *key)?.is_none()
                    && !rights::giveable(tx, &streams, device, *key)?.is_empty()
                {
                    places.push(place);
                }
            }
            Ok(places)
        })
    }
}
