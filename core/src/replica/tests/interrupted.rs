//! A rescue that is interrupted after each of its steps. Opening, or rescuing again, recovers all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::server::Server;
use super::*;
use crate::id::RecordId;
use crate::replica::{open, rescue, salvage, site};

/// A phone as a kill leaves it: records from packs, and three of its own that no server has.
struct Scene {
    phone: FilePhone,
    files: BTreeMap<PathBuf, Vec<u8>>,
    rows: Vec<RecordRow>,
    own: BTreeSet<RecordId>,
    epoch: Option<Epoch>,
}

fn scene() -> Scene {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut phone) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_XU));
    for n in 0..4 {
        let others = draft(&format!("别人的 {n}"));
        worker.replica().report(&others, NOW + n).unwrap();
    }
    server.settle(&mut worker);
    server.load(&mut phone);
    let mut report = |n| {
        let own = draft(&format!("自己的 {n}"));
        phone.replica().report(&own, NOW + 100 + n).unwrap()
    };
    let own = (0..3).map(&mut report).collect();
    let rows = phone.replica().rows().unwrap();
    assert_eq!(rows.len(), 7);
    let epoch = phone.replica().epoch().unwrap();
    assert!(epoch.is_some());
    let mut scene = Scene {
        phone,
        files: BTreeMap::new(),
        rows,
        own,
        epoch,
    };
    scene.files = scene.read();
    // Shared memory of the processes that had it open. A kill leaves it, and the next process makes it
    // anew.
    let shared = |path: &PathBuf| path.to_string_lossy().ends_with("-shm");
    scene.files.retain(|path, _| !shared(path));
    scene
}

impl Scene {
    fn path(&self) -> PathBuf {
        self.phone.path()
    }

    fn key(&self) -> FileKey {
        self.phone.file_key()
    }

    fn site(&self) -> site::Site {
        self.phone.site()
    }

    fn read(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        [&self.phone.database, &self.phone.elsewhere]
            .into_iter()
            .flat_map(|folder| fs::read_dir(folder.path()).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_none_or(|ending| ending != "lock"))
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    }

    /// Restores exactly the files that the kill left.
    fn put_back(&mut self) {
        self.phone.replica = None;
        for path in self.read().into_keys() {
            fs::remove_file(path).unwrap();
        }
        for (path, bytes) in &self.files {
            fs::write(path, bytes).unwrap();
        }
    }

    /// Kills a rescue after so many steps; `false` when it has fewer.
    fn rescue_until(&self, killed_after: usize) -> bool {
        let (path, key) = (self.path(), self.key());
        if killed_after == 0 {
            drop(open::create(&rescue::half(&path), &key).unwrap());
            return true;
        }
        let site = self.site();
        rescue::build(&site, NOW).unwrap();
        if killed_after == 1 {
            return true;
        }
        rescue::declare(&site).unwrap();
        if killed_after == 2 {
            return true;
        }
        let aside = self.aside();
        let moves = salvage::moves(&path, &aside).into_iter();
        let moves = moves.filter(|(from, _)| from.exists());
        for (done, (from, to)) in moves.enumerate() {
            fs::rename(from, to).unwrap();
            if killed_after == 3 + done {
                return true;
            }
        }
        rescue::put_in_place(&site).unwrap();
        false
    }

    fn aside(&self) -> PathBuf {
        site::with_suffix(&self.path(), ".aside-1")
    }

    /// Starts as the host does: it opens the replica, and rescues a damaged one.
    fn start(&mut self) {
        let opened = Replica::open(self.phone.options());
        self.phone.replica = Some(opened.unwrap_or_else(|error| {
            assert_eq!(error.code(), "replica.damaged");
            Replica::rescue(self.phone.options(), NOW).unwrap().0
        }));
    }

