//! One request at a time works on an upload, and the newest goes first.
//!
//! A phone that lost its line sends its next request while the server still waits for bytes on the old
//! connection. So a new request tells the earlier ones to stop, waits until they have saved what they have, and
//! then begins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use onegrid_core::id::DeviceId;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tokio::time::{Duration, timeout};

use crate::error::{Problem, Result};
use crate::limits::{TAKE_OVER_AGAIN_S, TAKE_OVER_WAIT_MAX};
use crate::store::AttachmentKey;

type Upload = (DeviceId, AttachmentKey);

/// The turns of all uploads.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<Upload, Line>>>);

/// The requests about one upload.
#[derive(Debug)]
struct Line {
    lock: Arc<AsyncMutex<()>>,
    newest: watch::Sender<u64>,
    requests: usize,
}

/// A place in the line of an upload; it is left when dropped.
#[derive(Debug)]
struct Place {
    turns: Turns,
    upload: Upload,
    number: u64,
    newest: watch::Receiver<u64>,
}

/// The turn of one request; no other request works on the upload until it is dropped.
#[derive(Debug)]
pub struct Turn {
    // Released before the place is left.
    _lock: OwnedMutexGuard<()>,
    place: Place,
}

impl Turns {
    /// Stops all earlier requests about the upload, and waits until they have ended.
    pub(super) async fn take(&self, device: DeviceId, key: AttachmentKey) -> Result<Turn> {
        self.take_within(device, key, TAKE_OVER_WAIT_MAX).await
    }

    pub(super) async fn take_within(
        &self,
        device: DeviceId,
        key: AttachmentKey,
        wait_max: Duration,
    ) -> Result<Turn> {
        let (place, lock) = self.enter((device, key));
        let Ok(lock) = timeout(wait_max, lock.lock_owned()).await else {
            return Err(Problem::new("attachment.locked").retry_after(TAKE_OVER_AGAIN_S));
        };
        Ok(Turn { _lock: lock, place })
    }

    fn enter(&self, upload: Upload) -> (Place, Arc<AsyncMutex<()>>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(upload).or_insert_with(|| Line {
            lock: Arc::default(),
            newest: watch::Sender::new(0),
            requests: 0,
        });
        line.requests += 1;
        line.newest.send_modify(|number| *number += 1);
        let place = Place {
            turns: self.clone(),
            upload,
            number: *line.newest.borrow(),
            newest: line.newest.subscribe(),
        };
        (place, Arc::clone(&line.lock))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}

impl Turn {
    /// Returns when a newer request wants the upload.
    pub async fn taken_over(&self) {
        let mut newest = self.place.newest.clone();
        let number = self.place.number;
        // The sender lives as long as this place.
        let _ = newest.wait_for(|newest| *newest > number).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&self.upload) {
            line.requests -= 1;
            if line.requests == 0 {
                lines.remove(&self.upload);
            }
        }
    }
}
