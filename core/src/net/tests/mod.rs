//! Drivers over real sockets, against a server in memory that holds its answers back when it is told to.
#![allow(clippy::unwrap_used, reason = "tests")]

mod server;

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::task::JoinHandle;

use super::*;
use crate::fixtures::Deployment;
use crate::id::RecordId;
use crate::sync::report::Report;
use crate::sync::shared::Shared;
use crate::sync::testing::{FileState, MemoryReplica};
use server::{Loopback, Weather};

type Port = Arc<Shared<MemoryReplica>>;

/// One phone and its server.
struct DriverBench {
    server: Loopback,
    port: Port,
    driver: Driver<Port>,
    rng: ChaCha20Rng,
}

impl DriverBench {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let deployment = Deployment::generate(&mut rng);
        let port = Arc::new(Shared::new(MemoryReplica::new(&deployment, &mut rng)));
        let server = Loopback::start(deployment);
        let driver = Driver::new(Arc::clone(&port), &way_to(&server.url())).unwrap();
        Self {
            server,
            port,
            driver,
            rng,
        }
    }

    fn write(&mut self, count: u8) {
        let mut port = self.port.lock();
        for n in 0..count {
            port.write(RecordId([n; 16]), &mut self.rng);
        }
    }

    fn sync_in_background(&self) -> JoinHandle<Result<Report, NetError>> {
        let driver = self.driver.clone();
        tokio::spawn(async move { driver.sync_once().await })
    }

    fn run_in_background(&self) -> JoinHandle<()> {
        let driver = self.driver.clone();
        tokio::spawn(async move { driver.run().await })
    }

    async fn until(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        let mut status = self.driver.status();
        status.wait_for(wanted).await.unwrap().clone()
    }
}

