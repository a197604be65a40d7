//! One phone: a replica in its own encrypted file, a marker elsewhere, and the machine that syncs it.

use std::path::{Path, PathBuf};

use onegrid_core::id::{DeviceId, MemberId};
use onegrid_core::replica::{FileKey, MarkerFile, Replica, ReplicaError, ReplicaOptions, Rescue};
use onegrid_core::sync::star::Star;
use onegrid_core::trust::enrolment::{EnrolmentAnswer, EnrolmentRequest, pinned_root};
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::trust::sign::{Authority, SecretKey};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::server::Reply;
use super::{DAY_MS, Town, copy_database};

/// A phone.
pub struct Phone {
    /// What the test calls it.
    pub name: String,
    seed: [u8; 32],
    folder: PathBuf,
    runs: u64,
    replica: Option<Replica>,
    pub(super) star: Star,
    pub(super) rng: ChaCha20Rng,
    pub(super) stale: Option<Reply>,
    pub(super) under_way: Option<Reply>,
    /// How far its clock is off, ms.
    pub skew_ms: i64,
}

impl Phone {
    /// A new phone, out of its box. `seed` makes its keys and all its randomness.
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
            rng: ChaCha20Rng::from_seed(seed),
            stale: None,
            under_way: None,
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
        let text = invited.qr(town.server(), "https://town.test");
        let ticket = Ticket::parse(&text).unwrap();
        let root = pinned_root(&ticket, None).unwrap();
        let key = self.key();
        let authority = Authority::of_root(&root);
        let request = EnrolmentRequest::write(&ticket, &authority, &key, &self.name);
        let answer = town.server().handle_enrol(&request, now_ms).unwrap();
        let enrolled = EnrolmentAnswer::check(&answer, &ticket, &key.public()).unwrap();
        self.replica()
            .enrol(&root, &enrolled.server_keys, &enrolled.certificate)
            .unwrap();
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The device's key.
    #[must_use]
    pub fn key(&self) -> SecretKey {
        SecretKey::from_seed(&self.seed)
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.key().public().device()
    }

    /// The replica. The phone is on.
    pub fn replica(&mut self) -> &mut Replica {
        self.replica.as_mut().expect("the phone is on")
    }

    /// The parts that a sync needs at the same time.
    pub(crate) fn parts(&mut self) -> (&mut Replica, &mut Star, &mut ChaCha20Rng) {
        let replica = self.replica.as_mut().expect("the phone is on");
        (replica, &mut self.star, &mut self.rng)
    }

    /// Whether the phone is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.replica.is_some()
    }

    /// What its clock shows, ms UTC.
    #[must_use]
    pub fn clock_ms(&self, town: &Town) -> i64 {
        town.now_ms.saturating_add(self.skew_ms)
    }

    fn database(&self) -> PathBuf {
        self.folder.join("replica.db")
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
        // Not the stream that makes the keys of sessions.
        entropy[31] ^= 0x5a;
        ReplicaOptions {
            path: self.database(),
            file_key: FileKey::new(self.seed),
            marker: Box::new(MarkerFile::new(self.marker())),
            signer: self.key(),
            entropy: Box::new(ChaCha20Rng::from_seed(entropy)),
        }
    }

    /// Gives the replica away: to a driver, to another thread.
    #[must_use]
    pub fn into_replica(mut self) -> Replica {
        self.replica.take().expect("the phone is on")
    }

    /// The app is put away in an orderly way.
    pub fn close(&mut self) {
        if let Some(replica) = self.replica.take() {
            replica.close().unwrap();
        }
        self.forget_session();
    }

    /// The process is gone at this instant, without a word: only what is durable stays.
    pub fn crash(&mut self) {
        let (kept, database) = (self.folder.join("power-cut.db"), self.database());
        copy_database(&database, &kept);
        self.replica = None;
        copy_database(&kept, &database);
        self.forget_session();
    }

    fn forget_session(&mut self) {
        self.star = Star::new();
        self.stale = None;
        self.under_way = None;
    }

    /// The app starts on what is there.
    pub fn reopen(&mut self) {
        self.try_reopen().unwrap();
    }

    /// The same, where it may fail.
    pub fn try_reopen(&mut self) -> Result<(), ReplicaError> {
        self.replica = None;
        let options = self.options();
        self.replica = Some(Replica::open(options)?);
        Ok(())
    }

    /// The app finds its database damaged, and rescues what is readable.
    pub fn rescue(&mut self, now_ms: i64) -> Result<Rescue, ReplicaError> {
        self.replica = None;
        let options = self.options();
        let (replica, rescue) = Replica::rescue(options, now_ms)?;
        self.replica = Some(replica);
        Ok(rescue)
    }

    /// Copies the database as it is now, as a backup of the phone would: the marker stays where it is.
    pub fn save_copy(&self, to: &Path) {
        copy_database(&self.database(), to);
    }

    /// The phone is put back to an older copy of its database.
    pub fn restore_copy(&mut self, from: &Path) {
        self.replica = None;
        self.forget_session();
        copy_database(from, &self.database());
        self.reopen();
    }

    /// A second phone with a copy of everything, the key and, if `with_marker`, the marker too. Both go on.
    #[must_use]
    pub fn clone_to(&self, name: &str, under: &Path, with_marker: bool) -> Self {
        let folder = under.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut clone = Self::in_folder(name, self.seed, folder);
        // Two machines do not draw the same random numbers.
        clone.runs = 1 << 32;
        clone.rng.set_stream(1 + name.len() as u64);
        clone.skew_ms = self.skew_ms;
        copy_database(&self.database(), &clone.database());
        if with_marker {
            std::fs::copy(self.marker(), clone.marker()).unwrap();
        }
        clone.reopen();
        clone
    }

    /// What opens this phone in a copy of its town ([`TownTemplate::copy`](super::TownTemplate::copy)).
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
    /// What the test calls it.
    pub name: String,
    /// What its keys are made of.
    pub seed: [u8; 32],
}

impl Card {
    /// The phone in a copy of its town. `stream` makes its further randomness.
    #[must_use]
    pub fn open_in(&self, town: &Town, stream: u64) -> Phone {
        self.open_at(town.folder().join("phones").join(&self.name), stream)
    }

    /// The phone whose files are in this folder.
    #[must_use]
    pub fn open_at(&self, folder: PathBuf, stream: u64) -> Phone {
        let mut phone = self.at(folder, stream);
        phone.reopen();
        phone
    }

    /// The same, not yet on.
    #[must_use]
    pub fn at(&self, folder: PathBuf, stream: u64) -> Phone {
        let mut phone = Phone::in_folder(&self.name, self.seed, folder);
        phone.runs = stream.wrapping_add(1) << 8;
        phone.rng.set_stream(stream);
        phone
    }
}
