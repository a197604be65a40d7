//! The session of a phone with the server: a mutual handshake in two round trips, then message codes.
//!
//! ```text
//! phone ── hello (versions, authority, fresh key, nonce) ──▶ server
//! phone ◀── server hello (version, certified key, fresh key, nonce, signature) ── server
//! phone ── prove (certificate, signature over all of the above) ──▶ server
//! phone ◀── grant (session, times, keys; under the channel's key) ── server
//! ```
//!
//! Both ends sign every byte that both have seen, so a relay with keys of its own is found by whichever end
//! it lies to, and nobody can talk the two into an older version: the offer itself is signed. No secret ever
//! crosses the wire. Everything is a pure function; the caller keeps the state between two messages.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::certificate::{Anchors, Certificate, RawCertificate, ServerKey, ServerPurpose};
use super::channel::{ChannelKey, Direction, Ephemeral, MAC_BYTES, Transcript};
use super::read::{read, write};
pub use super::session_error::SessionError;
use super::sign::{Authority, PublicKey, Purpose, SecretKey};
use crate::id::{DeviceId, Hash};
use crate::limits::{
    HANDSHAKE_MS_MAX, SERVER_KEYS_MAX, SESSION_MESSAGE_BYTES_MAX, SESSION_MS, VERSIONS_MAX,
};

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
    /// Names a session. It is no secret: without the key it opens nothing.
    SessionId
);
session_bytes!(
    /// Names a handshake that waits for the phone's proof.
    HandshakeId
);

/// The first message: the phone offers.
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

/// What the server says, before its signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct ServerOffer {
    #[n(0)]
    version: u8,
    #[n(1)]
    server_key: ServerKey,
    #[cbor(n(2), with = "minicbor::bytes")]
    ephemeral: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    nonce: [u8; 16],
}

/// Bytes with a signature over the transcript that ends in them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Signed {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) said: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) signature: [u8; 64],
}

/// The phone's proof.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct ClientProve {
    #[n(0)]
    handshake: HandshakeId,
    #[n(1)]
    certificate: RawCertificate,
    #[cbor(n(2), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// What the server grants, under the channel's key.
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
    /// Every server key in use, each certified by the root key: the phone's anchors follow a rotation.
    #[n(4)]
    pub server_keys: Vec<ServerKey>,
    /// A newer certificate of this device, where its roles have changed.
    #[n(5)]
    pub certificate: Option<RawCertificate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct SealedGrant {
    #[cbor(n(0), with = "minicbor::bytes")]
    grant: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    mac: [u8; MAC_BYTES],
}

/// What the body of a request to open a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionMessage {
    /// A hello: for [`ServerHandshake::answer`].
    Hello,
    /// A proof, for [`ServerHandshake::finish`] of the handshake with this name.
    Prove(HandshakeId),
}

impl SessionMessage {
    /// Tells the two apart.
    pub fn of(bytes: &[u8]) -> Result<Self, SessionError> {
        if read::<Hello>(bytes, 4, SESSION_MESSAGE_BYTES_MAX).is_some() {
            return Ok(Self::Hello);
        }
        ServerHandshake::named_by(bytes).map(Self::Prove)
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
    /// When it ends, milliseconds UTC by the clock of whoever holds this value.
    pub expires_ms: i64,
}

/// The phone's half, waiting for the server's hello.
#[derive(Debug)]
pub struct ClientHandshake {
    ephemeral: Ephemeral,
    hello: Vec<u8>,
    versions: Vec<u8>,
}

impl ClientHandshake {
    /// Begins: gives the state to keep and the message to send.
    pub fn start(authority: &Authority, rng: &mut dyn CryptoRng) -> (Self, Vec<u8>) {
        Self::start_with(VERSIONS, authority, rng)
    }

    fn start_with(
        versions: &[u8],
        authority: &Authority,
        rng: &mut dyn CryptoRng,
    ) -> (Self, Vec<u8>) {
        let ephemeral = Ephemeral::generate(rng);
        let hello = write(&Hello::new(versions, authority, &ephemeral, rng));
        (
            Self {
                ephemeral,
                hello: hello.clone(),
                versions: versions.to_vec(),
            },
            hello,
        )
    }

