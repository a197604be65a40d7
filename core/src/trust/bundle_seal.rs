//! A meeting in files: one phone asks, another answers with a file that only the asking phone opens.
//!
//! ```text
//! B ── request (certificate, fresh key, digests) ──▶ A     under a secret of the deployment
//! B ◀── bundle file (certificate, messages) ── A           under the agreement with B's fresh key
//! ```
//!
//! The request travels as a QR code or as a file. Its content is encrypted with a random key, which
//! is wrapped under each meeting secret that B knows. So a phone of the deployment reads it, and a
//! bystander who photographs the screen does not. The bundle is encrypted under the agreement of B's
//! fresh key with a fresh key of A, mixed with the key of the request. Both sides sign, so B knows
//! the sender of the file. Files are filled up to a few sizes.
//!
//! B keeps the private half of its fresh key until the request expires. Afterwards the bundles that
//! answer it stay closed for good.
//!
//! **Not here:** the messages inside a bundle (`sync::bundle_file`).

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::certificate::{Certificate, RawCertificate, ServerKeys};
use super::channel::{ChannelKey, Cipher, Ephemeral, MAC_BYTES, Transcript};
use super::peer_session::{Me, MeetingDigests};
use super::read::{read, write};
use super::session::SessionError;
use super::sign::Purpose;
use crate::cbor::list::list;
use crate::id::Hash;
use crate::limits::{
    BUNDLE_BYTES_MAX, BUNDLE_CHUNK_BYTES, BUNDLE_DIGESTS_MAX, BUNDLE_IMPORTS_MAX,
    BUNDLE_REQUEST_BYTES_MAX, BUNDLE_REQUEST_MS_MAX, CLOCK_AHEAD_MS_MAX, PEER_MESSAGE_BYTES_MAX,
    SESSION_MESSAGE_BYTES_MAX,
};

const REQUEST_LABEL: &str = "onegrid.bundle.request.v1";
const BUNDLE_LABEL: &str = "onegrid.bundle.v1";
const REQUEST_MAGIC: [u8; 8] = *b"OneGridR";
const BUNDLE_MAGIC: [u8; 8] = *b"OneGridB";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = REQUEST_MAGIC.len() + 1;
const SALT_BYTES: usize = 16;
const WRAP_BYTES: usize = 32 + MAC_BYTES;
const WRAPS: usize = 2;
/// The smallest size that files are filled up to.
const PADDED_BYTES_MIN: usize = 4_096;

coded_error! {
    /// Why a request or a bundle file is refused.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum SealError {
        /// The bytes are no request.
        #[error("bundle.not_a_request")]
        NotARequest,
        /// The bytes are no bundle file.
        #[error("bundle.not_a_bundle")]
        NotABundle,
        /// A newer app made it.
        #[error("bundle.newer")]
        Newer,
        /// The request is of another deployment, or its phone has a newer secret than this one.
        #[error("bundle.other_deployment")]
        OtherDeployment,
        /// No request of this phone opens the file: it is for another phone, or too old.
        #[error("bundle.no_request")]
        NoRequest,
        /// The file was cut or altered.
        #[error("bundle.damaged")]
        Damaged,
        /// The request is too old, or its clock is far ahead.
        #[error("bundle.request_expired")]
        RequestExpired,
        /// The certificate of the phone that asks has run out, so it may not read any more.
        #[error("bundle.certificate_expired")]
        CertificateExpired,
        /// A certificate or a signature is not valid.
        #[error(transparent)]
        Session(#[from] SessionError),
    }
}

/// A request names the content of a record by these eight bytes. They are made with a key of the
/// request, so they tell nothing to a phone that lacks the record.
pub type RecordDigest = [u8; 8];

