//! Photos from the camera to the server and back: hostile disks first.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::server::*;
use super::*;
use crate::domain::case::Event;
use crate::domain::case::payload::{Attach, Comment, HandledOnSpot};
use crate::domain::content::Field;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::limits::{FREE_BYTES_RESERVED, STAGED_DAYS_MAX};
use crate::record::NodeBody;
use crate::replica::table::attachment;
use crate::replica::{open, table};
use crate::sync::file_port::{FilePort, FilesLeft, Giver};
use crate::sync::port::StarPort;
use crate::wire::transfer::FileName;
use crate::wire::verdict::{HeldReason, Status, VoidReason};

/// Three segments and a bit.
const LARGE: usize = 200_000;

/// A disk that is full after so many bytes, or fails at the nth write of any kind.
#[derive(Debug)]
struct OddDisk {
    free_bytes: Mutex<u64>,
    fails_at: Mutex<Option<u32>>,
}

impl OddDisk {
    fn full_after(bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            free_bytes: Mutex::new(bytes),
            fails_at: Mutex::new(None),
        })
    }

    fn set_free(&self, bytes: u64) {
        *self.free_bytes.lock().unwrap() = bytes;
    }

    fn fail_at(&self, nth: u32) {
        *self.fails_at.lock().unwrap() = Some(nth);
    }

    /// Whether the write that was to fail did not come.
    fn is_unharmed(&self) -> bool {
        self.fails_at.lock().unwrap().is_some()
    }

    fn step(&self) -> io::Result<()> {
        let mut fails_at = self.fails_at.lock().unwrap();
        match *fails_at {
            Some(0) => {
                *fails_at = None;
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(n) => {
                *fails_at = Some(n - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Disk for OddDisk {
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        StdDisk.len(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        StdDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        StdDisk.remove(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        StdDisk.sync_folder(path)
    }
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        StdDisk.make_folder(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        StdDisk.list(folder)
    }
    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        StdDisk.write_at(path, offset, bytes)
    }
    fn read_at(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        StdDisk.read_at(path, offset, bytes_max)
    }
    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        StdDisk.sync(path)
    }
    fn free_bytes(&self, _folder: &Path) -> io::Result<u64> {
        Ok(*self.free_bytes.lock().unwrap())
    }
    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        StdDisk.lock(path)
    }
}

impl FilePhone {
    fn on(&mut self, disk: &Arc<OddDisk>) {
        self.replica = None;
        let mut options = self.options();
        options.disk = Arc::clone(disk) as Arc<dyn Disk>;
        self.replica = Some(Replica::open(options).unwrap());
    }

    fn folder(&self) -> PathBuf {
        self.database.path().join("replica.db.files")
    }

    /// Names of the sealed files.
    fn sealed(&self) -> Vec<String> {
        let mut names = StdDisk.list(&self.folder()).unwrap();
        names.sort();
        names
    }

    fn add(&mut self, bytes: usize, n: u8) -> Hash {
        let added = self.replica().add_attachment(&photo(bytes, n), NOW);
        added.unwrap().id
    }

    fn state(&mut self, record: RecordId, id: Hash) -> &'static str {
        let info = self.replica().attachment(Some(record), id).unwrap();
        info.map_or("gone", |info| info.state.name())
    }

    fn read_whole(&mut self, record: Option<RecordId>, id: Hash) -> Result<Vec<u8>, ReplicaError> {
        self.replica().read_attachment(record, id, 0, 1 << 23)
    }

    fn next_upload(&mut self) -> Option<FileName> {
        let next = self.replica().next_upload(&BTreeSet::new()).unwrap();
        next.map(|upload| upload.name)
    }

    fn next_download(&mut self) -> Option<FileName> {
        let next = self.replica().next_download(&BTreeSet::new()).unwrap();
        next.map(|download| download.name)
    }

    /// A report with one photo.
    fn report_with(&mut self, bytes: usize, n: u8) -> FileName {
        let id = self.add(bytes, n);
        let draft = Draft {
            attachments: vec![id],
            ..draft("带照片")
        };
        let record = self.replica().report(&draft, NOW).unwrap();
        FileName { record, id }
    }

    /// Ids of the descriptions in a record, and the places of the other envelopes as `-`.
    fn descriptions(&mut self, record: RecordId) -> Vec<String> {
        let loaded = self.replica().load(record).unwrap().unwrap();
        let nodes = loaded.nodes().iter();
        nodes
            .map(|node| match &node.body {
                NodeBody::Event { event, .. } => match &**event {
                    Event::Attach(attach) => attach.id.to_string(),
                    _ => "event".to_owned(),
                },
                NodeBody::Genesis { .. } => "genesis".to_owned(),
                _ => "change".to_owned(),
            })
            .collect()
    }

    fn description(&mut self, name: &FileName) -> EnvelopeId {
        let loaded = self.replica().load(name.record).unwrap().unwrap();
        let is_it = |body: &NodeBody| match body {
            NodeBody::Event { event, .. } => event.attachments() == [name.id],
            _ => false,
        };
        let mut nodes = loaded.nodes().iter();
        nodes.find(|node| is_it(&node.body)).unwrap().id
    }
}

fn phone() -> FilePhone {
    Deployment::new().phone(GRID_WORKER_CHEN)
}

fn handled(before: Hash, after: Hash) -> Event {
    Event::HandledOnSpot(HandledOnSpot {
        before: vec![before],
        after: vec![after],
        note: None,
    })
}

/// Hands a file from one phone to another, piece by piece.
fn carry(from: &mut FilePhone, to: &mut FilePhone, name: &FileName, piece: usize) {
    loop {
        let next = to.replica().next_download(&BTreeSet::new()).unwrap();
        let next = next.unwrap();
        assert_eq!(next.name, *name);
        if next.offset == next.bytes {
            return;
        }
        let bytes = FilePort::read(from.replica(), name, next.offset, piece).unwrap();
        to.replica()
            .arrived(name, Giver::Server, next.offset, &bytes)
            .unwrap();
    }
}

/// Every failing write of the disk leaves the phone as it was, and the next attempt succeeds.
#[test]
fn failing_disk_while_adding_leaves_no_trace() {
    let disk = OddDisk::full_after(u64::MAX);
    for nth in 0.. {
        let mut phone = phone();
        phone.on(&disk);
        disk.fail_at(nth);
        let added = phone.replica().add_attachment(&photo(LARGE, 1), NOW);
        if disk.is_unharmed() {
            assert!(nth > 6, "writes, syncs and names");
            added.unwrap();
            return;
        }
        assert_eq!(added.unwrap_err().code(), "media.disk_full");
        assert_eq!(phone.replica().staged().unwrap(), []);
        phone.reopen();
        assert_eq!(phone.sealed(), Vec::<String>::new(), "write number {nth}");
        let id = phone.add(LARGE, 1);
        assert_eq!(phone.read_whole(None, id).unwrap(), photo(LARGE, 1));
    }
}

#[test]
fn full_disk_while_adding_loses_nothing() {
    let disk = OddDisk::full_after(u64::MAX);
    let mut phone = phone();
    let name = phone.report_with(LARGE, 1);
    phone.on(&disk);
    let length = photo(LARGE, 2).len() as u64;
    disk.set_free(FREE_BYTES_RESERVED + length - 1);
    disk.fail_at(0);
    let refused = phone.replica().add_attachment(&photo(LARGE, 2), NOW);
    assert_eq!(refused.unwrap_err().code(), "media.disk_full");
    assert!(disk.is_unharmed(), "refused before the first byte");
    disk.fail_at(u32::MAX);
    let read = phone.read_whole(Some(name.record), name.id).unwrap();
    assert_eq!(read, photo(LARGE, 1));
    phone.replica().report(&draft("没有照片"), NOW).unwrap();
    disk.set_free(FREE_BYTES_RESERVED + length);
    phone.add(LARGE, 2);
}

/// The file of a database that is full keeps all its rows, and no sealed file stays.
#[test]
fn full_database_refuses_a_photo_by_its_code() {
    let mut phone = phone();
    phone.replica().limit_pages(1).unwrap();
    let mut added = 0;
    let refused = loop {
        match phone.replica().add_attachment(&photo(9, added), NOW) {
            Ok(_) => added += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.code(), "media.disk_full");
    assert_eq!(phone.sealed().len(), usize::from(added));
    assert_eq!(phone.replica().staged().unwrap().len(), usize::from(added));
}

#[test]
fn file_on_disk_shows_no_plaintext() {
    let mut phone = phone();
    let id = phone.add(LARGE, 1);
    let plain = photo(LARGE, 1);
    let names = phone.sealed();
    assert_eq!(names.len(), 1);
    assert!(!names[0].contains(&id.to_string()[..8]));
    let sealed = fs::read(phone.folder().join(&names[0])).unwrap();
    assert!(sealed.len() > plain.len());
    let shows = |piece: &[u8]| sealed.windows(piece.len()).any(|window| window == piece);
    assert!(!shows(&plain[..16]) && !shows(&plain[1_000..1_016]));
    let database = fs::read(phone.path()).unwrap();
    assert!(
        !database
            .windows(4)
            .any(|window| window == [0xff, 0xd8, 0xff, 0xdb])
    );
    assert_eq!(phone.read_whole(None, id).unwrap(), plain);
    let middle = phone
        .replica()
        .read_attachment(None, id, 65_530, 20)
        .unwrap();
    assert_eq!(middle, &plain[65_530..65_550]);
}

#[test]
fn attach_and_its_reference_are_one_transaction() {
    let mut phone = phone();
    let (before, after) = (phone.add(9, 1), phone.add(9, 2));
    let record = phone.replica().report(&draft("占道"), NOW).unwrap();
    let foreign = Hash([7; 32]);
    let refused = phone
        .replica()
        .act(record, &handled(before, foreign), None, NOW);
    assert_eq!(refused.unwrap_err().code(), "media.unknown_id");
    assert_eq!(
        phone.descriptions(record),
        ["genesis"],
        "nothing is half written"
    );
    assert_eq!(phone.replica().staged().unwrap().len(), 2);
    assert_eq!(phone.replica().undelivered().unwrap(), 1);
    phone
        .replica()
        .act(record, &handled(before, after), None, NOW)
        .unwrap();
    let described = [before.to_string(), after.to_string()];
    let expected = ["genesis", &described[0], &described[1], "event"];
    assert_eq!(phone.descriptions(record), expected);
    assert_eq!(phone.replica().staged().unwrap(), []);
    // A second word about the same photo describes it no more.
    let comment = Comment {
        attachments: vec![after],
        ..said("之后")
    };
    phone.replica().comment(record, comment, NOW).unwrap();
    assert_eq!(phone.descriptions(record).len(), 5);
    // The photo of one record is none of another.
    let other = phone.replica().report(&draft("别处"), NOW).unwrap();
    let refused = phone.replica().attach(other, after, NOW);
    assert_eq!(refused.unwrap_err().code(), "media.unknown_id");
}

#[test]
fn report_describes_its_photos_after_its_beginning() {
    let mut phone = phone();
    let (captioned, bare) = (phone.add(9, 1), phone.add(9, 2));
    let mut report = draft("楼道");
    report
        .content
        .details_mut()
        .photos
        .insert(captioned, "门口".into());
    report.attachments = vec![bare];
    let record = phone.replica().report(&report, NOW).unwrap();
    let expected = ["genesis", &captioned.to_string(), &bare.to_string()];
    assert_eq!(phone.descriptions(record), expected);
    report.attachments = vec![Hash([3; 32])];
    let refused = phone.replica().report(&report, NOW);
    assert_eq!(refused.unwrap_err().code(), "media.unknown_id");
    assert_eq!(phone.replica().rows().unwrap().len(), 1);
    let later = phone.add(9, 3);
    let edit = crate::crdt::FieldEdit::text(Field::Photo(later), "后门");
    phone.replica().edit(record, &[edit], NOW).unwrap();
    let expected = [later.to_string(), "change".to_owned()];
    assert_eq!(phone.descriptions(record)[3..], expected);
    let infos = phone.replica().attachments_of(record).unwrap();
    assert_eq!(infos.len(), 3);
    for info in infos {
        assert_eq!(
            (info.width, info.height, info.duration_ms),
            (Some(8), Some(8), None)
        );
        assert!(info.has_thumbnail && info.refusal.is_none());
        let thumbnail = phone.replica().thumbnail(Some(record), info.id).unwrap();
        assert!(crate::media::thumbnail_is_sound(&thumbnail.unwrap()));
    }
}

#[test]
fn photo_waits_for_the_verdict_and_then_for_its_receipt() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let (large, small) = (phone.report_with(LARGE, 1), phone.report_with(9, 2));
    assert_eq!(phone.state(large.record, large.id), "waiting");
    assert_eq!(phone.next_upload(), None, "the server does not know it yet");
    let left = phone.replica().files_left().unwrap();
    assert_eq!((left.uploads, left.downloads), (2, 0));
    server.settle(&mut phone);
    assert_eq!(phone.next_upload(), Some(small), "the smallest comes first");
    let without = BTreeSet::from([small]);
    let next = phone.replica().next_upload(&without).unwrap().unwrap();
    assert_eq!(
        (next.name, next.bytes),
        (large, photo(LARGE, 1).len() as u64)
    );
    phone.replica().delivered(&small, 1, NOW + 5).unwrap();
    phone
        .replica()
        .refused(&large, "attachment.content", NOW + 6)
        .unwrap();
    phone
        .replica()
        .refused(&large, "attachment.content", NOW + 7)
        .unwrap();
    assert_eq!(phone.next_upload(), None);
    let shown = phone
        .replica()
        .attachment(Some(small.record), small.id)
        .unwrap();
    assert_eq!(shown.unwrap().delivered_ms, Some(NOW + 5));
    let shown = phone
        .replica()
        .attachment(Some(large.record), large.id)
        .unwrap();
    assert_eq!(
        shown.unwrap().refusal.as_deref(),
        Some("attachment.content")
    );
    let notices = phone.replica().notices().unwrap();
    assert_eq!(notices.len(), 1, "the person is told once");
    assert_eq!(
        (notices[0].code.as_str(), notices[0].detail.as_str()),
        ("attachment.content", "照片")
    );
    assert!(
        phone.read_whole(Some(large.record), large.id).is_ok(),
        "it stays"
    );
    assert_eq!(phone.replica().files_left().unwrap(), FilesLeft::default());
}

#[test]
fn void_description_keeps_the_file_of_its_author() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let name = phone.report_with(9, 1);
    let described = phone.description(&name);
    let void = Status::Void(VoidReason::NotPermitted);
    server.verdicts.insert(described, void);
    server.settle(&mut phone);
    assert_eq!(phone.next_upload(), None);
    assert_eq!(
        phone.read_whole(Some(name.record), name.id).unwrap(),
        photo(9, 1)
    );
    let info = phone
        .replica()
        .attachment(Some(name.record), name.id)
        .unwrap()
        .unwrap();
    assert_eq!(info.refusal.as_deref(), Some("void.not_permitted"));
    let notices = phone.replica().notices().unwrap();
    assert_eq!(
        (notices[0].code.as_str(), notices[0].detail.as_str()),
        ("void.not_permitted", "照片")
    );
    // The person adds it once more.
    phone
        .replica()
        .attach(name.record, name.id, NOW + 1)
        .unwrap();
    server.settle(&mut phone);
    assert_eq!(phone.next_upload(), Some(name));
    // For others a description that does not count has no file.
    let mut other = town.phone(DISPATCHER_ZHOU);
    server.settle(&mut other);
    assert_eq!(other.state(name.record, name.id), "absent");
}

#[test]
fn held_description_is_sent_by_its_author() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let name = phone.report_with(9, 1);
    let described = phone.description(&name);
    server
        .verdicts
        .insert(described, Status::Held(HeldReason::Revoked));
    server.settle(&mut phone);
    assert_eq!(phone.next_upload(), Some(name));
    server.change_verdict(
        name.record,
        described,
        Status::Refused(crate::wire::verdict::RefusedReason::Rejected),
    );
    server.settle(&mut phone);
    assert_eq!(phone.next_upload(), None);
    assert_eq!(phone.state(name.record, name.id), "waiting");
}

