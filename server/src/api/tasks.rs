//! Periodic tasks: they cut off devices that another process revoked, wake phones for what other
//! nodes have stored, check overdue cases, route
//! open cases anew after a change of the directory or the rules, remove
//! ended sessions and files that no record needs, update grants in zones, make the planned backups,
//! and judge envelopes that became readable with an upgrade. One of them writes a note from time to
//! time, because a store can be read long after it has stopped taking data.
//!
//! **Invariant:** a task that fails, or even panics, runs again. `/healthz` says so until it has
//! succeeded.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use onegrid_core::domain::stream::StreamId;
use onegrid_core::system::now_ms;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};

use super::health::Ready;
use super::node::Node;
use super::pulses::{Concern, Pulses};
use crate::error::{Problem, Result};
use crate::ingest::ration::day_of;
use crate::ingest::sweep_parcels;
use crate::limits::{
    AUDIT_ROWS_A_LOOK, BACKUP_LOOK_EVERY, CLEAN_UP_EVERY, DUE_PER_TICK_MAX, FOLLOW_EVERY,
    LOOK_EVERY, RESTART_PAUSE_MAX, ROUTE_EVERY, SWEEP_EVERY, TICK_EVERY, TRIAL_EVERY,
};
use crate::registry::admins;
use crate::registry::reach::{self, Reach};
use crate::server::Server;
use crate::store::Hint;

/// Starts the tasks of a node; they end when the node stops. The returned check tells whether the
/// store reads and writes, and whether every task works.
#[must_use]
pub fn keep_time(node: &Node) -> Ready {
    let pulses = Pulses::default();
    let mut seen = None;
    every(node, &pulses, LOOK, move |server, _| {
        look(server, &mut seen)
    });
    let blobs = Arc::clone(&node.0.blobs);
    every(node, &pulses, TRIAL, move |server, now_ms| {
        // Also when the store takes nothing, because then uploads have to stop.
        let room = blobs.check_room();
        server.try_write(now_ms)?;
        room
    });
    follow_others(node, &pulses);
    let mut released = false;
    every(node, &pulses, RELEASE, move |server, now_ms| {
        if !released {
            server.release_newer(now_ms)?;
            released = true;
        }
        Ok(())
    });
    let meters = node.0.meters.clone();
    every(node, &pulses, DEADLINES, move |server, now_ms| {
        loop {
            let made = server.tick(now_ms)?;
            meters.moves.inc_by(made as u64);
            if made < DUE_PER_TICK_MAX {
                return Ok(());
            }
        }
    });
    let meters = node.0.meters.clone();
    every(node, &pulses, ROUTING, move |server, now_ms| {
        let remaining = server.reroute(now_ms)?;
        meters
            .routing
            .set(i64::try_from(remaining).unwrap_or(i64::MAX));
        Ok(())
    });
    every(node, &pulses, SWEEP, |server, now_ms| {
        server.store().write::<_, Problem>(move |tx| {
            tx.sweep_written(day_of(now_ms))?;
            tx.sweep_uploaded(day_of(now_ms))?;
            sweep_parcels(tx, now_ms)?;
            Ok(tx.sweep_sessions(now_ms)?)
        })?;
        server.keep_zones(now_ms)?;
        server.keep_anchor(now_ms)?;
        server.sweep_readings(now_ms)?;
        Ok(())
    });
    let (blobs, meters) = (Arc::clone(&node.0.blobs), node.0.meters.clone());
    every(node, &pulses, CLEAN_UP, move |_, now_ms| {
        let cleaned = blobs.clean_up(now_ms)?;
        meters.orphans.inc_by(cleaned.files);
        Ok(())
    });
    let (backups, stopping) = (node.0.backups.clone(), node.0.shutdown.clone());
    every(node, &pulses, BACKUP, move |_, now_ms| {
        backups.run(now_ms, &|| stopping.is_stopped())
    });
    let shutdown = node.0.shutdown.clone();
    Arc::new(move || {
        if shutdown.is_stopped() {
            return Err(Problem::new("server.stopping"));
        }
        pulses.check()
    })
}