/// A digest in the short form of a request.
#[must_use]
pub fn shortened(digest: &[u8; 16]) -> RecordDigest {
    let mut short = [0; 8];
    short.copy_from_slice(&digest[..8]);
    short
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Said {
    #[n(0)]
    certificate: RawCertificate,
    /// Absent in a QR code, where each byte counts.
    #[n(1)]
    server_keys: Option<ServerKeys>,
    #[cbor(n(2), with = "minicbor::bytes")]
    fresh: [u8; 32],
    #[n(3)]
    created_ms: i64,
    /// Digests of the records here, one after the other; absent in a QR code.
    #[n(4)]
    held: Option<ByteVec>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct SignedRequest {
    #[cbor(n(0), with = "minicbor::bytes")]
    said: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Introduction {
    #[n(0)]
    certificate: RawCertificate,
    #[n(1)]
    server_keys: ServerKeys,
    #[cbor(n(2), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// A request in the making.
pub struct RequestDraft {
    key: ChannelKey,
    ephemeral: Ephemeral,
}

impl RequestDraft {
    /// Begins a request with fresh keys.
    pub fn new(rng: &mut dyn CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut_slice());
        Self {
            key: ChannelKey::from_bytes(*key),
            ephemeral: Ephemeral::generate(rng),
        }
    }

    /// The digests of this request.
    #[must_use]
    pub fn digests(&self) -> MeetingDigests {
        digests(&self.key)
    }

    /// Seals the request for the phones of the deployment. `held` makes a file; without it the
    /// result is short enough for a QR code. Returns the part that this phone keeps, and the bytes.
    pub fn seal(
        self,
        me: Me<'_>,
        held: Option<&[RecordDigest]>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> (PendingRequest, Vec<u8>) {
        let said = write(&Said {
            certificate: me.certificate.raw().clone(),
            server_keys: held.map(|_| me.anchors.list().clone()),
            fresh: self.ephemeral.public(),
            created_ms: now_ms,
            held: held.map(|digests| digests.concat().into()),
        });
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let signed = signed_hash(&salt, &said);
        let parts: &[&[u8]] = &[signed.as_bytes()];
        let signature = me
            .key
            .sign(Purpose::BundleRequest, me.anchors.authority(), parts);
        let mut plain = Vec::new();
        push(&mut plain, &write(&SignedRequest { said, signature }));
        if held.is_some() {
            plain.resize(padded(plain.len()), 0);
        }
        let mut bytes = head(REQUEST_MAGIC);
        bytes.extend_from_slice(&salt);
        let mut wraps = [0; WRAPS * WRAP_BYTES];
        rng.fill_bytes(&mut wraps);
        for (place, secret) in wraps.chunks_exact_mut(WRAP_BYTES).zip(me.secrets.all()) {
            let wrapped = Cipher::new(&secret.wrapping_key(&salt)).seal(self.key.as_bytes());
            place.copy_from_slice(&wrapped);
        }
        bytes.extend_from_slice(&wraps);
        bytes.extend(content_cipher(&self.key).seal(&plain));
        let pending = PendingRequest {
            fresh: *self.ephemeral.secret(),
            key: *self.key.as_bytes(),
            hash: Hash::of(&[&bytes]),
            created_ms: now_ms,
            imported: Vec::new(),
        };
        (pending, bytes)
    }
}

/// The request of another phone, opened and checked.
#[derive(Debug)]
pub struct OpenedRequest {
    key: ChannelKey,
    hash: Hash,
    fresh: [u8; 32],
    peer: Certificate,
    newer_keys: Option<ServerKeys>,
    held: Option<Vec<RecordDigest>>,
}

impl OpenedRequest {
    /// Opens a request with a secret of the deployment, and checks the phone that asks.
    pub fn open(bytes: &[u8], me: Me<'_>, now_ms: i64) -> Result<Self, SealError> {
        if bytes.len() > BUNDLE_REQUEST_BYTES_MAX {
            return Err(SealError::NotARequest);
        }
        let rest = body(bytes, REQUEST_MAGIC, SealError::NotARequest)?;
        let (salt, rest) = rest
            .split_at_checked(SALT_BYTES)
            .ok_or(SealError::NotARequest)?;
        let (wraps, sealed) = rest
            .split_at_checked(WRAPS * WRAP_BYTES)
            .ok_or(SealError::NotARequest)?;
        let key = unwrapped(wraps, salt, me).ok_or(SealError::OtherDeployment)?;
        let opened = content_cipher(&key).open(sealed);
        let opened = opened.map_err(|_| SealError::Damaged)?;
        let (len, rest) = opened.split_first_chunk().ok_or(SealError::NotARequest)?;
        let signed = rest.get(..u32::from_be_bytes(*len) as usize);
        let request: SignedRequest = signed
            .and_then(|signed| read(signed, 2, BUNDLE_REQUEST_BYTES_MAX))
            .ok_or(SealError::NotARequest)?;
        let said: Said =
            read(&request.said, 5, BUNDLE_REQUEST_BYTES_MAX).ok_or(SealError::NotARequest)?;
        let (peer, newer_keys) = verified(said.certificate, said.server_keys, me)?;
        let signed = signed_hash(salt, &request.said);
        let authority = me.anchors.authority();
        peer.device_key()
            .verify(
                Purpose::BundleRequest,
                authority,
                &[signed.as_bytes()],
                &request.signature,
            )
            .map_err(|_| SessionError::BadClientProof)?;
        let age_ms = now_ms.saturating_sub(said.created_ms);
        if !(-CLOCK_AHEAD_MS_MAX..=BUNDLE_REQUEST_MS_MAX).contains(&age_ms) {
            return Err(SealError::RequestExpired);
        }
        if peer.facts().expires_ms <= now_ms {
            return Err(SealError::CertificateExpired);
        }
        let held = said.held.map(|held| {
            let (digests, _) = held.as_chunks::<8>();
            digests.iter().take(BUNDLE_DIGESTS_MAX).copied().collect()
        });
        Ok(Self {
            hash: Hash::of(&[bytes]),
            key,
            fresh: said.fresh,
            peer,
            newer_keys,
            held,
        })
    }

    /// The phone that asks.
    #[must_use]
    pub fn peer(&self) -> &Certificate {
        &self.peer
    }

    /// The list of server keys of that phone, where it is newer than the one here.
    #[must_use]
    pub fn newer_keys(&self) -> Option<&ServerKeys> {
        self.newer_keys.as_ref()
    }

    /// The digests of this request.
    #[must_use]
    pub fn digests(&self) -> MeetingDigests {
        digests(&self.key)
    }

    /// The digests of the records that the other phone has; `None` in a QR code.
    #[must_use]
    pub fn held(&self) -> Option<&[RecordDigest]> {
        self.held.as_deref()
    }

    /// Seals the answer: messages of together at most [`BUNDLE_BYTES_MAX`] bytes, with the signed
    /// introduction of this phone before them.
    pub fn seal(
        &self,
        me: Me<'_>,
        messages: &[Vec<u8>],
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        let ephemeral = Ephemeral::generate(rng);
        let mut file = head(BUNDLE_MAGIC);
        file.extend_from_slice(&ephemeral.public());
        let said = bundle_transcript(&self.hash, &file);
        let agreed = ephemeral
            .agree(&self.fresh, &said.hash())
            .map_err(SessionError::from)?;
        let mut cipher = Cipher::new(&bundle_key(&agreed, &self.key));
        let certificate = me.certificate.raw().clone();
        let server_keys = me.anchors.list().clone();
        let signed = introduced(said, &certificate, &server_keys);
        let parts: &[&[u8]] = &[signed.as_bytes()];
        let signature = me.key.sign(Purpose::Bundle, me.anchors.authority(), parts);
        let introduction = write(&Introduction {
            certificate,
            server_keys,
            signature,
        });
        let mut plain = vec![0; 4];
        for message in std::iter::once(&introduction).chain(messages) {
            push(&mut plain, message);
        }
        push(&mut plain, &[]);
        plain.resize(padded(plain.len()), 0);
        let chunks = u32::try_from(plain.len().div_ceil(BUNDLE_CHUNK_BYTES));
        let chunks = chunks.map_err(|_| SealError::Damaged)?;
        plain[..4].copy_from_slice(&chunks.to_be_bytes());
        for chunk in plain.chunks(BUNDLE_CHUNK_BYTES) {
            file.extend(cipher.seal(chunk));
        }
        Ok(file)
    }
}

/// The part of a request that the asking phone keeps. It opens the answers.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PendingRequest {
    #[cbor(n(0), with = "minicbor::bytes")]
    fresh: [u8; 32],
    #[cbor(n(1), with = "minicbor::bytes")]
    key: [u8; 32],
    #[n(2)]
    hash: Hash,
    #[n(3)]
    created_ms: i64,
    #[cbor(n(4), decode_with = "list::<BUNDLE_IMPORTS_MAX, _, _>")]
    imported: Vec<Hash>,
}

impl std::fmt::Debug for PendingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingRequest(..)")
    }
}

/// A bundle file, opened and checked.
#[derive(Debug)]
pub struct OpenedBundle {
    /// The phone that made it.
    pub peer: Certificate,
    /// The list of server keys of that phone, where it is newer than the one here.
    pub newer_keys: Option<ServerKeys>,
    /// The messages in their order.
    pub messages: Vec<Vec<u8>>,
}

impl PendingRequest {
    /// Whether answers to it are still accepted.
    #[must_use]
    pub fn is_alive(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.created_ms) <= BUNDLE_REQUEST_MS_MAX
    }

    /// Whether this file was imported before.
    #[must_use]
    pub fn has_imported(&self, file: &[u8]) -> bool {
        self.imported.contains(&Hash::of(&[file]))
    }

    /// Remembers that this file is imported. The oldest memory gives way.
    pub fn note_import(&mut self, file: &[u8]) {
        if self.imported.len() >= BUNDLE_IMPORTS_MAX {
            self.imported.remove(0);
        }
        self.imported.push(Hash::of(&[file]));
    }

    /// Why a file is refused that answers no request: it is no bundle file at all, or it is not for
    /// this phone.
    #[must_use]
    pub fn refusal(file: &[u8]) -> SealError {
        if file.len() > BUNDLE_BYTES_MAX {
            return SealError::NotABundle;
        }
        match body(file, BUNDLE_MAGIC, SealError::NotABundle) {
            Ok(_) => SealError::NoRequest,
            Err(refused) => refused,
        }
    }

    /// Opens a bundle file as a whole. `None` where it does not answer this request.
    pub fn open(&self, file: &[u8], me: Me<'_>) -> Result<Option<OpenedBundle>, SealError> {
        if file.len() > BUNDLE_BYTES_MAX {
            return Err(SealError::NotABundle);
        }
        let rest = body(file, BUNDLE_MAGIC, SealError::NotABundle)?;
        let (public, sealed) = rest.split_first_chunk().ok_or(SealError::NotABundle)?;
        let said = bundle_transcript(&self.hash, &file[..HEAD_BYTES + public.len()]);
        let agreed = Ephemeral::from_secret(self.fresh)
            .agree(public, &said.hash())
            .map_err(SessionError::from)?;
        let key = ChannelKey::from_bytes(self.key);
        let mut cipher = Cipher::new(&bundle_key(&agreed, &key));
        let mut plain = Vec::with_capacity(sealed.len());
        let chunks = sealed.chunks(BUNDLE_CHUNK_BYTES + MAC_BYTES);
        let expected = chunks.len();
        for (number, chunk) in chunks.enumerate() {
            match cipher.open(chunk) {
                Ok(opened) => plain.extend(opened),
                Err(_) if number == 0 => return Ok(None),
                Err(_) => return Err(SealError::Damaged),
            }
        }
        let messages = messages(&plain, expected).ok_or(SealError::Damaged)?;
        let (introduction, messages) = messages.split_first().ok_or(SealError::Damaged)?;
        let Introduction {
            certificate,
            server_keys,
            signature,
        } = read(introduction, 3, SESSION_MESSAGE_BYTES_MAX).ok_or(SealError::Damaged)?;
        let signed = introduced(said, &certificate, &server_keys);
        let (peer, newer_keys) = verified(certificate, Some(server_keys), me)?;
        peer.device_key()
            .verify(
                Purpose::Bundle,
                me.anchors.authority(),
                &[signed.as_bytes()],
                &signature,
            )
            .map_err(|_| SessionError::BadServerProof)?;
        Ok(Some(OpenedBundle {
            peer,
            newer_keys,
            messages: messages.to_vec(),
        }))
    }
}

