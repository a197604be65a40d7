//! The end of a meeting of two phones: its errors and its report.

use super::port::PortError;
use super::reconcile::ReconcileError;
use crate::trust::session::SessionError;
use crate::wire::frame::FrameError;

coded_error! {
    /// The reasons why a meeting ends early. Everything that was imported before stays.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum PeerError {
        /// The handshake failed, or the code of a message is wrong.
        #[error(transparent)]
        Session(SessionError),
        /// The other phone was revoked.
        #[error("peer.revoked")]
        Revoked,
        /// The other phone shows a certificate of another deployment, or a wrong signature.
        #[error("peer.not_proved")]
        NotProved,
        /// A message cannot be read.
        #[error(transparent)]
        Frame(#[from] FrameError),
        /// The comparison of records failed.
        #[error(transparent)]
        Reconcile(#[from] ReconcileError),
        /// The replica failed.
        #[error(transparent)]
        Port(#[from] PortError),
        /// This phone has to sync once before it meets another one.
        #[error("peer.no_secret")]
        NoSecret,
        /// A message out of turn, or too many.
        #[error("peer.out_of_turn")]
        OutOfTurn,
    }
}

/// The refusals that are about the other phone have codes of their own, because the sentences of a
/// session are about this phone.
impl From<SessionError> for PeerError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Revoked => Self::Revoked,
            SessionError::BadCertificate
            | SessionError::BadClientProof
            | SessionError::BadServerProof => Self::NotProved,
            other => Self::Session(other),
        }
    }
}

/// The result of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerReport {
    /// Messages received.
    pub messages: u32,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
    /// Envelopes handed over.
    pub given: u32,
    /// Number of envelopes that were new here.
    pub taken: u32,
    /// Whether a parcel of this phone went over.
    pub parcel_given: bool,
    /// Whether this phone carries a parcel of the other one now.
    pub parcel_taken: bool,
    /// Photos and recordings that are now whole here.
    pub files_taken: u32,
}
