//! Parcels: undelivered work that another phone, the courier, brings to the server and cannot read.
//!
//! ```text
//!  author: content ─▶ padded ─▶ sealed to the parcel key of the server ─▶ courier ─▶ server: opened
//! ```
//!
//! The author agrees on a key with the server's parcel key and a key that it uses for this content
//! alone (X25519), and encrypts with ChaCha20-Poly1305. Deployment and server key are the associated
//! data. Only the server can open a parcel, and a parcel proves nothing about its maker: the envelopes
//! inside carry their own signatures.
//!
//! **Invariant:** a parcel shows its length, which is a power of two, and the server key; the rest
//! looks like chance. The same content for the same key makes the same bytes, so the server recognises
//! a parcel that two couriers bring.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::channel::{ChannelKey, Cipher, Ephemeral, MAC_BYTES, Transcript};
use super::read;
use super::sign::{Authority, SecretKey};
use crate::id::{DeviceId, Hash};
use crate::limits::{PARCEL_BYTES_MAX, PARCEL_CONTENT_BYTES_MAX, PARCEL_CONTENT_BYTES_MIN};

/// The version of sealed parcels.
const VERSION: u16 = 1;
/// Bytes that tell the length of the content before its padding.
const LENGTH_BYTES: usize = 4;
/// Bytes of the tag under which a courier keeps a parcel.
pub const TAG_BYTES: usize = 16;

coded_error! {
    /// The reasons why a parcel cannot be made or opened.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum ParcelError {
        /// The bytes are no parcel, or its content is none.
        #[error("parcel.malformed")]
        Malformed,
        /// It is sealed to a key of another server, or to one that this server no longer has.
        #[error("parcel.unknown_key")]
        UnknownKey,
        /// It was altered, or is of another deployment.
        #[error("parcel.not_opened")]
        NotOpened,
        /// It has more bytes than a parcel may have.
        #[error("parcel.too_large")]
        TooLarge,
    }
}

/// A parcel as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SealedParcel {
    #[n(0)]
    version: u16,
    /// Id of the server key that opens it.
    #[n(1)]
    key: DeviceId,
    #[cbor(n(2), with = "minicbor::bytes")]
    ephemeral: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    sealed: Vec<u8>,
}

impl SealedParcel {
    /// Reads a parcel without opening it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParcelError> {
        if bytes.len() > PARCEL_BYTES_MAX {
            return Err(ParcelError::TooLarge);
        }
        let parcel: Self = read::read(bytes, 4, PARCEL_BYTES_MAX).ok_or(ParcelError::Malformed)?;
        let padded = parcel.sealed.len().checked_sub(MAC_BYTES);
        let is_step = padded.is_some_and(|padded| {
            padded.is_power_of_two()
                && (PARCEL_CONTENT_BYTES_MIN..=PARCEL_CONTENT_BYTES_MAX).contains(&padded)
        });
        if parcel.version == VERSION && is_step {
            Ok(parcel)
        } else {
            Err(ParcelError::Malformed)
        }
    }

    /// Id of the server key that opens it.
    #[must_use]
    pub fn key(&self) -> DeviceId {
        self.key
    }
}

/// The server's secret key for parcels. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct ParcelKey(Zeroizing<[u8; 32]>);

impl ParcelKey {
    /// A new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self(seed)
    }

    /// From the bytes that [`Self::seed`] gave.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// The 32 bytes, for the key store.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.0
    }

    /// The X25519 public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        Ephemeral::from_secret(*self.0).public()
    }

    /// The id of the public key.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        DeviceId::of_key(&self.public())
    }

    /// Returns the content of a parcel.
    pub fn open(
        &self,
        parcel: &SealedParcel,
        authority: &Authority,
    ) -> Result<Vec<u8>, ParcelError> {
        let public = self.public();
        let shared = shared(authority, &public, &parcel.ephemeral);
        let key = Ephemeral::from_secret(*self.0)
            .agree(&parcel.ephemeral, &shared)
            .map_err(|_| ParcelError::NotOpened)?;
        let padded = Cipher::new(&key)
            .open_with(&parcel.sealed, &associated(authority, parcel.key))
            .map_err(|_| ParcelError::NotOpened)?;
        unpad(padded).ok_or(ParcelError::Malformed)
    }
}

