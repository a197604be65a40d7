//! The cursors that each device was last given: in memory for the next request, in the store for the one
//! after a restart.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use onegrid_core::id::{DeviceId, Hash};
use onegrid_core::wire::cursor::{Cursor, cursor_set_hash};

use crate::error::Result;
use crate::limits::{CERTIFICATES_REMEMBERED_MAX, CURSOR_SETS_CACHED_MAX};
use crate::server::Server;
use crate::store::CursorsRow;

/// The newest sets.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<HashMap<DeviceId, Given>>);

/// What the last answer gave to a device.
#[derive(Debug)]
struct Given {
    hash: Hash,
    cursors: Vec<Cursor>,
    /// Certificates that the device has, once it names these cursors: pages brought them.
    held: HashSet<Hash>,
}

impl Server {
    /// The set with this hash, if it is the one that the device was last given.
    pub(crate) fn recall(&self, device: DeviceId, hash: Hash) -> Result<Option<Vec<Cursor>>> {
        {
            let sets = self
                .remembered
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(given) = sets.get(&device).filter(|given| given.hash == hash) {
                return Ok(Some(given.cursors.clone()));
            }
        }
        let row = self.store.read(|tx| tx.cursors(device))?;
        let row = row.filter(|row| row.hash == hash);
        // A set that can not be read is as good as forgotten: the phone sends it again.
        Ok(row.and_then(|row| minicbor::decode(&row.cursors).ok()))
    }

    /// The certificates that a device has from pages that it has applied: it names the cursors that came with
    /// the last of them. Nothing is known after a restart, or when an answer was lost: then they are sent again.
    pub(crate) fn held(&self, device: DeviceId, hash: Hash) -> HashSet<Hash> {
        let sets = self
            .remembered
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        sets.get(&device)
            .filter(|given| given.hash == hash)
            .map(|given| given.held.clone())
            .unwrap_or_default()
    }

    /// Remembers what the device was given. A hint: it need not survive a power cut.
    pub(crate) fn remember(&self, device: DeviceId, cursors: Vec<Cursor>, held: HashSet<Hash>) {
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
            let held = if held.len() > CERTIFICATES_REMEMBERED_MAX {
                HashSet::new()
            } else {
                held
            };
            sets.insert(
                device,
                Given {
                    hash,
                    cursors,
                    held,
                },
            );
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