fn head(magic: [u8; 8]) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.push(VERSION);
    bytes
}

/// The bytes after the head.
fn body(bytes: &[u8], magic: [u8; 8], other: SealError) -> Result<&[u8], SealError> {
    let rest = bytes.strip_prefix(&magic).ok_or(other)?;
    match rest.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some(_) => Err(SealError::Newer),
        None => Err(other),
    }
}

fn digests(key: &ChannelKey) -> MeetingDigests {
    MeetingDigests::new(key.derive("onegrid.bundle.digests", &[]))
}

fn content_cipher(key: &ChannelKey) -> Cipher {
    Cipher::new(&key.derive("onegrid.bundle.request", &[]))
}

fn bundle_key(agreed: &ChannelKey, request: &ChannelKey) -> ChannelKey {
    agreed.derive("onegrid.bundle.key", request.as_bytes())
}

fn bundle_transcript(request: &Hash, beginning: &[u8]) -> Transcript {
    Transcript::new(BUNDLE_LABEL)
        .with(request.as_bytes())
        .with(beginning)
}

fn signed_hash(salt: &[u8], said: &[u8]) -> Hash {
    Transcript::new(REQUEST_LABEL).with(salt).with(said).hash()
}

fn introduced(said: Transcript, certificate: &RawCertificate, keys: &ServerKeys) -> Hash {
    said.with(&write(&(certificate, keys))).hash()
}

