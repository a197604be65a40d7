//! Orphans, backups, restores and the check of all files.

use super::*;
use crate::admin::backup;
use crate::admin::data_dir::DataDir;
use crate::admin::verify::{FileCheck, VerifyReport, verify_files};
use crate::config::LogFormat;
use crate::ingest::tests::world::SyncPhone;
use crate::limits::{ORPHAN_MS, UPLOAD_IDLE_MS_MAX};
use crate::rules::Rules;
use crate::server::Server;
use crate::telemetry::tests::Heard;
use onegrid_core::fixtures::VOLUNTEER_WANG;

/// Walks through all folders of files.
fn clean_up(blobs: &Blobs, now_ms: i64) -> CleanedUp {
    let mut sum = CleanedUp::default();
    for _ in 0..=u8::MAX {
        let step = blobs.clean_up(now_ms).unwrap();
        sum.files += step.files;
        sum.uploads += step.uploads;
        sum.unreadable += step.unreadable;
    }
    sum
}

#[test]
fn orphan_goes_after_its_time() {
    let bench = Bench::new();
    let (blobs, mut phone) = (bench.blobs(), bench.world.phone(VOLUNTEER_WANG));
    let (bytes, device) = (photo(5_000, 1), device(&phone));
    let (key, envelope) = describe_late(&bench.world, &mut phone, &bytes);
    send(&blobs, device, key, &bytes).unwrap();
    let kept = describe(&bench.world, &mut phone, &bytes, [7; 16]);
    send(&blobs, device, kept, &bytes).unwrap();
    assert_eq!(clean_up(&blobs, NOW), CleanedUp::default());
    let later = NOW + ORPHAN_MS;
    assert_eq!(clean_up(&blobs, later).files, 0, "it may be accepted");
    let server = &bench.world.server;
    server.decide(envelope, false, "admin", later).unwrap();
    assert_eq!(clean_up(&blobs, later).files, 0, "its time begins");
    assert_eq!(clean_up(&blobs, later + ORPHAN_MS - 1).files, 0);
    assert!(bench.is_stored(key));
    assert_eq!(clean_up(&blobs, later + ORPHAN_MS).files, 1);
    assert!(!bench.is_stored(key));
    assert!(blobs.files.open(key).unwrap().is_none());
    assert_eq!(read(&blobs, device, kept), bytes);
}

/// Replaces a file by one that the disk gives to no reader.
#[cfg(unix)]
fn make_unreadable(blobs: &Blobs, key: AttachmentKey) {
    let path = blobs.files.path(key);
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&path, &path).unwrap();
}

#[cfg(unix)]
#[test]
fn unreadable_file_is_needed_and_hides_no_other() {
    let mut it = Case::new();
    it.send().unwrap();
    let other = describe(&it.bench.world, &mut it.phone, &photo(600, 2), [2; 16]);
    make_unreadable(&it.blobs, it.key);
    let needed = it.blobs.needed(it.device, &[it.key, other], NOW);
    assert_eq!(needed.unwrap(), [0, 1]);
    assert!(it.send().unwrap().is_new);
    assert_eq!(it.read(), it.bytes);
}

#[test]
fn shortened_file_opens_for_no_reader() {
    let it = Case::new();
    it.send().unwrap();
    let path = it.blobs.files.path(it.key);
    std::fs::write(&path, &it.bytes[..400]).unwrap();
    let opened = it.blobs.open_file(it.device, it.key, NOW);
    assert_eq!(code(opened), "store.damaged");
    assert!(it.send().unwrap().is_new);
    assert_eq!(it.read(), it.bytes);
}

