//! The waiting times of a person on the phone, without any network: a process of its own on 10,000
//! records.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::content::{Content, Details};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::id::AreaId;
use onegrid_core::replica::{
    Draft, FileKey, Filter, MapWindow, MarkerFile, Replica, ReplicaOptions, StdDisk,
};
use onegrid_core::trust::sign::SecretKey;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::deployment::{Deployment, MemberLine};
use super::figures;
use super::people::{enrol, wait};
use super::process;
use super::recipe::DISTRICT_10;
use super::table::{Table, percentiles};
use super::wire::Wire;

/// The time of the reports by the phone's clock, ms UTC.
const REPORTED_MS: i64 = 1_793_577_600_000;
/// Envelopes that wait for a network: after a day without one, and after weeks.
const WAITING: [usize; 2] = [1_000, 10_000];
const BENCH: &str = "a replica with 10,000 records, a process of its own";

pub(super) fn measure(table: &mut Table) {
    eprintln!("local");
    let deployment = Deployment::of(&DISTRICT_10);
    let lead = MemberLine::new("bench-local", "district_lead", "330105000000");
    let codes = deployment.invite(&[lead]);
    let serving = deployment.serve();
    let (folder, signer) = wait(async {
        let phone = enrol(&Wire::to(&serving.url), &codes[0]).await;
        phone.sync().await;
        phone.put_away()
    });
    drop(serving);
    let seed = *signer.seed();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("local-child")
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&seed).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the phone's process ended well");
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        assert!(figures::take_down(table, BENCH, line), "{line}");
    }
}

/// Runs in the other process and prints its figures.
pub fn child(folder: &Path) {
    let mut seed = [0; 32];
    std::io::Read::read_exact(&mut std::io::stdin(), &mut seed).unwrap();
    let options = || ReplicaOptions {
        path: folder.join("replica.db"),
        disk: Arc::new(StdDisk),
        file_key: FileKey::new(seed),
        marker: Box::new(MarkerFile::new(folder.join("marker"))),
        signer: SecretKey::from_seed(&seed),
        entropy: Box::new(ChaCha20Rng::from_seed([9; 32])),
    };
    opening("open", &options);
    let mut replica = Replica::open(options()).unwrap();
    let records = replica.count(&Filter::default()).unwrap();
    figures::say("records", records as f64, "records", None);
    reading(&replica);
    writing(&mut replica, "durable report", 200);
    for n in WAITING {
        let there = usize::try_from(replica.undelivered().unwrap()).unwrap();
        let name = format!("durable report, until {n} are undelivered");
        writing(&mut replica, &name, n - there);
        replica.close().unwrap();
        opening(&format!("open with {n} undelivered"), &options);
        replica = Replica::open(options()).unwrap();
    }
    say(
        "this disk alone: 4 kB written and synced",
        &mut disk_alone(folder),
        None,
        None,
    );
    figures::say("peak memory", process::peak_mb(), "MB", Some(40.0));
}

/// Opens and closes the replica again and again.
fn opening(name: &str, options: &impl Fn() -> ReplicaOptions) {
    let mut samples = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let replica = Replica::open(options()).unwrap();
        samples.push(start.elapsed().as_secs_f64() * 1e3);
        replica.close().unwrap();
    }
    say(name, &mut samples, Some(30.0), Some(30.0));
}

fn reading(replica: &Replica) {
    let all = Filter::default();
    let open = Filter {
        open: Some(true),
        ..Filter::default()
    };
    let gas = Filter {
        category: Some("gas".into()),
        open: Some(true),
        ..Filter::default()
    };
    timed("first page of a list of 50", 200, || {
        drop(replica.list(&all, None, 50).unwrap());
    });
    timed("open ones, 50", 200, || {
        drop(replica.list(&open, None, 50).unwrap());
    });
    timed("open gas cases, 50", 200, || {
        drop(replica.list(&gas, None, 50).unwrap());
    });
    timed("count by stage", 200, || {
        drop(replica.count_by_stage(&all).unwrap());
    });
    for words in ["消防", "后厨 液化气", "窨井盖", "武林路"] {
        timed(&format!("search {words}, 50"), 100, || {
            drop(replica.search(words, None, 50).unwrap());
        });
    }
    let window = MapWindow {
        lat_min_e7: 303_000_000,
        lat_max_e7: 303_200_000,
        lon_min_e7: 1_201_300_000,
        lon_max_e7: 1_201_600_000,
    };
    timed("map window of about 2 × 3 km", 200, || {
        drop(replica.map(&window).unwrap());
    });
}

/// Writes reports that are never delivered.
fn writing(replica: &mut Replica, name: &str, reports: usize) {
    let home = AreaPath::new(
        &[
            "330105000000",
            "330105001000",
            "330105001051",
            "330105001051001",
        ]
        .map(AreaId::of_first_code),
    )
    .unwrap();
    let mut reporting = Vec::new();
    for n in 0..reports {
        let details = Details {
            title: Some(format!("楼道堆放纸箱 {n}")),
            description: "安全出口被货架挡住，门从外面锁死。".into(),
            ..Details::default()
        };
        let content = Content::from(Hazard {
            details,
            severity: None,
        });
        let start = Instant::now();
        replica
            .report(&Draft::staff(content, home), REPORTED_MS)
            .unwrap();
        reporting.push(start.elapsed().as_secs_f64() * 1e3);
    }
    say(name, &mut reporting, None, Some(25.0));
}

/// Measures a durable write of one page on this disk.
fn disk_alone(folder: &Path) -> Vec<f64> {
    let mut file = std::fs::File::create(folder.join("disk-alone")).unwrap();
    (0..200)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[7; 4_096]).unwrap();
            file.sync_data().unwrap();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect()
}

fn timed(name: &str, times: usize, mut work: impl FnMut()) {
    let mut samples: Vec<f64> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    say(name, &mut samples, Some(10.0), Some(10.0));
}

fn say(name: &str, samples: &mut [f64], median_max: Option<f64>, p99_max: Option<f64>) {
    let (median, p99) = percentiles(samples);
    figures::say(&format!("{name}, median"), median, "ms", median_max);
    figures::say(&format!("{name}, p99"), p99, "ms", p99_max);
}
