//! The keys of a server: one list, signed by the root key, that only ever gets newer.
//!
//! ```text
//!  root key (offline) ── signs ──▶ list no. n: [key, purpose, time span, highest generation]…
//! ```
//!
//! A list replaces the one before as a whole. A phone keeps the newest list that it has met, from
//! the server or from another phone, and refuses a server that shows an older one. Therefore:
//!
//! - a key that is **retired** stays in the list with an end, and vouches for statements of its
//!   time;
//! - a key that **leaked** is left out, and its signatures are all invalid, whatever time they
//!   claim;
//! - no key vouches for a generation above its bound, so a thief of the key can neither sign
//!   verdicts that no later verdict overrules nor lead phones into a generation that no server
//!   reaches.

use minicbor::{Decode, Encode};

use super::sign::{Authority, PublicKey, Purpose, SecretKey, SignatureError};
use crate::id::DeviceId;
use crate::limits::SERVER_KEYS_MAX;

/// The purpose of a server key: the statements that it may sign, or parcels that it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum ServerPurpose {
    /// Certificates and invitations.
    #[n(0)]
    Certificates,
    /// Receipts, pages, directory entries and sessions.
    #[n(1)]
    Receipts,
    /// Packs.
    #[n(2)]
    Packs,
    /// No statement: phones seal parcels to this X25519 key.
    #[n(3)]
    Parcels,
}

impl ServerPurpose {
    /// Every purpose.
    pub const ALL: [Self; 4] = [
        Self::Certificates,
        Self::Receipts,
        Self::Packs,
        Self::Parcels,
    ];
    /// The purposes of keys that sign.
    pub const SIGNING: [Self; 3] = [Self::Certificates, Self::Receipts, Self::Packs];
}

/// When a server made a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Server time, milliseconds UTC.
    pub time_ms: i64,
    /// The server's generation.
    pub generation: u32,
}

/// A server key, as a list has it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ServerKey {
    /// The public key.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// Its purpose.
    #[n(1)]
    pub purpose: ServerPurpose,
    /// The time of the first statement that it vouches for, milliseconds UTC.
    #[n(2)]
    pub from_ms: i64,
    /// The highest generation that it vouches for.
    #[n(3)]
    pub generation_max: u32,
    /// The time of the last statement that it vouches for, milliseconds UTC; `None` while the
    /// server signs with it.
    #[n(4)]
    pub until_ms: Option<i64>,
}

impl ServerKey {
    /// A key that vouches for everything from a time on, up to a generation.
    #[must_use]
    pub fn new(key: &PublicKey, purpose: ServerPurpose, from_ms: i64, generation_max: u32) -> Self {
        Self {
            key: *key.as_bytes(),
            purpose,
            from_ms,
            generation_max,
            until_ms: None,
        }
    }

    /// The X25519 key for parcels. Its generation bounds nothing, because it signs nothing.
    #[must_use]
    pub fn for_parcels(key: [u8; 32], from_ms: i64, generation_max: u32) -> Self {
        Self {
            key,
            purpose: ServerPurpose::Parcels,
            from_ms,
            generation_max,
            until_ms: None,
        }
    }

    fn covers(&self, stamp: Stamp) -> bool {
        let ended = self
            .until_ms
            .is_some_and(|until_ms| stamp.time_ms > until_ms);
        stamp.time_ms >= self.from_ms && !ended && stamp.generation <= self.generation_max
    }
}

/// The list of server keys, with the root key's signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ServerKeys {
    /// The number of the list. Of two lists the one with the higher number counts. It is the time
    /// of signing, ms UTC, and above every earlier number.
    #[n(0)]
    pub number: u64,
    /// The keys, at most [`SERVER_KEYS_MAX`].
    #[n(1)]
    pub keys: Vec<ServerKey>,
    /// The root key's signature over the CBOR array of the two fields before.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl ServerKeys {
    /// The root key signs a list.
    #[must_use]
    pub fn sign(root: &SecretKey, number: u64, keys: Vec<ServerKey>) -> Self {
        let authority = Authority::of_root(&root.public());
        let bytes = signed_bytes(number, &keys);
        let signature = root.sign(Purpose::ServerKeys, &authority, &[&bytes]);
        Self {
            number,
            keys,
            signature,
        }
    }

    /// The bytes that are stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        super::read::write(self)
    }
}

fn signed_bytes(number: u64, keys: &[ServerKey]) -> Vec<u8> {
    super::read::write(&(number, keys))
}

