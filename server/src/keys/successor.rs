//! New keys in the place of the present ones.
//!
//! ```text
//!  server: new keys and a proposal ─▶ offline: root key signs the list ─▶ server: new keys are in use
//! ```
//!
//! A key that is **retired** stays in the list with an end, so statements of its time stay valid. Of a
//! purpose whose key **leaked**, every key leaves the list. The new key then vouches from the first time of
//! those on, and the server signs again what it keeps ([`Keys::certify_again`], [`Keys::sign_entry_again`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use onegrid_core::id::Hash;
use onegrid_core::trust::certificate::{
    Anchors, Certificate, RawCertificate, ServerKey, ServerKeys, ServerPurpose,
};
use onegrid_core::trust::peer_session::MeetingSecrets;
use onegrid_core::trust::sign::{Authority, Purpose, SecretKey};
use onegrid_core::wire::signed_entry::SignedEntry;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Keys, generation_max, list_number, parcel_keys, seeds};
use crate::error::{Problem, Result};
use crate::limits::{KEY_HANDOVER_MS, SERVER_KEY_SLACK_MS};

/// Why a key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was in use for long enough.
    Retired,
    /// Another person may have it.
    Leaked,
}

/// A list of server keys that waits for the signature of the root key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Proposal {
    /// The deployment.
    #[n(0)]
    pub authority: Authority,
    /// The number of the list.
    #[n(1)]
    pub number: u64,
    /// The keys.
    #[n(2)]
    pub keys: Vec<ServerKey>,
}

impl Proposal {
    /// The root key signs it. Refused where the key is of another deployment.
    pub fn sign(self, root: &SecretKey) -> Result<ServerKeys> {
        if Authority::of_root(&root.public()) != self.authority {
            return Err(Problem::new("keys.of_another_deployment"));
        }
        Ok(ServerKeys::sign(root, self.number, self.keys))
    }
}

/// Secret keys that wait for their list.
#[derive(Encode, Decode)]
#[cbor(array)]
pub struct Successor {
    #[n(0)]
    certificates: ByteArray<32>,
    #[n(1)]
    receipts: ByteArray<32>,
    #[n(2)]
    packs: ByteArray<32>,
    #[n(3)]
    sealing: Vec<ByteArray<32>>,
    #[n(4)]
    secrets: MeetingSecrets,
    /// Absent in a request from before parcels.
    #[n(5)]
    parcels: Option<Vec<ByteArray<32>>>,
}