#[test]
fn clean_up_waits_for_the_receipt() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let names: Vec<FileName> = (1..=3).map(|n| phone.report_with(LARGE, n)).collect();
    let staged = phone.add(LARGE, 4);
    server.settle(&mut phone);
    assert_eq!(phone.replica().free_space(u64::MAX).unwrap(), 0);
    phone.replica().delivered(&names[0], 1, NOW).unwrap();
    phone.replica().delivered(&names[1], 1, NOW).unwrap();
    phone
        .read_whole(Some(names[0].record), names[0].id)
        .unwrap();
    assert_eq!(phone.sealed().len(), 4);
    let freed = phone.replica().free_space(1).unwrap();
    assert_eq!(freed, photo(LARGE, 2).len() as u64);
    let states = |phone: &mut FilePhone| -> Vec<&str> {
        let states = names.iter().map(|name| phone.state(name.record, name.id));
        states.collect()
    };
    let opened_last = ["delivered", "absent", "waiting"];
    assert_eq!(states(&mut phone), opened_last, "the one opened last stays");
    assert_eq!(phone.sealed().len(), 3);
    phone.replica().set_low_storage(true);
    server.sync(&mut phone);
    assert_eq!(states(&mut phone), ["absent", "absent", "waiting"]);
    assert_eq!(phone.replica().staged().unwrap().len(), 1);
    assert!(phone.read_whole(None, staged).is_ok());
    let gone = phone.read_whole(Some(names[0].record), names[0].id);
    assert_eq!(gone.unwrap_err().code(), "media.absent");
    let name = names[0];
    assert!(
        phone
            .replica()
            .thumbnail(Some(name.record), name.id)
            .unwrap()
            .is_some()
    );
}

