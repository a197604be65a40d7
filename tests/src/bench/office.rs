//! The work of an office beside phones that sync: the import of a whole district of people, a backup under
//! load, and ten thousand live connections.
//!
//! 1. `onegrid import` of 265 teams and 92,958 people, in a process of its own, beside 100 phones.
//! 2. `onegrid backup` of a large store beside phones that report, then `restore` and `verify` of it.
//! 3. 10,000 wake-up connections over all villages, and 100 changes a second.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use onegrid_core::net::{Roots, now_ms};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::attack::{listen, session};
use super::deployment::{Deployment, MemberLine, Serving};
use super::people::wait;
use super::process;
use super::recipe::{Grids, LARGE_10, VILLAGE_500};
use super::table::{Table, percentiles};
use crate::histories::{self, History};
use crate::onegrid::{OnlinePhone, way_to};

const IMPORT: &str = "an import of people, HTTP/1.1 over loopback, two processes of their own";
const BACKUP: &str = "a backup under load, HTTP/1.1 over loopback, two processes of their own";
const WAKE_UPS: &str = "live connections, HTTP/1.1 over loopback, a process of its own";
/// Gongshu's registered volunteers and teams.
const PEOPLE: usize = 92_958;
const TEAMS: usize = 265;
/// Phones that sync beside the import.
const PHONES: usize = 100;
/// Phones that sync at the same time.
const LANES: usize = 4;
/// Pause between two syncs of a lane: each phone syncs once a second.
const SYNC_EVERY: Duration = Duration::from_millis(40);
const WAIT_MS_MAX: f64 = 500.0;
/// Reports a second beside the backup.
const REPORTS_A_SECOND: u32 = 180;
/// Phones that report beside the backup.
const WRITERS: usize = 16;
/// Wake-up connections of one device.
const LIVE_EACH: usize = 4;
/// Devices with wake-up connections.
const DEVICES: usize = 2_500;
const CHANGES_A_SECOND: u32 = 100;
const CHANGES: usize = 2_000;
const LIVE_KB_MAX: f64 = 30.0;
const WAKE_UP_MS_MAX: f64 = 200.0;
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) fn measure(table: &mut Table) {
    import(table);
    backup(table);
    wake_ups(table);
}

/// All phones have the same address here.
fn settings() -> Vec<String> {
    let limits = [
        "address_connections_max=24000",
        "address_per_minute=1000000",
        "enrolments_per_minute=1000000",
        "requests_max=16384",
    ];
    limits.map(|limit| format!("limits.{limit}")).to_vec()
}

/// The tables of the office: teams, and people of all roles in all villages.
fn write_tables(folder: &Path, grids: &Grids) {
    let villages: Vec<&str> = grids
        .busy
        .iter()
        .chain(&grids.quiet)
        .map(|grid| &grid[..12])
        .collect();
    let mut units = String::from("external_id,kind,name,name_en,area\n");
    for team in 0..TEAMS {
        let village = villages[team % villages.len()];
        writeln!(units, "team-{team},team,义警队{team},Team {team},{village}").unwrap();
    }
    let mut people = String::from("external_id,public_name,role,areas,unit\n");
    for person in 0..PEOPLE {
        let team = person % TEAMS;
        let village = villages[team % villages.len()];
        writeln!(
            people,
            "P{person:06},志愿者{person},volunteer,{village},team-{team}"
        )
        .unwrap();
    }
    std::fs::write(folder.join("units.csv"), units).unwrap();
    std::fs::write(folder.join("members.csv"), people).unwrap();
}