/// Wakes phones for what other nodes have stored: at each hint, and for lost hints at regular intervals. Does nothing
/// on a store with one node.
fn follow_others(node: &Node, pulses: &Pulses) {
    let Some(mut hints) = node.0.server.store().hints() else {
        return;
    };
    every(node, pulses, FOLLOW, |server, _| server.follow(None));
    let node = node.clone();
    tokio::spawn(async move {
        loop {
            let first = tokio::select! {
                () = node.0.shutdown.wait() => return,
                hint = hints.recv() => hint,
            };
            let followed = match gather(first, &mut hints) {
                Gathered::Ended => return,
                Gathered::Some(streams) => {
                    node.work(move |server| server.follow(Some(&streams))).await
                }
                Gathered::Any => node.work(|server| server.follow(None)).await,
            };
            if let Err(problem) = followed {
                node.0.quiet.problem(&problem);
            }
        }
    });
}

/// Hints that one look answers.
enum Gathered {
    /// These streams may have grown.
    Some(BTreeSet<StreamId>),
    /// Every stream may have grown.
    Any,
    /// No hint can come any more.
    Ended,
}

/// Joins a hint with the hints that wait behind it, so that many cost one look.
fn gather(first: std::result::Result<Hint, RecvError>, hints: &mut Receiver<Hint>) -> Gathered {
    let mut gathered = Gathered::Some(BTreeSet::new());
    let mut next = first;
    loop {
        match (next, &mut gathered) {
            (Err(RecvError::Closed), _) => return Gathered::Ended,
            (Ok(Hint::Streams(more)), Gathered::Some(streams)) => streams.extend(more),
            (Ok(Hint::Streams(_)), _) => {}
            (Ok(Hint::Any) | Err(RecvError::Lagged(_)), _) => gathered = Gathered::Any,
        }
        next = match hints.try_recv() {
            Ok(hint) => Ok(hint),
            Err(TryRecvError::Lagged(count)) => Err(RecvError::Lagged(count)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return gathered,
        };
    }
}

/// A task and the pause between two of its runs.
#[derive(Debug, Clone, Copy)]
struct Beat {
    name: &'static str,
    pause: Duration,
    concern: Concern,
}

const LOOK: Beat = Beat::of_store("look", LOOK_EVERY);
const FOLLOW: Beat = Beat::of_panics("follow", FOLLOW_EVERY);
const TRIAL: Beat = Beat::of_store("trial", TRIAL_EVERY);
const RELEASE: Beat = Beat::of_panics("release", TICK_EVERY);
const DEADLINES: Beat = Beat::of_panics("deadlines", TICK_EVERY);
const ROUTING: Beat = Beat::of_panics("routing", ROUTE_EVERY);
const SWEEP: Beat = Beat::of_panics("sweep", SWEEP_EVERY);
const CLEAN_UP: Beat = Beat::of_panics("clean_up", CLEAN_UP_EVERY);
const BACKUP: Beat = Beat::of_panics("backup", BACKUP_LOOK_EVERY);

impl Beat {
    const fn of_store(name: &'static str, pause: Duration) -> Self {
        Self {
            name,
            pause,
            concern: Concern::Store,
        }
    }

    const fn of_panics(name: &'static str, pause: Duration) -> Self {
        Self {
            name,
            pause,
            concern: Concern::Panics,
        }
    }
}

/// Repeats a task until the node stops. After a panic it pauses, each time twice as long.
fn every(
    node: &Node,
    pulses: &Pulses,
    beat: Beat,
    work: impl FnMut(&Server, i64) -> Result<()> + Send + 'static,
) -> JoinHandle<()> {
    let (server, shutdown) = (Arc::clone(&node.0.server), node.0.shutdown.clone());
    let (pulse, quiet) = (pulses.add(beat.concern), node.0.quiet.clone());
    let mut work = Some(work);
    tokio::spawn(async move {
        let mut pause = Duration::ZERO;
        let mut panics = 0_u32;
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                () = sleep(pause) => {}
            }
            let (Some(mut task), server) = (work.take(), Arc::clone(&server)) else {
                return;
            };
            pulse.begin();
            let done = tokio::task::spawn_blocking(move || {
                // The state of a task is a few flags, so a panic leaves it usable.
                let run = AssertUnwindSafe(|| task(&server, now_ms()));
                let outcome = catch_unwind(run);
                (task, outcome)
            });
            // Only a runtime that stops cancels it.
            let Ok((task, outcome)) = done.await else {
                return;
            };
            work = Some(task);
            pause = beat.pause;
            if let Ok(outcome) = outcome {
                panics = 0;
                if let Err(problem) = &outcome {
                    quiet.problem(problem);
                }
                pulse.end(outcome);
            } else {
                // The log has the place of the panic.
                panics += 1;
                pause = after_panics(beat.pause, panics);
                tracing::error!(task = beat.name, panics, "a task panicked and runs again");
                pulse.panicked();
            }
        }
    })
}

