//! Why a meeting over a pipe did not happen, or ended early.

use super::pipe::PipeBroken;
use crate::sync::peer::PeerError;

coded_error! {
    /// An error with a stable code. Everything that was imported before stays, and the next meeting
    /// continues there.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum MeetingError {
        /// The meeting itself failed.
        #[error(transparent)]
        Peer(#[from] PeerError),
        /// The text is no code of a meeting.
        #[error("meeting.bad_code")]
        BadCode,
        /// A newer app made the code.
        #[error("meeting.newer_code")]
        NewerCode,
        /// The text is no address of a phone in the same network.
        #[error("meeting.bad_address")]
        BadAddress,
        /// This phone cannot listen at the address, or has none.
        #[error("meeting.cannot_listen")]
        CannotListen,
        /// The other phone answers at none of its addresses.
        #[error("meeting.unreachable")]
        Unreachable,
        /// The connection broke.
        #[error("meeting.broken")]
        Broken,
        /// The other phone has been silent for too long.
        #[error("meeting.silent")]
        Silent,
        /// The meeting took too long.
        #[error("meeting.too_long")]
        TooLong,
        /// The meeting moved more bytes than a meeting may.
        #[error("meeting.too_large")]
        TooLarge,
        /// Cancelled by the host app.
        #[error("meeting.cancelled")]
        Cancelled,
        /// A bug ended the meeting.
        #[error("phone.bug")]
        Bug,
    }
}

impl From<PipeBroken> for MeetingError {
    fn from(_: PipeBroken) -> Self {
        Self::Broken
    }
}
