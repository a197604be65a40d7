//! Uploads and downloads over a real store and real files, the hostile ones first.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod flipped;
mod kept;
pub(crate) mod photos;

use onegrid_core::id::DeviceId;
use onegrid_core::wire::verdict::Status;
use tokio::time::Duration;

use super::*;
use crate::ingest::tests::world::{SyncPhone, TestServer};
use crate::store::AttachmentKey;
use onegrid_core::fixtures::{GRID_WORKER_CHEN, HANDLER_SHEN, NOW, VOLUNTEER_SUN, VOLUNTEER_WANG};
use photos::*;

fn code<T>(done: Result<T>) -> &'static str {
    match done {
        Ok(_) => "no refusal",
        Err(problem) => problem.code(),
    }
}

#[test]
fn nearly_full_disk_has_no_room() {
    let left = DISK_FREE_BYTES_MIN;
    assert_eq!(code(check_free(&Ok(left - 1), 0)), "store.full");
    assert_eq!(code(check_free(&Ok(left), 0)), "no refusal");
    // Room that was given up for a revocation is not for uploads.
    assert_eq!(code(check_free(&Ok(left), 1)), "store.full");
    let silent = std::io::Error::other("no answer");
    assert_eq!(code(check_free(&Err(silent), 0)), "no refusal");
}

/// A world with an accepted report of one volunteer, and the folder of its files.
struct Bench {
    world: TestServer,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            world: TestServer::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn blobs(&self) -> Blobs {
        self.blobs_with(BlobCeilings::with_reserve(1))
    }

    fn blobs_with(&self, ceilings: BlobCeilings) -> Blobs {
        let shared = Arc::clone(&self.world.server.shared);
        Blobs::open(shared, self.folder.path(), ceilings).unwrap()
    }

    fn staging(&self) -> usize {
        let listed = std::fs::read_dir(self.folder.path().join("staging"));
        listed.unwrap().count()
    }

    fn is_stored(&self, key: AttachmentKey) -> bool {
        let row = self.world.server.store().read(|tx| tx.attachment_file(key));
        row.unwrap().is_some()
    }
}

/// A bench, and a photo that the phone of a volunteer has described.
struct Case {
    bench: Bench,
    blobs: Blobs,
    phone: SyncPhone,
    device: DeviceId,
    bytes: Vec<u8>,
    key: AttachmentKey,
}

impl Case {
    fn new() -> Self {
        Self::of(photo(5_000, 1))
    }

    fn of(bytes: Vec<u8>) -> Self {
        let bench = Bench::new();
        let (blobs, mut phone) = (bench.blobs(), bench.world.phone(VOLUNTEER_WANG));
        let key = describe(&bench.world, &mut phone, &bytes, [1; 16]);
        Self {
            blobs,
            device: device(&phone),
            bytes,
            key,
            phone,
            bench,
        }
    }

    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The process ends, and another one begins.
    fn restart(&mut self) {
        // The old one lets its folder go first.
        self.blobs = Bench::new().blobs();
        self.blobs = self.bench.blobs();
    }

    fn begin(&self) -> Result<Progress> {
        self.blobs.begin(self.device, self.key, self.length(), NOW)
    }

    fn progress(&self) -> Result<Progress> {
        self.blobs.progress(self.device, self.key, NOW)
    }

    fn open(&self, offset: u64) -> Receiver {
        open(&self.blobs, self.device, self.key, offset)
    }

    fn send(&self) -> Result<Progress> {
        send(&self.blobs, self.device, self.key, &self.bytes)
    }

    fn send_part(&self, end: usize) {
        send_part(&self.blobs, self.device, self.key, &self.bytes, end);
    }

    fn read(&self) -> Vec<u8> {
        read(&self.blobs, self.device, self.key)
    }
}

#[test]
fn upload_with_a_lying_length_is_refused() {
    let it = Case::new();
    let length = it.length();
    for lie in [0, length - 1, length + 1, u64::MAX] {
        assert_eq!(
            code(it.blobs.begin(it.device, it.key, lie, NOW)),
            "attachment.length"
        );
    }
    assert_eq!(it.begin().unwrap().offset, 0);
    let announced = it.blobs.resume(it.device, it.key, 0, Some(length + 1), NOW);
    assert_eq!(code(announced), "http.too_large");
    let mut receiver = it.open(0);
    it.blobs
        .write(&mut receiver, &it.bytes[..100], NOW)
        .unwrap();
    let long = [&it.bytes[100..], b"more"].concat();
    let refused = it.blobs.write(&mut receiver, &long, NOW);
    assert_eq!(code(refused), "http.too_large");
    it.blobs.save(&mut receiver, NOW).unwrap();
    // Everything before the lie is the file itself.
    let progress = it.progress().unwrap();
    assert_eq!((progress.offset, progress.is_new), (length, true));
}

