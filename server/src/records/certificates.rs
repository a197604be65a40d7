//! Certificates that were verified once and are used again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use onegrid_core::id::Hash;
use onegrid_core::trust::certificate::{Anchors, Certificate, RawCertificate};

use crate::limits::CERTIFICATES_CACHED_MAX;
use crate::store::{Reader, StoreError, StoreResult};

/// The cache. A full cache is emptied, because certificates are few beside envelopes.
#[derive(Debug, Default)]
pub struct Certificates(Mutex<HashMap<Hash, Arc<Certificate>>>);

impl Certificates {
    /// The certificate, from the cache or the store.
    pub fn get(&self, tx: &dyn Reader, hash: Hash) -> StoreResult<Option<Arc<Certificate>>> {
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(raw) = tx.certificate(hash)? else {
            return Ok(None);
        };
        let certificate = Certificate::from_store(raw)
            .ok()
            .filter(|certificate| certificate.hash() == hash)
            .map(Arc::new)
            .ok_or(StoreError::Row("a certificate"))?;
        self.keep(&certificate);
        Ok(Some(certificate))
    }

    /// The certificate, if it is one of this deployment. The same bytes are verified once.
    pub fn verified(&self, raw: RawCertificate, anchors: &Anchors) -> Option<Arc<Certificate>> {
        let hash = Hash::of(&[&raw.facts]);
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .cloned();
        if let Some(known) = known.filter(|known| *known.raw() == raw) {
            return Some(known);
        }
        let certificate = Arc::new(Certificate::verify(raw, anchors).ok()?);
        self.keep(&certificate);
        Some(certificate)
    }

    fn keep(&self, certificate: &Arc<Certificate>) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CERTIFICATES_CACHED_MAX {
            cache.clear();
        }
        cache.insert(certificate.hash(), Arc::clone(certificate));
    }
}
