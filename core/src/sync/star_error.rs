//! The errors of a sync with the server.

use super::answer::AnswerError;
use super::port::PortError;
use super::reconcile::ReconcileError;
use super::repair::RepairError;
use crate::trust::session::SessionError;
use crate::wire::frame::FrameError;

/// The reasons why an answer brought nothing. The machine continues without help; the caller shows or logs
/// the error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// The session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The answer cannot be read.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The answer is not believed.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The replica failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The repair cannot continue.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// The server refused the request with this code.
    #[error("{0}")]
    Refused(String),
    /// An answer arrived without a request.
    #[error("sync.unasked")]
    Unasked,
    /// There is no network, or the server cannot be reached.
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