#[test]
fn upload_with_another_hash_is_removed() {
    let it = Case::new();
    let other = photo(5_000, 2);
    assert_eq!(
        code(send(&it.blobs, it.device, it.key, &other)),
        "attachment.hash"
    );
    assert_eq!(code(it.progress()), "attachment.absent");
    assert_eq!((it.bench.staging(), it.bench.is_stored(it.key)), (0, false));
    assert!(it.send().unwrap().is_new);
}

#[test]
fn polyglot_is_refused_at_the_end() {
    let bench = Bench::new();
    let (blobs, mut phone) = (bench.blobs(), bench.world.phone(VOLUNTEER_WANG));
    let device = device(&phone);
    let page = b"<script>alert(1)</script>".to_vec();
    for bytes in [[photo(900, 1), page.clone()].concat(), page] {
        let key = describe(&bench.world, &mut phone, &bytes, [1; 16]);
        assert_eq!(
            code(send(&blobs, device, key, &bytes)),
            "attachment.content"
        );
        assert_eq!((bench.staging(), bench.is_stored(key)), (0, false));
    }
    let bytes = photo(900, 1);
    let key = describe_as_recording(&bench.world, &mut phone, &bytes);
    let refused = send(&blobs, device, key, &bytes);
    assert_eq!(code(refused), "attachment.content");
}

#[test]
fn upload_resumes_after_a_server_kill() {
    let mut it = Case::of(photo(1_500_000, 1));
    it.begin().unwrap();
    let mut receiver = it.open(0);
    for piece in it.bytes[..1_300_000].chunks(32 * 1_024) {
        it.blobs.write(&mut receiver, piece, NOW).unwrap();
    }
    let durable = receiver.durable();
    assert!((1 << 20..1_300_000).contains(&durable), "{durable}");
    // Killed: nothing more is saved. A stranger's leftover lies beside.
    drop(receiver);
    std::fs::write(it.bench.folder.path().join("staging/left"), "x").unwrap();
    it.restart();
    assert_eq!(it.bench.staging(), 1);
    assert_eq!(it.progress().unwrap().offset, durable);
    let wrong = it.blobs.resume(it.device, it.key, 0, None, NOW);
    assert_eq!(code(wrong), "attachment.offset");
    let mut receiver = it.open(durable);
    let from = usize::try_from(durable).unwrap();
    it.blobs
        .write(&mut receiver, &it.bytes[from..], NOW)
        .unwrap();
    it.blobs.save(&mut receiver, NOW).unwrap();
    // Killed again, between the last byte and the check.
    drop(receiver);
    it.restart();
    assert!(!it.bench.is_stored(it.key));
    let progress = it.progress().unwrap();
    assert_eq!((progress.offset, progress.is_new), (it.length(), true));
    assert_eq!(it.read(), it.bytes);
    assert_eq!(it.bench.staging(), 0);
}

#[test]
fn upload_without_its_staging_file_begins_again() {
    let mut it = Case::new();
    it.send_part(2_000);
    for left in std::fs::read_dir(it.bench.folder.path().join("staging")).unwrap() {
        std::fs::write(left.unwrap().path(), "short").unwrap();
    }
    let cut = it.blobs.resume(it.device, it.key, 2_000, None, NOW);
    assert_eq!(code(cut), "attachment.absent");
    it.send_part(2_000);
    std::fs::remove_dir_all(it.bench.folder.path().join("staging")).unwrap();
    it.restart();
    assert_eq!(code(it.progress()), "attachment.absent");
    assert!(it.send().unwrap().is_new);
}

#[test]
fn two_devices_upload_one_file_once() {
    let it = Case::new();
    let worker = it.bench.world.phone(GRID_WORKER_CHEN);
    let (first, second) = (it.device, device(&worker));
    send_part(&it.blobs, first, it.key, &it.bytes, 1_000);
    send_part(&it.blobs, second, it.key, &it.bytes, 3_000);
    assert_eq!(it.bench.staging(), 2);
    assert!(send(&it.blobs, second, it.key, &it.bytes).unwrap().is_new);
    // The first one asks, or begins again.
    let length = it.length();
    for _ in 0..2 {
        let progress = it.blobs.progress(first, it.key, NOW).unwrap();
        assert_eq!((progress.offset, progress.is_new), (length, false));
        let begun = it.blobs.begin(first, it.key, length, NOW).unwrap();
        assert_eq!((begun.offset, begun.is_new), (length, false));
    }
    let finished = it.blobs.finish(first, it.key, NOW).unwrap();
    assert_eq!((finished.offset, finished.is_new), (length, false));
    assert_eq!(it.bench.staging(), 0);
    let used = |device| {
        let day = it.bench.world.server.store();
        day.read(|tx| tx.uploaded(upload::day_of(NOW), device))
            .unwrap()
    };
    assert_eq!((used(first).files, used(first).bytes), (1, 1_000));
}

