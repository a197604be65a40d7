//! The errors of a sync with the server.

use super::answer::AnswerError;
use super::port::PortError;
use super::reconcile::ReconcileError;
use super::repair::RepairError;
use crate::trust::session::SessionError;
use crate::wire::frame::FrameError;

coded_error! {
    /// The reasons why an answer brought nothing. The machine continues without help; the caller shows or logs
    /// the error.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum SyncError -> &str {
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
}

impl From<RepairError> for SyncError {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::Port(error) => Self::Port(error),
            RepairError::Reconcile(error) => Self::Reconcile(error),
        }
    }
}
