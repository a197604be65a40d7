//! A town for tests: a real server over a real store, real replicas in encrypted files, and a clock that
//! only moves when a test says so.
//!
//! ```text
//!  Town ── enrol ──▶ Phone ── sync ──▶ Town (the same functions that HTTP calls)
//!    │                 └───── meet ──▶ Phone
//!    └── crash_server · reopen · backup · restore         Phone: crash · reopen · copy_to
//! ```
//!
//! One seed drives everything. There is no socket here, no thread that decides anything, and no real time.
//! Helpers end the test by a panic if a step fails that the test did not ask to fail.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panic")]

mod backing;
pub mod files;
pub mod lagging;
pub mod link;
pub mod meeting;
pub mod phone;
pub mod places;
pub mod recorded;
pub mod server;
pub mod template;
pub mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onegrid_core::domain::category::Categories;
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::{Grant, Role};
use onegrid_core::id::MemberId;
use onegrid_server::blobs::Blobs;
use onegrid_server::keys::Keys;
use onegrid_server::registry::members::{MemberDescription, id_of_external};
use onegrid_server::rules::Rules;
use onegrid_server::server::Server;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::postgres::chosen_nodes;

use backing::Backing;
pub use lagging::LaggingStore;
pub use link::{Fault, Turn};
pub use meeting::Met;
pub use phone::{Card, Phone};
pub use places::{Extent, Places};
pub use server::Disk;
pub use template::{Files, TownTemplate};
pub use work::{GRID, STREET, VILLAGE};

/// The beginning of the story: 2026-11-02 08:00 in Hangzhou, ms UTC.
pub const MORNING_MS: i64 = 1_793_577_600_000;
/// One minute, ms.
pub const MINUTE_MS: i64 = 60_000;
/// One day, ms.
pub const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// A deployment with its server.
pub struct Town {
    folder: TempDir,
    /// Areas and units.
    pub places: Arc<Places>,
    keys: Keys,
    rules: Rules,
    server: Option<Server>,
    blobs: Option<Blobs>,
    backing: Backing,
    /// The stores of all nodes.
    stores: Vec<Arc<LaggingStore>>,
    /// Further nodes over the same data.
    others: Vec<Server>,
    /// Number of requests so far; each goes to the next node.
    turn: usize,
    /// The true time, which the server's clock shows, ms UTC.
    pub now_ms: i64,
    /// Randomness of the server and of the town's own choices.
    pub rng: ChaCha20Rng,
    /// The highest generation so far.
    pub generation: u32,
    copies: u32,
}