    fn all_is_there(&mut self, what: &str) {
        let (half, whole) = (rescue::half(&self.path()), rescue::whole(&self.path()));
        let replica = self.phone.replica();
        assert_eq!(replica.undelivered().unwrap(), 3, "{what}");
        let rows = replica.rows().unwrap();
        let damaged = self.damaged();
        let expected = |row: &&RecordRow| !damaged || self.own.contains(&row.id);
        let expected: Vec<&RecordRow> = self.rows.iter().filter(expected).collect();
        assert_eq!(rows.iter().collect::<Vec<_>>(), expected, "{what}");
        for row in rows {
            assert!(
                self.phone.replica().view(row.id).unwrap().is_some(),
                "{what}"
            );
        }
        assert!(!half.exists() && !whole.exists(), "{what}");
        // Writing continues, and not under the epoch that the interrupted run had reserved.
        self.phone.replica().report(&draft("之后"), NOW).unwrap();
        assert_ne!(self.phone.replica().epoch().unwrap(), self.epoch, "{what}");
        self.phone.close();
        assert_eq!(self.phone.reopen().undelivered().unwrap(), 4, "{what}");
    }

    fn damaged(&self) -> bool {
        !self
            .files
            .keys()
            .any(|path| path.ends_with("replica.db-wal"))
    }
}

fn every_step(scene: &mut Scene, next: fn(&mut Scene), after: impl Fn(&Scene, &str)) -> usize {
    for killed_after in 0.. {
        scene.put_back();
        let killed = scene.rescue_until(killed_after);
        let what = format!("killed after {killed_after}");
        next(scene);
        scene.all_is_there(&what);
        after(scene, &what);
        if !killed {
            return killed_after;
        }
    }
    unreachable!("a rescue ends")
}

fn rescue_again(scene: &mut Scene) {
    let options = scene.phone.options();
    scene.phone.replica = Some(Replica::rescue(options, NOW).unwrap().0);
}

#[test]
fn a_rescue_interrupted_after_any_step_costs_nothing_and_logs_go_with_their_files() {
    let mut scene = scene();
    // The files are as the kill left them, with undelivered work in the logs. No page is damaged; only the
    // host thinks so.
    assert!(
        !scene.damaged() && scene.files.len() == 5,
        "{:?}",
        scene.files.keys()
    );
    for next in [Scene::start, rescue_again] {
        let steps = every_step(&mut scene, next, |_, _| {});
        assert_eq!(steps, 3 + 6, "two files, each with log and index");
    }
}

#[test]
fn a_rescue_of_a_damaged_file_interrupted_after_any_step_costs_nothing_undelivered() {
    let mut scene = scene();
    scene.phone.close();
    super::file::damage(&scene.phone, 0);
    scene.files = scene.read();
    assert!(
        scene.damaged() && scene.files.len() == 3,
        "{:?}",
        scene.files.keys()
    );
    let evidence = scene.files[&scene.path()].clone();
    for next in [Scene::start, rescue_again] {
        let steps = every_step(&mut scene, next, |scene, what| {
            let kept = fs::read(scene.aside()).unwrap();
            assert!(kept == evidence, "{what}: the evidence is as it was");
        });
        // Reading leaves an empty log.
        assert!(steps >= 3 + 2);
    }
}

#[test]
fn the_rescue_of_another_process_is_not_disturbed() {
    let mut scene = scene();
    scene.put_back();
    let half = rescue::half(&scene.path());
    let lock = scene.site().lock().unwrap();
    let at_work = open::create(&half, &scene.key()).unwrap();
    for attempt in [
        Replica::open(scene.phone.options()),
        Replica::rescue(scene.phone.options(), NOW).map(|(replica, _)| replica),
    ] {
        assert_eq!(attempt.unwrap_err().code(), "replica.in_use");
        assert!(half.exists());
    }
    drop((at_work, lock));
    scene.start();
    scene.all_is_there("afterwards");
}

#[test]
fn a_file_that_is_lost_twice_is_set_aside_twice() {
    let mut scene = scene();
    scene.phone.close();
    for _ in 0..2 {
        let copy = super::file::second(&scene.phone);
        fs::remove_file(scene.path()).unwrap();
        let before = fs::read(&copy).unwrap();
        let (replica, rescue) = Replica::rescue(scene.phone.options(), NOW).unwrap();
        assert_eq!(replica.undelivered().unwrap(), 3);
        let kept = |path: &Path| fs::read(site::with_suffix(path, ".outbox")).unwrap();
        assert!(kept(&rescue.set_aside) == before);
        replica.close().unwrap();
    }
}