impl Keys {
    /// Makes new keys for some purposes. Without any, the proposal only allows later generations.
    #[must_use]
    pub fn succeed(
        &self,
        endings: &BTreeMap<ServerPurpose, Ending>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> (Successor, Proposal) {
        let leaked = |purpose: ServerPurpose| endings.get(&purpose) == Some(&Ending::Leaked);
        let present = self.anchors.list();
        let left = present.keys.iter().filter(|key| leaked(key.purpose));
        let generation_max = generation_max(
            now_ms,
            left.map(|key| key.generation_max).max().unwrap_or(0),
        );
        let mut keys = Vec::new();
        let mut seed = |purpose: ServerPurpose, current: &SecretKey, rng: &mut dyn CryptoRng| {
            let of_purpose = present.keys.iter().filter(|key| key.purpose == purpose);
            let Some(ending) = endings.get(&purpose) else {
                keys.extend(of_purpose.map(|key| ServerKey {
                    generation_max: match key.until_ms {
                        None => generation_max,
                        Some(_) => key.generation_max,
                    },
                    ..key.clone()
                }));
                return *current.seed();
            };
            let from_ms = match ending {
                Ending::Leaked => of_purpose.map(|key| key.from_ms).min(),
                Ending::Retired => {
                    keys.extend(of_purpose.map(|key| ServerKey {
                        until_ms: key.until_ms.or(Some(now_ms + KEY_HANDOVER_MS)),
                        ..key.clone()
                    }));
                    None
                }
            };
            let from_ms = from_ms.unwrap_or(now_ms - SERVER_KEY_SLACK_MS);
            let new = SecretKey::generate(rng);
            keys.push(ServerKey::new(
                &new.public(),
                purpose,
                from_ms,
                generation_max,
            ));
            *new.seed()
        };
        let certificates = seed(ServerPurpose::Certificates, &self.certificates, rng);
        let receipts = seed(ServerPurpose::Receipts, &self.receipts, rng);
        let packs = seed(ServerPurpose::Packs, &self.packs, rng);
        let (mut sealing, mut secrets) = (self.sealing.clone(), self.secrets.clone());
        // One file holds all of them, so the keys that leaked with the certificates key are not
        // used any more.
        if leaked(ServerPurpose::Certificates) {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            sealing.insert(0, ByteArray::from(seed));
            secrets = secrets.rotate(rng);
        }
        let ending = endings.get(&ServerPurpose::Parcels).copied();
        let (parcels, entries) = self.next_parcel_keys(ending, now_ms, generation_max, rng);
        keys.extend(entries);
        let successor = Successor {
            certificates: certificates.into(),
            receipts: receipts.into(),
            packs: packs.into(),
            sealing,
            secrets,
            parcels: Some(seeds(&parcels)),
        };
        let proposal = Proposal {
            authority: *self.authority(),
            number: list_number(now_ms, present.number),
            keys,
        };
        (successor, proposal)
    }

    /// The keys with a list that the root key signed for a successor.
    pub fn take_over(&self, successor: &Successor, list: &ServerKeys) -> Result<Self> {
        // The signature comes first, because the number of another deployment's list says nothing here.
        let anchors = Anchors::new(*self.anchors.root(), list.clone())
            .map_err(|_| Problem::new("keys.list_not_signed"))?;
        if list.number <= self.anchors.list().number {
            return Err(Problem::new("keys.list_not_newer"));
        }
        let key = |seed: &ByteArray<32>| SecretKey::from_seed(&Zeroizing::new(**seed));
        let certificates = key(&successor.certificates);
        let author = self.author_certificate.raw();
        let author_certificate = certify(author, &certificates, anchors.authority())?;
        let keys = Self {
            certificates,
            receipts: key(&successor.receipts),
            packs: key(&successor.packs),
            author: self.author.clone(),
            author_certificate: Arc::new(author_certificate),
            secrets: successor.secrets.clone(),
            sealing: successor.sealing.clone(),
            parcels: match &successor.parcels {
                Some(seeds) => parcel_keys(seeds),
                None => self.parcels.clone(),
            },
            anchors,
        };
        if keys.belong_together() {
            Ok(keys)
        } else {
            Err(Problem::new("keys.list_of_another_request"))
        }
    }

    /// The highest generation that a key could sign which is no longer in the list, where one left it.
    #[must_use]
    pub fn leaked_generation_max(&self, after: &ServerKeys) -> Option<u32> {
        let stays = |key: &&ServerKey| {
            let same = |other: &ServerKey| other.key == key.key && other.purpose == key.purpose;
            after.keys.iter().any(same)
        };
        let before = self.anchors.list().keys.iter();
        let left = before.filter(|key| {
            // A certificate decides nothing by its generation, and a parcel key signs nothing.
            let bears = [ServerPurpose::Receipts, ServerPurpose::Packs];
            bears.contains(&key.purpose) && !stays(key)
        });
        left.map(|key| key.generation_max).max()
    }

    /// The certificate with a signature of a listed key; `None` where it has one.
    #[must_use]
    pub fn certify_again(&self, raw: &RawCertificate) -> Option<RawCertificate> {
        if Certificate::verify(raw.clone(), &self.anchors).is_ok() {
            return None;
        }
        let again = certify(raw, &self.certificates, self.authority()).ok()?;
        Some(again.raw().clone())
    }

    /// The directory entry with a signature of a listed key; `None` where it has one.
    #[must_use]
    pub fn sign_entry_again(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let signed = SignedEntry::from_bytes(bytes).ok()?;
        let listed = self
            .anchors
            .signer_at_any_time(ServerPurpose::Receipts, signed.signer);
        if listed.is_ok() {
            return None;
        }
        let parts: &[&[u8]] = &[&signed.entry];
        let again = SignedEntry {
            signer: self.receipts.public().device(),
            signature: self
                .receipts
                .sign(Purpose::Directory, self.authority(), parts),
            entry: signed.entry.clone(),
        };
        Some(again.to_bytes())
    }
}

/// Signs the facts of a certificate that this server trusts. Its name stays.
fn certify(raw: &RawCertificate, key: &SecretKey, authority: &Authority) -> Result<Certificate> {
    let signature = key.sign(Purpose::Certificate, authority, &[&raw.facts]);
    let certificate = Certificate::from_store(RawCertificate {
        facts: raw.facts.clone(),
        signature,
    });
    let certificate =
        certificate.map_err(|error| Problem::new("server.internal").because(&error))?;
    debug_assert_eq!(certificate.hash(), Hash::of(&[&raw.facts]));
    Ok(certificate)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::trust::certificate::Stamp;
    use onegrid_core::trust::parcel::ParcelMaker;
    use onegrid_core::wire::frame;
    use onegrid_core::wire::message::Bundle;
    use onegrid_core::wire::parcel::ParcelOutcome;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const NOW: i64 = 1_790_000_000_000;
    const YEAR_MS: i64 = 365 * 24 * 3_600 * 1_000;

    struct Deployment {
        keys: Keys,
        root: SecretKey,
        rng: ChaCha20Rng,
    }

    impl Deployment {
        fn new() -> Self {
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            let (keys, root) = Keys::create(NOW, &mut rng).unwrap();
            Self { keys, root, rng }
        }

        /// The keys after a change, a year later.
        fn after(&mut self, endings: &[(ServerPurpose, Ending)]) -> Keys {
            let endings = endings.iter().copied().collect();
            let (successor, proposal) = self.keys.succeed(&endings, NOW + YEAR_MS, &mut self.rng);
            let list = proposal.sign(&self.root).unwrap();
            self.keys.take_over(&successor, &list).unwrap()
        }
    }

    fn vouches(keys: &Keys, purpose: ServerPurpose, by: &SecretKey, time_ms: i64) -> bool {
        let stamp = Stamp {
            time_ms,
            generation: 1,
        };
        let id = by.public().device();
        keys.anchors().signer(purpose, id, stamp).is_ok()
    }

    #[test]
    fn retired_key_vouches_for_its_own_time_alone() {
        let mut here = Deployment::new();
        let after = here.after(&[(ServerPurpose::Receipts, Ending::Retired)]);
        let (old, new) = (here.keys.receipts(), after.receipts());
        let at = |key, years| vouches(&after, ServerPurpose::Receipts, key, NOW + years * YEAR_MS);
        assert_eq!((at(old, 0), at(old, 2)), (true, false));
        assert_eq!((at(new, 0), at(new, 1)), (false, true));
        assert_eq!(after.packs().public(), here.keys.packs().public());
        assert_eq!(
            here.keys.leaked_generation_max(after.anchors().list()),
            None
        );
        assert_eq!(after.secrets(), here.keys.secrets());
    }

    #[test]
    fn leaked_key_leaves_and_its_successor_vouches_from_the_first_day() {
        let mut here = Deployment::new();
        here.keys = here.after(&[(ServerPurpose::Receipts, Ending::Retired)]);
        let after = here.after(&[(ServerPurpose::Receipts, Ending::Leaked)]);
        let list = after.anchors().list();
        let of_purpose = list.keys.iter();
        let of_purpose = of_purpose.filter(|key| key.purpose == ServerPurpose::Receipts);
        assert_eq!(of_purpose.count(), 1);
        assert!(vouches(
            &after,
            ServerPurpose::Receipts,
            after.receipts(),
            NOW
        ));
        let leaked = here.keys.leaked_generation_max(list).unwrap();
        assert!(after.anchors().certifies(leaked + 1));
        assert!(!here.keys.anchors().certifies(leaked + 1));
    }

    #[test]
    fn certificates_and_entries_are_signed_again_under_one_name() {
        use onegrid_core::domain::directory::{DirectoryEntry, Revocation};
        let mut here = Deployment::new();
        let certificate = Arc::clone(here.keys.author_certificate());
        let entry = DirectoryEntry::Revocation(Revocation {
            device: certificate.facts().device,
            revoked_at_ms: NOW,
        });
        let signed = SignedEntry::sign(&entry, here.keys.receipts(), here.keys.authority());
        let retired = here.after(&ServerPurpose::ALL.map(|purpose| (purpose, Ending::Retired)));
        assert_eq!(retired.certify_again(certificate.raw()), None);
        assert_eq!(retired.sign_entry_again(&signed.to_bytes()), None);
        let leaked = here.after(&ServerPurpose::ALL.map(|purpose| (purpose, Ending::Leaked)));
        assert!(Certificate::verify(certificate.raw().clone(), leaked.anchors()).is_err());
        let again = leaked.certify_again(certificate.raw()).unwrap();
        let again = Certificate::verify(again, leaked.anchors()).unwrap();
        assert_eq!(again.hash(), certificate.hash());
        let again = leaked.sign_entry_again(&signed.to_bytes()).unwrap();
        let again = SignedEntry::from_bytes(&again).unwrap();
        assert_eq!(again.verify(leaked.anchors()), Ok(entry));
    }

    #[test]
    fn sealed_certificates_open_after_every_change() {
        let mut here = Deployment::new();
        let certificate = Arc::clone(here.keys.author_certificate());
        let sealed = here.keys.seal(certificate.hash(), certificate.raw());
        let sealed = sealed.unwrap();
        let leaked = here.after(&[(ServerPurpose::Certificates, Ending::Leaked)]);
        assert_eq!(leaked.unseal(&sealed).as_ref(), Some(certificate.raw()));
        assert_ne!(leaked.secrets(), here.keys.secrets());
    }

    /// A parcel with an empty bundle for the keys of the deployment.
    fn parcel(keys: &Keys) -> Vec<u8> {
        let content = frame::encode(&Bundle::default(), 1_024).unwrap();
        let maker = ParcelMaker::of(&SecretKey::from_seed(&[9; 32]));
        let to = keys.anchors().parcel_key().unwrap();
        maker.seal(&content, to, keys.authority()).unwrap()
    }

    #[test]
    fn retired_parcel_key_opens_while_parcels_may_travel() {
        let mut here = Deployment::new();
        let old = parcel(&here.keys);
        let after = here.after(&[(ServerPurpose::Parcels, Ending::Retired)]);
        let retired_ms = NOW + YEAR_MS + KEY_HANDOVER_MS;
        let last_ms = retired_ms + onegrid_core::limits::PARCEL_AGE_MS_MAX;
        assert_eq!(after.open_parcel(&old, last_ms), Ok(Bundle::default()));
        let late = after.open_parcel(&old, last_ms + 1);
        assert_eq!(late, Err(ParcelOutcome::UnknownKey));
        let new = parcel(&after);
        assert_ne!(new, old);
        assert_eq!(after.open_parcel(&new, last_ms + 1), Ok(Bundle::default()));
        // The next list forgets the secret.
        let (successor, proposal) = after.succeed(&BTreeMap::new(), last_ms + 1, &mut here.rng);
        let list = proposal.sign(&here.root).unwrap();
        let later = after.take_over(&successor, &list).unwrap();
        assert_eq!(later.parcels.len(), 1);
        assert_eq!(later.open_parcel(&new, last_ms + 1), Ok(Bundle::default()));
    }

    #[test]
    fn leaked_parcel_key_opens_nothing_and_raises_no_generation() {
        let mut here = Deployment::new();
        let old = parcel(&here.keys);
        let after = here.after(&[(ServerPurpose::Parcels, Ending::Leaked)]);
        let refused = after.open_parcel(&old, NOW + YEAR_MS);
        assert_eq!(refused, Err(ParcelOutcome::UnknownKey));
        let list = after.anchors().list();
        assert_eq!(here.keys.leaked_generation_max(list), None);
    }

    #[test]
    fn list_without_a_parcel_key_gets_one() {
        let mut here = Deployment::new();
        let mut keys = here.keys.anchors().list().keys.clone();
        keys.retain(|key| key.purpose != ServerPurpose::Parcels);
        let number = here.keys.anchors().list().number + 1;
        let list = ServerKeys::sign(&here.root, number, keys);
        here.keys.anchors = Anchors::new(here.root.public(), list).unwrap();
        here.keys.parcels = Vec::new();
        assert!(here.keys.anchors().parcel_key().is_none());
        let after = here.after(&[]);
        let opened = after.open_parcel(&parcel(&after), NOW + YEAR_MS);
        assert_eq!(opened, Ok(Bundle::default()));
    }

    #[test]
    fn list_that_is_not_newer_or_not_the_roots_is_refused() {
        let mut here = Deployment::new();
        let none = BTreeMap::new();
        let (successor, proposal) = here.keys.succeed(&none, NOW, &mut here.rng);
        let other = SecretKey::generate(&mut here.rng);
        let of_another = proposal.clone().sign(&other).unwrap_err();
        assert_eq!(of_another.code(), "keys.of_another_deployment");
        let forged = ServerKeys::sign(&other, proposal.number, proposal.keys.clone());
        let refused = here.keys.take_over(&successor, &forged).unwrap_err();
        assert_eq!(refused.code(), "keys.list_not_signed");
        let number = here.keys.anchors().list().number;
        let same = ServerKeys::sign(&here.root, number, proposal.keys);
        let refused = here.keys.take_over(&successor, &same).unwrap_err();
        assert_eq!(refused.code(), "keys.list_not_newer");
    }
}
