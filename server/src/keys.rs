//! The server's keys of a deployment.
//!
//! The root key signs the list of the server's keys. Then it leaves the machine: `init` writes it into a
//! separate file for offline storage. The server keeps one key for each purpose and the key of its own
//! author, in a file that only the server's user may read.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::domain::role::{Grant, Role, Scope};
use onegrid_core::id::{Hash, UnitId};
use onegrid_core::trust::certificate::{
    Anchors, Certificate, Facts, RawCertificate, ServerKey, ServerKeys, ServerPurpose,
};
use onegrid_core::trust::parcel::ParcelKey;
use onegrid_core::trust::peer_session::MeetingSecrets;
use onegrid_core::trust::sign::{Authority, PublicKey, SecretKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub use successor::{Ending, Proposal, Successor};

use crate::error::{Problem, Result};
use crate::limits::{GENERATION_SPAN_S, KEY_FILE_BYTES_MAX, SERVER_KEY_SLACK_MS};
use crate::store::{Renewals, SealKey};

mod parcels;
mod sealing;
mod successor;

/// Contents of the key file.
#[derive(Encode, Decode)]
#[cbor(array)]
struct KeyFile {
    #[cbor(n(0), with = "minicbor::bytes")]
    root: [u8; 32],
    #[cbor(n(1), with = "minicbor::bytes")]
    certificates: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    receipts: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    packs: [u8; 32],
    #[cbor(n(4), with = "minicbor::bytes")]
    author: [u8; 32],
    #[n(5)]
    list: ServerKeys,
    #[n(6)]
    author_certificate: RawCertificate,
    #[n(7)]
    secrets: MeetingSecrets,
    #[n(8)]
    sealing: Vec<ByteArray<32>>,
    /// Absent in a file from before parcels.
    #[n(9)]
    parcels: Option<Vec<ByteArray<32>>>,
}

/// The server's keys, checked against the root key.
#[derive(Clone)]
pub struct Keys {
    anchors: Anchors,
    certificates: SecretKey,
    receipts: SecretKey,
    packs: SecretKey,
    author: SecretKey,
    author_certificate: Arc<Certificate>,
    secrets: MeetingSecrets,
    /// Seeds of the keys that seal certificates, the one in use first.
    sealing: Vec<ByteArray<32>>,
    /// The keys that open parcels, the one in use first.
    parcels: Vec<ParcelKey>,
}

impl Keys {
    /// Creates a root key and all keys below it. The caller must store the root key.
    pub fn create(now_ms: i64, rng: &mut dyn CryptoRng) -> Result<(Self, SecretKey)> {
        let root = SecretKey::generate(rng);
        let (certificates, receipts, packs, author) = (
            SecretKey::generate(rng),
            SecretKey::generate(rng),
            SecretKey::generate(rng),
            SecretKey::generate(rng),
        );
        let secrets = MeetingSecrets::generate(rng);
        let sealing = vec![ByteArray::from(*SecretKey::generate(rng).seed())];
        let parcels = ParcelKey::generate(rng);
        let from_ms = now_ms.saturating_sub(SERVER_KEY_SLACK_MS);
        let generation_max = generation_max(now_ms, 0);
        let mut entries = [
            (&certificates, ServerPurpose::Certificates),
            (&receipts, ServerPurpose::Receipts),
            (&packs, ServerPurpose::Packs),
        ]
        .map(|(key, purpose)| ServerKey::new(&key.public(), purpose, from_ms, generation_max))
        .to_vec();
        let parcels_public = parcels.public();
        entries.push(ServerKey::for_parcels(
            parcels_public,
            from_ms,
            generation_max,
        ));
        let list = ServerKeys::sign(&root, list_number(now_ms, 0), entries);
        let authority = Authority::of_root(&root.public());
        let facts = Facts {
            version: 1,
            device: author.public().device(),
            device_key: *author.public().as_bytes(),
            member: None,
            // The server's own author acts everywhere, so its scope has no meaning.
            grants: vec![Grant {
                role: Role::System,
                scope: Scope::Unit(UnitId(authority.0.first16())),
            }],
            issued_ms: now_ms,
            expires_ms: i64::MAX,
            issued_at: DirectoryMark::default(),
        };
        let author_certificate = Certificate::issue(&facts, &certificates, &authority)
            .map_err(|error| Problem::new("server.internal").because(&error))?;
        let anchors = Anchors::new(root.public(), list)
            .map_err(|error| Problem::new("server.internal").because(&error))?;
        let author_certificate = Arc::new(author_certificate);
        let keys = Self {
            anchors,
            certificates,
            receipts,
            packs,
            author,
            author_certificate,
            secrets,
            sealing,
            parcels: vec![parcels],
        };
        Ok((keys, root))
    }

    /// Writes the keys into a new file that only its owner may read.
    pub fn write(&self, path: &Path) -> Result<()> {
        let file = KeyFile {
            root: *self.anchors.root().as_bytes(),
            certificates: *self.certificates.seed(),
            receipts: *self.receipts.seed(),
            packs: *self.packs.seed(),
            author: *self.author.seed(),
            list: self.anchors.list().clone(),
            author_certificate: self.author_certificate.raw().clone(),
            secrets: self.secrets.clone(),
            sealing: self.sealing.clone(),
            parcels: Some(seeds(&self.parcels)),
        };
        let bytes = minicbor::to_vec(&file).expect("writing CBOR to memory does not fail");
        write_secret(path, &Zeroizing::new(bytes))
    }

    /// Reads the keys and checks that they fit together.
    pub fn read(path: &Path) -> Result<Self> {
        let unreadable = |error: &dyn std::error::Error| {
            Problem::new("keys.unreadable")
                .with("path", path.display())
                .because(error)
        };
        let damaged = || Problem::new("keys.damaged").with("path", path.display());
        let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(KEY_FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(&error))?;
        let file: KeyFile = minicbor::decode(&bytes).map_err(|_| damaged())?;
        let root = PublicKey::from_bytes(&file.root).map_err(|_| damaged())?;
        let anchors = Anchors::new(root, file.list).map_err(|_| damaged())?;
        let [certificates, receipts, packs, author] =
            [file.certificates, file.receipts, file.packs, file.author]
                .map(|seed| SecretKey::from_seed(&Zeroizing::new(seed)));
        let certificate =
            Certificate::verify(file.author_certificate, &anchors).map_err(|_| damaged())?;
        let keys = Self {
            anchors,
            certificates,
            receipts,
            packs,
            author,
            author_certificate: Arc::new(certificate),
            secrets: file.secrets,
            sealing: file.sealing,
            parcels: parcel_keys(&file.parcels.unwrap_or_default()),
        };
        if keys.belong_together() && !keys.sealing.is_empty() {
            Ok(keys)
        } else {
            Err(damaged())
        }
    }

    /// Whether the list has each key in use for its purpose.
    fn belong_together(&self) -> bool {
        let known = [
            (ServerPurpose::Certificates, &self.certificates),
            (ServerPurpose::Receipts, &self.receipts),
            (ServerPurpose::Packs, &self.packs),
        ];
        let listed = known.iter().all(|(purpose, key)| {
            let mut listed = self.anchors.in_use(*purpose);
            listed.any(|(_, listed)| *listed == key.public())
        });
        listed
            && self.has_parcel_keys()
            && self.author_certificate.facts().device == self.author.public().device()
    }

    /// The root key and the server keys that it certified.
    #[must_use]
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The deployment's identity, derived from the root key.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        self.anchors.authority()
    }

    /// Secrets that only phones of the deployment know.
    #[must_use]
    pub fn secrets(&self) -> &MeetingSecrets {
        &self.secrets
    }

    /// Signs certificates.
    #[must_use]
    pub fn certificates(&self) -> &SecretKey {
        &self.certificates
    }

    /// Signs receipts, pages and sessions.
    #[must_use]
    pub fn receipts(&self) -> &SecretKey {
        &self.receipts
    }

    /// Signs packs.
    #[must_use]
    pub fn packs(&self) -> &SecretKey {
        &self.packs
    }

    /// Signs automatic moves.
    #[must_use]
    pub fn author(&self) -> &SecretKey {
        &self.author
    }

    /// Seals the store. It stays when the other keys are replaced, because the author stays.
    #[must_use]
    pub fn seal_key(&self) -> SealKey {
        let authority = self.authority().0;
        let seed = self.author.seed();
        let secret = Hash::of(&[b"onegrid.seal", authority.as_bytes(), seed.as_slice()]);
        SealKey::of(secret.as_bytes())
    }

    /// Certificate of the author of automatic moves.
    #[must_use]
    pub fn author_certificate(&self) -> &Arc<Certificate> {
        &self.author_certificate
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys(authority {})", self.authority().0)
    }
}

