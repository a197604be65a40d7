//! A hundred photos of two megabytes over a line of 8 Mbit/s that is cut every few seconds, in real time.
//! `QUICK=1` takes ten.

#![allow(
    clippy::print_stdout,
    reason = "the process that started it reads the line"
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use onegrid_core::net::{Budget, Cancel, FilesPolicy, Roots, now_ms};
use serde::{Deserialize, Serialize};

use super::deployment::{Deployment, MemberLine};
use super::people::wait;
use super::process;
use super::recipe::{VILLAGE_500, VILLAGE_GRID};
use super::table::Table;
use crate::line::{Line, Profile};
use crate::onegrid::{OnlinePhone, way_to};
use crate::photos::photo;

/// Bytes on the line, as a multiple of the photos.
const RATIO_MAX: f64 = 1.05;
const PHOTOS: u64 = 100;
const PHOTOS_QUICK: u64 = 10;
/// Photos of one record.
const A_RECORD: u64 = 10;
/// Lines of a photo of two megabytes.
const LINES: u16 = 1_700;
/// A transfer that takes longer has failed.
const PATIENCE_MS: u64 = 3_600_000;

/// The figures at the end.
#[derive(Debug, Serialize, Deserialize)]
struct End {
    photos_bytes: u64,
    wall_s: f64,
    cpu_s: f64,
    resident_mb: f64,
    peak_mb: f64,
    round_trips: u64,
    left: u64,
}

pub(super) fn measure(table: &mut Table) {
    eprintln!("photos");
    let quick = std::env::var_os("QUICK").is_some();
    let count = if quick { PHOTOS_QUICK } else { PHOTOS };
    let deployment = Deployment::of(&VILLAGE_500);
    let person = MemberLine::new("bench-photos", "grid_worker", VILLAGE_GRID);
    let codes = deployment.invite(&[person]);
    let serving = deployment.serve();
    let profile = Profile {
        bits_s: 8_000_000,
        round_trip: Duration::from_millis(60),
        lost_per_mille: 2,
        cut_every: Some(Duration::from_secs(3)),
        seed: 1,
    };
    let server_cpu = process::cpu_s_of(serving.pid());
    let (end, line) = wait(async {
        let line = Line::to(&serving.url, profile).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["photos-child", &serving.url, &line.url("http")]);
        child.args([&codes[0], &count.to_string()]);
        child.stdout(Stdio::piped());
        let output = tokio::task::spawn_blocking(move || child.output().unwrap());
        let output = output.await.unwrap();
        assert!(output.status.success(), "the phone ended well");
        let end: End = serde_json::from_slice(&output.stdout).unwrap();
        (end, line)
    });
    let bench = format!("{count} photos of 2 MB over 8 Mbit/s, 60 ms, cut every 3 s");
    let (up, down) = line.bytes();
    let photos = end.photos_bytes as f64;
    table.note(&bench, "bytes of the photos", photos, "B");
    let ratio = up as f64 / photos;
    let name = "bytes up, of those of the photos";
    table.budget(&bench, name, ratio, "×", RATIO_MAX);
    table.budget(&bench, "photos left", end.left as f64, "photos", 0.0);
    for (name, value, unit) in [
        ("bytes up", up as f64, "B"),
        ("bytes down", down as f64, "B"),
        ("cuts", line.cuts() as f64, ""),
        ("connections", line.connections() as f64, ""),
        ("round trips", end.round_trips as f64, ""),
        ("all", end.wall_s / 60.0, "min"),
        (
            "bits a second of photos",
            photos * 8.0 / end.wall_s,
            "bit/s",
        ),
        ("CPU of the phone", end.cpu_s, "s"),
        (
            "CPU of the server",
            process::cpu_s_of(serving.pid()) - server_cpu,
            "s",
        ),
        ("memory of the phone before", end.resident_mb, "MB"),
        ("peak memory of the phone", end.peak_mb, "MB"),
    ] {
        table.note(&bench, name, value, unit);
    }
}

/// Runs the phone: adds the photos over `near`, sends them over `line`, and prints a line of JSON.
pub fn child(near: &str, line: &str, code: &str, count: &str) {
    let count: u64 = count.parse().unwrap();
    wait(async {
        let near = way_to(near, Roots::default());
        let mut phone = OnlinePhone::enrol(code, &near).await.unwrap();
        phone.driver.set_files(FilesPolicy::Never);
        phone.sync().await;
        let mut photos_bytes = 0;
        let mut record = None;
        for number in 0..count {
            if number % A_RECORD == 0 {
                record = Some(phone.report("photos"));
            }
            let bytes = photo(LINES, number);
            photos_bytes += bytes.len() as u64;
            let mut replica = phone.replica();
            let added = replica.add_attachment(&bytes, now_ms()).unwrap();
            replica.attach(record.unwrap(), added.id, now_ms()).unwrap();
        }
        phone.sync().await;
        phone.move_to(&way_to(line, Roots::default()));
        let resident_mb = process::reset_peak_mb();
        let (start, cpu) = (Instant::now(), process::cpu_s());
        let budget = Budget {
            time_ms: Some(PATIENCE_MS),
            bytes: None,
        };
        let sent = phone.driver.sync_within(budget, &Cancel::new()).await;
        assert!(sent.unwrap().equal, "phone and server agree");
        let end = End {
            photos_bytes,
            wall_s: start.elapsed().as_secs_f64(),
            cpu_s: process::cpu_s() - cpu,
            resident_mb,
            peak_mb: process::peak_mb(),
            round_trips: phone.driver.traffic().round_trips,
            left: phone.replica().files_left().unwrap().uploads,
        };
        println!("{}", serde_json::to_string(&end).unwrap());
    });
}