#[cfg(unix)]
#[test]
fn unreadable_orphans_hold_no_other_up() {
    let (heard, guard) = Heard::start(LogFormat::Text);
    let mut it = Case::new();
    let mut keys = Vec::new();
    for n in 0..4 {
        let bytes = photo(500, n);
        let (key, envelope) = describe_late(&it.bench.world, &mut it.phone, &bytes);
        send(&it.blobs, it.device, key, &bytes).unwrap();
        let server = &it.bench.world.server;
        server.decide(envelope, false, "admin", NOW).unwrap();
        keys.push(key);
    }
    // The order of the clean-up.
    keys.sort_by_key(|key| (key.record, key.id));
    make_unreadable(&it.blobs, keys[0]);
    // A folder is not removed like a file.
    let stuck = it.blobs.files.path(keys[1]);
    std::fs::remove_file(&stuck).unwrap();
    std::fs::create_dir(&stuck).unwrap();
    let marked = clean_up(&it.blobs, NOW);
    assert!(marked.files == 0 && marked.unreadable > 0, "{marked:?}");
    let over = clean_up(&it.blobs, NOW + ORPHAN_MS);
    assert!(over.files == 3 && over.unreadable > 0, "{over:?}");
    for key in [keys[0], keys[2], keys[3]] {
        assert!(it.blobs.files.open(key).unwrap().is_none());
    }
    let found = |check| findings(&it.bench.world.server, &it.blobs.files, check);
    assert_eq!(found(FileCheck::Full), ["verify.attachment_stray"]);
    assert_eq!(found(FileCheck::Fast), ["verify.attachment_stray"]);
    drop(guard);
    let log = heard.text();
    assert_eq!(log.matches("unreadable=1").count(), 1, "{log}");
    // The next look finds it again, and removes it once it can.
    std::fs::remove_dir(&stuck).unwrap();
    std::fs::write(&stuck, "readable").unwrap();
    assert_eq!(found(FileCheck::Full), [""; 0]);
    assert_eq!(clean_up(&it.blobs, NOW + ORPHAN_MS).files, 1);
}

#[test]
fn idle_upload_is_forgotten() {
    let it = Case::new();
    it.send_part(1_000);
    let last = it.blobs.clean_up(NOW + UPLOAD_IDLE_MS_MAX).unwrap();
    assert_eq!(last.uploads, 0);
    let over = it.blobs.clean_up(NOW + UPLOAD_IDLE_MS_MAX + 1).unwrap();
    assert_eq!((over.uploads, it.bench.staging()), (1, 0));
}

#[test]
fn returning_description_adopts_its_file() {
    let it = Case::new();
    it.send().unwrap();
    let (store, key) = (it.bench.world.server.store(), it.key);
    let forget = || {
        let forgotten = store.write::<_, StoreError>(move |tx| tx.drop_attachment_file(key));
        forgotten.unwrap();
    };
    // No phone sends it again, as after a restore. The clean-up finds it and gives it its row.
    forget();
    clean_up(&it.blobs, NOW);
    let orphans = || store.read(|tx| tx.attachment_orphans(None, 9)).unwrap();
    assert_eq!(orphans(), []);
    assert_eq!(it.read(), it.bytes);
    // A phone is faster than the clean-up.
    forget();
    let length = it.length();
    let begun = it.blobs.begin(it.device, it.key, length, NOW + 1).unwrap();
    assert_eq!((begun.offset, begun.is_new), (length, true));
    assert_eq!(orphans(), []);
    assert_eq!(it.read(), it.bytes);
    // A damaged file is no file.
    forget();
    flip(&it.blobs, it.key);
    let begun = it.blobs.begin(it.device, it.key, length, NOW + 2).unwrap();
    assert_eq!((begun.offset, begun.is_new), (0, false));
    it.send().unwrap();
    assert_eq!(it.read(), it.bytes);
    // Neither is one that the disk does not give.
    #[cfg(unix)]
    {
        forget();
        make_unreadable(&it.blobs, it.key);
        assert!(it.send().unwrap().is_new);
        assert_eq!(it.read(), it.bytes);
    }
}

