//! The handshake of two phones that meet, in three messages: both show their certificates and sign all that
//! was said. It is the same channel as the session with the server; only who vouches for whom differs.
//!
//! ```text
//! caller ── hello (versions, authority, fresh key, nonce) ──▶ listener
//! caller ◀── reply (version, fresh key, nonce, certificate, signature) ── listener
//! caller ── proof (certificate, signature) ──▶ listener
//! ```

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::certificate::{Anchors, Certificate, RawCertificate};
use super::channel::{ChannelKey, Direction, Ephemeral, MAC_BYTES, Transcript};
use super::read::{read, write};
use super::session::{Hello, SessionError, Signed, VERSIONS};
use super::sign::{Purpose, SecretKey};
use crate::id::Hash;
use crate::limits::SESSION_MESSAGE_BYTES_MAX;

const LABEL: &str = "onegrid.peer.v1";

/// Which side of a meeting signs: a signature of one side is none of the other.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Side {
    Caller = 1,
    Listener = 2,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Reply {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    ephemeral: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    nonce: [u8; 16],
    #[n(3)]
    certificate: RawCertificate,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Proof {
    #[n(0)]
    certificate: RawCertificate,
}

/// What a phone brings to a meeting.
#[derive(Clone, Copy)]
pub struct Me<'a> {
    /// Its key.
    pub key: &'a SecretKey,
    /// Its certificate.
    pub certificate: &'a Certificate,
    /// Whom it trusts.
    pub anchors: &'a Anchors,
}

/// An open channel with another phone. Messages are numbered: none can be left out, doubled or moved.
#[derive(Debug)]
pub struct PeerChannel {
    key: ChannelKey,
    peer: Certificate,
    outward: Direction,
    sent: u64,
    received: u64,
}

impl PeerChannel {
    /// The code of the next message to the peer.
    pub fn seal(&mut self, message: &[u8]) -> [u8; MAC_BYTES] {
        let number = self.sent.to_be_bytes();
        self.sent += 1;
        self.key.mac(self.outward, &[b"peer", &number, message])
    }

    /// Checks the code of the next message from the peer.
    pub fn open(&mut self, message: &[u8], mac: &[u8]) -> Result<(), SessionError> {
        let inward = match self.outward {
            Direction::Forth => Direction::Back,
            Direction::Back => Direction::Forth,
        };
        let number = self.received.to_be_bytes();
        if !self.key.accepts(inward, &[b"peer", &number, message], mac) {
            return Err(SessionError::BadMac);
        }
        self.received += 1;
        Ok(())
    }

    /// The other phone.
    #[must_use]
    pub fn peer(&self) -> &Certificate {
        &self.peer
    }
}

/// The caller, waiting for the reply.
#[derive(Debug)]
pub struct Caller {
    ephemeral: Ephemeral,
    hello: Vec<u8>,
}

impl Caller {
    /// Begins: gives the state and the first message.
    pub fn start(me: Me<'_>, rng: &mut dyn CryptoRng) -> (Self, Vec<u8>) {
        let ephemeral = Ephemeral::generate(rng);
        let hello = write(&Hello::new(
            VERSIONS,
            me.anchors.authority(),
            &ephemeral,
            rng,
        ));
        (
            Self {
                ephemeral,
                hello: hello.clone(),
            },
            hello,
        )
    }

    /// Checks the reply and proves who calls. `admit` is this phone's say about the other's certificate.
    pub fn prove(
        self,
        reply: &[u8],
        me: Me<'_>,
        admit: impl FnOnce(&Certificate) -> Result<(), SessionError>,
    ) -> Result<(PeerChannel, Vec<u8>), SessionError> {
        let signed: Signed =
            read(reply, 2, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let said: Reply =
            read(&signed.said, 4, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let heard = Transcript::new(LABEL).with(&self.hello).with(&signed.said);
        let peer = verify_peer(
            said.certificate,
            &signed.signature,
            heard,
            Side::Listener,
            me,
        )
        .map_err(|error| match error {
            SessionError::BadClientProof => SessionError::BadServerProof,
            other => other,
        })?;
        if !VERSIONS.contains(&said.version) {
            return Err(SessionError::NoCommonVersion);
        }
        admit(&peer)?;
        let proof = write(&Proof {
            certificate: me.certificate.raw().clone(),
        });
        let whole = heard.with(&signed.signature).with(&proof);
        let signature = sign(me, whole, Side::Caller);
        let key = self.ephemeral.agree(&said.ephemeral, &whole.hash())?;
        let channel = PeerChannel {
            key,
            peer,
            outward: Direction::Forth,
            sent: 0,
            received: 0,
        };
        Ok((
            channel,
            write(&Signed {
                said: proof,
                signature,
            }),
        ))
    }
}

/// The listener, waiting for the proof.
#[derive(Debug)]
pub struct Listener {
    ephemeral: Ephemeral,
    theirs: [u8; 32],
    heard: Transcript,
}

impl Listener {
    /// Answers a hello: gives the state and the reply.
    pub fn answer(
        hello: &[u8],
        me: Me<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        let (offered, version) = Hello::choose(hello, VERSIONS, me.anchors.authority())?;
        let ephemeral = Ephemeral::generate(rng);
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let said = write(&Reply {
            version,
            ephemeral: ephemeral.public(),
            nonce,
            certificate: me.certificate.raw().clone(),
        });
        let heard = Transcript::new(LABEL).with(hello).with(&said);
        let signature = sign(me, heard, Side::Listener);
        let heard = heard.with(&signature);
        let listener = Self {
            ephemeral,
            theirs: offered.ephemeral,
            heard,
        };
        Ok((listener, write(&Signed { said, signature })))
    }

    /// Checks the caller's proof. `admit` is this phone's say about the other's certificate.
    pub fn finish(
        self,
        proof: &[u8],
        me: Me<'_>,
        admit: impl FnOnce(&Certificate) -> Result<(), SessionError>,
    ) -> Result<PeerChannel, SessionError> {
        let signed: Signed =
            read(proof, 2, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let said: Proof =
            read(&signed.said, 1, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let whole = self.heard.with(&signed.said);
        let peer = verify_peer(said.certificate, &signed.signature, whole, Side::Caller, me)?;
        admit(&peer)?;
        let key = self.ephemeral.agree(&self.theirs, &whole.hash())?;
        Ok(PeerChannel {
            key,
            peer,
            outward: Direction::Back,
            sent: 0,
            received: 0,
        })
    }
}

fn sign(me: Me<'_>, transcript: Transcript, side: Side) -> [u8; 64] {
    let hash: Hash = transcript.hash();
    me.key.sign(
        Purpose::PeerSession,
        me.anchors.authority(),
        &[&[side as u8], hash.as_bytes()],
    )
}

fn verify_peer(
    raw: RawCertificate,
    signature: &[u8; 64],
    transcript: Transcript,
    side: Side,
    me: Me<'_>,
) -> Result<Certificate, SessionError> {
    let peer = Certificate::verify(raw, me.anchors).map_err(|_| SessionError::BadCertificate)?;
    if peer.facts().device == me.certificate.facts().device {
        return Err(SessionError::SameDevice);
    }
    let hash = transcript.hash();
    let parts: &[&[u8]] = &[&[side as u8], hash.as_bytes()];
    peer.device_key()
        .verify(
            Purpose::PeerSession,
            me.anchors.authority(),
            parts,
            signature,
        )
        .map_err(|_| SessionError::BadClientProof)?;
    Ok(peer)
}

#[cfg(test)]
#[path = "peer_session_tests.rs"]
mod tests;