#[test]
fn liar_spoils_no_upload_of_others() {
    let it = Case::new();
    let mut liar = it.bench.world.phone(GRID_WORKER_CHEN);
    // The liar reads the record. It describes the same file with another salt and another length.
    for (salt, length) in [([2; 16], 5_000), ([1; 16], 77)] {
        describe_again(&it.bench.world, &mut liar, it.key, salt, length);
    }
    let other = photo(5_000, 2);
    it.send_part(1_000);
    assert_eq!(
        code(send(&it.blobs, device(&liar), it.key, &other)),
        "attachment.hash"
    );
    send_part(&it.blobs, device(&liar), it.key, &other, 4_000);
    let offset = it.progress().unwrap().offset;
    assert_eq!(offset, 1_000);
    assert!(it.send().unwrap().is_new);
    assert_eq!(read(&it.blobs, device(&liar), it.key), it.bytes);
}

#[test]
fn stranger_reads_no_file() {
    let it = Case::new();
    let stranger = it.bench.world.phone(HANDLER_SHEN);
    let who = device(&stranger);
    for is_stored in [false, true] {
        if is_stored {
            it.send().unwrap();
        }
        assert_eq!(
            code(it.blobs.open_file(who, it.key, NOW)),
            "attachment.absent"
        );
        assert_eq!(
            code(it.blobs.progress(who, it.key, NOW)),
            "attachment.absent"
        );
        let begun = it.blobs.begin(who, it.key, it.length(), NOW);
        assert_eq!(code(begun), "attachment.not_described");
        let resumed = it.blobs.resume(who, it.key, 0, None, NOW);
        assert_eq!(code(resumed), "attachment.absent");
        assert_eq!(it.blobs.needed(who, &[it.key], NOW).unwrap(), [0_u32; 0]);
        assert_eq!(code(it.blobs.end(who, it.key)), "attachment.absent");
    }
    assert_eq!(it.read(), it.bytes);
}

/// A person who once read a description knows id and salt, and could describe the file in a record of its own.
#[test]
fn copied_description_opens_no_file() {
    let it = Case::new();
    let mut thief = it.bench.world.phone(VOLUNTEER_SUN);
    it.send().unwrap();
    let copied = describe(&it.bench.world, &mut thief, &it.bytes, [1; 16]);
    assert_eq!(copied.id, it.key.id);
    let who = device(&thief);
    assert_eq!(
        code(it.blobs.open_file(who, it.key, NOW)),
        "attachment.absent"
    );
    assert_eq!(
        code(it.blobs.open_file(who, copied, NOW)),
        "attachment.absent"
    );
    assert_eq!(it.blobs.needed(who, &[it.key, copied], NOW).unwrap(), [1]);
    let begun = it.blobs.begin(who, copied, it.length(), NOW).unwrap();
    assert_eq!(begun.offset, 0, "it has to send every byte");
}

#[test]
fn lost_right_ends_a_download() {
    let it = Case::new();
    let worker = it.bench.world.phone(GRID_WORKER_CHEN);
    it.send().unwrap();
    assert_eq!(read(&it.blobs, device(&worker), it.key), it.bytes);
    it.blobs.look_again(device(&worker), it.key, NOW).unwrap();
    let revoked = it.bench.world.server.revoke(device(&worker), "admin", NOW);
    assert!(revoked.unwrap());
    let look = it.blobs.look_again(device(&worker), it.key, NOW);
    assert_eq!(code(look), "session.revoked");
    let opened = it.blobs.open_file(device(&worker), it.key, NOW);
    assert_eq!(code(opened), "session.revoked");
}

