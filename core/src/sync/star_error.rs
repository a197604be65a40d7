//! What can go wrong in a sync with the server.

use super::answer::AnswerError;
use super::port::PortError;
use super::reconcile::ReconcileError;
use super::repair::RepairError;
use crate::trust::session::SessionError;
use crate::wire::frame::FrameError;

/// Why an answer brought nothing. The machine goes on by itself; this is to be shown or logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// No session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The answer can not be read.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The answer is not believed.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The replica could not do it.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The repair can not go on.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// The server turned the request down with this code.
    #[error("{0}")]
    Refused(String),
    /// Nothing was asked.
    #[error("sync.unasked")]
    Unasked,
    /// There is no network, or the server can not be reached.
    #[error("sync.offline")]
    Offline,
}

impl SyncError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Session(error) => error.code(),
            Self::Frame(error) => error.code(),
            Self::Answer(error) => error.code(),
            Self::Port(error) => error.code,
            Self::Reconcile(error) => error.code(),
            Self::Refused(code) => code,
            Self::Unasked => "sync.unasked",
            Self::Offline => "sync.offline",
        }
    }
}

impl From<RepairError> for SyncError {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::Port(error) => Self::Port(error),
            RepairError::Reconcile(error) => Self::Reconcile(error),
        }
    }
}