/// Returns the pause of a task after so many panics in a row.
fn after_panics(pause: Duration, panics: u32) -> Duration {
    let factor = 1 << panics.min(16);
    (pause * factor).min(RESTART_PAUSE_MAX.max(pause))
}

/// Cuts off devices that another process revoked, and wakes the phones whose streams an
/// administrator has changed in another process.
fn look(server: &Server, seen: &mut Option<u64>) -> Result<()> {
    server.cut_revoked()?;
    let last = server.store().read(|tx| tx.audit_last())?;
    let last = last.map_or(0, |row| row.no);
    let before = seen.replace(last).unwrap_or(last);
    if before >= last {
        return Ok(());
    }
    let reach = server.store().read::<_, Problem>(|tx| {
        let rows = tx.audit(before, AUDIT_ROWS_A_LOOK)?;
        if rows.len() == AUDIT_ROWS_A_LOOK {
            return Ok(Reach::Everybody);
        }
        let mut all = BTreeSet::new();
        for row in rows.iter().filter(|row| admins::is_actor(&row.actor)) {
            match reach::of(tx, row)? {
                Reach::Streams(streams) => all.extend(streams),
                Reach::Everybody => return Ok(Reach::Everybody),
            }
        }
        Ok(Reach::Streams(all))
    });
    // A damaged row must not hide the change from everybody.
    match reach.unwrap_or(Reach::Everybody) {
        Reach::Streams(streams) => server.wake(&streams),
        Reach::Everybody => server.wake_all(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use onegrid_core::fixtures::{GRID_WORKER_CHEN, NOW, VILLAGE, VOLUNTEER_WANG, VOLUNTEER_ZHAO};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use tokio::time::{Instant, interval};

    use super::*;
    use crate::admin::data_dir::DataDir;
    use crate::admin::{ADMIN, setup};
    use crate::api::Shutdown;
    use crate::api::shutdown::Trigger;
    use crate::blobs::{BlobCeilings, Blobs};
    use crate::config::{BackupConfig, Effective, Inputs};
    use crate::ingest::tests::world::TestServer;
    use crate::metrics::Metrics;
    use crate::rules::Rules;
    use crate::store::twice::TwiceStore;
    use crate::store::{Job, Reader, SealKey, SealReport, Store, StoreError, StoreResult};

    fn node() -> (Node, Trigger, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(&folder.path().join("data"));
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        setup::prepare(&data, &folder.path().join("root.key"), now_ms(), &mut rng).unwrap();
        let mut config = Effective::load(&Inputs::default()).unwrap().config;
        config.store.path = data.path().to_owned();
        let server = Arc::new(data.open(&config).unwrap());
        let (trigger, shutdown) = Shutdown::new();
        let blobs = Arc::new(data.open_files(&server, &config).unwrap());
        let node = Node::new(server, blobs, &config, &Metrics::new(), shutdown);
        (node, trigger, folder)
    }

    /// No deadline passes any more while the task of the deadlines is dead, so it runs again, and
    /// `/healthz` says that it failed until it works.
    #[tokio::test(start_paused = true)]
    async fn panicked_task_runs_again_and_is_noted() {
        let (node, trigger, _folder) = node();
        let pulses = Pulses::default();
        let runs = Arc::new(AtomicU32::new(0));
        let (counted, seen) = (Arc::clone(&runs), pulses.clone());
        let task = every(&node, &pulses, DEADLINES, move |_, _| {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            if run > 0 && run < 3 {
                let problem = seen.check().unwrap_err();
                assert_eq!(problem.code(), "server.task_failing");
            }
            assert!(run >= 3, "a fault of ours");
            Ok(())
        });
        let mut seconds = interval(Duration::from_secs(1));
        while pulses.check().is_err() || runs.load(Ordering::SeqCst) < 4 {
            seconds.tick().await;
        }
        trigger.stop();
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn planned_backup_is_made_while_serving() {
        let (node, trigger, folder) = node();
        let copies = folder.path().join("copies");
        std::fs::create_dir(&copies).unwrap();
        node.backups().follow(Some(BackupConfig {
            folder: copies.clone(),
            every: Duration::from_hours(1),
            keep: 1,
        }));
        let _ready = keep_time(&node);
        let mut seconds = interval(Duration::from_secs(1));
        let is_whole = |entry: std::io::Result<std::fs::DirEntry>| {
            let name = entry.unwrap().file_name();
            !name.to_string_lossy().ends_with(".part")
        };
        let made = || std::fs::read_dir(&copies).unwrap().any(is_whole);
        while !made() {
            seconds.tick().await;
        }
        trigger.stop();
    }

    #[test]
    fn pause_after_panics_grows_to_a_limit() {
        let pause = Duration::from_secs(15);
        assert_eq!(after_panics(pause, 1), Duration::from_secs(30));
        assert_eq!(after_panics(pause, 3), Duration::from_mins(2));
        assert_eq!(after_panics(pause, u32::MAX), RESTART_PAUSE_MAX);
        let hour = Duration::from_hours(1);
        assert_eq!(after_panics(hour, 5), hour);
    }

    /// A store that reads, and refuses writes with an error that the test chooses.
    struct RefusingStore {
        inner: Arc<dyn Store>,
        refusal: Mutex<Option<StoreError>>,
    }

    impl Store for RefusingStore {
        fn run(&self, job: Job) -> StoreResult<()> {
            match self.refusal.lock().unwrap().clone() {
                Some(error) => Err(error),
                None => self.inner.run(job),
            }
        }

        fn run_later(&self, _: Job) {}

        fn look(&self, look: &mut dyn FnMut(&dyn Reader)) -> StoreResult<()> {
            self.inner.look(look)
        }

        fn seal_with(&self, key: &SealKey) -> StoreResult<()> {
            self.inner.seal_with(key)
        }

        fn seal_report(&self) -> StoreResult<Option<SealReport>> {
            self.inner.seal_report()
        }
    }

    /// The store can be read all the time, so only a write shows that phones cannot deliver.
    #[tokio::test(start_paused = true)]
    async fn store_that_takes_nothing_is_not_healthy() {
        let world = TestServer::new();
        let store = Arc::new(RefusingStore {
            inner: world.store_again(),
            refusal: Mutex::new(None),
        });
        let server = Server::open(store.clone(), world.keys.clone(), Rules::none()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ceilings = BlobCeilings::with_reserve(1);
        let blobs = Blobs::open(Arc::clone(&server.shared), folder.path(), ceilings).unwrap();
        let config = Effective::load(&Inputs::default()).unwrap().config;
        let (trigger, shutdown) = Shutdown::new();
        let (server, blobs) = (Arc::new(server), Arc::new(blobs));
        let node = Node::new(server, blobs, &config, &Metrics::new(), shutdown);
        let ready = keep_time(&node);
        let mut seconds = interval(Duration::from_secs(1));
        for refusal in [StoreError::Full, StoreError::ReadOnly] {
            let code = refusal.code();
            *store.refusal.lock().unwrap() = Some(refusal);
            let refused = loop {
                seconds.tick().await;
                if let Err(problem) = ready() {
                    break problem;
                }
            };
            assert_eq!(refused.code(), code);
            *store.refusal.lock().unwrap() = None;
            while ready().is_err() {
                seconds.tick().await;
            }
        }
        trigger.stop();
    }

    /// A hint wakes at once, and work whose hint is lost wakes after some seconds.
    #[tokio::test(start_paused = true)]
    async fn hint_of_another_node_wakes_phones() {
        let world = TestServer::new();
        let store = Arc::new(TwiceStore::new(world.store_again()));
        let server = Server::open(store.clone(), world.keys.clone(), Rules::none()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ceilings = BlobCeilings::with_reserve(1);
        let blobs = Blobs::open(Arc::clone(&server.shared), folder.path(), ceilings).unwrap();
        let config = Effective::load(&Inputs::default()).unwrap().config;
        let (trigger, shutdown) = Shutdown::new();
        let (server, blobs) = (Arc::new(server), Arc::new(blobs));
        let node = Node::new(
            Arc::clone(&server),
            blobs,
            &config,
            &Metrics::new(),
            shutdown,
        );
        let (mut writer, reader) = (world.phone(VOLUNTEER_WANG), world.phone(GRID_WORKER_CHEN));
        let mut wake = server.subscribe(reader.session.device, NOW).unwrap();
        follow_others(&node, &Pulses::default());
        for hint in [
            Some(Hint::Any),
            Some(Hint::Streams(vec![StreamId::AreaStaff(VILLAGE)])),
            None,
        ] {
            wake.borrow_and_update();
            let report = writer.report("gas");
            writer.push(&world.server, &[&report]);
            let begun = Instant::now();
            if let Some(hint) = hint.clone() {
                store.hints.send(hint).unwrap();
            }
            wake.changed().await.unwrap();
            let waited = begun.elapsed();
            assert_eq!(waited > Duration::ZERO, hint.is_none(), "{waited:?}");
            assert!(waited <= FOLLOW_EVERY);
        }
        trigger.stop();
    }

    /// The audit log grows with every look of an administrator; phones are woken for changes that
    /// they read.
    #[test]
    fn line_of_another_process_wakes_only_its_readers() {
        let world = TestServer::new();
        let phone = world.phone(VOLUNTEER_WANG);
        let device = phone.session.device;
        let mut wake = world.server.subscribe(device, NOW).unwrap();
        let mut seen = None;
        look(&world.server, &mut seen).unwrap();
        let elsewhere = world.reopened();
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        elsewhere
            .invite(phone.member, 60_000, ADMIN, NOW, &mut rng)
            .unwrap();
        elsewhere.renew(device, ADMIN, NOW).unwrap();
        for action in ["server.backup", "readings.shown", "records.exported"] {
            let noted = elsewhere.store().write::<_, Problem>(move |tx| {
                Ok(crate::registry::audit::note(tx, NOW, ADMIN, action, "")?)
            });
            noted.unwrap();
        }
        look(&world.server, &mut seen).unwrap();
        assert!(!wake.has_changed().unwrap(), "nothing to read");
        let other = world.phone(VOLUNTEER_ZHAO).session.device;
        look(&world.server, &mut seen).unwrap();
        wake.borrow_and_update();
        elsewhere.revoke(other, ADMIN, NOW).unwrap();
        look(&world.server, &mut seen).unwrap();
        assert!(wake.has_changed().unwrap(), "revocations are for everybody");
    }

    /// An import writes thousands of lines in the time between two looks. Each of them names a new member
    /// of one village, so a phone elsewhere sleeps on.
    #[test]
    fn import_of_another_process_wakes_only_readers_of_the_names() {
        use onegrid_core::fixtures::VILLAGE;
        use onegrid_core::id::{Hash, MemberId};

        use crate::registry::members::MemberDescription;

        let world = TestServer::new();
        let device = world.phone(VOLUNTEER_WANG).session.device;
        let mut seen = None;
        look(&world.server, &mut seen).unwrap();
        let mut wake = world.server.subscribe(device, NOW).unwrap();
        let crowd = |area| -> Vec<MemberDescription> {
            let one = |n: u16| MemberDescription {
                id: MemberId::v8(&Hash::of(&[&n.to_be_bytes()])),
                public_name: Some(format!("志愿者{n}")),
                area,
                grants: Vec::new(),
            };
            (0..300).map(one).collect()
        };
        let elsewhere = world.reopened();
        let far = onegrid_core::id::AreaId([0x5a; 16]);
        elsewhere.put_members(crowd(far), "zhang", NOW).unwrap();
        look(&world.server, &mut seen).unwrap();
        assert!(!wake.has_changed().unwrap(), "names of another village");
        elsewhere.put_members(crowd(VILLAGE), "zhang", NOW).unwrap();
        look(&world.server, &mut seen).unwrap();
        assert!(wake.has_changed().unwrap(), "a line of any administrator");
        wake.borrow_and_update();
    }

    #[tokio::test]
    async fn sound_node_is_ready_until_it_stops() {
        let (node, trigger, _folder) = node();
        let ready = keep_time(&node);
        assert_eq!(ready().map_err(|problem| problem.code()), Ok(()));
        trigger.stop();
        assert_eq!(ready().unwrap_err().code(), "server.stopping");
    }
}