fn import(table: &mut Table) {
    eprintln!("office: import");
    let histories = histories::read();
    let deployment = Deployment::of(&VILLAGE_500);
    let people = handlers("bench-import", PHONES);
    let codes = deployment.invite(&people);
    let serving = deployment.serve_with(&settings());
    let tables = tempfile::tempdir().unwrap();
    write_tables(tables.path(), &Grids::of(&histories));
    wait(async {
        let phones = Arc::new(enrol(&serving, &codes).await);
        let quiet = Stop::after(async { tokio::time::sleep(Duration::from_secs(10)).await });
        let mut samples = syncs_until(&phones, quiet).await;
        let longest = longest(&samples);
        let (median, p99) = percentiles(&mut samples);
        table.note(IMPORT, "before: median of a sync", median, "ms");
        table.note(IMPORT, "before: p99", p99, "ms");
        table.note(IMPORT, "before: longest", longest, "ms");

        let start = Instant::now();
        let jobs = [("units", "units.csv"), ("members", "members.csv")];
        let file = |name: &str| tables.path().join(name).display().to_string();
        let jobs = jobs.map(|(what, name)| vec!["import".to_owned(), what.to_owned(), file(name)]);
        let commands = jobs.iter().map(|args| deployment.command(args));
        let imported = Stop::after_command(commands.collect());
        let mut samples = syncs_until(&phones, imported).await;
        table.note(IMPORT, "people", PEOPLE as f64, "people");
        table.note(IMPORT, "teams", TEAMS as f64, "teams");
        table.note(
            IMPORT,
            "wall of the import",
            start.elapsed().as_secs_f64(),
            "s",
        );
        table.note(IMPORT, "syncs meanwhile", samples.len() as f64, "syncs");
        table.budget(
            IMPORT,
            "longest sync meanwhile",
            self::longest(&samples),
            "ms",
            WAIT_MS_MAX,
        );
        let (median, p99) = percentiles(&mut samples);
        table.note(IMPORT, "meanwhile: median of a sync", median, "ms");
        table.note(IMPORT, "meanwhile: p99", p99, "ms");
        let peak = process::peak_mb_of(serving.pid());
        table.note(IMPORT, "peak memory of the server", peak, "MB");
    });
}

fn backup(table: &mut Table) {
    eprintln!("office: backup");
    let histories = histories::read();
    let grids = Grids::of(&histories);
    let deployment = Deployment::of(&LARGE_10);
    let workers: Vec<&String> = grids.quiet.iter().take(WRITERS).collect();
    let people = workers
        .iter()
        .enumerate()
        .map(|(n, grid)| MemberLine::new(&format!("bench-backup-{n}"), "grid_worker", grid));
    let people: Vec<MemberLine> = people.collect();
    let codes = deployment.invite(&people);
    let serving = deployment.serve_with(&settings());
    let copies = tempfile::tempdir_in(deployment.path()).unwrap();
    let at = |name: &str| copies.path().join(name).display().to_string();
    wait(async {
        let phones = enrol(&serving, &codes).await;
        let written: Vec<(OnlinePhone, History)> = phones
            .into_iter()
            .enumerate()
            .map(|(n, phone)| (phone, histories[n].clone().moved_to(&people[n].areas)))
            .collect();
        let start = Instant::now();
        let copy = deployment.command(&["backup".to_owned(), at("copy")]);
        let copied = Stop::after_command(vec![copy]);
        let (reports, wall) = report_until(written, copied).await;
        table.note(
            BACKUP,
            "bytes of the backup",
            folder_mb(Path::new(&at("copy"))),
            "MB",
        );
        table.note(
            BACKUP,
            "wall of the backup",
            start.elapsed().as_secs_f64(),
            "s",
        );
        table.note(
            BACKUP,
            "reports meanwhile, all with their receipt",
            reports as f64,
            "reports",
        );
        table.note(
            BACKUP,
            "reports a second",
            reports as f64 / wall,
            "reports/s",
        );
    });
    drop(serving);
    let mut run = |name: &str, args: &[&str]| {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let start = Instant::now();
        let done = deployment.command(&args).output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        table.note(BACKUP, name, start.elapsed().as_secs_f64(), "s");
    };
    run("wall of the restore", &["restore", &at("copy")]);
    run("wall of the verification", &["verify"]);
}

/// Reports as fast as wanted until the other work ends; returns the reports and the seconds.
async fn report_until(phones: Vec<(OnlinePhone, History)>, stop: Stop) -> (usize, f64) {
    let start = Instant::now();
    let pace = Duration::from_secs(1) * u32::try_from(WRITERS).unwrap() / REPORTS_A_SECOND;
    let mut lanes = JoinSet::new();
    for (phone, history) in phones {
        let over = Arc::clone(&stop.over);
        lanes.spawn(async move {
            let mut reports = 0;
            let mut ticks = tokio::time::interval(pace);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            while !over.load(Ordering::Relaxed) {
                ticks.tick().await;
                report(&phone, &history);
                phone.sync().await;
                reports += 1;
            }
            assert_eq!(phone.replica().undelivered().unwrap(), 0);
            reports
        });
    }
    let reports = lanes.join_all().await.into_iter().sum();
    stop.work.await.unwrap();
    (reports, start.elapsed().as_secs_f64())
}

