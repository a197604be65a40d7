//! The secret that all phones of a deployment share and an outsider lacks.
//!
//! The server gives it to each phone with the certificate and with each session. It proves nothing
//! about a person. With it, two phones of one deployment find a common key before either states its
//! identity. So a stranger who calls a phone, or answers one, learns no name. The certificates
//! prove the rest.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::channel::{ChannelKey, MAC_BYTES, Transcript};

/// Bytes of the two tags that a listener sends.
pub(super) const TAGS_BYTES: usize = 2 * MAC_BYTES;

/// One secret. It is wiped when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct MeetingSecret(Zeroizing<[u8; 32]>);

impl MeetingSecret {
    /// A new secret.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        Self(secret)
    }

    fn tag(&self, transcript: Transcript) -> [u8; MAC_BYTES] {
        let tag = self
            .key()
            .derive("onegrid.meeting.tag", transcript.hash().as_bytes());
        let mut short = [0; MAC_BYTES];
        short.copy_from_slice(&tag.as_bytes()[..MAC_BYTES]);
        short
    }

    fn key(&self) -> ChannelKey {
        ChannelKey::from_bytes(*self.0)
    }

    /// The key that wraps the key of a request for a bundle. The salt belongs to that request alone.
    pub(super) fn wrapping_key(&self, salt: &[u8]) -> ChannelKey {
        self.key().derive("onegrid.bundle.wrap", salt)
    }

    /// The key of the holders of both the secret and one end of the agreement.
    pub(super) fn mix(&self, agreed: &ChannelKey) -> ChannelKey {
        agreed.derive("onegrid.meeting.key", self.0.as_slice())
    }
}

impl std::fmt::Debug for MeetingSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MeetingSecret(..)")
    }
}

impl<C> Encode<C> for MeetingSecret {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(self.0.as_slice())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for MeetingSecret {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        let secret = <[u8; 32]>::try_from(d.bytes()?);
        secret
            .map(|secret| Self(Zeroizing::new(secret)))
            .map_err(|_| minicbor::decode::Error::message("a secret has 32 bytes").at(at))
    }
}

/// The secret in use and the one before it, so that phones of both sides of a change still meet.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MeetingSecrets {
    /// The one in use.
    #[n(0)]
    pub newest: MeetingSecret,
    /// The one before.
    #[n(1)]
    pub before: Option<MeetingSecret>,
}

impl MeetingSecrets {
    /// The secrets of a new deployment.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self {
            newest: MeetingSecret::generate(rng),
            before: None,
        }
    }

    /// A new secret; the present one becomes the one before.
    #[must_use]
    pub fn rotate(self, rng: &mut dyn CryptoRng) -> Self {
        Self {
            newest: MeetingSecret::generate(rng),
            before: Some(self.newest),
        }
    }

    /// One tag for each secret. Random bytes replace the tag of an absent secret, so an observer
    /// cannot count.
    pub(super) fn tags(&self, transcript: Transcript, rng: &mut dyn CryptoRng) -> [u8; TAGS_BYTES] {
        let mut tags = [0; TAGS_BYTES];
        rng.fill_bytes(&mut tags);
        for (place, secret) in tags.chunks_exact_mut(MAC_BYTES).zip(self.all()) {
            place.copy_from_slice(&secret.tag(transcript));
        }
        tags
    }

    /// The newest secret that the sender of the tags knows too.
    pub(super) fn common(&self, transcript: Transcript, tags: &[u8]) -> Option<&MeetingSecret> {
        self.all().find(|secret| {
            let tag = secret.tag(transcript);
            tags.chunks_exact(MAC_BYTES)
                .any(|offered| tag.as_slice().ct_eq(offered).into())
        })
    }

    /// The secrets, the newest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &MeetingSecret> {
        std::iter::once(&self.newest).chain(&self.before)
    }
}