#[test]
fn held_description_opens_its_file_to_its_author_alone() {
    let bench = Bench::new();
    let (blobs, mut phone) = (bench.blobs(), bench.world.phone(VOLUNTEER_WANG));
    let worker = bench.world.phone(GRID_WORKER_CHEN);
    let bytes = photo(5_000, 1);
    let (key, envelope) = describe_late(&bench.world, &mut phone, &bytes);
    send(&blobs, device(&phone), key, &bytes).unwrap();
    assert_eq!(read(&blobs, device(&phone), key), bytes);
    let opened = blobs.open_file(device(&worker), key, NOW);
    assert_eq!(code(opened), "attachment.absent");
    let server = &bench.world.server;
    server.decide(envelope, true, "admin", NOW).unwrap();
    let status = server.store().read(|tx| tx.descriptions(key)).unwrap()[0].1;
    assert_eq!(status, Status::Admitted);
    assert_eq!(read(&blobs, device(&worker), key), bytes);
}

#[test]
fn full_server_takes_no_file() {
    let mut it = Case::new();
    it.send_part(1_000);
    it.blobs = it.bench.blobs_with(BlobCeilings::with_reserve(u64::MAX));
    let resumed = it.blobs.resume(it.device, it.key, 1_000, None, NOW);
    assert_eq!(code(resumed), "attachment.server_full");
    assert_eq!(it.progress().unwrap().offset, 1_000);
    let other = photo(400, 2);
    let next = describe(&it.bench.world, &mut it.phone, &other, [1; 16]);
    let begun = it.blobs.begin(it.device, next, other.len() as u64, NOW);
    assert_eq!(code(begun), "attachment.server_full");
}

#[test]
fn quota_of_a_day_ends_with_the_day() {
    const DAY_MS: i64 = 24 * 3_600_000;
    let bench = Bench::new();
    let mut phone = bench.world.phone(VOLUNTEER_WANG);
    let blobs = bench.blobs_with(BlobCeilings {
        device_day_bytes: 12_000,
        device_day_files: 3,
        ..BlobCeilings::with_reserve(1)
    });
    let device = device(&phone);
    let mut take = |n: u8, at_ms: i64| {
        let bytes = photo(5_000, n);
        let key = describe(&bench.world, &mut phone, &bytes, [n; 16]);
        let begun = blobs.begin(device, key, bytes.len() as u64, at_ms);
        begun.and_then(|_| send_at(&blobs, device, key, &bytes, at_ms))
    };
    take(1, NOW).unwrap();
    take(2, NOW).unwrap();
    let over = take(3, NOW).unwrap_err();
    assert_eq!(over.code(), "attachment.too_many");
    let wait_ms = i64::from(over.retry_after_s().unwrap()) * 1_000;
    assert!((1..=DAY_MS + 1_000).contains(&wait_ms), "{wait_ms}");
    assert!(take(4, NOW + wait_ms).unwrap().is_new, "the next day");
    let small = photo(200, 5);
    let mut small_one = |n: u8| {
        let key = describe(&bench.world, &mut phone, &small, [n; 16]);
        blobs.begin(device, key, small.len() as u64, NOW + wait_ms)
    };
    small_one(6).unwrap();
    small_one(7).unwrap();
    assert_eq!(code(small_one(8)), "attachment.too_many", "the fourth file");
}

#[test]
fn one_more_upload_ends_the_one_that_rested_longest() {
    let bench = Bench::new();
    let mut phone = bench.world.phone(VOLUNTEER_WANG);
    let blobs = bench.blobs_with(BlobCeilings {
        open_per_device: 2,
        ..BlobCeilings::with_reserve(1)
    });
    let device = device(&phone);
    let mut keys = Vec::new();
    for n in 0..3 {
        let bytes = photo(5_000, n);
        let key = describe(&bench.world, &mut phone, &bytes, [n; 16]);
        let at_ms = NOW + i64::from(n);
        blobs.begin(device, key, bytes.len() as u64, at_ms).unwrap();
        keys.push(key);
    }
    assert_eq!(bench.staging(), 2);
    let gone = blobs.progress(device, keys[0], NOW);
    assert_eq!(code(gone), "attachment.absent");
    for key in &keys[1..] {
        assert_eq!(blobs.progress(device, *key, NOW).unwrap().offset, 0);
    }
    blobs.end(device, keys[1]).unwrap();
    assert_eq!(bench.staging(), 1);
}

#[test]
fn ended_upload_takes_no_byte_of_its_old_request() {
    let it = Case::new();
    it.begin().unwrap();
    let mut old = it.open(0);
    it.blobs.write(&mut old, &it.bytes[..1_000], NOW).unwrap();
    it.blobs.end(it.device, it.key).unwrap();
    it.blobs
        .begin(it.device, it.key, it.length(), NOW + 1)
        .unwrap();
    assert_eq!(code(it.blobs.save(&mut old, NOW)), "attachment.absent");
    assert_eq!(it.progress().unwrap().offset, 0);
    assert!(it.send().unwrap().is_new);
}