#[test]
fn clean_up_waits_again_after_a_restore() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let name = phone.report_with(9, 1);
    server.settle(&mut phone);
    phone.replica().delivered(&name, 1, NOW).unwrap();
    server.generation = 2;
    server.sync(&mut phone);
    let is_confirmed = |phone: &mut FilePhone| {
        let info = phone.replica().attachment(Some(name.record), name.id);
        info.unwrap().unwrap().is_confirmed
    };
    assert!(!is_confirmed(&mut phone), "the restored server may lack it");
    assert_eq!(phone.replica().free_space(u64::MAX).unwrap(), 0);
    let asked = |phone: &mut FilePhone, after: Option<&FileName>| {
        phone.replica().unconfirmed(2, after, 10).unwrap()
    };
    assert_eq!(asked(&mut phone, None), [name]);
    assert_eq!(asked(&mut phone, Some(&name)), []);
    phone.replica().lacking(&[name], NOW).unwrap();
    assert_eq!(asked(&mut phone, None), [], "it waits to be sent");
    assert_eq!(phone.next_upload(), Some(name));
    assert_eq!(phone.replica().free_space(u64::MAX).unwrap(), 0);
    phone.replica().delivered(&name, 2, NOW).unwrap();
    assert!(is_confirmed(&mut phone));
    assert!(phone.replica().free_space(u64::MAX).unwrap() > 0);
}

#[test]
fn purged_record_takes_its_files() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let (sent, kept) = (phone.report_with(9, 1), phone.report_with(9, 2));
    server.settle(&mut phone);
    phone.replica().delivered(&sent, 1, NOW).unwrap();
    assert_eq!(phone.sealed().len(), 2);
    server.feed.push(Entry::Withdraw(sent.record));
    server.sync(&mut phone);
    assert_eq!(phone.state(sent.record, sent.id), "gone");
    assert_eq!(phone.state(kept.record, kept.id), "waiting");
    assert_eq!(phone.sealed().len(), 1);
}

#[test]
fn undelivered_file_survives_a_purge() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let name = phone.report_with(LARGE, 1);
    server.settle(&mut phone);
    server.feed.push(Entry::Withdraw(name.record));
    server.sync(&mut phone);
    assert!(phone.replica().load(name.record).unwrap().is_none());
    phone.replica().rebuild().unwrap();
    phone.reopen();
    assert_eq!(
        phone.next_upload(),
        Some(name),
        "its author may still send it"
    );
    let read = FilePort::read(phone.replica(), &name, 0, 1 << 20).unwrap();
    assert_eq!(read, photo(LARGE, 1));
    phone.replica().delivered(&name, 1, NOW).unwrap();
    assert_eq!(phone.state(name.record, name.id), "gone");
    assert_eq!(phone.sealed(), Vec::<String>::new());
}

/// A reader of the record with the file, its author and the server.
fn two_phones(town: &Deployment, bytes: usize) -> (Server<'_>, FilePhone, FilePhone, FileName) {
    let mut server = Server::new(town);
    let (mut author, mut reader) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let name = author.report_with(bytes, 1);
    server.settle(&mut author);
    author.replica().delivered(&name, 1, NOW).unwrap();
    server.settle(&mut reader);
    assert_eq!(reader.state(name.record, name.id), "absent");
    (server, author, reader, name)
}

