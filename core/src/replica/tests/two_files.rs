//! The database and its second file in every combination of states. Undelivered work of either is taken
//! back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::file::second;
use super::server::Server;
use super::*;
use crate::id::EnvelopeId;
use crate::replica::open;
use crate::replica::table::{envelope, outbox_copy as table};
use crate::sync::port::StarPort;
use crate::wire::verdict::{HeldReason, Status};

const OWNER: Person = GRID_WORKER_CHEN;

/// A file as it lies on the disk after an orderly end.
type Bytes = Vec<u8>;

#[derive(Clone)]
struct Snapshot {
    database: Bytes,
    second: Bytes,
    marker: Bytes,
    /// The outbox of both files.
    outbox: BTreeSet<EnvelopeId>,
}

/// The state of one of the two files when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Current,
    /// A backup from before the last writes and deliveries.
    Older,
    /// A backup from before the phone was enrolled.
    Unenrolled,
    Missing,
    Empty,
    /// Of another phone, under its own key.
    OtherKey,
    /// Of another phone, under the same key.
    OtherPhone,
    /// Cut at the middle.
    Cut,
    /// One page is damaged.
    Page(usize),
}

struct Scene<'a> {
    server: Server<'a>,
    unenrolled: Snapshot,
    older: Snapshot,
    current: Snapshot,
    other_key: Snapshot,
    other_phone: Snapshot,
}

fn ids(replica: &Replica) -> BTreeSet<EnvelopeId> {
    let rows = envelope::unjudged_ids(replica.conn().unwrap(), 0, usize::MAX).unwrap();
    rows.into_iter().map(|(_, id)| id).collect()
}

fn snapshot(phone: &mut FilePhone) -> Snapshot {
    let outbox = ids(phone.replica());
    phone.close();
    let read = |path: &Path| fs::read(path).unwrap_or_default();
    let snapshot = Snapshot {
        database: read(&phone.path()),
        second: read(&second(phone)),
        marker: read(&phone.marker()),
        outbox,
    };
    phone.reopen();
    snapshot
}

/// A phone whose second file has another owner under the same key.
fn other_phone(town: &Deployment) -> Snapshot {
    let mut phone = town.phone(VOLUNTEER_ZHAO);
    phone.replica().report(&draft("别的手机"), NOW).unwrap();
    let other = snapshot(&mut phone);
    phone.close();
    let rekey = |path: &Path| {
        let conn = open::open_damaged(path, &phone.file_key()).unwrap();
        let key = format!(
            "PRAGMA journal_mode = DELETE; PRAGMA rekey = \"x'{}'\";",
            format!("{:02x}", OWNER.seed).repeat(32)
        );
        conn.execute_batch(&key).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL;").unwrap();
        drop(conn);
        fs::read(path).unwrap()
    };
    Snapshot {
        database: rekey(&phone.path()),
        second: rekey(&second(&phone)),
        ..other
    }
}

impl<'a> Scene<'a> {
    /// One record is delivered after the older snapshot and has a comment that is not; one is new; one is
    /// another person's, carried for the server.
    fn new(town: &'a Deployment) -> Self {
        let mut server = Server::new(town);
        let mut phone = FilePhone::new(OWNER);
        let unenrolled = snapshot(&mut phone);
        let certificate = town.certificate(OWNER);
        phone
            .replica()
            .enrol(&town.anchors, &town.secrets, &certificate)
            .unwrap();
        phone.replica().report(&draft("最早"), NOW).unwrap();
        server.settle(&mut phone);
        let record = phone.replica().report(&draft("后来送达"), NOW + 1).unwrap();
        let older = snapshot(&mut phone);
        server.settle(&mut phone);
        let replica = phone.replica();
        replica.report(&draft("没有送达"), NOW + 2).unwrap();
        replica.comment(record, said("补充"), NOW + 3).unwrap();
        let mut other = town.phone(VOLUNTEER_SUN);
        other.replica().report(&draft("别人的"), NOW + 4).unwrap();
        meeting::meet(&mut phone, &mut other).unwrap();
        let current = snapshot(&mut phone);
        assert_eq!((older.outbox.len(), current.outbox.len()), (1, 3));
        let mut other = town.phone(VOLUNTEER_QIU);
        other.replica().report(&draft("别的钥匙"), NOW).unwrap();
        let other_key = snapshot(&mut other);
        Self {
            server,
            unenrolled,
            older,
            current,
            other_key,
            other_phone: other_phone(town),
        }
    }

