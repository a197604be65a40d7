//! A plan over days, with failures, restarts and killed runs.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::fixtures::NOW;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::admin::setup;
use crate::config::{Effective, Inputs};
use crate::rules::Rules;
use crate::server::Server;

const HOUR_MS: i64 = 3_600_000;

/// A deployment that is served, with an hourly plan of two backups.
struct Office {
    folder: tempfile::TempDir,
    config: Config,
    server: Server,
    metrics: Metrics,
    backups: Backups,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(&folder.path().join("data"));
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        setup::prepare(&data, &folder.path().join("root.key"), NOW, &mut rng).unwrap();
        let keys = data.read_keys().unwrap();
        let server = Server::open(data.store().unwrap(), keys, Rules::none()).unwrap();
        let mut config = Effective::load(&Inputs::default()).unwrap().config;
        config.store.path = data.path().to_owned();
        std::fs::create_dir(folder.path().join("copies")).unwrap();
        config.backup = Some(BackupConfig {
            folder: folder.path().join("copies"),
            every: Duration::from_hours(1),
            keep: 2,
        });
        let metrics = Metrics::new();
        let backups = Backups::new(&config, &metrics);
        Self {
            folder,
            config,
            server,
            metrics,
            backups,
        }
    }

    fn copies(&self) -> PathBuf {
        self.folder.path().join("copies")
    }

    fn run(&self, at_ms: i64) -> Result<()> {
        self.backups.run(at_ms, &|| false)
    }

    /// Names in the folder of the copies, without the prefix.
    fn names(&self) -> Vec<String> {
        let all = std::fs::read_dir(self.copies()).unwrap();
        let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = all.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    fn gauge(&self, name: &str) -> i64 {
        let text = self.metrics.render();
        let start = format!("onegrid_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap().parse().unwrap()
    }

    /// Puts a folder in the place of a photo, which no copy can read.
    fn break_photo(&self) -> PathBuf {
        let broken = self.folder.path().join("data/blobs/ab").join(photo_name());
        std::fs::create_dir_all(&broken).unwrap();
        broken
    }
}

/// The name of the file of a photo.
fn photo_name() -> String {
    format!("{}-{}", "ab".repeat(32), "cd".repeat(16))
}

#[test]
fn backups_are_made_at_their_time_and_age_out() {
    let office = Office::new();
    let own = office.copies().join("onegrid-by-hand");
    std::fs::create_dir(&own).unwrap();
    let at = |hours: i64| NOW + hours * HOUR_MS;
    office.run(at(0)).unwrap();
    office.run(at(1) - 1).unwrap();
    assert_eq!(office.names(), [name_of(NOW), "onegrid-by-hand".to_owned()]);
    assert_eq!(office.gauge("backup_whole_seconds"), NOW / 1_000);
    assert_eq!(office.gauge("backup_every_seconds"), 3_600);
    office.run(at(1)).unwrap();
    // A restart keeps the plan.
    let again = Backups::new(&office.config, &Metrics::new());
    again.run(at(2) - 1, &|| false).unwrap();
    again.run(at(2), &|| false).unwrap();
    let kept = [name_of(at(1)), name_of(at(2))];
    assert_eq!(office.names()[..2], kept, "the oldest is gone");
    assert!(own.exists(), "a folder of another name stays");

    let restored = DataDir::at(&office.folder.path().join("restored"));
    let from = office.copies().join(&kept[1]);
    backup::restore(&restored, &from, None, at(3)).unwrap();
    let last = office.server.store().read(|tx| tx.audit_last()).unwrap();
    let last = last.unwrap();
    assert_eq!((&*last.actor, &*last.action), ("server", "server.backup"));
}

#[test]
fn failed_backup_is_said_and_made_again() {
    let office = Office::new();
    assert!(office.backups.warning().is_none());
    std::fs::remove_dir(office.copies()).unwrap();
    let problem = office.run(NOW).unwrap_err();
    assert_eq!(problem.code(), "data.unusable");
    let warning = office.backups.warning().unwrap();
    assert_eq!(warning.code(), "backup.failing");
    assert_eq!(office.gauge("backup_failed_seconds"), NOW / 1_000);
    let counted = "onegrid_backup_failures_total{code=\"data.unusable\"} 1";
    assert!(office.metrics.render().contains(counted));

    std::fs::create_dir(office.copies()).unwrap();
    let rest_ms = millis(BACKUP_RETRY);
    office.run(NOW + rest_ms - 1).unwrap();
    assert_eq!(office.names(), Vec::<String>::new(), "it rests");
    office.run(NOW + rest_ms).unwrap();
    assert_eq!(office.names(), [name_of(NOW + rest_ms)]);
    assert!(office.backups.warning().is_none());
    assert_eq!(
        office.gauge("backup_whole_seconds"),
        (NOW + rest_ms) / 1_000
    );
}

/// A disk that loses photo after photo must not take the last good copies with it.
#[test]
fn backup_that_is_not_whole_ages_out_nothing() {
    let office = Office::new();
    office.run(NOW).unwrap();
    let broken = office.break_photo();
    let partial = |hours: i64| format!("{}{PARTIAL}", name_of(NOW + hours * HOUR_MS));
    for hours in 1..4 {
        let problem = office.run(NOW + hours * HOUR_MS).unwrap_err();
        assert_eq!(problem.code(), "backup.not_whole");
        let names = [name_of(NOW), partial(hours)];
        assert_eq!(
            office.names(),
            names,
            "the newest of those, and the whole one"
        );
        // A copy of everything is too much to be made every ten minutes.
        office
            .run(NOW + hours * HOUR_MS + 2 * millis(BACKUP_RETRY))
            .unwrap();
        assert_eq!(office.names(), names);
    }
    std::fs::remove_dir(broken).unwrap();
    office.run(NOW + 4 * HOUR_MS).unwrap();
    assert_eq!(office.names(), [name_of(NOW), name_of(NOW + 4 * HOUR_MS)]);
}

#[test]
fn remainders_of_killed_runs_are_removed() {
    let office = Office::new();
    let folder = |end: &str| {
        let path = office
            .copies()
            .join(format!("{}{end}", name_of(NOW - 1_000)));
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("rest"), "half").unwrap();
        path
    };
    let gone = [folder(".part"), folder(".old"), folder(".partial.old")];
    let busy = office
        .copies()
        .join(format!("{}.part", name_of(NOW - 2_000)));
    std::fs::create_dir(&busy).unwrap();
    let claim = std::fs::File::open(&busy).unwrap();
    claim.lock().unwrap();
    office.run(NOW).unwrap();
    assert!(
        gone.iter().all(|path| !path.exists()),
        "{:?}",
        office.names()
    );
    assert!(busy.exists(), "another process fills it");
    drop(claim);
    office.run(NOW + 60_000).unwrap();
    assert!(!busy.exists());
}