#[test]
fn download_continues_where_a_crash_stopped_it() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    let thumbnail = reader
        .replica()
        .thumbnail(Some(name.record), name.id)
        .unwrap();
    assert!(thumbnail.is_some(), "it came with the record");
    assert_eq!(reader.next_download(), None, "only on request");
    reader
        .replica()
        .want_attachment(name.record, name.id)
        .unwrap();
    assert_eq!(reader.next_download(), Some(name));
    let first = FilePort::read(author.replica(), &name, 0, 70_000).unwrap();
    reader
        .replica()
        .arrived(&name, Giver::Server, 0, &first)
        .unwrap();
    let again = reader.replica().arrived(&name, Giver::Server, 0, &first);
    assert_eq!(again.unwrap_err().code, "media.offset");
    reader.crash();
    // The crash came after the bytes were written and before their row was.
    let file = reader.folder().join(&reader.sealed()[0]);
    let mut longer = fs::read(&file).unwrap();
    longer.extend([9; 100]);
    fs::write(&file, longer).unwrap();
    reader.reopen();
    let next = reader
        .replica()
        .next_download(&BTreeSet::new())
        .unwrap()
        .unwrap();
    assert_eq!(next.offset, 70_000);
    assert_eq!(reader.state(name.record, name.id), "arriving");
    let part = reader.read_whole(Some(name.record), name.id);
    assert_eq!(part.unwrap_err().code(), "media.absent");
    let early = reader
        .replica()
        .complete(&name, Giver::Server, Some(1), NOW);
    assert_eq!(early.unwrap_err().code, "media.offset");
    carry(&mut author, &mut reader, &name, 7_777);
    assert!(
        reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
    assert_eq!(reader.state(name.record, name.id), "delivered");
    let read = reader.read_whole(Some(name.record), name.id).unwrap();
    assert_eq!(read, photo(LARGE, 1));
    assert!(
        reader.replica().free_space(1).unwrap() > 0,
        "the server has it"
    );
}

#[test]
fn download_that_lost_its_first_part_begins_anew() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    reader
        .replica()
        .want_attachment(name.record, name.id)
        .unwrap();
    let first = FilePort::read(author.replica(), &name, 0, 140_000).unwrap();
    reader
        .replica()
        .arrived(&name, Giver::Server, 0, &first)
        .unwrap();
    let file = reader.folder().join(&reader.sealed()[0]);
    fs::write(&file, b"short").unwrap();
    let more = FilePort::read(author.replica(), &name, 140_000, 9_000).unwrap();
    // A tail of less than a segment touches no file.
    reader
        .replica()
        .arrived(&name, Giver::Server, 140_000, &more)
        .unwrap();
    let rest = FilePort::read(author.replica(), &name, 149_000, 1 << 20).unwrap();
    let refused = reader
        .replica()
        .arrived(&name, Giver::Server, 149_000, &rest);
    assert_eq!(refused.unwrap_err().code, "media.offset");
    let next = reader
        .replica()
        .next_download(&BTreeSet::new())
        .unwrap()
        .unwrap();
    assert_eq!(next.offset, 0);
    assert_eq!(reader.sealed(), Vec::<String>::new());
    carry(&mut author, &mut reader, &name, 1 << 20);
    assert!(
        reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
}

#[test]
fn download_begun_anew_drops_the_bytes_that_came() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    reader
        .replica()
        .want_attachment(name.record, name.id)
        .unwrap();
    reader.replica().begin_anew(&name).unwrap();
    let first = FilePort::read(author.replica(), &name, 0, 70_000).unwrap();
    reader
        .replica()
        .arrived(&name, Giver::Server, 0, &first)
        .unwrap();
    assert_eq!(reader.sealed().len(), 1);
    reader.replica().begin_anew(&name).unwrap();
    assert_eq!(reader.sealed(), Vec::<String>::new());
    carry(&mut author, &mut reader, &name, 1 << 20);
    assert!(
        reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
    reader.replica().begin_anew(&name).unwrap();
    assert_eq!(reader.sealed().len(), 1, "a whole file stays");
}

/// A full disk ends a download without a trace, and the transfer tries again later.
#[test]
fn full_disk_while_a_photo_arrives_leaves_no_trace() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    let disk = OddDisk::full_after(0);
    reader.on(&disk);
    reader
        .replica()
        .want_attachment(name.record, name.id)
        .unwrap();
    let bytes = FilePort::read(author.replica(), &name, 0, 1 << 20).unwrap();
    let refused = reader.replica().arrived(&name, Giver::Server, 0, &bytes);
    assert_eq!(refused.unwrap_err().code, "media.disk_full");
    disk.set_free(u64::MAX);
    for nth in 0..4 {
        disk.fail_at(nth);
        let refused = reader.replica().arrived(&name, Giver::Server, 0, &bytes);
        assert_eq!(refused.unwrap_err().code, "media.disk_full");
        assert_eq!(reader.sealed(), Vec::<String>::new());
        assert_eq!(reader.state(name.record, name.id), "wanted");
    }
    carry(&mut author, &mut reader, &name, 1 << 20);
    assert!(
        reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
}

#[test]
fn unsound_download_begins_anew() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    reader
        .replica()
        .want_attachment(name.record, name.id)
        .unwrap();
    let mut bytes = FilePort::read(author.replica(), &name, 0, 1 << 20).unwrap();
    bytes[150_000] ^= 1;
    reader
        .replica()
        .arrived(&name, Giver::Server, 0, &bytes)
        .unwrap();
    assert!(
        !reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
    assert_eq!(reader.sealed(), Vec::<String>::new());
    let next = reader
        .replica()
        .next_download(&BTreeSet::new())
        .unwrap()
        .unwrap();
    assert_eq!(next.offset, 0);
    let too_long = [bytes.as_slice(), b"x"].concat();
    let refused = reader.replica().arrived(&name, Giver::Server, 0, &too_long);
    assert_eq!(refused.unwrap_err().code, "media.offset");
    carry(&mut author, &mut reader, &name, 1 << 20);
    // Another phone gave it, so the server is asked before the clean-up takes it.
    assert!(
        reader
            .replica()
            .complete(&name, Giver::Server, None, NOW)
            .unwrap()
    );
    assert_eq!(reader.replica().free_space(1).unwrap(), 0);
    assert_eq!(reader.replica().unconfirmed(1, None, 9).unwrap(), [name]);
}

