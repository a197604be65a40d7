//! Ending calls that are under way.

use tokio::sync::watch;

/// Ends the calls that it was given to, within a second. Clones are one token, and once cancelled it stays so:
/// a call that begins later ends at once.
#[derive(Debug, Clone)]
pub struct Cancel(watch::Sender<bool>);

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// A fresh token.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Ends the calls.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it is cancelled.
    pub async fn cancelled(&self) {
        let mut changes = self.0.subscribe();
        // The guard of the value is dropped at once: a host may spawn this future on any thread.
        drop(changes.wait_for(|cancelled| *cancelled).await);
    }
}
