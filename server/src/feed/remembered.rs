//! The cursors that each device was last given: in memory for the next request, in the store for the one
//! after a restart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use onegrid_core::id::{DeviceId, Hash};
use onegrid_core::wire::cursor::{Cursor, cursor_set_hash};

use crate::error::Result;
use crate::limits::CURSOR_SETS_CACHED_MAX;
use crate::server::Server;
use crate::store::CursorsRow;

/// The newest sets.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<HashMap<DeviceId, (Hash, Vec<Cursor>)>>);

impl Server {
    /// The set with this hash, if it is the one that the device was last given.
    pub(crate) fn recall(&self, device: DeviceId, hash: Hash) -> Result<Option<Vec<Cursor>>> {
        {
            let sets = self
                .remembered
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some((_, cursors)) = sets.get(&device).filter(|(known, _)| *known == hash) {
                return Ok(Some(cursors.clone()));
            }
        }
        let row = self.store.read(|tx| tx.cursors(device))?;
        let row = row.filter(|row| row.hash == hash);
        // A set that can not be read is as good as forgotten: the phone sends it again.
        Ok(row.and_then(|row| minicbor::decode(&row.cursors).ok()))
    }

    /// Remembers what the device was given. A hint: it need not survive a power cut.
    pub(crate) fn remember(&self, device: DeviceId, cursors: Vec<Cursor>) {
        let hash = cursor_set_hash(&cursors);
        let bytes = minicbor::to_vec(&cursors).expect("writing CBOR to memory does not fail");
        {
            let mut sets = self
                .remembered
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if sets.len() >= CURSOR_SETS_CACHED_MAX {
                sets.clear();
            }
            sets.insert(device, (hash, cursors));
        }
        self.store.run_later(Box::new(move |tx| {
            match tx.put_cursors(
                device,
                &CursorsRow {
                    hash,
                    cursors: bytes,
                },
            ) {
                Ok(()) => crate::store::Fate::Keep,
                Err(_) => crate::store::Fate::Undo,
            }
        }));
    }
}