fn report(phone: &OnlinePhone, history: &History) {
    phone.replica().report(&history.draft(), now_ms()).unwrap();
}

/// A worker for each device, all over the villages.
fn workers(villages: &[&String]) -> Vec<MemberLine> {
    let places = villages.iter().cycle().take(DEVICES).enumerate();
    let worker = |(n, grid): (usize, &&String)| {
        MemberLine::new(&format!("bench-live-{n}"), "grid_worker", grid)
    };
    places.map(worker).collect()
}

fn wake_ups(table: &mut Table) {
    eprintln!("office: wake-ups");
    let histories = histories::read();
    let grids = Grids::of(&histories);
    let deployment = Deployment::of(&VILLAGE_500);
    let villages: Vec<&String> = grids.busy.iter().chain(&grids.quiet).collect();
    let codes = deployment.invite(&workers(&villages));
    let serving = deployment.serve_with(&settings());
    let to = serving.url.split_once("://").unwrap().1.parse().unwrap();
    wait(async {
        let count = villages.len();
        let (mut phones, mut sessions) = (Vec::with_capacity(count), Vec::with_capacity(DEVICES));
        for some in codes.chunks(count) {
            for phone in enrol(&serving, some).await {
                sessions.push(session(to, &phone).await);
                // The others have no open files, which would be too many for one process.
                if phones.len() < count {
                    phones.push(phone);
                }
            }
        }
        let before = process::resident_mb_of(serving.pid());
        let mut live = Vec::with_capacity(DEVICES * LIVE_EACH);
        for session in &sessions {
            for number in 0..LIVE_EACH {
                live.push(listen(to, session, number as u64 + 1).await);
            }
        }
        let each = (process::resident_mb_of(serving.pid()) - before) * 1e3 / live.len() as f64;
        let name = "memory of a live connection";
        table.note(
            WAKE_UPS,
            "live connections",
            live.len() as f64,
            "connections",
        );
        table.budget(WAKE_UPS, name, each, "kB", LIVE_KB_MAX);
        // In each village the first phone writes, and a connection of the second phone listens.
        let mut listening = JoinSet::new();
        let mut ears = Vec::with_capacity(count);
        for (n, socket) in live.into_iter().enumerate() {
            let (tell, ear) = mpsc::unbounded_channel();
            listening.spawn(hear(socket, tell));
            if n.is_multiple_of(LIVE_EACH) && (count..2 * count).contains(&(n / LIVE_EACH)) {
                ears.push(ear);
            }
        }
        let pairs = phones.into_iter().zip(ears).enumerate();
        let pairs =
            pairs.map(|(n, (phone, ear))| (phone, ear, histories[n].clone().moved_to(villages[n])));
        let (mut samples, rate) = changes(pairs.collect()).await;
        table.note(WAKE_UPS, "changes a second", rate, "changes/s");
        let (median, p99) = percentiles(&mut samples);
        table.note(
            WAKE_UPS,
            "from the receipt to the wake-up: median",
            median,
            "ms",
        );
        table.budget(
            WAKE_UPS,
            "from the receipt to the wake-up: p99",
            p99,
            "ms",
            WAKE_UP_MS_MAX,
        );
        drop(listening);
    });
}

/// Reads a connection until it ends, and tells the time of each arrival.
async fn hear(mut socket: TcpStream, tell: UnboundedSender<Instant>) {
    let mut buffer = [0; 256];
    while !matches!(socket.read(&mut buffer).await, Ok(0) | Err(_)) {
        // Only some are heard.
        let _ = tell.send(Instant::now());
    }
}