fn unwrapped(wraps: &[u8], salt: &[u8], me: Me<'_>) -> Option<ChannelKey> {
    me.secrets.all().find_map(|secret| {
        let key = secret.wrapping_key(salt);
        wraps.chunks_exact(WRAP_BYTES).find_map(|wrap| {
            let opened = Zeroizing::new(Cipher::new(&key).open(wrap).ok()?);
            Some(ChannelKey::from_bytes(opened.as_slice().try_into().ok()?))
        })
    })
}

/// Checks the certificate of another phone by the newer of both lists of server keys.
fn verified(
    certificate: RawCertificate,
    keys: Option<ServerKeys>,
    me: Me<'_>,
) -> Result<(Certificate, Option<ServerKeys>), SealError> {
    let newer = keys.as_ref().and_then(|keys| me.anchors.updated(keys));
    let anchors = newer.as_ref().unwrap_or(me.anchors);
    let peer =
        Certificate::verify(certificate, anchors).map_err(|_| SessionError::BadCertificate)?;
    if peer.facts().device == me.certificate.facts().device {
        return Err(SessionError::SameDevice.into());
    }
    Ok((peer, keys.filter(|_| newer.is_some())))
}

fn push(plain: &mut Vec<u8>, message: &[u8]) {
    let len = u32::try_from(message.len());
    let len = len.expect("messages are made within their limit of a few megabytes");
    plain.extend_from_slice(&len.to_be_bytes());
    plain.extend_from_slice(message);
}

/// Divides the opened bytes. `None` where the number of chunks is another one, or where a message
/// runs beyond the end.
fn messages(plain: &[u8], chunks: usize) -> Option<Vec<Vec<u8>>> {
    let (count, mut rest) = plain.split_first_chunk::<4>()?;
    if u32::from_be_bytes(*count) as usize != chunks {
        return None;
    }
    let mut messages = Vec::new();
    loop {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes(*len) as usize;
        if len == 0 {
            return after.iter().all(|byte| *byte == 0).then_some(messages);
        }
        if len > PEER_MESSAGE_BYTES_MAX {
            return None;
        }
        let (message, after) = after.split_at_checked(len)?;
        messages.push(message.to_vec());
        rest = after;
    }
}

/// The size that a content is filled up to: at most an eighth more, and one of few sizes (the
/// “Padmé” scheme of the paper on PURBs).
fn padded(len: usize) -> usize {
    let len = len.max(PADDED_BYTES_MIN);
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let step = 1_usize << (exponent - kept);
    len.next_multiple_of(step)
}

#[cfg(test)]
#[path = "bundle_seal_tests.rs"]
mod tests;
