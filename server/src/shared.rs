//! State that all parts of a node share: the store, the keys, two caches over the store, and wake-ups.
//!
//! The folders below [`crate::server`] take this state, or only the part that they need, as a parameter.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use onegrid_core::id::Hash;
use onegrid_core::trust::certificate::Certificate;

use crate::directory::{self, Views};
use crate::error::Result;
use crate::gate::Gate;
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
    /// The alarm about the audit log.
    pub audit_alarm: AuditAlarm,
    /// Whether phones may deliver now.
    pub gate: Gate,
}

/// Tells whether the audit log contradicts the lines that phones were told.
#[derive(Debug, Default)]
pub struct AuditAlarm {
    /// Number of the line; 0 without an alarm, because lines begin at 1.
    line: AtomicU64,
    logged_ms: AtomicI64,
}

impl AuditAlarm {
    const PAUSE_MS: i64 = 3_600_000;

    /// Notes the present state, and writes a line of the log at most once an hour.
    pub fn set(&self, line: Option<u64>, now_ms: i64) {
        let before = self.line.swap(line.unwrap_or(0), Ordering::Relaxed);
        let Some(line) = line else { return };
        let logged_ms = self.logged_ms.load(Ordering::Relaxed);
        let is_told = (logged_ms..logged_ms.saturating_add(Self::PAUSE_MS)).contains(&now_ms);
        if before == 0 || !is_told {
            self.logged_ms.store(now_ms, Ordering::Relaxed);
            let code = "audit.contradicts";
            tracing::error!(
                code,
                line,
                "the audit log is not the one that phones were told"
            );
        }
    }

    /// Number of the line that contradicts; `None` without an alarm.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        Some(self.line.load(Ordering::Relaxed)).filter(|line| *line > 0)
    }
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
            audit_alarm: AuditAlarm::default(),
            gate: Gate::default(),
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