impl std::fmt::Debug for ParcelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ParcelKey({})", self.id())
    }
}

/// The secret that a phone makes its parcels with. It follows from the key of the device.
#[derive(Debug)]
pub struct ParcelMaker(ChannelKey);

impl ParcelMaker {
    /// The maker of a device.
    #[must_use]
    pub fn of(device: &SecretKey) -> Self {
        let seed = ChannelKey::from_bytes(*device.seed());
        Self(seed.derive("onegrid.parcel.maker", b""))
    }

    /// The tag under which a courier keeps the newest parcel of this phone. It differs for each
    /// courier, and says nothing about this phone without its key.
    #[must_use]
    pub fn tag(&self, courier: DeviceId) -> [u8; TAG_BYTES] {
        let derived = self.0.derive("onegrid.parcel.tag", &courier.0);
        Hash(*derived.as_bytes()).first16()
    }

    /// Seals a content of at most [`PARCEL_CONTENT_BYTES_MAX`] bytes, its length included, to a parcel
    /// key of the server.
    pub fn seal(
        &self,
        content: &[u8],
        to: &[u8; 32],
        authority: &Authority,
    ) -> Result<Vec<u8>, ParcelError> {
        let padded = pad(content).ok_or(ParcelError::TooLarge)?;
        // One key for each content and server key, so that no nonce meets two contents.
        let mut unique = Hash::of(&[content]).0.to_vec();
        unique.extend_from_slice(to);
        let secret = self.0.derive("onegrid.parcel.ephemeral", &unique);
        let ephemeral = Ephemeral::from_secret(*secret.as_bytes());
        let public = ephemeral.public();
        let key = ephemeral
            .agree(to, &shared(authority, to, &public))
            .map_err(|_| ParcelError::UnknownKey)?;
        let id = DeviceId::of_key(to);
        let parcel = SealedParcel {
            version: VERSION,
            key: id,
            ephemeral: public,
            sealed: Cipher::new(&key).seal_with(&padded, &associated(authority, id)),
        };
        Ok(read::write(&parcel))
    }
}

/// The transcript of the agreement.
fn shared(authority: &Authority, server: &[u8; 32], ephemeral: &[u8; 32]) -> Hash {
    Transcript::new("onegrid.parcel.v1")
        .with(authority.0.as_bytes())
        .with(server)
        .with(ephemeral)
        .hash()
}

/// The associated data.
fn associated(authority: &Authority, key: DeviceId) -> Vec<u8> {
    [
        b"onegrid.parcel.v1".as_slice(),
        authority.0.as_bytes(),
        &key.0,
    ]
    .concat()
}

/// The length, the content, and zeros up to a power of two; `None` if it is too long.
fn pad(content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let len = u32::try_from(content.len()).ok()?;
    let padded = (LENGTH_BYTES + content.len())
        .next_power_of_two()
        .max(PARCEL_CONTENT_BYTES_MIN);
    if padded > PARCEL_CONTENT_BYTES_MAX {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(padded));
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(padded, 0);
    Some(bytes)
}

