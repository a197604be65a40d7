//! Why a handshake or a message inside a session is refused.

use super::channel::{NotSealedHere, WeakAgreement};

coded_error! {
    /// Why there is no session, or a message does not belong to it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum SessionError {
        /// The message is not of the form of a handshake.
        #[error("session.malformed")]
        Malformed,
        /// The two ends share no version.
        #[error("session.no_common_version")]
        NoCommonVersion,
        /// The other end belongs to another deployment.
        #[error("session.wrong_authority")]
        WrongAuthority,
        /// The root key of the deployment did not sign the server's list of keys.
        #[error("session.unknown_server")]
        UnknownServer,
        /// The server shows an older list of keys than this phone has met.
        #[error("session.older_keys")]
        OlderKeys,
        /// The server claims a generation above the bound of its key.
        #[error("session.uncertified_generation")]
        UncertifiedGeneration,
        /// The server signed another transcript, so something in between has changed it.
        #[error("session.bad_server_proof")]
        BadServerProof,
        /// The device signed another transcript.
        #[error("session.bad_client_proof")]
        BadClientProof,
        /// The certificate is not one of this deployment.
        #[error("session.bad_certificate")]
        BadCertificate,
        /// A key that agrees with anybody.
        #[error("session.bad_key")]
        WeakKey,
        /// The handshake was not finished in time, or was finished before.
        #[error("session.handshake_over")]
        HandshakeOver,
        /// The device has been revoked.
        #[error("session.revoked")]
        Revoked,
        /// No such session.
        #[error("session.unknown")]
        Unknown,
        /// The session is over.
        #[error("session.expired")]
        Expired,
        /// The code of a message is wrong, so the message was altered on the way or belongs to another
        /// session.
        #[error("session.bad_mac")]
        BadMac,
        /// A phone met itself.
        #[error("session.same_device")]
        SameDevice,
        /// Another phone answers than the one whose code was scanned.
        #[error("session.other_phone")]
        OtherPhone,
    }
}

impl SessionError {
    /// Every error.
    pub const ALL: [Self; 17] = [
        Self::Malformed,
        Self::NoCommonVersion,
        Self::WrongAuthority,
        Self::UnknownServer,
        Self::OlderKeys,
        Self::UncertifiedGeneration,
        Self::BadServerProof,
        Self::BadClientProof,
        Self::BadCertificate,
        Self::WeakKey,
        Self::HandshakeOver,
        Self::Revoked,
        Self::Unknown,
        Self::Expired,
        Self::BadMac,
        Self::SameDevice,
        Self::OtherPhone,
    ];
}

impl From<WeakAgreement> for SessionError {
    fn from(_: WeakAgreement) -> Self {
        Self::WeakKey
    }
}

impl From<NotSealedHere> for SessionError {
    fn from(_: NotSealedHere) -> Self {
        Self::BadMac
    }
}
