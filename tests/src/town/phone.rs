//! One phone: a replica in its own encrypted file, a marker elsewhere, and the machine that syncs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onegrid_core::id::{DeviceId, MemberId};
use onegrid_core::replica::{
    Disk, FileKey, Marker, MarkerFile, Replica, ReplicaError, ReplicaOptions, Rescue, StdDisk,
};
use onegrid_core::sync::star::Star;
use onegrid_core::sync::transfer::Transfer;
use onegrid_core::trust::enrolment::{EnrolmentAnswer, EnrolmentRequest, pinned_root};
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::trust::sign::{Authority, SecretKey};
use onegrid_failing_disk::Recording;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::recorded::{RecordedDisk, RecordedMarker};
use super::server::Reply;
use super::{DAY_MS, Town, copy_database, copy_folder};

/// A phone.
pub struct Phone {
    /// The name of the phone in the test.
    pub name: String,
    seed: [u8; 32],
    folder: PathBuf,
    runs: u64,
    pub(super) replica: Option<Replica>,
    pub(super) star: Star,
    pub(super) transfer: Transfer,
    pub(super) rng: ChaCha20Rng,
    pub(super) stale: Option<Reply>,
    pub(super) under_way: Option<Reply>,
    recording: Option<Arc<Recording>>,
    /// The error of its clock, ms.
    pub skew_ms: i64,
}

impl Phone {
    /// Unpacks a new phone. `seed` makes its keys and all its randomness.
    #[must_use]
    pub fn unpack(name: &str, seed: [u8; 32], under: &Path) -> Self {
        let folder = under.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut phone = Self::in_folder(name, seed, folder);
        let options = phone.options();
        phone.replica = Some(Replica::create(options).unwrap());
        phone
    }