    fn bytes(&self, state: State, of: fn(&Snapshot) -> &Bytes) -> Option<Bytes> {
        let current = of(&self.current);
        Some(match state {
            State::Current => current.clone(),
            State::Older => of(&self.older).clone(),
            State::Unenrolled => of(&self.unenrolled).clone(),
            State::Missing => return None,
            State::Empty => Vec::new(),
            State::OtherKey => of(&self.other_key).clone(),
            State::OtherPhone => of(&self.other_phone).clone(),
            State::Cut => current[..current.len() / 8_192 * 4_096].to_vec(),
            State::Page(page) => {
                let mut bytes = current.clone();
                let from = page * 4_096 + if page == 0 { 64 } else { 8 };
                bytes[from..from + 512].fill(0x5a);
                bytes
            }
        })
    }

    /// The undelivered envelopes that a file in this state surely returns.
    fn gives(&self, state: State) -> BTreeSet<EnvelopeId> {
        match state {
            State::Current => self.current.outbox.clone(),
            State::Older => self.older.outbox.clone(),
            _ => BTreeSet::new(),
        }
    }

    fn check(&self, town: &'a Deployment, database: State, second_file: State, marker: &Bytes) {
        let what = format!("{database:?} with {second_file:?}");
        let mut phone = FilePhone::empty(OWNER);
        let put = |path: &Path, bytes: Option<Bytes>| {
            if let Some(bytes) = bytes {
                fs::write(path, bytes).unwrap();
            }
        };
        put(&phone.path(), self.bytes(database, |one| &one.database));
        put(&second(&phone), self.bytes(second_file, |one| &one.second));
        put(&phone.marker(), Some(marker.clone()));
        let before = contents(&phone);
        let opened = Replica::open_or_recover(phone.options(), NOW);
        let (mut replica, way) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                assert_eq!(error.code(), "replica.wrong_key", "{what}");
                let of_another = [database, second_file].contains(&State::OtherPhone);
                assert!(of_another, "{what}: refused without a reason");
                assert_eq!(contents(&phone), before, "{what}: nothing is touched");
                return;
            }
        };
        if let State::Page(_) = database {
            // Damage that only a later call would meet.
            drop(replica);
            replica = Replica::rescue(phone.options(), NOW).unwrap().0;
        }
        let mut owed = self.gives(database);
        owed.extend(self.gives(second_file));
        // Work of the older file that the newer one knows to be delivered is not sent again.
        if database == State::Current {
            owed = self.current.outbox.clone();
        }
        if matches!(database, State::Page(_)) && second_file == State::Older {
            owed.clear();
        }
        let outbox = ids(&replica);
        assert!(outbox.is_superset(&owed), "{what}: {way:?}");
        for (path, bytes) in before {
            if [State::OtherKey, State::OtherPhone].contains(&second_file) && path == second(&phone)
            {
                let kept = contents(&phone).into_values().any(|file| file == bytes);
                assert!(kept, "{what}: the foreign file is set aside");
            }
        }
        replica.close().unwrap();
        let (replica, way) = Replica::open_or_recover(phone.options(), NOW).unwrap();
        assert_eq!(
            (way, ids(&replica)),
            (WayBack::Opened, outbox.clone()),
            "{what}"
        );
        let is_enrolled = replica.own_member().is_some();
        replica.close().unwrap();
        let copy = open::open_damaged(&second(&phone), &phone.file_key()).unwrap();
        let copied = table::envelopes(&copy).unwrap();
        let copied: BTreeSet<EnvelopeId> = copied.into_iter().map(|(_, id)| id).collect();
        assert_eq!(copied, outbox, "{what}: the second file follows");
        drop(copy);
        // Where the page with the certificate is damaged, the outbox waits until the person enrols again.
        let is_page = |state| matches!(state, State::Page(_));
        let lost_identity = is_page(database) || is_page(second_file);
        assert!(is_enrolled || outbox.is_empty() || lost_identity, "{what}");
        if is_enrolled {
            self.goes_on(town, &mut phone, &owed, &what);
        }
    }

    /// Writing and syncing continue under unused numbers, and the server gets all of it.
    fn goes_on(
        &self,
        town: &'a Deployment,
        phone: &mut FilePhone,
        owed: &BTreeSet<EnvelopeId>,
        what: &str,
    ) {
        let mut server: Server<'_> = self.server.again(town);
        phone.reopen();
        let record = phone.replica().report(&draft("之后"), NOW + 50).unwrap();
        phone
            .replica()
            .comment(record, said("之后"), NOW + 51)
            .unwrap();
        server.settle(phone);
        for id in owed {
            let judged = server
                .records
                .values()
                .find_map(|record| record.node(*id)?.verdict)
                .unwrap_or_else(|| panic!("{what}: {id:?} is lost"));
            assert_eq!(judged.status, Status::Accepted, "{what}");
        }
        let rows = phone.replica().rows().unwrap();
        phone.replica().rebuild().unwrap();
        assert_eq!(phone.replica().rows().unwrap(), rows, "{what}");
        let shown: BTreeSet<_> = rows.iter().map(|row| row.id).collect();
        let all = server.records.keys().all(|id| shown.contains(id));
        assert!(all, "{what}: all is shown");
    }
}

