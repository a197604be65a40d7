//! Suspending: no file is open or locked, in the middle of a first sync too, and nothing is lost.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use super::server::Server;
use super::*;
use crate::sync::port::StarPort;

/// Locks that any process holds on a file in this folder, as the kernel tells.
fn locks(phone: &Phone) -> Vec<String> {
    let inodes: BTreeSet<String> = fs::read_dir(phone.database.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().ino().to_string())
        .collect();
    let of_ours = |line: &&str| {
        let file = line
            .split_whitespace()
            .find(|word| word.matches(':').count() == 2);
        file.and_then(|file| file.rsplit(':').next())
            .is_some_and(|inode| inodes.contains(inode))
    };
    let all = fs::read_to_string("/proc/locks").unwrap();
    all.lines().filter(of_ours).map(str::to_owned).collect()
}

/// Files in this folder that this process has open.
fn open_files(phone: &Phone) -> Vec<PathBuf> {
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
    let mut phone = Town::new().volunteer(11);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    let readers = phone.replica().readers();
    assert!(readers.reader().unwrap().view(record).unwrap().is_some());
    assert!(!locks(&phone).is_empty() && !open_files(&phone).is_empty());
    let epoch = phone.replica().epoch().unwrap();

    phone.replica().suspend().unwrap();
    assert_eq!(locks(&phone), [""; 0]);
    assert_eq!(open_files(&phone), [PathBuf::new(); 0]);
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
    let mut phone = Town::new().volunteer(11);
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
    let mut phone = Town::new().volunteer(11);
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

#[test]
fn suspend_stops_a_first_sync_between_slices() {
    let town = Town::new();
    let mut server = Server::new(&town);
    let mut worker = town.grid_worker(11);
    for n in 0..600 {
        let draft = draft(&format!("隐患 {n}"));
        worker.replica().report(&draft, NOW + n).unwrap();
    }
    server.settle(&mut worker);
    let answer = server.load_answer();
    let mut phone = town.grid_worker(13);
    let readers = phone.replica().readers();
    let replica = Mutex::new(phone.replica.take().unwrap());
    let shown = std::thread::scope(|threads| {
        let applying = threads.spawn(|| replica.lock().unwrap().apply(&answer, NOW));
        // A screen shows the first records while the rest is applied.
        let shown = loop {
            let shown = readers.reader().unwrap().count(&Filter::default()).unwrap();
            if shown > 0 {
                break shown;
            }
        };
        readers.halt();
        replica.lock().unwrap().suspend().unwrap();
        assert_eq!(locks(&phone), [""; 0]);
        assert_eq!(open_files(&phone), [PathBuf::new(); 0]);
        let stopped = applying.join().unwrap().unwrap_err();
        assert_eq!(stopped.code, "replica.suspended");
        shown
    });
    let mut replica = replica.into_inner().unwrap();
    replica.resume().unwrap();
    let kept = replica.count(&Filter::default()).unwrap();
    assert!(shown <= kept && kept < 600, "{shown} shown, {kept} kept");
    replica.apply(&answer, NOW).unwrap();
    assert_eq!(replica.count(&Filter::default()).unwrap(), 600);
    assert_eq!(replica.combined_digest().unwrap(), server.digest());
}
