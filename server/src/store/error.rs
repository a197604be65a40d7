//! Errors of a store, in words that are independent of its backend.

use crate::error::Problem;

/// Result of a store operation.
pub type StoreResult<T> = Result<T, StoreError>;

/// A failed store operation.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No space is left; the whole job was undone.
    #[error("store.full")]
    Full,
    /// The file or its disk cannot be written; the whole job was undone.
    #[error("store.read_only")]
    ReadOnly,
    /// The file is not a store, or its pages are damaged.
    #[error("store.damaged")]
    Damaged(#[source] Cause),
    /// A newer version of the program made the store.
    #[error("store.newer: schema {found}, known up to {known}")]
    Newer {
        /// Number of the newest migration in the store.
        found: i64,
        /// Number of the newest migration in this program.
        known: i64,
    },
    /// Another process holds the store.
    #[error("store.locked")]
    Locked,
    /// A row refers to a missing row, because the caller writes in the wrong order.
    #[error("store.missing: {0}")]
    Missing(&'static str),
    /// A row holds an impossible value.
    #[error("store.row: {0}")]
    Row(&'static str),
    /// The server of the database cannot be reached, or went away while it worked. Whether a commit that was under
    /// way became durable is unknown.
    #[error("store.unavailable")]
    Unavailable(#[source] Cause),
    /// The server of the database has no free connection.
    #[error("store.crowded")]
    Crowded(#[source] Cause),
    /// The server of the database refuses the user, the password or an access right.
    #[error("store.denied")]
    Denied(#[source] Cause),
    /// A setting of the database's server endangers acknowledged data.
    #[error("store.unsuitable: {0}")]
    Unsuitable(&'static str),
    /// The address of the database, or a file that it names, cannot be used.
    #[error("store.address: {0}")]
    Address(&'static str),
    /// The store is closed.
    #[error("store.stopped")]
    Stopped,
    /// The backend failed in another way.
    #[error("store.failed")]
    Failed(#[source] Cause),
}

/// Error of the backend, for the log.
pub type Cause = std::sync::Arc<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// Whether only the data about one thing are damaged, so that everything else can still be served.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Row(_))
    }

    /// Stable code for `texts.tsv`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "store.full",
            Self::ReadOnly => "store.read_only",
            Self::Damaged(_) | Self::Missing(_) | Self::Row(_) => "store.damaged",
            Self::Newer { .. } => "store.newer",
            Self::Locked => "store.locked",
            Self::Unavailable(_) => "store.unavailable",
            Self::Crowded(_) => "store.crowded",
            Self::Denied(_) => "store.denied",
            Self::Unsuitable(_) => "store.unsuitable",
            Self::Address(_) => "store.address",
            Self::Stopped => "store.stopped",
            Self::Failed(_) => "store.failed",
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(error.code()).because(&error)
    }
}