/// Backups of the wrong time must neither count as new ones nor push out the right ones.
#[test]
fn clock_that_was_ahead_stops_no_backup() {
    let office = Office::new();
    let year_ms = 366 * 24 * HOUR_MS;
    for hours in 0..3 {
        office.run(NOW + year_ms + hours * HOUR_MS).unwrap();
    }
    for hours in 0..3 {
        office.run(NOW + hours * HOUR_MS).unwrap();
    }
    let of_now = [name_of(NOW + HOUR_MS), name_of(NOW + 2 * HOUR_MS)];
    assert_eq!(office.names()[..2], of_now);
    assert_eq!(office.names().len(), 4);
}

#[test]
fn stop_ends_a_backup_and_is_no_failure() {
    let office = Office::new();
    let photo = office.folder.path().join("data/blobs/ab");
    std::fs::create_dir_all(&photo).unwrap();
    std::fs::write(photo.join(photo_name()), "photo").unwrap();
    let stopped = office.backups.run(NOW, &|| true);
    assert_eq!(stopped.unwrap_err().code(), "server.stopping");
    assert_eq!(office.names(), Vec::<String>::new());
    assert!(office.backups.warning().is_none());
    office.run(NOW + 1_000).unwrap();
    assert_eq!(office.names().len(), 1);
}

#[test]
fn plan_without_a_folder_makes_nothing() {
    let office = Office::new();
    office.backups.follow(None);
    assert!(!office.backups.are_planned());
    office.run(NOW).unwrap();
    assert_eq!(office.names(), Vec::<String>::new());
    assert_eq!(office.gauge("backup_every_seconds"), 0);
    office.backups.follow(office.config.backup.clone());
    office.run(NOW).unwrap();
    assert_eq!(office.names().len(), 1);
}
