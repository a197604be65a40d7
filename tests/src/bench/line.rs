//! A first sync of 500 records over a line at the edge of a mobile network, with TLS, in real time.

use std::time::{Duration, Instant};

use onegrid_core::net::{Driver, State};

use super::deployment::{Deployment, MemberLine, Serving, own_authority};
use super::fresh_phone::{Sight, Watched};
use super::people::wait;
use super::recipe::{VILLAGE_500, VILLAGE_GRID};
use super::table::Table;
use crate::line::{Line, Profile};
use crate::onegrid::{OnlinePhone, way_to};

/// Seconds until the first screen is full, and until everything has arrived.
const FIRST_SCREEN_S_MAX: f64 = 30.0;
const ALL_S_MAX: f64 = 180.0;
/// Cases of a first screen.
const SCREEN: u64 = 10;
/// A sync that takes longer has failed.
const PATIENCE: Duration = Duration::from_mins(10);
/// Losses fall on other segments in each run.
const RUNS: u64 = 3;

/// The observations of one run.
struct Ride {
    pages: Vec<Sight>,
    all_s: f64,
    bytes: (u64, u64),
    connections: u64,
    cuts: u64,
    stalls: u64,
    round_trips: u64,
}

pub(super) fn measure(table: &mut Table) {
    eprintln!("a line of the second generation");
    let deployment = Deployment::of(&VILLAGE_500);
    let name = |run| format!("bench-line-{run}");
    let people: Vec<MemberLine> = (0..=RUNS)
        .map(|run| MemberLine::new(&name(run), "grid_worker", VILLAGE_GRID))
        .collect();
    let codes = deployment.invite(&people);
    let serving = deployment.serve_tls();
    // The server makes the packs for the first phone, which has a line without faults, so its bytes
    // are the least.
    let perfect = ride(&serving, &codes[0], Profile::perfect());
    let bench = "500 records over a perfect line, TLS";
    table.note(bench, "bytes down", perfect.bytes.1 as f64, "B");
    table.note(bench, "all", perfect.all_s, "s");
    let bench = "500 records over 50 kbit/s, 1 s round trip, 5 % loss, cut every 30 s, TLS";
    for (run, code) in (1..).zip(&codes[1..]) {
        let ride = ride(&serving, code, Profile::second_generation(run));
        report(
            table,
            &format!("{bench}, run {run}"),
            &ride,
            perfect.bytes.1,
        );
    }
}

fn report(table: &mut Table, bench: &str, ride: &Ride, least: u64) {
    let first = ride.pages.iter().find(|page| page.open >= SCREEN);
    let first_s = first.map_or(f64::INFINITY, |page| page.seconds);
    table.budget(
        bench,
        "first screen (10 open cases)",
        first_s,
        "s",
        FIRST_SCREEN_S_MAX,
    );
    table.budget(bench, "all", ride.all_s, "s", ALL_S_MAX);
    let last = ride.pages.last().map_or(0, |page| page.records);
    for (name, value, unit) in [
        ("records", last, "records"),
        ("bytes up", ride.bytes.0, "B"),
        ("bytes down", ride.bytes.1, "B"),
        ("connections", ride.connections, ""),
        ("cuts", ride.cuts, ""),
        ("segments lost", ride.stalls, ""),
        ("round trips", ride.round_trips, ""),
    ] {
        table.note(bench, name, value as f64, unit);
    }
    // A restart from zero would bring everything a second time.
    let again = ride.bytes.1 as f64 / least as f64;
    table.note(bench, "bytes down, of those of a perfect line", again, "×");
}

fn ride(serving: &Serving, code: &str, profile: Profile) -> Ride {
    wait(async {
        let near = way_to(&serving.url, own_authority());
        let phone = OnlinePhone::enrol(code, &near).await.unwrap();
        let line = Line::to(&serving.url, profile).unwrap();
        let (watched, log) = Watched::of(&phone);
        let way = way_to(&line.url("https"), own_authority());
        let driver = Driver::new(watched, &way).unwrap();
        let start = Instant::now();
        let running = tokio::spawn({
            let driver = driver.clone();
            async move { driver.run().await }
        });
        let mut status = driver.status();
        let done = status.wait_for(|status| status.state == State::UpToDate);
        let done = tokio::time::timeout(PATIENCE, done).await.unwrap();
        let report = done.unwrap().report.clone().unwrap();
        let all_s = start.elapsed().as_secs_f64();
        let (bytes, connections) = (line.bytes(), line.connections());
        driver.cancel();
        running.await.unwrap();
        assert!(report.equal, "{report:?}");
        Ride {
            pages: log.pages(),
            all_s,
            bytes,
            connections,
            cuts: line.cuts(),
            stalls: line.stalls(),
            round_trips: driver.traffic().round_trips,
        }
    })
}
