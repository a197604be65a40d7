//! State that all parts of a node share: the store, the keys, two caches over the store, and wake-ups.
//!
//! The folders below [`crate::server`] take this state, or only the part that they need, as a parameter.

use std::sync::Arc;

use onegrid_core::id::Hash;
use onegrid_core::trust::certificate::Certificate;

use crate::directory::{self, Views};
use crate::error::Result;
use crate::keys::Keys;
use crate::records::certificates::Certificates;
use crate::store::Store;
use crate::wakeups::Wakeups;

/// The shared state of a node.
pub struct Shared {
    /// All data that the server has acknowledged.
    pub store: Arc<dyn Store>,
    /// The keys of the deployment.
    pub keys: Arc<Keys>,
    /// The directory, kept until the policy changes.
    pub views: Views,
    /// Certificates that were verified once.
    pub certificates: Certificates,
    /// Phones that wait for news.
    pub wakeups: Wakeups,
}

impl Shared {
    /// Makes the state of a node that has read nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: Keys) -> Self {
        Self {
            store,
            keys: Arc::new(keys),
            views: Views::default(),
            certificates: Certificates::default(),
            wakeups: Wakeups::default(),
        }
    }

    /// Returns a certificate from the cache or the store. A damaged one counts as unknown, so that a
    /// phone brings it again.
    pub fn certificate(&self, hash: Hash) -> Result<Option<Arc<Certificate>>> {
        match self.store.read(|tx| self.certificates.get(tx, hash)) {
            Err(error) if error.is_local() => {
                tracing::error!(code = error.code(), %hash, "a damaged certificate counts as unknown");
                Ok(None)
            }
            found => Ok(found?),
        }
    }

    /// Returns the generation of the data.
    pub fn generation(&self) -> Result<u32> {
        Ok(self.store.read(|tx| directory::generation(tx))?)
    }
}