/// Writes changes all over the villages at the wanted pace. Returns the time from each receipt to the wake-up
/// in the village (ms, 0 if the wake-up came first), and the changes a second.
async fn changes(
    pairs: Vec<(OnlinePhone, UnboundedReceiver<Instant>, History)>,
) -> (Vec<f64>, f64) {
    let start = Instant::now();
    let count = u32::try_from(pairs.len()).unwrap();
    let pace = Duration::from_secs(1) * count / CHANGES_A_SECOND;
    let rounds = CHANGES.div_ceil(pairs.len());
    let mut lanes = JoinSet::new();
    for (n, (phone, mut ear, history)) in (0_u32..).zip(pairs) {
        lanes.spawn(async move {
            let first = tokio::time::Instant::now() + pace * n / count;
            let mut ticks = tokio::time::interval_at(first, pace);
            let mut samples = Vec::with_capacity(rounds);
            for _ in 0..rounds {
                ticks.tick().await;
                while ear.try_recv().is_ok() {}
                report(&phone, &history);
                phone.sync().await;
                let received = Instant::now();
                let woken = tokio::time::timeout(PATIENCE, ear.recv())
                    .await
                    .unwrap()
                    .unwrap();
                samples.push(woken.saturating_duration_since(received).as_secs_f64() * 1e3);
            }
            samples
        });
    }
    let samples: Vec<f64> = lanes.join_all().await.into_iter().flatten().collect();
    let rate = samples.len() as f64 / start.elapsed().as_secs_f64();
    (samples, rate)
}

/// Work beside the phones; the phones continue until it ends.
struct Stop {
    over: Arc<AtomicBool>,
    work: JoinHandle<()>,
}

impl Stop {
    fn after(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&over);
        let work = tokio::spawn(async move {
            work.await;
            done.store(true, Ordering::Relaxed);
        });
        Self { over, work }
    }

    /// Runs a command to its end.
    fn after_command(commands: Vec<Command>) -> Self {
        Self::after(async move {
            let run = || {
                for mut command in commands {
                    let done = command.output().unwrap();
                    let said = String::from_utf8_lossy(&done.stderr);
                    assert!(done.status.success(), "{command:?}: {said}");
                }
            };
            tokio::task::spawn_blocking(run).await.unwrap();
        })
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Lets each phone sync once a second until the other work ends; returns the time of each sync, ms.
async fn syncs_until(phones: &Arc<Vec<OnlinePhone>>, stop: Stop) -> Vec<f64> {
    let stop = Arc::new(stop);
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let (phones, stop) = (Arc::clone(phones), Arc::clone(&stop));
        lanes.spawn(async move {
            let mut samples = Vec::new();
            let mut ticks = tokio::time::interval(SYNC_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            while !stop.is_over() {
                for phone in phones.iter().skip(lane).step_by(LANES) {
                    ticks.tick().await;
                    let start = Instant::now();
                    phone.sync().await;
                    samples.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
            samples
        });
    }
    let samples = lanes.join_all().await.into_iter().flatten().collect();
    Arc::into_inner(stop).unwrap().work.await.unwrap();
    samples
}

/// People who read only the directory.
fn handlers(name: &str, count: usize) -> Vec<MemberLine> {
    let handler = |n: usize| MemberLine::idle_handler(&format!("{name}-{n}"));
    (0..count).map(handler).collect()
}

/// Enrols a phone for each code, some at a time; each has synced once.
async fn enrol(serving: &Serving, codes: &[String]) -> Vec<OnlinePhone> {
    let way = way_to(&serving.url, Roots::default());
    let mut phones = Vec::with_capacity(codes.len());
    for some in codes.chunks(16) {
        let mut coming = JoinSet::new();
        for (n, code) in some.iter().cloned().enumerate() {
            let way = way.clone();
            coming.spawn(async move {
                let phone = OnlinePhone::enrol(&code, &way).await.unwrap();
                phone.sync().await;
                (n, phone)
            });
        }
        let mut came = coming.join_all().await;
        came.sort_by_key(|(n, _)| *n);
        phones.extend(came.into_iter().map(|(_, phone)| phone));
    }
    phones
}

fn longest(samples: &[f64]) -> f64 {
    samples.iter().copied().fold(0.0, f64::max)
}

fn folder_mb(folder: &Path) -> f64 {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        bytes += if kind.is_dir() {
            0
        } else {
            entry.metadata().unwrap().len()
        };
    }
    bytes as f64 / 1e6
}