impl Town {
    /// Makes the whole district of Gongshu.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Extent::Whole, Rules::built_in())
    }

    /// Makes two streets with a few communities each, which are quick to set up.
    #[must_use]
    pub fn small(seed: u64) -> Self {
        Self::with(seed, Extent::TwoStreets, Rules::built_in())
    }

    /// Makes a district, or a part of it, under these rules.
    #[must_use]
    pub fn with(seed: u64, extent: Extent, rules: Rules) -> Self {
        Self::in_folder(fresh_folder(), seed, (extent, MORNING_MS), rules)
    }

    /// Makes the two streets at another time, for tests that use the real clock.
    #[must_use]
    pub fn small_at(seed: u64, now_ms: i64) -> Self {
        let when = (Extent::TwoStreets, now_ms);
        Self::in_folder(fresh_folder(), seed, when, Rules::built_in())
    }

    /// Makes a district, or a part of it, on a real disk, for measurements.
    #[must_use]
    pub fn on_disk(seed: u64, extent: Extent, rules: Rules) -> Self {
        Self::on_disk_over(seed, extent, rules, None)
    }

    /// Makes a district on a real disk: over a file, or over a database server under this number of nodes.
    #[must_use]
    pub fn on_disk_over(seed: u64, extent: Extent, rules: Rules, nodes: Option<usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backing = Backing::of(nodes, folder.path().join("server.db"));
        Self::over(backing, folder, seed, (extent, MORNING_MS), rules)
    }

    fn in_folder(folder: TempDir, seed: u64, when: (Extent, i64), rules: Rules) -> Self {
        let backing = Backing::of(chosen_nodes(), folder.path().join("server.db"));
        Self::over(backing, folder, seed, when, rules)
    }

    fn over(
        backing: Backing,
        folder: TempDir,
        seed: u64,
        (extent, now_ms): (Extent, i64),
        rules: Rules,
    ) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (keys, _root) = Keys::create(now_ms, &mut rng).unwrap();
        // The key for parcels is drawn last. Its 32 bytes are drawn again, so that the town of a seed stays
        // as it was before there were parcels.
        rng.set_word_pos(rng.get_word_pos() - 8);
        let places = Places::import(extent);
        let mut town = Self {
            backing,
            folder,
            places,
            keys,
            rules,
            server: None,
            blobs: None,
            stores: Vec::new(),
            others: Vec::new(),
            turn: 0,
            now_ms,
            rng,
            generation: 1,
            copies: 0,
        };
        town.prepare();
        town
    }

    /// Returns the folder of the files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Publishes the categories that come with the program. The server's rules need them for their moves.
    #[must_use]
    pub fn with_categories(self) -> Self {
        let categories = Categories::built_in();
        let entries = categories.iter().cloned().map(DirectoryEntry::Category);
        let server = self.server();
        server
            .publish(entries.collect(), "admin", self.now_ms)
            .unwrap();
        self
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
    }

    /// Returns the deployment's keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Invites a person with one role, given as a line of the members' table (`role`, area codes separated
    /// by `;`, the office's id of a unit), and enrols a phone.
    pub fn enrol(&mut self, name: &str, role: &str, areas: &str, unit: &str) -> Phone {
        let member = self.describe(name, role, areas, unit);
        self.enrol_phone(name, member)
    }

    /// Writes or changes the role of a person.
    pub fn describe(&mut self, name: &str, role: &str, areas: &str, unit: &str) -> MemberId {
        let row = self.places.member(name, role, areas, unit);
        let member = id_of_external(self.keys.authority(), name);
        let described = MemberDescription {
            id: member,
            public_name: Some(row.public_name),
            area: row.home,
            grants: row.grants,
        };
        let now_ms = self.now_ms;
        self.server()
            .put_members(vec![described], "admin", now_ms)
            .unwrap();
        member
    }

    /// Gives a person the role again, and a role of a newer app beside it.
    pub fn grant_newer_role(&mut self, name: &str, role: &str, areas: &str, unit: &str) {
        let row = self.places.member(name, role, areas, unit);
        let mut grants = row.grants;
        let newer = grants.iter().map(|grant| Grant {
            role: Role::Unknown(99),
            scope: grant.scope.clone(),
        });
        let newer: Vec<Grant> = newer.collect();
        grants.extend(newer);
        let described = MemberDescription {
            id: id_of_external(self.keys.authority(), name),
            public_name: Some(row.public_name),
            area: row.home,
            grants,
        };
        let now_ms = self.now_ms;
        self.server()
            .put_members(vec![described], "admin", now_ms)
            .unwrap();
    }

    /// Enrols one more phone of a member.
    pub fn enrol_phone(&mut self, name: &str, member: MemberId) -> Phone {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let mut phone = Phone::unpack(name, seed, &self.folder.path().join("phones"));
        phone.enrol(self, member);
        phone
    }

    fn unused(&mut self, what: &str) -> PathBuf {
        self.copies += 1;
        self.folder.path().join(format!("{what}-{}", self.copies))
    }
}

/// Makes a folder, in memory if possible, because a simulation needs no disk.
#[must_use]
pub fn fresh_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let builder = &mut tempfile::Builder::new();
    let builder = builder.prefix("onegrid-town-");
    if memory.is_dir() {
        builder.tempdir_in(memory).unwrap()
    } else {
        builder.tempdir().unwrap()
    }
}

/// Copies a folder with its whole content.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Copies the files of an `SQLite` database as a power cut would leave them: the file and its log.
pub fn copy_database(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let (from, to) = (beside(from, suffix), beside(to, suffix));
        let _ = std::fs::remove_file(&to);
        if from.exists() {
            std::fs::copy(from, to).unwrap();
        }
    }
    let _ = std::fs::remove_file(beside(to, "-shm"));
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
