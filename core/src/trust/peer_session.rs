//! The handshake of two phones that meet, in four messages. They state their identities only under
//! encryption.
//!
//! ```text
//! caller ── hello (versions, fresh key, nonce) ──▶ listener
//! caller ◀── reply (version, fresh key, nonce, tags) ── listener
//! caller ══ introduction (certificate, list of server keys, signature) ══▶ listener
//! caller ◀══ introduction (certificate, list of server keys, signature) ══ listener
//! ```
//!
//! Single lines travel in clear, double lines are encrypted. The key is made from the agreement of
//! the two fresh keys, from all earlier messages, and from the secret that all phones of the
//! deployment share ([`MeetingSecrets`]).
//!
//! Therefore:
//!
//! - an observer sees random bytes and lengths;
//! - a stranger without the secret recognises no tag and makes no introduction that opens, so
//!   neither side tells it more than that a phone is there;
//! - a phone in between with the secret is found, because each side signs both fresh keys;
//! - messages of an earlier meeting do not open, because the nonces and the caller's key are new;
//! - a caller that saw the listener's screen knows the hash of its key ([`Commitment`]) and talks to
//!   that phone alone.
//!
//! Each side judges the other's certificate by the newer of the two lists, so the news of a retired
//! key spreads from phone to phone.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::certificate::{Anchors, Certificate, RawCertificate, ServerKeys};
use super::channel::{ChannelKey, Cipher, Ephemeral, NotSealedHere, Transcript};
use super::meeting_key::{Commitment, MeetingKey};
use super::meeting_secret::TAGS_BYTES;
pub use super::meeting_secret::{MeetingSecret, MeetingSecrets};
use super::read::{read, write};
use super::session::{SessionError, VERSIONS};
use super::sign::{Purpose, SecretKey};
use crate::id::Hash;
use crate::limits::{SESSION_MESSAGE_BYTES_MAX, VERSIONS_MAX};

const LABEL: &str = "onegrid.meeting.v1";

/// The side of a meeting that signs. A signature of one side is invalid for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Side {
    Caller = 1,
    Listener = 2,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Hello {
    #[n(0)]
    versions: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    ephemeral: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    nonce: [u8; 16],
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Offer {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    ephemeral: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    nonce: [u8; 16],
}

/// An offer, and a tag for each secret that the listener knows.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Reply {
    #[cbor(n(0), with = "minicbor::bytes")]
    offer: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    tags: [u8; TAGS_BYTES],
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Introduction {
    #[n(0)]
    certificate: RawCertificate,
    #[n(1)]
    server_keys: ServerKeys,
    #[cbor(n(2), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// Credentials that a phone brings to a meeting.
#[derive(Clone, Copy)]
pub struct Me<'a> {
    /// Its key.
    pub key: &'a SecretKey,
    /// Its certificate.
    pub certificate: &'a Certificate,
    /// The keys that the phone trusts.
    pub anchors: &'a Anchors,
    /// The secrets that the phones of the deployment share.
    pub secrets: &'a MeetingSecrets,
}

/// Makes the digests that the two phones of one meeting compare. Its key belongs to this meeting
/// alone, so an attacker cannot prepare two different records with one digest.
#[derive(Debug, Clone)]
pub struct MeetingDigests(ChannelKey);

impl MeetingDigests {
    /// For a key that both sides have.
    #[must_use]
    pub fn new(key: ChannelKey) -> Self {
        Self(key)
    }

    /// The 16 bytes of the digest of a record, from the hash of its envelopes here (see
    /// `wire::digest::held`).
    #[must_use]
    pub fn of(&self, held: &Hash) -> [u8; 16] {
        let keyed = self.0.derive("onegrid.meeting.record", held.as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&keyed.as_bytes()[..16]);
        digest
    }
}

/// The keys of one meeting.
#[derive(Debug)]
struct Keys {
    forth: Cipher,
    back: Cipher,
    digests: MeetingDigests,
}

impl Keys {
    fn new(agreed: &ChannelKey, secret: &MeetingSecret) -> Self {
        let key = secret.mix(agreed);
        Self {
            forth: Cipher::new(&key.derive("onegrid.meeting.forth", &[])),
            back: Cipher::new(&key.derive("onegrid.meeting.back", &[])),
            digests: MeetingDigests(key.derive("onegrid.meeting.digests", &[])),
        }
    }
}

/// An open channel with another phone, encrypted. Messages are numbered, so none can be left out,
/// doubled or moved.
#[derive(Debug)]
pub struct PeerChannel {
    outward: Cipher,
    inward: Cipher,
    digests: MeetingDigests,
    peer: Certificate,
    newer_keys: Option<ServerKeys>,
}

impl PeerChannel {
    fn new(side: Side, keys: Keys, (peer, newer_keys): Verified) -> Self {
        let (outward, inward) = match side {
            Side::Caller => (keys.forth, keys.back),
            Side::Listener => (keys.back, keys.forth),
        };
        Self {
            outward,
            inward,
            digests: keys.digests,
            peer,
            newer_keys,
        }
    }

    /// Encrypts the next message to the peer.
    pub fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        self.outward.seal(message)
    }

    /// Decrypts the next message from the peer.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, SessionError> {
        Ok(self.inward.open(sealed)?)
    }

    /// The other phone.
    #[must_use]
    pub fn peer(&self) -> &Certificate {
        &self.peer
    }

    /// The peer's list of server keys, where it is newer than the one that is here. The root key signed it.
    #[must_use]
    pub fn newer_keys(&self) -> Option<&ServerKeys> {
        self.newer_keys.as_ref()
    }

    /// The digests of this meeting.
    #[must_use]
    pub fn digests(&self) -> &MeetingDigests {
        &self.digests
    }
}