    fn in_folder(name: &str, seed: [u8; 32], folder: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            seed,
            folder,
            runs: 0,
            replica: None,
            star: Star::new(),
            transfer: Transfer::default(),
            rng: ChaCha20Rng::from_seed(seed),
            stale: None,
            under_way: None,
            recording: None,
            skew_ms: 0,
        }
    }

    pub(super) fn enrol(&mut self, town: &mut Town, member: MemberId) {
        let now_ms = town.now_ms;
        let mut rng = town.rng.clone();
        let invited = town
            .server()
            .invite(member, DAY_MS, "admin", now_ms, &mut rng)
            .unwrap();
        town.rng = rng;
        let text = invited.qr(town.server().keys(), "https://town.test");
        let ticket = Ticket::parse(&text).unwrap();
        let root = pinned_root(&ticket, None).unwrap();
        let key = self.key();
        let authority = Authority::of_root(&root);
        let request = EnrolmentRequest::write(&ticket, &authority, &key, &self.name);
        let answer = town.server().handle_enrol(&request, now_ms).unwrap();
        let enrolled = EnrolmentAnswer::check(&answer, &ticket, &key.public()).unwrap();
        self.replica()
            .enrol(&enrolled.anchors, &enrolled.secrets, &enrolled.certificate)
            .unwrap();
    }

    /// Returns the folder of its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the device's key.
    #[must_use]
    pub fn key(&self) -> SecretKey {
        SecretKey::from_seed(&self.seed)
    }

    /// Returns the device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.key().public().device()
    }

    /// Returns the replica. The phone must be on.
    pub fn replica(&mut self) -> &mut Replica {
        self.replica.as_mut().expect("the phone is on")
    }

    /// Returns the parts that a sync needs at the same time.
    pub(crate) fn parts(&mut self) -> (&mut Replica, &mut Star, &mut ChaCha20Rng) {
        let replica = self.replica.as_mut().expect("the phone is on");
        (replica, &mut self.star, &mut self.rng)
    }

    /// Whether the phone is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.replica.is_some()
    }

    /// Returns the time of its clock, ms UTC.
    #[must_use]
    pub fn clock_ms(&self, town: &Town) -> i64 {
        town.now_ms.saturating_add(self.skew_ms)
    }

    fn database(&self) -> PathBuf {
        self.folder.join("replica.db")
    }

    fn files(&self) -> PathBuf {
        self.folder.join("replica.db.files")
    }

    fn marker(&self) -> PathBuf {
        self.folder.join("marker")
    }

    fn options(&mut self) -> ReplicaOptions {
        self.runs += 1;
        let mut entropy = self.seed;
        for (byte, run) in entropy.iter_mut().zip(self.runs.to_le_bytes()) {
            *byte ^= run;
        }
        // A stream other than the one that makes the keys of sessions.
        entropy[31] ^= 0x5a;
        let (disk, marker): (Arc<dyn Disk>, Box<dyn Marker>) = match &self.recording {
            None => (Arc::new(StdDisk), Box::new(MarkerFile::new(self.marker()))),
            Some(recording) => (
                Arc::new(RecordedDisk::new(recording)),
                Box::new(RecordedMarker::new(recording, self.marker())),
            ),
        };
        ReplicaOptions {
            path: self.database(),
            disk,
            file_key: FileKey::new(self.seed),
            marker,
            signer: self.key(),
            entropy: Box::new(ChaCha20Rng::from_seed(entropy)),
        }
    }

    /// Starts the app again on a disk that records everything and can fail.
    pub fn record(&mut self) -> Arc<Recording> {
        self.close();
        let recording = Recording::start(&self.folder.join("")).unwrap();
        self.recording = Some(Arc::clone(&recording));
        self.reopen();
        recording
    }

    /// Returns the replica for use by a driver or another thread.
    #[must_use]
    pub fn into_replica(mut self) -> Replica {
        self.replica.take().expect("the phone is on")
    }

    /// Closes the app in order.
    pub fn close(&mut self) {
        if let Some(replica) = self.replica.take() {
            replica.close().unwrap();
        }
        self.forget_session();
    }

    /// Ends the process at once and without a warning, so only durable data stay.
    pub fn crash(&mut self) {
        let (kept, database) = (self.folder.join("power-cut.db"), self.database());
        copy_database(&database, &kept);
        self.replica = None;
        copy_database(&kept, &database);
        self.forget_session();
    }

    fn forget_session(&mut self) {
        self.star = Star::new();
        self.transfer = Transfer::default();
        self.stale = None;
        self.under_way = None;
    }

    /// Starts the app on the present files.
    pub fn reopen(&mut self) {
        self.try_reopen().unwrap();
    }

    /// Starts the app on the present files; the start may fail.
    pub fn try_reopen(&mut self) -> Result<(), ReplicaError> {
        self.replica = None;
        self.replica = Some(Replica::open(self.options())?);
        Ok(())
    }

    /// Lets the app rescue the readable part of its damaged database.
    pub fn rescue(&mut self, now_ms: i64) -> Result<Rescue, ReplicaError> {
        self.replica = None;
        let (replica, rescue) = Replica::rescue(self.options(), now_ms)?;
        self.replica = Some(replica);
        Ok(rescue)
    }

    /// Copies the database as it is now, as a backup of the phone would; the marker stays in its place.
    pub fn save_copy(&self, to: &Path) {
        copy_database(&self.database(), to);
    }

    /// Puts the phone back to an older copy of its database.
    pub fn restore_copy(&mut self, from: &Path) {
        self.replica = None;
        self.forget_session();
        copy_database(from, &self.database());
        self.reopen();
    }

    /// Makes a second phone with a copy of everything, the key and, if `with_marker`, the marker too. Both phones
    /// continue.
    #[must_use]
    pub fn clone_to(&self, name: &str, under: &Path, with_marker: bool) -> Self {
        let folder = under.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut clone = Self::in_folder(name, self.seed, folder);
        // The two machines do not draw the same random numbers.
        clone.runs = 1 << 32;
        clone.rng.set_stream(1 + name.len() as u64);
        clone.skew_ms = self.skew_ms;
        copy_database(&self.database(), &clone.database());
        if self.files().exists() {
            copy_folder(&self.files(), &clone.files());
        }
        if with_marker {
            std::fs::copy(self.marker(), clone.marker()).unwrap();
        }
        clone.reopen();
        clone
    }

    /// Returns the card that opens this phone in a copy of its town
    /// ([`TownTemplate::copy`](super::TownTemplate::copy)).
    #[must_use]
    pub fn card(&self) -> Card {
        Card {
            name: self.name.clone(),
            seed: self.seed,
        }
    }
}

/// Name and seed of a phone.
#[derive(Debug, Clone)]
pub struct Card {
    /// The name of the phone in the test.
    pub name: String,
    /// The seed of its keys.
    pub seed: [u8; 32],
}

impl Card {
    /// Opens the phone in a copy of its town. `stream` makes its further randomness.
    #[must_use]
    pub fn open_in(&self, town: &Town, stream: u64) -> Phone {
        self.open_at(town.folder().join("phones").join(&self.name), stream)
    }

    /// Opens the phone whose files are in this folder.
    #[must_use]
    pub fn open_at(&self, folder: PathBuf, stream: u64) -> Phone {
        let mut phone = self.at(folder, stream);
        phone.reopen();
        phone
    }

    /// Returns the phone whose files are in this folder, without switching it on.
    #[must_use]
    pub fn at(&self, folder: PathBuf, stream: u64) -> Phone {
        let mut phone = Phone::in_folder(&self.name, self.seed, folder);
        phone.runs = stream.wrapping_add(1) << 8;
        phone.rng.set_stream(stream);
        phone
    }
}
