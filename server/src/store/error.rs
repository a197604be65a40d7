//! What can go wrong in a store, without the words of a backend.

/// Result of a store.
pub type StoreResult<T> = Result<T, StoreError>;

/// A store could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No space is left. Nothing of the job was kept.
    #[error("store.full")]
    Full,
    /// The file is no store, or its pages are damaged.
    #[error("store.damaged")]
    Damaged(#[source] Cause),
    /// The store was made by a newer version of the program.
    #[error("store.newer: schema {found}, known up to {known}")]
    Newer {
        /// Number of the newest migration that the store has seen.
        found: i64,
        /// Number of the newest migration that this program has.
        known: i64,
    },
    /// Somebody else holds the store.
    #[error("store.locked")]
    Locked,
    /// A row refers to something that is not there: the caller's order of writing is wrong.
    #[error("store.missing: {0}")]
    Missing(&'static str),
    /// A row holds what no row of this kind can hold.
    #[error("store.row: {0}")]
    Row(&'static str),
    /// The store is closed.
    #[error("store.stopped")]
    Stopped,
    /// The backend failed in another way.
    #[error("store.failed")]
    Failed(#[source] Cause),
}

/// What the backend said; for the log.
pub type Cause = std::sync::Arc<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "store.full",
            Self::Damaged(_) | Self::Missing(_) | Self::Row(_) => "store.damaged",
            Self::Newer { .. } => "store.newer",
            Self::Locked => "store.locked",
            Self::Stopped => "store.stopped",
            Self::Failed(_) => "store.failed",
        }
    }
}
