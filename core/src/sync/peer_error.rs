//! How a meeting of two phones ended.

use super::port::PortError;
use super::reconcile::ReconcileError;
use crate::trust::session::SessionError;
use crate::wire::frame::FrameError;

/// Why a meeting ended early. What was taken over before stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The handshake or the code of a message.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A message can not be read.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The comparison.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// The replica could not do it.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A verdict or a pack that the server has not signed.
    #[error("peer.bad_proof")]
    BadProof,
    /// A message out of turn, or too many.
    #[error("peer.out_of_turn")]
    OutOfTurn,
}

impl PeerError {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Session(error) => error.code(),
            Self::Frame(error) => error.code(),
            Self::Reconcile(error) => error.code(),
            Self::Port(error) => error.code,
            Self::BadProof => "peer.bad_proof",
            Self::OutOfTurn => "peer.out_of_turn",
        }
    }
}

/// What a meeting did.
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
    /// What was new here.
    pub taken: u32,
}