/// The caller, waiting for the reply.
#[derive(Debug)]
pub struct Caller {
    ephemeral: Ephemeral,
    hello: Vec<u8>,
    expected: Option<Commitment>,
}

impl Caller {
    /// Begins. Returns the state and the first message.
    pub fn start(rng: &mut dyn CryptoRng) -> (Self, Vec<u8>) {
        let ephemeral = Ephemeral::generate(rng);
        let hello = write(&Hello {
            versions: VERSIONS.to_vec(),
            ephemeral: ephemeral.public(),
            nonce: nonce(rng),
        });
        let message = hello.clone();
        let caller = Self {
            ephemeral,
            hello,
            expected: None,
        };
        (caller, message)
    }

    /// Accepts only the listener whose code showed this commitment. Any other phone is left before
    /// the caller introduces itself.
    #[must_use]
    pub fn expecting(mut self, commitment: Commitment) -> Self {
        self.expected = Some(commitment);
        self
    }

    /// Recognises the listener as a phone of this deployment and states the caller's identity.
    /// Returns the state and the message.
    pub fn introduce(
        self,
        reply: &[u8],
        me: Me<'_>,
    ) -> Result<(CallerIntroduced, Vec<u8>), SessionError> {
        let reply: Reply =
            read(reply, 2, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let offer: Offer =
            read(&reply.offer, 3, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let shown = Commitment::of(&offer.ephemeral);
        if self.expected.is_some_and(|expected| expected != shown) {
            return Err(SessionError::OtherPhone);
        }
        let offered = offered(&self.hello, &reply.offer);
        let secret = me.secrets.common(offered, &reply.tags);
        let secret = secret.ok_or(SessionError::WrongAuthority)?;
        if !VERSIONS.contains(&offer.version) {
            return Err(SessionError::NoCommonVersion);
        }
        let said = offered.with(&reply.tags);
        let agreed = self.ephemeral.agree(&offer.ephemeral, &said.hash())?;
        let mut keys = Keys::new(&agreed, secret);
        let sealed = keys.forth.seal(&introduction(me, said, Side::Caller));
        let said = said.with(&sealed);
        Ok((CallerIntroduced { keys, said }, sealed))
    }
}

/// The caller, waiting for the listener's introduction.
#[derive(Debug)]
pub struct CallerIntroduced {
    keys: Keys,
    said: Transcript,
}

impl CallerIntroduced {
    /// Checks the listener's identity. `admit` is this phone's decision about the other's
    /// certificate.
    pub fn finish(
        mut self,
        sealed: &[u8],
        me: Me<'_>,
        admit: impl FnOnce(&Certificate) -> Result<(), SessionError>,
    ) -> Result<PeerChannel, SessionError> {
        let introduction = self.keys.back.open(sealed)?;
        let peer = verify_peer(&introduction, self.said, Side::Listener, me)?;
        admit(&peer.0)?;
        Ok(PeerChannel::new(Side::Caller, self.keys, peer))
    }
}

/// The listener, waiting for the caller's introduction. Until it arrives, the listener has said
/// nothing about itself.
#[derive(Debug)]
pub struct Listener {
    ephemeral: Ephemeral,
    theirs: [u8; 32],
    said: Transcript,
}

impl Listener {
    /// Answers a hello with a fresh key. Returns the state and the reply.
    pub fn answer(
        hello: &[u8],
        me: Me<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        Self::answer_with(hello, me, &MeetingKey::generate(rng), rng)
    }

    /// Answers a hello with the key whose commitment the listener shows. The nonce is fresh, so two
    /// meetings under one key have different transcripts and different channels.
    pub fn answer_with(
        hello: &[u8],
        me: Me<'_>,
        key: &MeetingKey,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        let greeting: Hello =
            read(hello, 3, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        if greeting.versions.len() > VERSIONS_MAX {
            return Err(SessionError::Malformed);
        }
        let spoken = |version: &&u8| VERSIONS.contains(version);
        let version = greeting.versions.iter().filter(spoken).max();
        let ephemeral = key.ephemeral();
        let offer = write(&Offer {
            version: *version.ok_or(SessionError::NoCommonVersion)?,
            ephemeral: ephemeral.public(),
            nonce: nonce(rng),
        });
        let offered = offered(hello, &offer);
        let tags = me.secrets.tags(offered, rng);
        let listener = Self {
            ephemeral,
            theirs: greeting.ephemeral,
            said: offered.with(&tags),
        };
        Ok((listener, write(&Reply { offer, tags })))
    }

    /// Checks the caller's identity and then states the listener's. Returns the channel and the
    /// message. `admit` is this phone's decision about the other's certificate.
    pub fn finish(
        self,
        sealed: &[u8],
        me: Me<'_>,
        admit: impl FnOnce(&Certificate) -> Result<(), SessionError>,
    ) -> Result<(PeerChannel, Vec<u8>), SessionError> {
        let agreed = self.ephemeral.agree(&self.theirs, &self.said.hash())?;
        let opened = me.secrets.all().find_map(|secret| {
            let mut keys = Keys::new(&agreed, secret);
            let introduction = keys.forth.open(sealed).ok()?;
            Some((keys, introduction))
        });
        let (mut keys, theirs) = opened.ok_or(NotSealedHere)?;
        let peer = verify_peer(&theirs, self.said, Side::Caller, me)?;
        admit(&peer.0)?;
        let said = self.said.with(sealed);
        let message = keys.back.seal(&introduction(me, said, Side::Listener));
        Ok((PeerChannel::new(Side::Listener, keys, peer), message))
    }
}

fn nonce(rng: &mut dyn CryptoRng) -> [u8; 16] {
    let mut nonce = [0; 16];
    rng.fill_bytes(&mut nonce);
    nonce
}

fn offered(hello: &[u8], offer: &[u8]) -> Transcript {
    Transcript::new(LABEL).with(hello).with(offer)
}

fn introduction(me: Me<'_>, said: Transcript, side: Side) -> Vec<u8> {
    let certificate = me.certificate.raw().clone();
    let server_keys = me.anchors.list().clone();
    let hash = said.with(&write(&(&certificate, &server_keys))).hash();
    let parts: &[&[u8]] = &[&[side as u8], hash.as_bytes()];
    let signature = me
        .key
        .sign(Purpose::PeerSession, me.anchors.authority(), parts);
    write(&Introduction {
        certificate,
        server_keys,
        signature,
    })
}

/// The certificate of the peer, and its list of server keys where that is newer.
type Verified = (Certificate, Option<ServerKeys>);

fn verify_peer(
    introduction: &[u8],
    said: Transcript,
    side: Side,
    me: Me<'_>,
) -> Result<Verified, SessionError> {
    let Introduction {
        certificate,
        server_keys,
        signature,
    } = read(introduction, 3, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
    let hash = said.with(&write(&(&certificate, &server_keys))).hash();
    let newer = me.anchors.updated(&server_keys);
    let anchors = newer.as_ref().unwrap_or(me.anchors);
    let peer =
        Certificate::verify(certificate, anchors).map_err(|_| SessionError::BadCertificate)?;
    if peer.facts().device == me.certificate.facts().device {
        return Err(SessionError::SameDevice);
    }
    let parts: &[&[u8]] = &[&[side as u8], hash.as_bytes()];
    let authority = me.anchors.authority();
    peer.device_key()
        .verify(Purpose::PeerSession, authority, parts, &signature)
        .map_err(|_| match side {
            Side::Caller => SessionError::BadClientProof,
            Side::Listener => SessionError::BadServerProof,
        })?;
    Ok((peer, newer.map(|_| server_keys)))
}

#[cfg(test)]
#[path = "peer_session_tests.rs"]
mod tests;