fn seeds(keys: &[ParcelKey]) -> Vec<ByteArray<32>> {
    keys.iter()
        .map(|key| ByteArray::from(*key.seed()))
        .collect()
}

fn parcel_keys(seeds: &[ByteArray<32>]) -> Vec<ParcelKey> {
    let keys = seeds.iter().map(|seed| ParcelKey::from_seed(**seed));
    keys.collect()
}

/// The number of a list that is signed now, above the number of the list before.
#[must_use]
pub fn list_number(now_ms: i64, before: u64) -> u64 {
    u64::try_from(now_ms)
        .unwrap_or(0)
        .max(before.saturating_add(1))
}

/// The highest generation of a key that is listed now. It leaves room for the restores of the next
/// years, and is above the bound of every leaked key.
#[must_use]
pub fn generation_max(now_ms: i64, leaked_max: u32) -> u32 {
    let now_s = u32::try_from(now_ms / 1_000).unwrap_or(0);
    now_s.max(leaked_max).saturating_add(GENERATION_SPAN_S)
}

/// Writes a secret into a new file with mode 0600 and waits until it is on the disk.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| {
        let code = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "keys.exist",
            _ => "keys.unwritable",
        };
        Problem::new(code)
            .with("path", path.display())
            .because(&error)
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file would stand in the way of the next attempt.
        let _ = std::fs::remove_file(path);
    }
    written.map_err(failed)
}