/// A second node over the same folder starts, and the phone continues there.
#[test]
fn half_an_upload_continues_at_another_node() {
    let it = Case::of(photo(1_500_000, 1));
    it.begin().unwrap();
    let mut receiver = it.open(0);
    it.blobs
        .write(&mut receiver, &it.bytes[..1_200_000], NOW)
        .unwrap();
    let durable = receiver.durable();
    let server = it.bench.world.reopened();
    let ceilings = BlobCeilings::with_reserve(1);
    let other = server.open_files(it.bench.folder.path(), ceilings).unwrap();
    // The start cuts nothing off a file that the first node still writes.
    let resumed = other.resume(it.device, it.key, durable, None, NOW);
    assert_eq!(code(resumed), "attachment.locked");
    it.blobs.save(&mut receiver, NOW).unwrap();
    drop(receiver);
    let at = other.progress(it.device, it.key, NOW).unwrap().offset;
    assert_eq!(at, 1_200_000);
    let mut receiver = open(&other, it.device, it.key, at);
    let rest = &it.bytes[usize::try_from(at).unwrap()..];
    other.write(&mut receiver, rest, NOW).unwrap();
    other.save(&mut receiver, NOW).unwrap();
    drop(receiver);
    assert!(other.finish(it.device, it.key, NOW).unwrap().is_new);
    assert_eq!(it.read(), it.bytes, "the first node gives it too");
}

/// A node that removes an orphan must not take away the same file that another node has just put there.
#[test]
fn file_takes_its_place_while_no_other_node_removes() {
    let it = Case::new();
    let server = it.bench.world.reopened();
    let ceilings = BlobCeilings::with_reserve(1);
    let other = server.open_files(it.bench.folder.path(), ceilings).unwrap();
    let removes = other.alone().unwrap();
    let (done, outcome) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| done.send(it.send()).unwrap());
        let early = outcome.recv_timeout(Duration::from_millis(300));
        assert!(early.is_err(), "it waits for the other node");
        assert!(!it.bench.is_stored(it.key));
        drop(removes);
        assert!(outcome.recv().unwrap().unwrap().is_new);
    });
}

#[test]
fn needed_names_the_files_that_are_lacking() {
    let bench = Bench::new();
    let (blobs, mut phone) = (bench.blobs(), bench.world.phone(VOLUNTEER_WANG));
    let device = device(&phone);
    let keys: Vec<AttachmentKey> = (0..3)
        .map(|n| {
            let bytes = photo(500, n);
            let key = describe(&bench.world, &mut phone, &bytes, [n; 16]);
            if n == 1 {
                send(&blobs, device, key, &bytes).unwrap();
            }
            key
        })
        .collect();
    let unknown = AttachmentKey {
        id: onegrid_core::id::Hash([9; 32]),
        ..keys[0]
    };
    let held = [keys[0], keys[1], unknown, keys[2]];
    assert_eq!(blobs.needed(device, &held, NOW).unwrap(), [0, 3]);
}

#[tokio::test]
async fn newest_request_gets_the_turn_when_the_others_let_go() {
    let turns = Turns::default();
    let key = AttachmentKey {
        record: onegrid_core::id::RecordId([1; 16]),
        id: onegrid_core::id::Hash([2; 32]),
    };
    let device = onegrid_core::id::DeviceId([3; 16]);
    let first = turns.take(device, key).await.unwrap();
    let other = AttachmentKey {
        record: onegrid_core::id::RecordId([9; 16]),
        ..key
    };
    drop(turns.take(device, other).await.unwrap());
    let waiting = tokio::spawn({
        let turns = turns.clone();
        async move { turns.take(device, key).await.unwrap() }
    });
    first.taken_over().await;
    drop(first);
    drop(waiting.await.unwrap());
    assert!(turns.is_empty(), "memory is bounded by the open requests");
}

#[tokio::test]
async fn request_that_does_not_let_go_locks_the_upload() {
    let turns = Turns::default();
    let key = AttachmentKey {
        record: onegrid_core::id::RecordId([1; 16]),
        id: onegrid_core::id::Hash([2; 32]),
    };
    let device = onegrid_core::id::DeviceId([3; 16]);
    let first = turns.take(device, key).await.unwrap();
    let locked = turns.take_within(device, key, Duration::ZERO).await;
    assert_eq!(code(locked), "attachment.locked");
    drop(first);
    turns.take(device, key).await.unwrap();
    assert!(turns.is_empty());
}