/// The root key of the deployment and the newest list of server keys that a replica has met.
#[derive(Debug, Clone)]
pub struct Anchors {
    root: PublicKey,
    authority: Authority,
    list: ServerKeys,
    /// The key of each entry of the list; `None` for a key that does not sign.
    keys: Vec<Option<PublicKey>>,
}

impl Anchors {
    /// Anchors with a list that the root key signed.
    pub fn new(root: PublicKey, list: ServerKeys) -> Result<Self, SignatureError> {
        let authority = Authority::of_root(&root);
        if list.keys.len() > SERVER_KEYS_MAX {
            return Err(SignatureError::BadKey);
        }
        let bytes = signed_bytes(list.number, &list.keys);
        root.verify(Purpose::ServerKeys, &authority, &[&bytes], &list.signature)?;
        let keys = list
            .keys
            .iter()
            .map(|key| match key.purpose {
                ServerPurpose::Parcels => Ok(None),
                _ => PublicKey::from_bytes(&key.key).map(Some),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            root,
            authority,
            list,
            keys,
        })
    }

    /// Anchors with another list, where that one is newer and the root key signed it.
    #[must_use]
    pub fn updated(&self, list: &ServerKeys) -> Option<Self> {
        if list.number > self.list.number {
            Self::new(self.root, list.clone()).ok()
        } else {
            None
        }
    }

    /// The root key.
    #[must_use]
    pub fn root(&self) -> &PublicKey {
        &self.root
    }

    /// The deployment.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The list.
    #[must_use]
    pub fn list(&self) -> &ServerKeys {
        &self.list
    }

    /// The key with this device id, where it vouches for a statement of this time.
    pub fn signer(
        &self,
        purpose: ServerPurpose,
        id: DeviceId,
        stamp: Stamp,
    ) -> Result<&PublicKey, SignatureError> {
        self.signers(purpose, stamp)
            .find(|key| key.device() == id)
            .ok_or(SignatureError::BadKey)
    }

    /// The keys that vouch for a statement of this time.
    pub fn signers(
        &self,
        purpose: ServerPurpose,
        stamp: Stamp,
    ) -> impl Iterator<Item = &PublicKey> {
        self.of(purpose)
            .filter(move |(entry, _)| entry.covers(stamp))
            .map(|(_, key)| key)
    }

    /// The key with this device id at any time, for statements that carry no time.
    pub fn signer_at_any_time(
        &self,
        purpose: ServerPurpose,
        id: DeviceId,
    ) -> Result<&PublicKey, SignatureError> {
        self.of(purpose)
            .map(|(_, key)| key)
            .find(|key| key.device() == id)
            .ok_or(SignatureError::BadKey)
    }

    /// The keys that the server signs with now, with their entries.
    pub fn in_use(&self, purpose: ServerPurpose) -> impl Iterator<Item = (&ServerKey, &PublicKey)> {
        self.of(purpose)
            .filter(|(entry, _)| entry.until_ms.is_none())
    }

    /// The key that phones seal parcels to now: the newest in use.
    #[must_use]
    pub fn parcel_key(&self) -> Option<&[u8; 32]> {
        let keys = self.list.keys.iter();
        let in_use =
            keys.filter(|key| key.purpose == ServerPurpose::Parcels && key.until_ms.is_none());
        in_use.max_by_key(|key| key.from_ms).map(|key| &key.key)
    }

    /// Whether the list has a parcel key with this id, in use or retired.
    #[must_use]
    pub fn has_parcel_key(&self, id: DeviceId) -> bool {
        let keys = self.list.keys.iter();
        let mut parcels = keys.filter(|key| key.purpose == ServerPurpose::Parcels);
        parcels.any(|key| DeviceId::of_key(&key.key) == id)
    }

    /// Whether a server may claim to be in this generation.
    #[must_use]
    pub fn certifies(&self, generation: u32) -> bool {
        self.in_use(ServerPurpose::Receipts)
            .any(|(entry, _)| generation <= entry.generation_max)
    }

    fn of(&self, purpose: ServerPurpose) -> impl Iterator<Item = (&ServerKey, &PublicKey)> {
        let entries = self.list.keys.iter().zip(&self.keys);
        entries
            .filter(move |(entry, _)| entry.purpose == purpose)
            .filter_map(|(entry, key)| Some((entry, key.as_ref()?)))
    }
}

#[cfg(test)]
#[path = "server_keys_tests.rs"]
mod tests;
