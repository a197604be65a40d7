//! An entry of the directory with the server's signature. Phones can pass it on, and give it back
//! to a server that lost it.

use minicbor::{Decode, Encode};

use crate::cbor::list::bytes;
use crate::domain::directory::DirectoryEntry;
use crate::id::DeviceId;
use crate::limits::FEED_BYTES_MAX;
use crate::trust::certificate::{Anchors, ServerPurpose};
use crate::trust::sign::{Authority, Purpose, SecretKey, SignatureError};

/// Why bytes are no entry of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignedEntryError {
    /// The bytes are damaged.
    #[error("wire.directory_entry")]
    Malformed,
    /// The signature is not the server's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// A signed entry, as [`super::page::FeedEntry::Directory`] and give-backs carry it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignedEntry {
    /// CBOR of the [`DirectoryEntry`].
    #[cbor(
        n(0),
        encode_with = "minicbor::bytes::encode",
        decode_with = "bytes::<FEED_BYTES_MAX, _>"
    )]
    pub entry: Vec<u8>,
    /// The server key that signed: one for receipts.
    #[n(1)]
    pub signer: DeviceId,
    /// Signature over the bytes of the entry.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl SignedEntry {
    /// The server signs an entry.
    #[must_use]
    pub fn sign(entry: &DirectoryEntry, key: &SecretKey, authority: &Authority) -> Self {
        let entry = minicbor::to_vec(entry).expect("writing CBOR to memory does not fail");
        let signature = key.sign(Purpose::Directory, authority, &[&entry]);
        Self {
            entry,
            signer: key.public().device(),
            signature,
        }
    }

    /// Checks the server's signature and reads the entry.
    pub fn verify(&self, anchors: &Anchors) -> Result<DirectoryEntry, SignedEntryError> {
        anchors
            .signer_at_any_time(ServerPurpose::Receipts, self.signer)?
            .verify(
                Purpose::Directory,
                anchors.authority(),
                &[&self.entry],
                &self.signature,
            )?;
        minicbor::decode(&self.entry).map_err(|_| SignedEntryError::Malformed)
    }

    /// The bytes that travel and are stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing CBOR to memory does not fail")
    }

    /// Reads what travelled.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignedEntryError> {
        minicbor::decode(bytes).map_err(|_| SignedEntryError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::directory::Revocation;
    use crate::fixtures::{Deployment, VOLUNTEER_WANG};

    #[test]
    fn an_entry_is_believed_by_its_signature_alone() {
        let Deployment {
            server, anchors, ..
        } = Deployment::new();
        let entry = DirectoryEntry::Revocation(Revocation {
            device: DeviceId([7; 16]),
            revoked_at_ms: 5,
        });
        let signed = SignedEntry::sign(&entry, &server, anchors.authority());
        let mut travelled = SignedEntry::from_bytes(&signed.to_bytes()).unwrap();
        assert_eq!(travelled.verify(&anchors), Ok(entry.clone()));
        *travelled.entry.last_mut().unwrap() ^= 1;
        assert!(travelled.verify(&anchors).is_err(), "changed on the way");
        let key = VOLUNTEER_WANG.key();
        let stranger = SignedEntry::sign(&entry, &key, anchors.authority());
        assert!(stranger.verify(&anchors).is_err(), "another's key");
        assert!(SignedEntry::from_bytes(&[0x80]).is_err());
    }
}