#[test]
fn flipped_sealed_byte_asks_for_the_file_again() {
    let town = Deployment::new();
    let (mut server, mut author, mut reader, name) = two_phones(&town, LARGE);
    reader
        .replica()
        .want_attachment(name.record, name.id)
        .unwrap();
    carry(&mut author, &mut reader, &name, 1 << 20);
    assert!(
        reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
    let flip = |phone: &FilePhone| {
        let file = phone.folder().join(&phone.sealed()[0]);
        let mut sealed = fs::read(&file).unwrap();
        sealed[100_000] ^= 1;
        fs::write(&file, sealed).unwrap();
    };
    flip(&reader);
    let start = reader
        .replica()
        .read_attachment(Some(name.record), name.id, 0, 100);
    assert_eq!(start.unwrap().len(), 100, "the first segment is sound");
    let read = reader.read_whole(Some(name.record), name.id);
    assert_eq!(read.unwrap_err().code(), "media.unreadable");
    assert_eq!(reader.next_download(), Some(name));
    assert_eq!(reader.sealed(), Vec::<String>::new());
    // A damaged file that no server has stays; the transfer is told.
    let own = author.report_with(LARGE, 2);
    author.replica().free_space(u64::MAX).unwrap();
    flip(&author);
    let read = author.read_whole(Some(own.record), own.id);
    assert_eq!(read.unwrap_err().code(), "media.unreadable");
    assert_eq!(author.state(own.record, own.id), "waiting");
    server.settle(&mut author);
    assert_eq!(author.next_upload(), Some(own));
    let read = FilePort::read(author.replica(), &own, 0, 1 << 20);
    assert_eq!(read.unwrap_err().code, "media.unreadable");
    server.sync(&mut author);
    assert_eq!(author.next_upload(), None);
    let notices = author.replica().notices().unwrap();
    assert_eq!(notices[0].code, "media.unreadable");
}

#[test]
fn files_without_rows_are_removed_at_the_opening() {
    let mut phone = phone();
    let id = phone.add(9, 1);
    let place = |n: u8| format!("{n:032x}");
    let put = |phone: &FilePhone, name: &str| {
        fs::write(phone.folder().join(name), b"left by a crash").unwrap();
    };
    put(&phone, &place(1));
    put(&phone, &format!("{}.part", place(2)));
    put(&phone, "notes.txt");
    phone.reopen();
    let names = phone.sealed();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names.contains(&"notes.txt".to_owned()),
        "it is none of ours"
    );
    assert!(phone.read_whole(None, id).is_ok());
    // The rows of a replica that was set aside may name a file.
    put(&phone, &place(1));
    for aside in ["replica.db.aside-2", "replica.db.outbox.aside-1"] {
        let aside = phone.database.path().join(aside);
        fs::write(&aside, b"").unwrap();
        phone.reopen();
        assert!(phone.sealed().contains(&place(1)), "{aside:?}");
        fs::remove_file(&aside).unwrap();
    }
    phone.reopen();
    assert!(!phone.sealed().contains(&place(1)));
}

#[test]
fn rescue_keeps_undelivered_files() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let sent = phone.report_with(LARGE, 1);
    server.settle(&mut phone);
    phone.replica().delivered(&sent, 1, NOW).unwrap();
    let waiting = phone.report_with(LARGE, 2);
    let staged = phone.add(LARGE, 3);
    phone.close();
    let options = phone.options();
    let (rescued, _) = Replica::rescue(options, NOW).unwrap();
    phone.replica = Some(rescued);
    assert_eq!(phone.read_whole(None, staged).unwrap(), photo(LARGE, 3));
    let read = phone.read_whole(Some(waiting.record), waiting.id).unwrap();
    assert_eq!(read, photo(LARGE, 2));
    assert_eq!(phone.state(waiting.record, waiting.id), "waiting");
    assert_eq!(phone.state(sent.record, sent.id), "delivered");
    server.settle(&mut phone);
    assert_eq!(phone.next_upload(), Some(waiting));
    phone.reopen();
    assert_eq!(phone.sealed().len(), 3);
}

/// The second file holds the keys of files that no server has, so damage of the first costs none of
/// them.
#[test]
fn lost_database_costs_no_undelivered_file() {
    let town = Deployment::new();
    for harm in 0..4 {
        let mut server = Server::new(&town);
        let mut phone = town.phone(GRID_WORKER_CHEN);
        let sent = phone.report_with(LARGE, 1);
        server.settle(&mut phone);
        phone.replica().delivered(&sent, 1, NOW).unwrap();
        let staged = phone.add(LARGE, 3);
        let older = fs::read(phone.path()).unwrap();
        let waiting = phone.report_with(LARGE, 2);
        phone.close();
        match harm {
            0 => fs::remove_file(phone.path()).unwrap(),
            1 => fs::write(phone.path(), b"").unwrap(),
            2 => file::damage(&phone, 0),
            _ => fs::write(phone.path(), older).unwrap(),
        }
        let opened = Replica::open_or_recover(phone.options(), NOW);
        phone.replica = Some(opened.unwrap().0);
        assert_eq!(
            phone.read_whole(None, staged).unwrap(),
            photo(LARGE, 3),
            "harm {harm}"
        );
        let read = phone.read_whole(Some(waiting.record), waiting.id);
        assert_eq!(read.unwrap(), photo(LARGE, 2), "harm {harm}");
        server.settle(&mut phone);
        assert_eq!(phone.next_upload(), Some(waiting), "harm {harm}");
        phone.replica().delivered(&waiting, 1, NOW).unwrap();
        phone.replica().remove_staged(staged).unwrap();
        let second = open::open_damaged(&file::second(&phone), &phone.file_key()).unwrap();
        let left = table::outbox_copy::files(&second).unwrap();
        assert!(
            left.is_empty(),
            "the copy holds no more than what is not delivered"
        );
    }
}

#[test]
fn rebuild_makes_the_same_rows_of_files() {
    let town = Deployment::new();
    let (mut server, mut author, mut reader, name) = two_phones(&town, 9);
    let undelivered = author.report_with(9, 2);
    author.add(9, 3);
    let rows = |phone: &mut FilePhone| {
        let replica = phone.replica();
        let of = |name: FileName| replica.attachments_of(name.record).unwrap();
        [of(name), of(undelivered), replica.staged().unwrap()].concat()
    };
    for (phone, count) in [(&mut author, 3), (&mut reader, 1)] {
        let before = rows(phone);
        assert_eq!(before.len(), count);
        phone.replica().rebuild().unwrap();
        assert_eq!(rows(phone), before);
        let conn = phone.replica().conn().unwrap();
        let absent = "DELETE FROM attachment WHERE state = 4";
        conn.execute_batch(absent).unwrap();
        phone.replica().rebuild().unwrap();
        assert_eq!(rows(phone), before);
    }
    // Descriptions come in packs too.
    let mut fresh = town.phone(GRID_WORKER_XU);
    server.settle(&mut author);
    server.load(&mut fresh);
    assert_eq!(fresh.state(undelivered.record, undelivered.id), "absent");
    let thumbnail = fresh
        .replica()
        .thumbnail(Some(undelivered.record), undelivered.id);
    assert!(thumbnail.unwrap().is_some());
}

#[test]
fn staged_leftovers_go_after_a_week_with_a_notice() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let left = phone.add(9, 1);
    let name = phone.report_with(9, 2);
    server.settle(&mut phone);
    assert_eq!(phone.replica().staged().unwrap()[0].id, left);
    server.time_ms = NOW + STAGED_DAYS_MAX * 24 * 3_600_000 + 1;
    server.sync(&mut phone);
    assert_eq!(phone.replica().staged().unwrap(), []);
    assert_eq!(phone.state(name.record, name.id), "waiting");
    assert_eq!(
        phone.replica().notices().unwrap()[0].code,
        "media.staged_removed"
    );
    assert_eq!(phone.sealed().len(), 1);
    let removed = phone.add(9, 3);
    phone.replica().remove_staged(removed).unwrap();
    assert_eq!(phone.sealed().len(), 1);
    let again = phone.replica().remove_staged(removed);
    assert_eq!(again.unwrap_err().code(), "media.unknown_id");
}

#[test]
fn changes_of_files_are_told_by_their_record() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, 9);
    let changed = |phone: &mut FilePhone| phone.replica().take_changes().unwrap().records;
    changed(&mut reader);
    reader
        .replica()
        .want_attachment(name.record, name.id)
        .unwrap();
    assert_eq!(changed(&mut reader), [name.record]);
    carry(&mut author, &mut reader, &name, 9);
    reader
        .replica()
        .complete(&name, Giver::Server, Some(1), NOW)
        .unwrap();
    assert_eq!(changed(&mut reader), [name.record]);
    author.add(9, 5);
    changed(&mut author);
    assert!(
        attachment::garbage(author.replica().conn().unwrap())
            .unwrap()
            .is_empty()
    );
}