/// Takes length and padding off. The padding holds zeros alone, so a parcel carries nothing beside its
/// content.
fn unpad(mut padded: Vec<u8>) -> Option<Vec<u8>> {
    let len = usize::try_from(u32::from_be_bytes(*padded.first_chunk()?)).ok()?;
    let end = LENGTH_BYTES.checked_add(len)?;
    let padding = padded.get(end..)?;
    if padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    padded.truncate(end);
    padded.drain(..LENGTH_BYTES);
    Some(padded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;
    use crate::wire::golden_tests::golden;

    fn authority(n: u8) -> Authority {
        Authority(Hash([n; 32]))
    }

    fn maker(n: u8) -> ParcelMaker {
        ParcelMaker::of(&SecretKey::from_seed(&[n; 32]))
    }

    fn opened(key: &ParcelKey, bytes: &[u8], of: u8) -> Result<Vec<u8>, ParcelError> {
        key.open(&SealedParcel::from_bytes(bytes)?, &authority(of))
    }

    #[test]
    fn parcel_opens_with_its_key_and_deployment_alone() {
        let (ours, theirs) = (ParcelKey::from_seed([5; 32]), ParcelKey::from_seed([6; 32]));
        let content = b"words of a person".repeat(9);
        let bytes = maker(1).seal(&content, &ours.public(), &authority(1));
        let bytes = bytes.unwrap();
        assert_eq!(opened(&ours, &bytes, 1).as_ref(), Ok(&content));
        assert_eq!(opened(&theirs, &bytes, 1), Err(ParcelError::NotOpened));
        assert_eq!(opened(&ours, &bytes, 2), Err(ParcelError::NotOpened));
        assert_eq!(SealedParcel::from_bytes(&bytes).unwrap().key(), ours.id());
        assert!(!bytes.windows(8).any(|part| part == b"words of"));
    }

    #[test]
    fn altered_parcel_never_opens() {
        let key = ParcelKey::from_seed([5; 32]);
        let bytes = maker(1).seal(b"content", &key.public(), &authority(1));
        let bytes = bytes.unwrap();
        for place in (0..bytes.len()).step_by(41).chain(0..80) {
            let mut other = bytes.clone();
            other[place] ^= 1;
            assert!(opened(&key, &other, 1).is_err(), "{place}");
        }
        assert_eq!(
            SealedParcel::from_bytes(&bytes[..bytes.len() - 1]),
            Err(ParcelError::Malformed)
        );
        assert_eq!(
            SealedParcel::from_bytes(&vec![0; PARCEL_BYTES_MAX + 1]),
            Err(ParcelError::TooLarge)
        );
    }

    #[test]
    fn length_of_a_parcel_is_a_step() {
        let key = ParcelKey::from_seed([5; 32]).public();
        let len = |content: usize| {
            let sealed = maker(1).seal(&vec![7; content], &key, &authority(1));
            sealed.map(|bytes| SealedParcel::from_bytes(&bytes).unwrap().sealed.len() - MAC_BYTES)
        };
        assert_eq!(len(1), Ok(PARCEL_CONTENT_BYTES_MIN));
        assert_eq!(len(PARCEL_CONTENT_BYTES_MIN - 4), len(1));
        assert_eq!(
            len(PARCEL_CONTENT_BYTES_MIN - 3),
            Ok(2 * PARCEL_CONTENT_BYTES_MIN)
        );
        assert_eq!(
            len(PARCEL_CONTENT_BYTES_MAX - 4),
            Ok(PARCEL_CONTENT_BYTES_MAX)
        );
        assert_eq!(
            len(PARCEL_CONTENT_BYTES_MAX - 3),
            Err(ParcelError::TooLarge)
        );
    }

    #[test]
    fn same_content_makes_same_parcel_under_other_tags() {
        let key = ParcelKey::from_seed([5; 32]).public();
        let seal = |n, content: &[u8]| maker(n).seal(content, &key, &authority(1)).unwrap();
        assert_eq!(seal(1, b"content"), seal(1, b"content"));
        let ephemeral = |bytes: &[u8]| SealedParcel::from_bytes(bytes).unwrap().ephemeral;
        let first = ephemeral(&seal(1, b"content"));
        assert_ne!(first, ephemeral(&seal(1, b"contents")));
        assert_ne!(first, ephemeral(&seal(2, b"content")));
        let tag = |n, courier| maker(n).tag(DeviceId([courier; 16]));
        assert_eq!(tag(1, 7), tag(1, 7));
        assert_ne!(tag(1, 7), tag(1, 8));
        assert_ne!(tag(1, 7), tag(2, 7));
    }

    #[test]
    fn bytes_of_parcels_never_change() {
        let (server, of, courier) = (ParcelKey::from_seed([5; 32]), authority(1), [7; 16]);
        let content = b"a frame of a bundle";
        let bytes = maker(3).seal(content, &server.public(), &of).unwrap();
        let tag = maker(3).tag(DeviceId(courier));
        let parts = [
            &server.seed()[..],
            of.0.as_bytes(),
            &[3; 32],
            &courier,
            &tag,
            &bytes,
            content,
        ];
        let parts = parts.map(|part| minicbor::bytes::ByteVec::from(part.to_vec()));
        golden("parcel", &minicbor::to_vec(parts.to_vec()).unwrap());
    }

    #[test]
    fn key_that_contributes_nothing_gets_no_parcel() {
        let sealed = maker(1).seal(b"content", &[0; 32], &authority(1));
        assert_eq!(sealed, Err(ParcelError::UnknownKey));
    }
}
