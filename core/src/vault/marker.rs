//! The marker of one account's installation, in the vault.

use std::io;
use std::sync::Arc;

use super::account::Slot;
use super::error::VaultError;
use super::key_vault::KeyVault;
use crate::replica::Marker;

/// A marker that is an entry of the vault: no backup of the database reaches it. An error keeps its
/// [`VaultError`] as the source.
pub struct VaultMarker {
    vault: Arc<dyn KeyVault>,
    name: String,
}

impl VaultMarker {
    pub(super) fn new(vault: Arc<dyn KeyVault>, slot: Slot) -> Self {
        Self {
            vault,
            name: entry_name(slot),
        }
    }
}

/// The name of the entry that holds an account's marker.
pub(super) fn entry_name(slot: Slot) -> String {
    format!("{slot}.marker")
}

impl std::fmt::Debug for VaultMarker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VaultMarker({})", self.name)
    }
}

impl Marker for VaultMarker {
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let bytes = self.vault.load(&self.name);
        let bytes = bytes.map_err(|fault| io::Error::other(VaultError::from(fault)))?;
        Ok(bytes.map(|bytes| bytes.to_vec()))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let saved = self.vault.save(&self.name, bytes);
        saved.map_err(|fault| io::Error::other(VaultError::from(fault)))
    }
}
