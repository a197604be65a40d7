//! The last cursors of each device: in memory for the next request, and in the store for the first request after
//! a restart.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use onegrid_core::id::{DeviceId, Hash};
use onegrid_core::wire::cursor::{Cursor, cursor_set_hash};

use crate::error::Result;
use crate::limits::{CERTIFICATES_REMEMBERED_MAX, CURSOR_SETS_CACHED_MAX};
use crate::store::{CursorsRow, Fate, Store};

/// The newest set of cursors of each device.
#[derive(Debug, Default)]
pub struct CursorMemory(Mutex<HashMap<DeviceId, LastAnswer>>);

/// The cursors and certificates of the last answer to a device.
#[derive(Debug)]
struct LastAnswer {
    hash: Hash,
    cursors: Vec<Cursor>,
    /// Certificates that pages have brought to the device, once it names these cursors.
    held: HashSet<Hash>,
}

impl CursorMemory {
    /// Returns the cursors with this hash, if they are the last that the device received.
    pub(super) fn recall(
        &self,
        store: &Arc<dyn Store>,
        device: DeviceId,
        hash: Hash,
    ) -> Result<Option<Vec<Cursor>>> {
        {
            let sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(given) = sets.get(&device).filter(|given| given.hash == hash) {
                return Ok(Some(given.cursors.clone()));
            }
        }
        let row = store.read(|tx| tx.cursors(device))?;
        let row = row.filter(|row| row.hash == hash);
        // A set that cannot be read counts as forgotten, so the phone sends its cursors again.
        Ok(row.and_then(|row| minicbor::decode(&row.cursors).ok()))
    }

    /// Returns the certificates that a device has from applied pages. The device proves this by naming the
    /// cursors of the last page. After a restart or a lost answer the server knows none, so it sends them again.
    pub(super) fn held(&self, device: DeviceId, hash: Hash) -> HashSet<Hash> {
        let sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sets.get(&device)
            .filter(|given| given.hash == hash)
            .map(|given| given.held.clone())
            .unwrap_or_default()
    }

    /// Remembers the last answer to the device. This is a hint, so it need not survive a power cut.
    pub(super) fn remember(
        &self,
        store: &Arc<dyn Store>,
        device: DeviceId,
        cursors: Vec<Cursor>,
        held: HashSet<Hash>,
    ) {
        let hash = cursor_set_hash(&cursors);
        let bytes = minicbor::to_vec(&cursors).expect("writing CBOR to memory does not fail");
        {
            let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if sets.len() >= CURSOR_SETS_CACHED_MAX {
                sets.clear();
            }
            let held = if held.len() > CERTIFICATES_REMEMBERED_MAX {
                HashSet::new()
            } else {
                held
            };
            sets.insert(
                device,
                LastAnswer {
                    hash,
                    cursors,
                    held,
                },
            );
        }
        let row = CursorsRow {
            hash,
            cursors: bytes,
        };
        store.run_later(Box::new(move |tx| match tx.put_cursors(device, &row) {
            Ok(()) => Fate::Keep,
            Err(_) => Fate::Undo,
        }));
    }
}
