//! The failure of a call to a replica.

/// A failed call to the replica. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct PortError {
    /// The replica's stable code.
    pub code: &'static str,
}

impl PortError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }
}