/// Without a server: the record comes with its thumbnail, and the photo comes at the next meeting, whichever of
/// the two phones calls.
#[test]
fn meeting_brings_photos_on_request() {
    let town = Deployment::new();
    let (mut author, mut reader) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    for (n, reader_calls) in [(1, true), (2, false)] {
        let name = author.report_with(LARGE, n);
        let mut meet = |reader: &mut FilePhone| {
            if reader_calls {
                super::meeting::meet(reader, &mut author).unwrap();
            } else {
                super::meeting::meet(&mut author, reader).unwrap();
            }
        };
        meet(&mut reader);
        let small = reader.replica().thumbnail(Some(name.record), name.id);
        assert!(small.unwrap().is_some(), "it came with the record");
        assert!(reader.read_whole(Some(name.record), name.id).is_err());
        let replica = reader.replica();
        replica.want_attachment(name.record, name.id).unwrap();
        meet(&mut reader);
        let came = reader.read_whole(Some(name.record), name.id).unwrap();
        let sent = author.read_whole(Some(name.record), name.id).unwrap();
        assert_eq!(came, sent);
        assert_eq!(reader.next_download(), None);
    }
}

/// A copy that another process has locked may name files that an older database does not name.
#[test]
fn files_of_an_unreachable_copy_stay() {
    let mut phone = phone();
    phone.close();
    let older = fs::read(phone.path()).unwrap();
    phone.reopen();
    let staged = phone.add(LARGE, 1);
    phone.close();
    fs::write(phone.path(), older).unwrap();
    let lock = open::open_damaged(&file::second(&phone), &phone.file_key()).unwrap();
    let exclusive = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE;";
    lock.execute_batch(exclusive).unwrap();
    phone.reopen();
    drop(lock);
    phone.close();
    phone.reopen();
    assert_eq!(phone.read_whole(None, staged).unwrap(), photo(LARGE, 1));
}

/// The older database has the photo staged; its report comes from the second copy.
#[test]
fn older_database_still_sends_a_described_photo() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let id = phone.add(LARGE, 1);
    phone.close();
    let older = fs::read(phone.path()).unwrap();
    phone.reopen();
    let draft = Draft {
        attachments: vec![id],
        ..draft("带照片")
    };
    let record = phone.replica().report(&draft, NOW).unwrap();
    phone.close();
    fs::write(phone.path(), older).unwrap();
    phone.reopen();
    server.settle(&mut phone);
    assert_eq!(phone.next_upload(), Some(FileName { record, id }));
    assert_eq!(phone.replica().staged().unwrap(), []);
    phone.reopen();
    assert_eq!(phone.read_whole(Some(record), id).unwrap(), photo(LARGE, 1));
}

#[test]
fn wrong_clock_of_the_phone_costs_no_draft() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let years_ms = 400 * 24 * 3_600_000;
    let added = phone.replica().add_attachment(&photo(9, 1), NOW - years_ms);
    added.unwrap();
    server.sync(&mut phone);
    assert_eq!(phone.replica().staged().unwrap().len(), 1);
    let answer = server.exchange(&mut phone);
    phone.replica().apply(&answer, NOW + years_ms).unwrap();
    assert_eq!(phone.replica().staged().unwrap().len(), 1);
}

/// The restored server may lack the file, and it has not been asked yet.
#[test]
fn withdrawal_after_a_restore_keeps_own_files() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let name = phone.report_with(9, 1);
    server.settle(&mut phone);
    phone.replica().delivered(&name, 1, NOW).unwrap();
    server.generation = 2;
    server.feed.push(Entry::Withdraw(name.record));
    server.sync(&mut phone);
    assert_eq!(phone.sealed().len(), 1);
    assert_eq!(phone.replica().unconfirmed(2, None, 9).unwrap(), [name]);
    phone.replica().lacking(&[name], NOW).unwrap();
    assert_eq!(phone.next_upload(), Some(name));
    phone.replica().delivered(&name, 2, NOW).unwrap();
    assert_eq!(phone.sealed(), Vec::<String>::new());
}

/// A damaged file is fetched again only where the server surely has it.
#[test]
fn damaged_file_stays_until_the_server_confirms_it() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let name = phone.report_with(LARGE, 1);
    server.settle(&mut phone);
    phone.replica().delivered(&name, 1, NOW).unwrap();
    server.generation = 2;
    server.sync(&mut phone);
    let file = phone.folder().join(&phone.sealed()[0]);
    let mut sealed = fs::read(&file).unwrap();
    sealed[100_000] ^= 1;
    fs::write(&file, sealed).unwrap();
    let read = phone.read_whole(Some(name.record), name.id);
    assert_eq!(read.unwrap_err().code(), "media.unreadable");
    assert_eq!(phone.state(name.record, name.id), "delivered");
    phone.replica().delivered(&name, 2, NOW).unwrap();
    let read = phone.read_whole(Some(name.record), name.id);
    assert_eq!(read.unwrap_err().code(), "media.unreadable");
    assert_eq!(phone.next_download(), Some(name));
}

/// Describes a file without having it.
fn describe_falsely(liar: &mut FilePhone, record: RecordId, attach: Attach) {
    let event = Event::Attach(attach);
    let written = liar.replica().write(NOW, |writing| {
        let body = writing.event(&event, None);
        writing.append(record, &body)
    });
    written.unwrap();
}

fn false_attach(id: Hash) -> Attach {
    Attach {
        id,
        media: 1,
        bytes: 7,
        salt: [9; 16],
        thumbnail: None,
        extent: None,
    }
}

/// A record of the author that a liar has too, and the server.
fn with_liar(town: &Deployment) -> (Server<'_>, FilePhone, FilePhone, RecordId) {
    let mut server = Server::new(town);
    let (mut author, mut liar) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = author.replica().report(&draft("占道"), NOW).unwrap();
    server.settle(&mut author);
    server.settle(&mut liar);
    (server, author, liar, record)
}

/// The order of the fold follows the parents that an author names, so it must not choose.
#[test]
fn later_description_by_another_person_changes_nothing() {
    let town = Deployment::new();
    let (mut server, mut author, mut liar, record) = with_liar(&town);
    author.replica().comment(record, said("先"), NOW).unwrap();
    let id = author.add(9, 1);
    author.replica().attach(record, id, NOW + 1).unwrap();
    server.settle(&mut author);
    describe_falsely(&mut liar, record, false_attach(id));
    server.settle(&mut liar);
    let mut reader = town.phone(GRID_WORKER_XU);
    server.settle(&mut reader);
    for phone in [&mut reader, &mut liar] {
        let info = phone.replica().attachment(Some(record), id).unwrap();
        let info = info.unwrap();
        let true_bytes = photo(9, 1).len() as u64;
        assert_eq!((info.bytes, info.has_thumbnail), (true_bytes, true));
    }
}

