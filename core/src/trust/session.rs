//! The session of a phone with the server: a mutual handshake in two round trips, then message
//! codes.
//!
//! ```text
//! phone ── hello (versions, authority, fresh key, nonce) ──▶ server
//! phone ◀── server hello (version, server keys, fresh key, nonce, signature; sealed state) ── server
//! phone ── prove (sealed state, certificate, signature over all that was said) ──▶ server
//! phone ◀── grant (session, times, certificate; under the channel's key) ── server
//! ```
//!
//! The server signs with a key for receipts that its list has in use. The phone takes over a newer
//! list and refuses an older one, so a retired key opens no session.
//!
//! Both ends sign every byte that both have seen, so each end finds a relay with keys of its own
//! that lies to it. The signature covers the offer too, so an attacker cannot talk the two into an
//! older version. No secret crosses the wire in the clear. Everything is a pure function. The phone
//! carries the state of the server between two messages, sealed with a key that only the server
//! has, so strangers who begin handshakes and never end them take no memory of the server.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::certificate::{Anchors, Certificate, RawCertificate, ServerKeys, ServerPurpose};
use super::channel::{ChannelKey, Direction, Ephemeral, MAC_BYTES, Transcript};
use super::peer_session::MeetingSecrets;
use super::read::{read, write};
pub use super::session_error::SessionError;
use super::sign::{Authority, Purpose, SecretKey};
use crate::id::{DeviceId, Hash};
use crate::limits::{
    HANDSHAKE_MS_MAX, SEALED_HANDSHAKE_BYTES_MAX, SESSION_MESSAGE_BYTES_MAX, SESSION_MS,
    VERSIONS_MAX,
};

mod client;
mod sealing;
mod server;

pub use client::{ClientAwaiting, ClientHandshake};
pub use sealing::HandshakeKey;
pub use server::{Proven, ServerHandshake};

/// The versions of the protocol that this code speaks, the best first.
pub const VERSIONS: &[u8] = &[1];

const LABEL: &str = "onegrid.session.v1";

macro_rules! session_bytes {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);
    };
}

session_bytes!(
    /// Names a session. The name is no secret, because it is useless without the key.
    SessionId
);
impl SessionId {
    /// Draws a name that no other session has.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        Self(id)
    }

    /// The name of the only session that a handshake opens. A server that refuses a name which exists
    /// already refuses a repeated proof, at every node.
    #[must_use]
    pub fn of(handshake: HandshakeId) -> Self {
        Self(Hash::of(&[b"onegrid.session.id", &handshake.0]).first16())
    }
}

session_bytes!(
    /// Names a handshake, so that a server that has used it up refuses it.
    HandshakeId
);

/// The first message, the phone's offer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Hello {
    #[n(0)]
    pub(super) versions: Vec<u8>,
    #[n(1)]
    pub(super) authority: Authority,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) ephemeral: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(super) nonce: [u8; 16],
}

impl Hello {
    pub(super) fn new(
        versions: &[u8],
        authority: &Authority,
        ephemeral: &Ephemeral,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let versions = versions.to_vec();
        Self {
            versions,
            authority: *authority,
            ephemeral: ephemeral.public(),
            nonce,
        }
    }

    /// Reads an offer and chooses the best version that both speak.
    pub(super) fn choose(
        bytes: &[u8],
        spoken: &[u8],
        authority: &Authority,
    ) -> Result<(Self, u8), SessionError> {
        let hello: Self =
            read(bytes, 4, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        if hello.versions.len() > VERSIONS_MAX {
            return Err(SessionError::Malformed);
        }
        if hello.authority != *authority {
            return Err(SessionError::WrongAuthority);
        }
        let best = hello
            .versions
            .iter()
            .copied()
            .filter(|v| spoken.contains(v))
            .max();
        best.map(|version| (hello, version))
            .ok_or(SessionError::NoCommonVersion)
    }
}

/// The server's offer before it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct ServerOffer {
    #[n(0)]
    version: u8,
    #[n(1)]
    server_keys: ServerKeys,
    #[cbor(n(2), with = "minicbor::bytes")]
    ephemeral: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    nonce: [u8; 16],
}

/// The server's answer to a hello. The sealed state needs no signature: the phone returns it
/// unread, and a changed one opens no session.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct ServerHello {
    #[cbor(n(0), with = "minicbor::bytes")]
    said: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
    #[cbor(n(2), with = "minicbor::bytes")]
    sealed: Vec<u8>,
}

/// The phone's proof.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct ClientProve {
    #[cbor(n(0), with = "minicbor::bytes")]
    sealed: Vec<u8>,
    #[n(1)]
    certificate: RawCertificate,
    #[cbor(n(2), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// The grant of the server, under the channel's key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SessionGrant {
    /// The session.
    #[n(0)]
    pub session: SessionId,
    /// Server time, milliseconds UTC.
    #[n(1)]
    pub time_ms: i64,
    /// When the session ends, server time, milliseconds UTC.
    #[n(2)]
    pub expires_ms: i64,
    /// The server's generation.
    #[n(3)]
    pub generation: u32,
    /// The secrets that the phones of the deployment share.
    #[n(4)]
    pub secrets: MeetingSecrets,
    /// A newer certificate of this device, where its roles have changed.
    #[n(5)]
    pub certificate: Option<RawCertificate>,
}

/// The grant, and the list of server keys under which it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The grant.
    pub grant: SessionGrant,
    /// The list, as new as the phone's own or newer. The root key signed it.
    pub server_keys: ServerKeys,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct SealedGrant {
    #[cbor(n(0), with = "minicbor::bytes")]
    grant: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    mac: [u8; MAC_BYTES],
}

/// The kinds of message that open a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionMessage {
    /// A hello: for [`ServerHandshake::answer`].
    Hello,
    /// A proof, for [`ServerHandshake::open`].
    Prove,
}

impl SessionMessage {
    /// Tells the two apart.
    pub fn of(bytes: &[u8]) -> Result<Self, SessionError> {
        if read::<Hello>(bytes, 4, SESSION_MESSAGE_BYTES_MAX).is_some() {
            return Ok(Self::Hello);
        }
        read::<ClientProve>(bytes, 3, SESSION_MESSAGE_BYTES_MAX)
            .map(|_| Self::Prove)
            .ok_or(SessionError::Malformed)
    }
}

/// An open session, on either end.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// Its key.
    pub key: ChannelKey,
    /// The phone.
    pub device: DeviceId,
    /// Hash of the certificate that the phone proved.
    pub certificate: Hash,
    /// The end of the session, milliseconds UTC by the clock of the holder of this value.
    pub expires_ms: i64,
}

/// When a span of server time ends on the clock of this device, with the span held within its
/// limit.
pub(super) fn ends_ms(time_ms: i64, expires_ms: i64, now_ms: i64) -> i64 {
    now_ms.saturating_add(expires_ms.saturating_sub(time_ms).clamp(0, SESSION_MS))
}

fn said(hello: &[u8], offer: &[u8]) -> Transcript {
    Transcript::new(LABEL).with(hello).with(offer)
}

fn proven(said: Transcript, server_signature: &[u8; 64], certificate: Hash) -> Transcript {
    said.with(server_signature).with(certificate.as_bytes())
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
