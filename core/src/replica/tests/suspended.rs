//! Suspending: no file is open or locked, in the middle of a first sync too, and nothing is lost.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use super::server::Server;
use super::*;
use crate::sync::answer::Answer;
use crate::sync::port::StarPort;

/// Records of a first sync.
const RECORDS: u64 = 600;

/// Locks that this process holds on a file in this folder, as the kernel tells. A lock of another process would be
/// on another file whose number is the same by chance.
fn locks(phone: &FilePhone) -> Vec<String> {
    let inodes: BTreeSet<String> = fs::read_dir(phone.database.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().ino().to_string())
        .collect();
    let own = std::process::id().to_string();
    let of_ours = |line: &&str| {
        let mut words = line.split_whitespace();
        let file = words
            .clone()
            .find(|word| word.matches(':').count() == 2)
            .and_then(|file| file.rsplit(':').next());
        words.any(|word| word == own) && file.is_some_and(|inode| inodes.contains(inode))
    };
    let all = fs::read_to_string("/proc/locks").unwrap();
    all.lines().filter(of_ours).map(str::to_owned).collect()
}

/// Files in this folder that this process has open.
fn open_files(phone: &FilePhone) -> Vec<PathBuf> {
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|path| path.starts_with(phone.database.path()))
        .collect()
}

fn suspended<T>(result: Result<T, ReplicaError>) {
    assert_eq!(result.err().unwrap().code(), "replica.suspended");
}

#[test]
fn suspended_replica_holds_no_file_and_says_so() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    let readers = phone.replica().readers();
    assert!(readers.reader().unwrap().view(record).unwrap().is_some());
    assert!(!open_files(&phone).is_empty());
    // One look may miss a lock, because other processes change the kernel's list meanwhile.
    assert!((0..1_000).any(|_| !locks(&phone).is_empty()));
    let epoch = phone.replica().epoch().unwrap();

    phone.replica().suspend().unwrap();
    assert_eq!(locks(&phone), [""; 0]);
    assert!(open_files(&phone).is_empty());
    let replica = phone.replica();
    suspended(replica.report(&draft("二"), NOW));
    suspended(replica.view(record));
    suspended(replica.count(&Filter::default()));
    suspended(replica.notices());
    suspended(replica.notices_seen(9));
    suspended(replica.rest());
    suspended(replica.rebuild());
    suspended(replica.reader());
    suspended(readers.reader());
    assert_eq!(replica.cursors().unwrap_err().code, "replica.suspended");
    replica.suspend().unwrap();

    replica.resume().unwrap();
    let again = replica.report(&draft("二"), NOW).unwrap();
    assert_eq!(replica.take_changes().unwrap().records, [again]);
    assert_eq!(replica.epoch().unwrap(), epoch, "an orderly rest");
    assert_eq!(readers.reader().unwrap().undelivered().unwrap(), 2);
    replica.suspend().unwrap();
    phone.close();
    assert_eq!(phone.reopen().undelivered().unwrap(), 2);
}

#[test]
fn reader_that_is_kept_is_named_and_waited_for() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let kept = phone.replica().reader().unwrap();
    let refused = phone.replica().suspend().unwrap_err();
    assert_eq!(refused.code(), "replica.readers_open");
    suspended(kept.count(&Filter::default()));
    assert_eq!(phone.replica().readers().lent(), 1);
    drop(kept);
    phone.replica().suspend().unwrap();
    assert_eq!(locks(&phone), [""; 0]);
}

#[test]
fn another_process_may_write_meanwhile_under_its_epoch() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    phone.replica().report(&draft("一"), NOW).unwrap();
    phone.replica().suspend().unwrap();
    let mut first = phone.replica.take().unwrap();
    // It crashes, so its epoch is used up.
    phone.reopen().report(&draft("二"), NOW).unwrap();
    let second = phone.replica().epoch().unwrap();
    assert_eq!(first.resume().unwrap_err().code(), "replica.in_use");
    suspended(first.undelivered());
    phone.crash();
    first.resume().unwrap();
    assert_eq!(first.undelivered().unwrap(), 2);
    first.report(&draft("三"), NOW).unwrap();
    assert_ne!(first.epoch().unwrap(), second);
}

/// Suspends a phone while another thread applies an answer and a screen reads. Returns how many records the screen
/// saw and how many were kept; `None` if the answer was complete before.
fn suspended_in_the_middle(phone: &mut FilePhone, answer: &Answer) -> Option<(u64, u64)> {
    let readers = phone.replica().readers();
    let replica = Mutex::new(phone.replica.take().unwrap());
    let (shown, applied) = std::thread::scope(|threads| {
        let applying = threads.spawn(|| replica.lock().unwrap().apply(answer, NOW));
        // A screen shows the first records while the rest is applied.
        let shown = loop {
            let shown = readers.reader().unwrap().count(&Filter::default()).unwrap();
            if shown > 0 {
                break shown;
            }
        };
        readers.halt();
        replica.lock().unwrap().suspend().unwrap();
        assert_eq!(locks(phone), [""; 0]);
        assert!(open_files(phone).is_empty());
        (shown, applying.join().unwrap())
    });
    let mut replica = replica.into_inner().unwrap();
    replica.resume().unwrap();
    let kept = replica.count(&Filter::default()).unwrap();
    phone.replica = Some(replica);
    let stopped = applied.err()?;
    assert_eq!(stopped.code, "replica.suspended");
    (kept < RECORDS).then_some((shown, kept))
}

#[test]
fn suspend_stops_a_first_sync_between_slices() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    for n in 0..RECORDS {
        let draft = draft(&format!("隐患 {n}"));
        let at_ms = NOW + i64::try_from(n).unwrap();
        worker.replica().report(&draft, at_ms).unwrap();
    }
    server.settle(&mut worker);
    let answer = server.load_answer();
    // The screen's thread may get no turn before the whole answer is applied; then another phone begins anew.
    let (mut phone, (shown, kept)) = loop {
        let mut phone = town.phone(GRID_WORKER_XU);
        if let Some(counts) = suspended_in_the_middle(&mut phone, &answer) {
            break (phone, counts);
        }
    };
    assert!(shown <= kept, "{shown} shown, {kept} kept");
    let replica = phone.replica();
    replica.apply(&answer, NOW).unwrap();
    assert_eq!(replica.count(&Filter::default()).unwrap(), RECORDS);
    assert_eq!(replica.combined_digest().unwrap(), server.digest());
}