/// Here the false description is the first one; the id refutes it.
#[test]
fn failed_check_tries_the_next_description() {
    let town = Deployment::new();
    let (mut server, mut author, mut liar, record) = with_liar(&town);
    let id = author.add(LARGE, 1);
    let name = FileName { record, id };
    describe_falsely(&mut liar, record, false_attach(id));
    server.settle(&mut liar);
    author.replica().attach(record, id, NOW + 1).unwrap();
    server.settle(&mut author);
    let mut reader = town.phone(GRID_WORKER_XU);
    server.settle(&mut reader);
    reader.replica().want_attachment(record, id).unwrap();
    let first = FilePort::read(author.replica(), &name, 0, 7).unwrap();
    reader
        .replica()
        .arrived(&name, Giver::Server, 0, &first)
        .unwrap();
    assert!(
        !reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
    carry(&mut author, &mut reader, &name, 1 << 20);
    assert!(
        reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
    let read = reader.read_whole(Some(record), id).unwrap();
    assert_eq!(read, photo(LARGE, 1));
}

#[test]
fn impossible_extent_is_replaced_by_the_measured_one() {
    let town = Deployment::new();
    let (mut server, _author, mut liar, record) = with_liar(&town);
    let (bytes, salt) = (photo(9, 1), [9; 16]);
    let id = crate::media::attachment_id(&salt, &bytes);
    let attach = Attach {
        bytes: u32::try_from(bytes.len()).unwrap(),
        extent: Some((1_000_000, 1)),
        ..false_attach(id)
    };
    describe_falsely(&mut liar, record, attach);
    server.settle(&mut liar);
    let mut reader = town.phone(GRID_WORKER_XU);
    server.settle(&mut reader);
    let size = |reader: &mut FilePhone| {
        let info = reader.replica().attachment(Some(record), id).unwrap();
        info.map(|info| (info.width, info.height)).unwrap()
    };
    assert_eq!(size(&mut reader), (None, None));
    let name = FileName { record, id };
    reader.replica().want_attachment(record, id).unwrap();
    reader
        .replica()
        .arrived(&name, Giver::Server, 0, &bytes)
        .unwrap();
    assert!(
        reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
    assert_eq!(size(&mut reader), (Some(8), Some(8)));
}

#[test]
fn failing_read_is_a_fault_of_the_file() {
    let mut phone = phone();
    let name = phone.report_with(9, 1);
    let file = phone.folder().join(&phone.sealed()[0]);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let read = FilePort::read(phone.replica(), &name, 0, 1 << 20);
    assert_eq!(read.unwrap_err().code, "media.unreadable");
}

/// The reserve is lacking too, so one photo would not do.
#[test]
fn making_room_frees_all_that_is_lacking() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let names = [1, 2].map(|n| phone.report_with(LARGE, n));
    server.settle(&mut phone);
    for name in &names {
        phone.replica().delivered(name, 1, NOW).unwrap();
    }
    phone.on(&OddDisk::full_after(0));
    let refused = phone.replica().add_attachment(&photo(9, 3), NOW);
    assert_eq!(refused.unwrap_err().code(), "media.disk_full");
    let states = names.map(|name| phone.state(name.record, name.id));
    assert_eq!(states, ["absent", "absent"]);
}

#[test]
fn download_begun_anew_starts_at_the_first_byte() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    reader
        .replica()
        .want_attachment(name.record, name.id)
        .unwrap();
    let first = FilePort::read(author.replica(), &name, 0, 70_000).unwrap();
    reader
        .replica()
        .arrived(&name, Giver::Server, 0, &first)
        .unwrap();
    reader.replica().begin_anew(&name).unwrap();
    assert_eq!(reader.sealed(), Vec::<String>::new());
    assert_eq!(reader.state(name.record, name.id), "wanted");
    carry(&mut author, &mut reader, &name, 1 << 20);
    assert!(
        reader
            .replica()
            .complete(&name, Giver::Server, Some(1), NOW)
            .unwrap()
    );
    reader.replica().begin_anew(&name).unwrap();
    assert_eq!(reader.state(name.record, name.id), "delivered");
}

#[test]
fn file_that_stays_keeps_no_other_one() {
    let mut phone = phone();
    for n in 1..=3 {
        phone.add(9, n);
    }
    let names = phone.sealed();
    let stuck = phone.folder().join(&names[0]);
    fs::remove_file(&stuck).unwrap();
    fs::create_dir(&stuck).unwrap();
    let conn = phone.replica().conn().unwrap();
    conn.execute_batch("DELETE FROM attachment").unwrap();
    phone.replica().free_space(0).unwrap();
    assert_eq!(phone.sealed(), names[..1]);
    fs::remove_dir(&stuck).unwrap();
    phone.replica().free_space(0).unwrap();
    let left = attachment::garbage(phone.replica().conn().unwrap()).unwrap();
    assert_eq!(left, []);
}

/// The crash came after the commit, and before the file was removed and the second copy followed.
#[test]
fn removed_photo_stays_removed_after_a_crash() {
    let mut phone = phone();
    phone.add(9, 1);
    let conn = phone.replica().conn().unwrap();
    conn.execute_batch("DELETE FROM attachment").unwrap();
    phone.crash();
    phone.reopen();
    assert_eq!(phone.replica().staged().unwrap(), []);
    assert_eq!(phone.sealed(), Vec::<String>::new());
}

#[test]
fn void_photo_can_be_removed_by_its_author() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let (void, kept) = (phone.report_with(9, 1), phone.report_with(9, 2));
    let described = phone.description(&void);
    let status = Status::Void(VoidReason::NotPermitted);
    server.verdicts.insert(described, status);
    server.settle(&mut phone);
    let remove = |phone: &mut FilePhone, name: FileName| {
        phone
            .replica()
            .remove_void_attachment(name.record, name.id)
            .map_err(|error| error.code())
    };
    let refused = |phone: &mut FilePhone| {
        let refused = phone.replica().refused_attachments().unwrap();
        refused.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(refused(&mut phone), [void.id]);
    assert_eq!(remove(&mut phone, void), Ok(()));
    assert_eq!(refused(&mut phone), []);
    assert_eq!(remove(&mut phone, void), Err("media.unknown_id"));
    assert_eq!(remove(&mut phone, kept), Err("media.unknown_id"));
    assert_eq!(phone.sealed().len(), 1);
    phone.replica().rebuild().unwrap();
    assert_eq!(phone.state(void.record, void.id), "gone");
}

#[test]
fn refused_file_is_sent_again_on_request() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let name = phone.report_with(9, 1);
    server.settle(&mut phone);
    let refuse = |phone: &mut FilePhone| {
        let code = "attachment.content";
        phone.replica().refused(&name, code, NOW).unwrap();
        assert_eq!(phone.next_upload(), None);
    };
    assert_eq!(phone.replica().refused_attachments().unwrap(), []);
    refuse(&mut phone);
    let refused = phone.replica().refused_attachments().unwrap();
    let told = refused[0].refusal.as_deref();
    assert_eq!(
        (refused.len(), told, refused[0].id),
        (1, Some("attachment.content"), name.id)
    );
    phone.replica().send_again(name.record, name.id).unwrap();
    assert_eq!(phone.replica().refused_attachments().unwrap(), []);
    assert_eq!(phone.next_upload(), Some(name));
    let again = phone.replica().send_again(name.record, name.id);
    assert_eq!(again.unwrap_err().code(), "media.unknown_id");
    refuse(&mut phone);
    server.generation = 2;
    server.sync(&mut phone);
    assert_eq!(phone.next_upload(), Some(name));
}