/// Changes one bit of a stored file, as a failing disk does.
fn flip(blobs: &Blobs, key: AttachmentKey) {
    let path = blobs.files.path(key);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[900] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// A data folder around the world's database, with one whole file.
pub(super) struct Deployment {
    pub(super) bench: Bench,
    pub(super) data: DataDir,
    blobs: Blobs,
    pub(super) bytes: Vec<u8>,
    pub(super) key: AttachmentKey,
    pub(super) phone: SyncPhone,
}

pub(super) fn deployment() -> Deployment {
    let bench = Bench::new();
    let mut phone = bench.world.phone(VOLUNTEER_WANG);
    let data = DataDir::at(bench.world.folder());
    bench.world.keys.write(&data.keys()).unwrap();
    let shared = Arc::clone(&bench.world.server.shared);
    let ceilings = BlobCeilings::with_reserve(1);
    let blobs = Blobs::open(shared, data.files().folder(), ceilings).unwrap();
    let bytes = photo(5_000, 1);
    let key = describe(&bench.world, &mut phone, &bytes, [1; 16]);
    send(&blobs, device(&phone), key, &bytes).unwrap();
    Deployment {
        bench,
        data,
        blobs,
        bytes,
        key,
        phone,
    }
}

pub(super) fn opened(data: &DataDir, world: &TestServer) -> (Server, Blobs) {
    let server = Server::open(data.store().unwrap(), world.keys.clone(), Rules::none()).unwrap();
    let shared = Arc::clone(&server.shared);
    let ceilings = BlobCeilings::with_reserve(1);
    let blobs = Blobs::open(shared, data.files().folder(), ceilings).unwrap();
    (server, blobs)
}

pub(super) fn findings(server: &Server, files: &Files, check: FileCheck) -> Vec<&'static str> {
    let mut report = VerifyReport::default();
    verify_files(server, files, check, &mut report).unwrap();
    report
        .wrong
        .iter()
        .map(crate::error::Phrase::code)
        .collect()
}

#[test]
fn backup_holds_every_file_of_its_database() {
    let mut it = deployment();
    let from = it.bench.folder.path().join("2025-10-09");
    let other = photo(700, 2);
    let part = describe(&it.bench.world, &mut it.phone, &other, [2; 16]);
    let who = device(&it.phone);
    send_part(&it.blobs, who, part, &other, 300);
    backup::backup(&it.data, &from, "zhang", NOW).unwrap();
    // The server loses its file; the backup has a name of its own for it.
    std::fs::remove_file(it.blobs.files.path(it.key)).unwrap();
    let to = DataDir::at(&it.bench.folder.path().join("restored"));
    backup::restore(&to, &from, None, NOW + 1_000).unwrap();
    let (server, blobs) = opened(&to, &it.bench.world);
    assert_eq!(read(&blobs, who, it.key), it.bytes);
    assert_eq!(findings(&server, &to.files(), FileCheck::Full), [""; 0]);
    assert_eq!(blobs.needed(who, &[it.key, part], NOW).unwrap(), [1]);
    let begun = blobs.begin(who, part, other.len() as u64, NOW);
    assert_eq!(begun.unwrap().offset, 0, "an upload begins again");
}

#[test]
fn restored_server_asks_for_lost_files() {
    let it = deployment();
    let from = it.bench.folder.path().join("2025-10-09");
    backup::backup(&it.data, &from, "zhang", NOW).unwrap();
    let copy = DataDir::at(&from).files();
    std::fs::remove_file(copy.path(it.key)).unwrap();
    let to = DataDir::at(&it.bench.folder.path().join("restored"));
    backup::restore(&to, &from, None, NOW + 1_000).unwrap();
    let (server, blobs) = opened(&to, &it.bench.world);
    let who = device(&it.phone);
    assert_eq!(findings(&server, &to.files(), FileCheck::Full), [""; 0]);
    let opened = blobs.open_file(who, it.key, NOW);
    assert_eq!(code(opened), "attachment.absent");
    assert_eq!(blobs.needed(who, &[it.key], NOW).unwrap(), [0]);
    assert!(send(&blobs, who, it.key, &it.bytes).unwrap().is_new);
    assert_eq!(blobs.needed(who, &[it.key], NOW).unwrap(), [0_u32; 0]);
}

