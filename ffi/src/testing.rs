//! A host for tests.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::Mutex;

use crate::host::{KeyVault, VaultError};

/// A vault that forgets everything when it is dropped.
#[derive(Default)]
pub(crate) struct MemoryVault(Mutex<HashMap<String, Vec<u8>>>);

impl MemoryVault {
    /// The names of the secrets.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

impl KeyVault for MemoryVault {
    fn load(&self, name: String) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.0.lock().unwrap().get(&name).cloned())
    }

    fn save(&self, name: String, secret: Vec<u8>) -> Result<(), VaultError> {
        self.0.lock().unwrap().insert(name, secret);
        Ok(())
    }

    fn remove(&self, name: String) -> Result<(), VaultError> {
        self.0.lock().unwrap().remove(&name);
        Ok(())
    }
}