/// No real giver ends at a false length, so the true bytes refute the description.
#[test]
fn false_length_ends_no_meeting() {
    let town = Deployment::new();
    for bytes in [7, 7_000_000] {
        let (mut server, mut author, mut liar, record) = with_liar(&town);
        let id = author.add(LARGE, 1);
        let attach = Attach {
            bytes,
            ..false_attach(id)
        };
        describe_falsely(&mut liar, record, attach);
        server.settle(&mut liar);
        author.replica().attach(record, id, NOW + 1).unwrap();
        server.settle(&mut author);
        let mut reader = town.phone(GRID_WORKER_XU);
        server.settle(&mut reader);
        reader.replica().want_attachment(record, id).unwrap();
        for _ in 0..2 {
            super::meeting::meet(&mut reader, &mut author).unwrap();
        }
        let read = reader.read_whole(Some(record), id).unwrap();
        assert_eq!(read, photo(LARGE, 1));
    }
}

#[test]
fn proved_length_chooses_the_description() {
    let town = Deployment::new();
    let (mut server, mut author, mut liar, record) = with_liar(&town);
    let id = author.add(LARGE, 1);
    let name = FileName { record, id };
    describe_falsely(&mut liar, record, false_attach(id));
    server.settle(&mut liar);
    author.replica().attach(record, id, NOW + 1).unwrap();
    server.settle(&mut author);
    let mut reader = town.phone(GRID_WORKER_XU);
    server.settle(&mut reader);
    reader.replica().want_attachment(record, id).unwrap();
    let mut other = |giver, bytes| reader.replica().other_length(&name, giver, bytes).unwrap();
    let length = photo(LARGE, 1).len() as u64;
    assert!(!other(Giver::Server, Some(length + 1)), "no description");
    assert!(other(Giver::Server, Some(length)));
    assert!(!other(Giver::Server, Some(length)), "it is the present one");
    carry(&mut author, &mut reader, &name, 1 << 17);
    // No phone refutes a length that the server has shown.
    let refuted = reader
        .replica()
        .other_length(&name, Giver::Phone, None)
        .unwrap();
    assert!(!refuted);
    let whole = reader
        .replica()
        .complete(&name, Giver::Server, Some(1), NOW);
    assert!(whole.unwrap());
}

#[test]
fn unchecked_download_is_shown_to_nobody() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    for giver in [Giver::Server, Giver::Phone] {
        let replica = reader.replica();
        replica.want_attachment(name.record, name.id).unwrap();
        let mut bytes = FilePort::read(author.replica(), &name, 0, 1 << 20).unwrap();
        bytes[150_000] ^= 1;
        reader.replica().arrived(&name, giver, 0, &bytes).unwrap();
        reader.crash();
        reader.reopen();
        let read = reader.read_whole(Some(name.record), name.id);
        assert_eq!(read.unwrap_err().code(), "media.absent");
        assert!(FilePort::read(reader.replica(), &name, 0, 9).is_err());
        assert!(!reader.replica().complete(&name, giver, None, NOW).unwrap());
        assert_eq!(reader.state(name.record, name.id), "wanted");
        assert_eq!(reader.sealed(), Vec::<String>::new());
    }
}

/// A phone that gives garbage costs no byte of the server, and the server none of a phone.
#[test]
fn bytes_of_a_phone_do_not_spoil_the_servers() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    let replica = reader.replica();
    replica.want_attachment(name.record, name.id).unwrap();
    let garbage = vec![7; 70_000];
    replica.arrived(&name, Giver::Phone, 0, &garbage).unwrap();
    let next = |reader: &mut FilePhone| {
        let (replica, none) = (reader.replica(), BTreeSet::new());
        let from_server = replica.next_download(&none).unwrap().unwrap().offset;
        let from_phone = replica.next_wanted(&none).unwrap().unwrap().offset;
        (from_server, from_phone)
    };
    assert_eq!(next(&mut reader), (0, 70_000));
    let good = FilePort::read(author.replica(), &name, 0, 1 << 20).unwrap();
    let replica = reader.replica();
    replica
        .arrived(&name, Giver::Server, 0, &good[..100_000])
        .unwrap();
    replica
        .arrived(&name, Giver::Phone, 70_000, &vec![7; good.len() - 70_000])
        .unwrap();
    assert!(!replica.complete(&name, Giver::Phone, None, NOW).unwrap());
    assert_eq!(next(&mut reader), (100_000, 0));
    assert_eq!(reader.sealed().len(), 1, "the other part is gone");
    // The whole file of a phone takes the place of the part.
    reader.reopen();
    super::meeting::meet(&mut reader, &mut author).unwrap();
    assert_eq!(reader.sealed().len(), 1);
    reader.crash();
    reader.reopen();
    let read = reader.read_whole(Some(name.record), name.id).unwrap();
    assert_eq!(read, photo(LARGE, 1));
    assert_eq!(reader.state(name.record, name.id), "delivered");
}

#[test]
fn servers_file_drops_the_part_of_a_phone() {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    let replica = reader.replica();
    replica.want_attachment(name.record, name.id).unwrap();
    let garbage = vec![7; 70_000];
    replica.arrived(&name, Giver::Phone, 0, &garbage).unwrap();
    carry(&mut author, &mut reader, &name, 1 << 20);
    let replica = reader.replica();
    let whole = replica.complete(&name, Giver::Server, Some(1), NOW);
    assert!(whole.unwrap());
    assert_eq!(reader.sealed().len(), 1);
    assert_eq!(
        reader.read_whole(Some(name.record), name.id).unwrap(),
        photo(LARGE, 1)
    );
}

/// The key of the part has sealed the bytes of one phone, and another phone gives others.
#[test]
fn part_of_a_phone_begins_anew_after_a_crash() {
    for is_continued in [true, false] {
        crash_and_meet(is_continued);
    }
}

/// Crashes between the file and the row of a part. A giver may then send the bytes that follow in the row;
/// the next meeting brings the photo in any case.
fn crash_and_meet(is_continued: bool) {
    let town = Deployment::new();
    let (_server, mut author, mut reader, name) = two_phones(&town, LARGE);
    let replica = reader.replica();
    replica.want_attachment(name.record, name.id).unwrap();
    let good = FilePort::read(author.replica(), &name, 0, 1 << 20).unwrap();
    replica
        .arrived(&name, Giver::Phone, 0, &good[..70_000])
        .unwrap();
    reader.crash();
    let file = reader.folder().join(&reader.sealed()[0]);
    let mut longer = fs::read(&file).unwrap();
    longer.extend([9; 100]);
    fs::write(&file, longer).unwrap();
    reader.reopen();
    if is_continued {
        let more = &good[70_000..];
        let refused = reader.replica().arrived(&name, Giver::Phone, 70_000, more);
        assert_eq!(refused.unwrap_err().code, "media.offset");
        assert_eq!(reader.sealed(), Vec::<String>::new());
    }
    super::meeting::meet(&mut reader, &mut author).unwrap();
    let read = reader.read_whole(Some(name.record), name.id).unwrap();
    assert_eq!(read, photo(LARGE, 1));
}
