//! The throw-away key of a listener, and its hash, which the listener shows on its screen.
//!
//! A caller that scanned the hash knows that it talks to the phone whose screen it saw. The hash
//! tells nothing about the person or the deployment.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::channel::Ephemeral;
use crate::id::Hash;

/// A key for the meetings under one shown code. The listener drops it with the code.
pub struct MeetingKey(Ephemeral);

impl MeetingKey {
    /// A new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(Ephemeral::generate(rng))
    }

    /// The hash that the listener shows.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        Commitment::of(&self.0.public())
    }

    pub(super) fn ephemeral(&self) -> Ephemeral {
        Ephemeral::from_secret(*self.0.secret())
    }
}

impl std::fmt::Debug for MeetingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MeetingKey(..)")
    }
}

/// 16 bytes of the hash of a listener's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Commitment(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl Commitment {
    pub(super) fn of(public: &[u8; 32]) -> Self {
        Self(Hash::of(&[b"onegrid.meeting.commitment", public]).first16())
    }
}