    /// Checks the server's hello and proves who the phone is: gives the state to keep and the message.
    pub fn prove(
        self,
        server_hello: &[u8],
        anchors: &Anchors,
        key: &SecretKey,
        certificate: &Certificate,
    ) -> Result<(ClientAwaiting, Vec<u8>), SessionError> {
        let signed: Signed =
            read(server_hello, 2, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let offer: ServerOffer =
            read(&signed.said, 4, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let server = server_key(&offer.server_key, anchors.root())?;
        let said = said(&self.hello, &signed.said);
        let (authority, said_hash) = (anchors.authority(), said.hash());
        let parts: &[&[u8]] = &[said_hash.as_bytes()];
        server
            .verify(Purpose::SessionServer, authority, parts, &signed.signature)
            .map_err(|_| SessionError::BadServerProof)?;
        // After the signature: only the real server may tell the phone that it is too old.
        if !self.versions.contains(&offer.version) {
            return Err(SessionError::NoCommonVersion);
        }
        let whole = proven(said, &signed.signature, certificate.hash());
        let signature = key.sign(
            Purpose::SessionClient,
            authority,
            &[whole.hash().as_bytes()],
        );
        let channel = self.ephemeral.agree(&offer.ephemeral, &whole.hash())?;
        let prove = ClientProve {
            handshake: HandshakeId(said_hash.first16()),
            certificate: certificate.raw().clone(),
            signature,
        };
        let (device, certificate) = (certificate.facts().device, certificate.hash());
        Ok((
            ClientAwaiting {
                channel,
                device,
                certificate,
            },
            write(&prove),
        ))
    }
}

/// The phone's half, waiting for the grant.
#[derive(Debug)]
pub struct ClientAwaiting {
    channel: ChannelKey,
    device: DeviceId,
    certificate: Hash,
}

impl ClientAwaiting {
    /// Opens the session. Its end is counted on the phone's own clock, which may be years off.
    pub fn finish(
        self,
        grant: &[u8],
        now_ms: i64,
    ) -> Result<(Session, SessionGrant), SessionError> {
        let sealed: SealedGrant =
            read(grant, 2, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        if !self
            .channel
            .accepts(Direction::Back, &[b"grant", &sealed.grant], &sealed.mac)
        {
            return Err(SessionError::BadMac);
        }
        let grant: SessionGrant =
            read(&sealed.grant, 6, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        if grant.server_keys.len() > SERVER_KEYS_MAX {
            return Err(SessionError::Malformed);
        }
        let session = Session {
            id: grant.session,
            key: self.channel,
            device: self.device,
            certificate: self.certificate,
            expires_ms: ends_ms(grant.time_ms, grant.expires_ms, now_ms),
        };
        Ok((session, grant))
    }
}

/// The server's half, waiting for the phone's proof. Good for one proof.
#[derive(Debug)]
pub struct ServerHandshake {
    id: HandshakeId,
    said: Transcript,
    signature: [u8; 64],
    ephemeral: Ephemeral,
    theirs: [u8; 32],
    ends_ms: i64,
}

impl ServerHandshake {
    /// Answers a hello: gives the state to keep under [`Self::id`] and the message. `certified` is the
    /// root's certificate of `key`, for receipts.
    pub fn answer(
        hello: &[u8],
        key: &SecretKey,
        certified: &ServerKey,
        authority: &Authority,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        let (offered, version) = Hello::choose(hello, VERSIONS, authority)?;
        let ephemeral = Ephemeral::generate(rng);
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let offer = write(&ServerOffer {
            version,
            server_key: certified.clone(),
            ephemeral: ephemeral.public(),
            nonce,
        });
        let said = said(hello, &offer);
        let signature = key.sign(Purpose::SessionServer, authority, &[said.hash().as_bytes()]);
        let handshake = Self {
            id: HandshakeId(said.hash().first16()),
            said,
            signature,
            ephemeral,
            theirs: offered.ephemeral,
            ends_ms: now_ms.saturating_add(HANDSHAKE_MS_MAX),
        };
        Ok((
            handshake,
            write(&Signed {
                said: offer,
                signature,
            }),
        ))
    }

    /// The handshake that a proof names, to look its state up.
    pub fn named_by(prove: &[u8]) -> Result<HandshakeId, SessionError> {
        let prove: ClientProve =
            read(prove, 3, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        Ok(prove.handshake)
    }

    /// Checks the proof. `admit` is the server's say about the certificate (revoked devices are refused).
    /// The state is spent whatever comes out, so a proof that is sent again finds nothing.
    pub fn finish(
        self,
        prove: &[u8],
        anchors: &Anchors,
        now_ms: i64,
        admit: impl FnOnce(&Certificate) -> Result<(), SessionError>,
    ) -> Result<Proven, SessionError> {
        let prove: ClientProve =
            read(prove, 3, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        if prove.handshake != self.id || now_ms > self.ends_ms {
            return Err(SessionError::HandshakeOver);
        }
        let certificate = Certificate::verify(prove.certificate, anchors)
            .map_err(|_| SessionError::BadCertificate)?;
        let whole = proven(self.said, &self.signature, certificate.hash());
        let (authority, whole) = (anchors.authority(), whole.hash());
        certificate
            .device_key()
            .verify(
                Purpose::SessionClient,
                authority,
                &[whole.as_bytes()],
                &prove.signature,
            )
            .map_err(|_| SessionError::BadClientProof)?;
        admit(&certificate)?;
        let key = self.ephemeral.agree(&self.theirs, &whole)?;
        Ok(Proven { certificate, key })
    }

    /// The state as bytes, for a server that keeps it in a store which several nodes share. Secret.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let said = self.said.hash();
        let parts: [&[u8]; 5] = [
            said.as_bytes(),
            &self.signature,
            self.ephemeral.secret(),
            &self.theirs,
            &self.ends_ms.to_be_bytes(),
        ];
        Zeroizing::new(parts.concat())
    }

    /// Reads what [`Self::to_bytes`] gave; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (said, bytes) = bytes.split_first_chunk::<32>()?;
        let (signature, bytes) = bytes.split_first_chunk::<64>()?;
        let (secret, bytes) = bytes.split_first_chunk::<32>()?;
        let (theirs, bytes) = bytes.split_first_chunk::<32>()?;
        let said = Transcript::resume(Hash(*said));
        Some(Self {
            id: HandshakeId(said.hash().first16()),
            said,
            signature: *signature,
            ephemeral: Ephemeral::from_secret(*secret),
            theirs: *theirs,
            ends_ms: i64::from_be_bytes(bytes.try_into().ok()?),
        })
    }

    /// The name under which the caller keeps this state.
    #[must_use]
    pub fn id(&self) -> HandshakeId {
        self.id
    }

    /// Until when it waits, milliseconds UTC.
    #[must_use]
    pub fn ends_ms(&self) -> i64 {
        self.ends_ms
    }
}

/// A phone that has proved who it is.
#[derive(Debug)]
pub struct Proven {
    certificate: Certificate,
    key: ChannelKey,
}

impl Proven {
    /// Who it is.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Opens the session: gives what the server keeps and the message to the phone.
    pub fn grant(
        self,
        generation: u32,
        server_keys: Vec<ServerKey>,
        newer: Option<RawCertificate>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> (Session, Vec<u8>) {
        let mut id = SessionId([0; 16]);
        rng.fill_bytes(&mut id.0);
        let expires_ms = now_ms.saturating_add(SESSION_MS);
        let grant = write(&SessionGrant {
            session: id,
            time_ms: now_ms,
            expires_ms,
            generation,
            server_keys,
            certificate: newer,
        });
        let mac = self.key.mac(Direction::Back, &[b"grant", &grant]);
        let session = Session {
            id,
            key: self.key,
            device: self.certificate.facts().device,
            certificate: self.certificate.hash(),
            expires_ms,
        };
        (session, write(&SealedGrant { grant, mac }))
    }
}

/// When a span of server time ends on the clock of this device, with the span held within its limit.
pub(super) fn ends_ms(time_ms: i64, expires_ms: i64, now_ms: i64) -> i64 {
    now_ms.saturating_add(expires_ms.saturating_sub(time_ms).clamp(0, SESSION_MS))
}

fn server_key(certified: &ServerKey, root: &PublicKey) -> Result<PublicKey, SessionError> {
    if certified.purpose != ServerPurpose::Receipts {
        return Err(SessionError::UnknownServer);
    }
    certified
        .verify(root)
        .map_err(|_| SessionError::UnknownServer)
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