/// Name and bytes of every file, except the locks and the traces of reading.
fn contents(phone: &FilePhone) -> BTreeMap<PathBuf, Bytes> {
    let passing = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(".lock") || name.ends_with("-shm")
    };
    fs::read_dir(phone.database.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !passing(path))
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .filter(|(path, bytes)| !(bytes.is_empty() && path.to_string_lossy().ends_with("-wal")))
        .collect()
}

#[test]
fn undelivered_work_survives_every_pair_of_files() {
    let town = Deployment::new();
    let scene = Scene::new(&town);
    let whole = [
        State::Current,
        State::Older,
        State::Unenrolled,
        State::Missing,
        State::Empty,
        State::OtherKey,
        State::OtherPhone,
        State::Cut,
    ];
    let pages = |bytes: &Bytes, some: usize| {
        let pages = bytes.len() / 4_096;
        (0..pages).step_by(pages.div_ceil(some)).map(State::Page)
    };
    let databases = whole.into_iter().chain(pages(&scene.current.database, 3));
    let seconds: Vec<State> = whole
        .into_iter()
        .chain(pages(&scene.current.second, 6))
        .collect();
    for database in databases {
        for second_file in &seconds {
            scene.check(&town, database, *second_file, &scene.current.marker);
            if [State::Older, State::Unenrolled].contains(&database) {
                // A backup may bring the marker back as well.
                scene.check(&town, database, *second_file, &scene.older.marker);
            }
        }
    }
}

/// A restored server is asked again about a held envelope, which enters the outbox under its old number.
#[test]
fn second_file_follows_older_numbers_asked_again() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(OWNER);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut phone);
    let held = phone.replica().comment(record, said("等"), NOW).unwrap();
    server
        .verdicts
        .insert(held, Status::Held(HeldReason::Revoked));
    server.sync(&mut phone);
    let newer = phone.replica().report(&draft("二"), NOW + 1).unwrap();
    assert!(phone.replica().row(newer).unwrap().is_some());
    server.generation = 2;
    let answer = server.exchange_without_upload(&mut phone);
    phone.replica().apply(&answer, NOW).unwrap();
    let outbox = ids(phone.replica());
    assert!(outbox.contains(&held) && outbox.len() == 2);
    // The process and the database are lost without a warning.
    phone.crash();
    for ending in ["", "-wal", "-shm"] {
        let file = crate::replica::site::with_suffix(&phone.path(), ending);
        fs::remove_file(file).ok();
    }
    let (replica, _) = Replica::open_or_recover(phone.options(), NOW).unwrap();
    assert_eq!(ids(&replica), outbox);
}
