//! Why the driver could not do what it was asked for.

use crate::sync::port::PortError;
use crate::sync::star::SyncError;
use crate::trust::enrolment::EnrolmentError;

coded_error! {
    /// An error with a stable code.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum NetError -> &str {
        /// The address of the server is none.
        #[error("net.bad_address")]
        BadAddress,
        /// An address without TLS that is not of this machine, and the host app did not allow it.
        #[error("net.plain_refused")]
        PlainRefused,
        /// The certificate authority given by the host app cannot be read.
        #[error("net.bad_roots")]
        BadRoots,
        /// There is no network, or the server cannot be reached. A request on its way may or may not have
        /// arrived.
        #[error("sync.offline")]
        Offline,
        /// The server's answer is larger than any answer may be.
        #[error("wire.too_large")]
        TooLarge,
        /// The sync went wrong.
        #[error(transparent)]
        Sync(#[from] SyncError),
        /// The enrolment went wrong.
        #[error(transparent)]
        Enrolment(#[from] EnrolmentError),
        /// The server turned the request down with this code.
        #[error("{0}")]
        Refused(String),
        /// Cancelled by the host app.
        #[error("net.cancelled")]
        Cancelled,
    }
}

impl From<PortError> for NetError {
    fn from(error: PortError) -> Self {
        Self::Sync(SyncError::Port(error))
    }
}
