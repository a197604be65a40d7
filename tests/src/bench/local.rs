//! The waiting times of a person on the phone, without any network: a process of its own on 10,000
//! records.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::content::{Content, Details};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::id::AreaId;
use onegrid_core::replica::{Draft, Filter, MapWindow, Replica};

use super::alone;
use super::deployment::{Deployment, MemberLine};
use super::figures;
use super::people::{enrol, wait};
use super::process;
use super::recipe::DISTRICT_10;
use super::table::Table;
use super::wire::Wire;

/// The time of the reports by the phone's clock, ms UTC.
const REPORTED_MS: i64 = 1_793_577_600_000;
/// Envelopes that wait for a network: after a day without one, and after weeks.
const WAITING: [usize; 2] = [1_000, 10_000];
const OPEN_MS_MAX: f64 = 30.0;
const LIST_MS_MAX: f64 = 10.0;
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
    alone::run(table, BENCH, "local-child", (folder.path(), &signer));
}

/// Runs in the other process and prints its figures.
pub fn child(folder: &Path) {
    let options = alone::options(folder);
    alone::opening("open", &options, OPEN_MS_MAX);
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
        let name = format!("open with {n} undelivered");
        alone::opening(&name, &options, OPEN_MS_MAX);
        replica = Replica::open(options()).unwrap();
    }
    alone::say(
        "this disk alone: 4 kB written and synced",
        &mut disk_alone(folder),
        None,
        None,
    );
    figures::say("peak memory", process::peak_mb(), "MB", Some(40.0));
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
    alone::say(name, &mut reporting, None, Some(25.0));
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

fn timed(name: &str, times: usize, work: impl FnMut()) {
    alone::timed(name, times, LIST_MS_MAX, work);
}