/// Only the database of the backup is left, and the folder of files is in place.
#[test]
fn restore_keeps_files_that_are_in_place() {
    let it = deployment();
    let from = it.bench.folder.path().join("2025-10-09");
    backup::backup(&it.data, &from, "zhang", NOW).unwrap();
    std::fs::remove_dir_all(DataDir::at(&from).files().folder()).unwrap();
    let to = DataDir::at(&it.bench.folder.path().join("restored"));
    to.make().unwrap();
    to.files().make().unwrap();
    to.files().add(&it.data.files(), it.key).unwrap();
    backup::restore(&to, &from, None, NOW + 1_000).unwrap();
    let (_server, blobs) = opened(&to, &it.bench.world);
    assert_eq!(read(&blobs, device(&it.phone), it.key), it.bytes);
}

/// The file is damaged in the data folder, in the backup, or in both.
#[test]
fn restore_puts_the_sound_file_in_place() {
    for damaged in [[true, false], [false, true], [true, true]] {
        let it = deployment();
        let from = it.bench.folder.path().join("2025-10-09");
        backup::backup(&it.data, &from, "zhang", NOW).unwrap();
        let to = DataDir::at(&it.bench.folder.path().join("restored"));
        to.make().unwrap();
        to.files().make().unwrap();
        let backup = DataDir::at(&from).files();
        to.files().add(&backup, it.key).unwrap();
        for (files, is_damaged) in [to.files(), backup].iter().zip(damaged) {
            // A write would change the file under its other names, too.
            let mut bytes = it.bytes.clone();
            bytes[900] ^= u8::from(is_damaged);
            std::fs::remove_file(files.path(it.key)).unwrap();
            std::fs::write(files.path(it.key), bytes).unwrap();
        }
        backup::restore(&to, &from, None, NOW + 1_000).unwrap();
        let (server, blobs) = opened(&to, &it.bench.world);
        let who = device(&it.phone);
        assert_eq!(findings(&server, &to.files(), FileCheck::Full), [""; 0]);
        if damaged == [true, true] {
            assert_eq!(blobs.needed(who, &[it.key], NOW).unwrap(), [0]);
            send(&blobs, who, it.key, &it.bytes).unwrap();
        }
        assert_eq!(read(&blobs, who, it.key), it.bytes, "{damaged:?}");
    }
}

#[test]
fn unreadable_photo_does_not_end_a_backup() {
    let it = deployment();
    let path = it.blobs.files.path(it.key);
    std::fs::remove_file(&path).unwrap();
    // The disk cannot read a folder as a file.
    std::fs::create_dir(&path).unwrap();
    let to = it.bench.folder.path().join("2025-10-09");
    backup::backup(&it.data, &to, "zhang", NOW).unwrap();
    let kept = DataDir::at(&to).files();
    assert_eq!(kept.length(it.key).unwrap(), None);
    assert!(DataDir::at(&to).database().is_file());
}

#[test]
fn lost_file_with_a_row_is_needed_again() {
    let it = deployment();
    let who = device(&it.phone);
    std::fs::remove_file(it.blobs.files.path(it.key)).unwrap();
    assert_eq!(it.blobs.needed(who, &[it.key, it.key], NOW).unwrap(), [0]);
    assert!(send(&it.blobs, who, it.key, &it.bytes).unwrap().is_new);
    assert_eq!(read(&it.blobs, who, it.key), it.bytes);
}

#[test]
fn verify_finds_a_flipped_byte() {
    let it = deployment();
    let server = &it.bench.world.server;
    let found = |check| findings(server, &it.data.files(), check);
    assert_eq!(found(FileCheck::Full), [""; 0]);
    flip(&it.blobs, it.key);
    assert_eq!(found(FileCheck::Full), ["verify.attachment"]);
    assert_eq!(found(FileCheck::Fast), [""; 0]);
    std::fs::write(it.blobs.files.path(it.key), "cut").unwrap();
    assert_eq!(found(FileCheck::Fast), ["verify.attachment"]);
    std::fs::remove_file(it.blobs.files.path(it.key)).unwrap();
    assert_eq!(found(FileCheck::Fast), ["verify.attachment_absent"]);
    assert_eq!(found(FileCheck::Full), ["verify.attachment_absent"]);
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let it = deployment();
    let path = it.blobs.files.path(it.key);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(it.data.files().folder()), 0o700);
}