fn way_to(url: &str) -> NetConfig {
    NetConfig {
        address: Address::parse(url, false).unwrap(),
        roots: Roots::Public,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn syncs_at_once_take_turns_and_succeed() {
    let mut bench = DriverBench::new(1);
    bench.write(20);
    bench.server.set(Weather::Held);
    let syncs: Vec<_> = (0..6).map(|_| bench.sync_in_background()).collect();
    let running = bench.run_in_background();
    bench.server.until_asked(1).await;
    bench.server.set(Weather::Fair);
    let mut pushed = 0;
    for sync in syncs {
        let report = sync.await.unwrap().unwrap();
        assert!(report.equal);
        pushed += report.pushed;
    }
    bench.until(|status| status.state == State::UpToDate).await;
    // Besides the syncs, the running driver may have had the first turn.
    assert!(pushed == 20 || pushed == 0, "each envelope once: {pushed}");
    assert_eq!(bench.server.at_once_max(), 1);
    bench.driver.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_request_ends_and_the_driver_goes_on() {
    let mut bench = DriverBench::new(2);
    bench.write(20);
    // While an answer is awaited, while a request is being sent, and while a connection is being made.
    for weather in [Weather::Held, Weather::Deaf] {
        bench.server.set(weather);
        bench.server.forget_asked();
        let sync = bench.sync_in_background();
        let running = bench.run_in_background();
        bench.server.until_asked(1).await;
        bench.driver.cancel();
        assert_eq!(sync.await.unwrap(), Err(NetError::Cancelled));
        running.await.unwrap();
        assert_eq!(bench.driver.status().borrow().state, State::Stopped);
        let refused = bench.driver.sync_once().await;
        assert_eq!(refused, Err(NetError::Cancelled), "until it is resumed");
        bench.driver.run().await;
        bench.driver.resume();
        assert!(!bench.driver.status().borrow().state.eq(&State::UpToDate));
    }
    bench.server.set(Weather::Fair);
    let report = bench.driver.sync_once().await.unwrap();
    assert_eq!((report.pushed, report.equal), (20, true));
    let running = bench.run_in_background();
    bench.until(|status| status.state == State::UpToDate).await;
    bench.driver.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_is_never_made_can_be_cancelled() {
    let bench = DriverBench::new(3);
    bench.server.set(Weather::Deaf);
    // TLS to a server that takes the connection and says nothing.
    let url = bench.server.url().replace("http://", "https://");
    let driver = Driver::new(Arc::clone(&bench.port), &way_to(&url)).unwrap();
    let cancel = Cancel::new();
    let sync = tokio::spawn({
        let (driver, cancel) = (driver.clone(), cancel.clone());
        async move { driver.sync_within(Budget::default(), &cancel).await }
    });
    bench.server.until_asked(1).await;
    cancel.cancel();
    assert_eq!(sync.await.unwrap(), Err(NetError::Cancelled));
    assert_eq!(driver.status().borrow().state, State::Paused);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_ends_its_own_call_only() {
    let mut bench = DriverBench::new(4);
    bench.write(5);
    bench.server.set(Weather::Held);
    let first = bench.sync_in_background();
    bench.server.until_asked(1).await;
    let cancel = Cancel::new();
    cancel.cancel();
    let second = bench.driver.sync_within(Budget::default(), &cancel).await;
    assert_eq!(second, Err(NetError::Cancelled));
    assert_eq!(bench.driver.status().borrow().state, State::Syncing);
    bench.server.set(Weather::Fair);
    assert_eq!(first.await.unwrap().unwrap().pushed, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_call_leaves_the_next_one_whole() {
    let mut bench = DriverBench::new(5);
    bench.write(5);
    bench.server.set(Weather::Held);
    let dropped = bench.sync_in_background();
    bench.server.until_asked(1).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    bench.server.set(Weather::Fair);
    let report = bench.driver.sync_once().await.unwrap();
    assert_eq!((report.pushed, report.equal), (5, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn budget_ends_a_sync_and_the_next_goes_on() {
    let mut bench = DriverBench::new(6);
    let other = DriverBench {
        port: Arc::new(Shared::new(MemoryReplica::new(
            &bench.server.deployment(),
            &mut bench.rng,
        ))),
        ..DriverBench::new(7)
    };
    let all = 200;
    bench.write(all);
    bench.driver.sync_once().await.unwrap();
    // Another phone of the same server loads everything with little to spend at a time.
    let way = way_to(&bench.server.url());
    let driver = Driver::new(Arc::clone(&other.port), &way).unwrap();
    let nothing = Budget {
        bytes: Some(0),
        ..Budget::default()
    };
    let report = driver.sync_within(nothing, &Cancel::new()).await.unwrap();
    assert!(report.more && report.round_trips == 0);
    assert_eq!(driver.status().borrow().state, State::Paused);
    let little = Budget {
        time_ms: Some(600_000),
        bytes: Some(6_000),
    };
    let (mut pulled, mut parts) = (0, 0);
    loop {
        let report = driver.sync_within(little, &Cancel::new()).await.unwrap();
        let held = other.port.lock().held.len();
        pulled += report.pulled;
        parts += 1;
        assert!(pulled as usize >= held, "no part is told twice or lost");
        if !report.more {
            assert!(report.equal);
            break;
        }
        let status = driver.status().borrow().clone();
        assert!(status.progress.more && status.synced_ms.is_none());
        assert!(report.bytes_up + report.bytes_down < 12_000, "{report:?}");
    }
    assert!(parts > 2, "{parts} parts");
    assert_eq!(other.port.lock().held.len(), usize::from(all));
    assert_eq!(pulled, u32::from(all), "no page came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connection_is_made_again_within_the_time() {
    let mut bench = DriverBench::new(8);
    bench.write(5);
    bench.server.set(Weather::CutNext);
    let lost = bench.driver.sync_once().await;
    assert_eq!(
        lost,
        Err(NetError::Offline),
        "without a limit the first failure ends it"
    );
    let status = bench.driver.status().borrow().clone();
    assert_eq!(status.state, State::Waiting);
    assert_eq!(status.code.as_deref(), Some("sync.offline"));
    assert!(status.retry_ms.is_some() && status.progress.more);
    assert_eq!(status.progress.pending, 5);
    bench.server.set(Weather::CutNext);
    let minutes = Budget {
        time_ms: Some(600_000),
        bytes: None,
    };
    let report = bench.driver.sync_within(minutes, &Cancel::new()).await;
    assert_eq!(report.unwrap().pushed, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_counts_bytes_and_age() {
    let mut bench = DriverBench::new(9);
    bench.write(30);
    assert_eq!(bench.driver.status().borrow().age_ms(now_ms()), None);
    bench.server.set(Weather::Held);
    let sync = bench.sync_in_background();
    let waiting = bench.until(|status| status.progress.bytes_up > 0);
    let under_way = waiting.await;
    assert!(under_way.progress.more);
    bench.server.set(Weather::Fair);
    sync.await.unwrap().unwrap();
    let status = bench.driver.status().borrow().clone();
    let progress = status.progress;
    assert_eq!(
        (progress.pushed, progress.pending, progress.more),
        (30, 0, false)
    );
    assert_eq!(status.retry_ms, None);
    let traffic = bench.driver.traffic();
    assert_eq!(progress.bytes_up, traffic.bytes_up);
    assert_eq!(progress.bytes_down, traffic.bytes_down);
    assert!(progress.bytes_down > 0);
    let synced = status.synced_ms.unwrap();
    assert_eq!(status.age_ms(synced + 1_500), Some(1_500));
    assert_eq!(
        status.age_ms(synced - 9),
        Some(0),
        "a clock that was set back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_stays_warm_between_requests_and_syncs() {
    let mut bench = DriverBench::new(10);
    bench.write(5);
    bench.driver.sync_once().await.unwrap();
    bench.write(5);
    let report = bench.driver.sync_once().await.unwrap();
    assert_eq!(report.round_trips, 1);
    assert_eq!(bench.server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_the_server_closed_meanwhile_is_made_again_at_once() {
    let mut bench = DriverBench::new(11);
    bench.write(5);
    bench.driver.sync_once().await.unwrap();
    bench.write(5);
    bench.server.set(Weather::CutNext);
    let report = bench.driver.sync_once().await.unwrap();
    assert_eq!((report.pushed, report.equal), (5, true));
    assert_eq!(bench.server.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_sync_goes_on_after_a_panic() {
    let mut bench = DriverBench::new(12);
    bench.write(5);
    bench.port.lock().panics = true;
    let running = bench.run_in_background();
    // The code stays while the driver tries again, so only a waiting driver has met the panic.
    let failed = |status: &Status| {
        status.state == State::Waiting && status.code.as_deref() == Some("phone.bug")
    };
    bench.until(failed).await;
    bench.port.lock().panics = false;
    bench.driver.notify();
    let synced = bench.until(|status| status.state == State::UpToDate).await;
    assert!(synced.report.unwrap().equal);
    bench.driver.cancel();
    running.await.unwrap();
}

/// Time here is tokio's, which a paused runtime advances as soon as everybody waits.
#[tokio::test(start_paused = true)]
async fn report_overtakes_a_piece_that_takes_long() {
    let mut bench = DriverBench::new(13);
    bench.write(1);
    let photo = vec![7; 100_000];
    let name = {
        let mut port = bench.port.lock();
        port.hold(RecordId([0; 16]), &photo, FileState::Waiting)
    };
    bench.server.describe(name, photo.len());
    bench.server.set(Weather::HeldPieces);
    let sync = bench.sync_in_background();
    bench.server.until_pieces(1).await;
    bench.port.lock().write(RecordId([9; 16]), &mut bench.rng);
    bench.driver.notify();
    // Only the overtaken piece lets the new report go; the next one ends the sync, because the line is silent.
    let report = sync.await.unwrap().unwrap();
    assert_eq!((report.pushed, report.more), (2, true));
    assert!(!bench.server.has_file(&name));
    bench.server.set(Weather::Fair);
    assert!(!bench.driver.sync_once().await.unwrap().more);
    assert!(bench.server.has_file(&name));
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_counts_moves_nothing_and_can_be_cancelled() {
    let mut bench = DriverBench::new(14);
    bench.write(50);
    bench.driver.sync_once().await.unwrap();
    let other = MemoryReplica::new(&bench.server.deployment(), &mut bench.rng);
    let port = Arc::new(Shared::new(other));
    let driver = Driver::new(Arc::clone(&port), &way_to(&bench.server.url())).unwrap();
    port.lock().write(RecordId([77; 16]), &mut bench.rng);
    bench.server.set(Weather::Held);
    bench.server.forget_asked();
    let cancel = Cancel::new();
    let planning = tokio::spawn({
        let (driver, cancel) = (driver.clone(), cancel.clone());
        async move { driver.plan(&cancel).await }
    });
    bench.server.until_asked(1).await;
    cancel.cancel();
    assert_eq!(planning.await.unwrap(), Err(NetError::Cancelled));
    bench.server.set(Weather::Fair);
    let plan = driver.plan(&Cancel::new()).await.unwrap();
    assert!(plan.records.count >= 50, "{plan:?}");
    assert_eq!((plan.uploads, plan.records.minutes), (1, None));
    assert!(plan.open.bytes > 50 * 100, "{plan:?}");
    assert_eq!(port.lock().held.len(), 1, "nothing came");
    let report = driver.sync_once().await.unwrap();
    assert_eq!((report.pushed, report.equal), (1, true));
    let plan = driver.plan(&Cancel::new()).await.unwrap();
    assert_eq!((plan.records.count, plan.uploads), (0, 0));
}