impl Renewals for Keys {
    fn certificate(&self, raw: &RawCertificate) -> Option<RawCertificate> {
        self.certify_again(raw)
    }

    fn entry(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.sign_entry_again(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn keys_come_back_from_their_file_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.keys");
        let (keys, root) = Keys::create(5, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        keys.write(&path).unwrap();
        let again = Keys::read(&path).unwrap();
        assert_eq!(again.anchors().root(), &root.public());
        assert_eq!(again.author_certificate(), keys.author_certificate());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let bytes = std::fs::read(&path).unwrap();
        let seed = root.seed();
        assert!(
            !bytes.windows(32).any(|window| window == seed.as_slice()),
            "the root key does not stay"
        );
        assert_eq!(keys.write(&path).unwrap_err().code(), "keys.exist");
    }

    #[test]
    fn keys_of_two_deployments_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mixed.keys");
        let (ours, _) = Keys::create(5, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        let (theirs, _) = Keys::create(5, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
        let mixed = Keys {
            receipts: theirs.receipts.clone(),
            ..ours
        };
        mixed.write(&path).unwrap();
        assert_eq!(Keys::read(&path).unwrap_err().code(), "keys.damaged");
        std::fs::write(&path, b"no keys").unwrap();
        assert_eq!(Keys::read(&path).unwrap_err().code(), "keys.damaged");
    }
}
