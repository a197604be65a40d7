//! A fresh phone pulls 5,000 hazards: phone and server in a process each, every byte of HTTP counted.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::deployment::{Deployment, MemberLine, Serving};
use super::people::{enrol, wait};
use super::recipe::{DISTRICT_5, Recipe, VILLAGE_5, VILLAGE_GRID};
use super::table::Table;
use super::wire::Wire;
use super::{fresh_phone::Sight, process};
use crate::histories::YARDSTICK_BYTES;

/// The most bytes of a first load, as a multiple of the yardstick.
const RATIO_MAX: f64 = 2.2;
/// A slow and a usual mobile network: bits per second, seconds of a round trip.
const NETWORKS: [(&str, f64, f64); 2] = [
    ("2G (100 kbit/s, 0.7 s a round trip)", 100e3, 0.7),
    ("4G (10 Mbit/s, 0.06 s a round trip)", 10e6, 0.06),
];

pub(super) fn measure(table: &mut Table) {
    eprintln!("fresh phone");
    let worker = MemberLine::new("bench-grid-worker", "grid_worker", VILLAGE_GRID);
    measure_one(table, "a grid worker", &VILLAGE_5, worker);
    let lead = MemberLine::new("bench-lead", "district_lead", "330105000000");
    measure_one(table, "a district lead", &DISTRICT_5, lead);
}

fn measure_one(table: &mut Table, who: &str, recipe: &Recipe, person: MemberLine) {
    let bench = format!(
        "the fresh phone of {who} pulls 5,000 hazards, HTTP/1.1 over loopback, own processes"
    );
    let deployment = Deployment::of(recipe);
    // The server makes the packs for the first phone; later phones find them.
    let idle = MemberLine::idle_handler("bench-idle");
    let second = MemberLine {
        name: "bench-second".to_owned(),
        ..MemberLine::new("", person.role, &person.areas)
    };
    let codes = deployment.invite(&[idle, person, second]);
    let serving = deployment.serve();
    let directory = directory_bytes(&serving, &codes[0]);
    let pulled = pull(&serving, &codes[1]);
    report(table, &bench, &pulled, directory);
    let again = pull(&serving, &codes[2]);
    table.note(
        &bench,
        "the next phone, packs made: wall",
        again.wall_s,
        "s",
    );
    let name = "the next phone, packs made: CPU of the server";
    table.note(&bench, name, again.server_cpu_s, "s");
    let peak = process::peak_mb_of(serving.pid());
    table.note(&bench, "peak memory of the server", peak, "MB");
}

/// Returns the bytes of a phone that reads no record: enrolment, handshake and directory.
fn directory_bytes(serving: &Serving, code: &str) -> u64 {
    let wire = Wire::to(&serving.url);
    wait(async {
        let phone = enrol(&wire, code).await;
        phone.sync().await;
        wire.counted().both()
    })
}

/// The observations of one first load.
struct Pulled {
    pages: Vec<Sight>,
    last: Sight,
    certificates: u64,
    round_trips: u32,
    both: u64,
    wall_s: f64,
    phone_cpu_s: f64,
    phone_peak_mb: f64,
    server_cpu_s: f64,
}

fn pull(serving: &Serving, code: &str) -> Pulled {
    let wire = Wire::to(&serving.url);
    let before = process::cpu_s_of(serving.pid());
    let start = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["fresh-child", &wire.url(), code])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pages = Vec::new();
    let mut last = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.strip_prefix("end ") {
            Some(end) => last = Some(serde_json::from_str(end).unwrap()),
            None => pages.push(serde_json::from_str(&line).unwrap()),
        }
    }
    assert!(child.wait().unwrap().success(), "the phone ended well");
    let end: super::fresh_phone::End = last.expect("the phone tells how it ended");
    assert!(start.elapsed().as_secs_f64() >= end.wall_s);
    Pulled {
        pages,
        last: end.sight,
        certificates: end.certificates,
        round_trips: end.round_trips,
        both: wire.counted().both(),
        wall_s: end.wall_s,
        phone_cpu_s: end.cpu_s,
        phone_peak_mb: end.peak_mb,
        server_cpu_s: process::cpu_s_of(serving.pid()) - before,
    }
}

fn report(table: &mut Table, bench: &str, pulled: &Pulled, directory: u64) {
    let mut note = |name: &str, value: f64, unit| table.note(bench, name, value, unit);
    let both = pulled.both as f64;
    note(
        "records on the phone",
        pulled.last.records as f64,
        "records",
    );
    note("bytes both ways, all", both, "B");
    let name = "of these enrolment, handshake, directory (a phone without records)";
    note(name, directory as f64, "B");
    let name = "of these certificates of authors, zstd-3 apart";
    note(name, pulled.certificates as f64, "B");
    let packs = both - (directory + pulled.certificates) as f64;
    note("the rest: packs", packs, "B");
    let yardstick = YARDSTICK_BYTES as f64;
    note("packs, of 1,170,767 B", packs / yardstick, "×");
    let name = "all, of 1,170,767 B";
    table.budget(bench, name, both / yardstick, "×", RATIO_MAX);
    let mut note = |name: &str, value: f64, unit| table.note(bench, name, value, unit);
    note("round trips", f64::from(pulled.round_trips), "");
    note("wall", pulled.wall_s, "s");
    note("CPU of the phone", pulled.phone_cpu_s, "s");
    note("CPU of the server", pulled.server_cpu_s, "s");
    note("peak memory of the phone", pulled.phone_peak_mb, "MB");
    for (network, bits, trip) in NETWORKS {
        let seconds = both * 8.0 / bits + f64::from(pulled.round_trips) * trip;
        note(
            &format!("network time on {network}, modelled"),
            seconds,
            "s",
        );
    }
    open_first(table, bench, pulled);
}

/// Notes when the last open case has arrived, and when everything has.
fn open_first(table: &mut Table, bench: &str, pulled: &Pulled) {
    let open = pulled.last.open;
    let Some(place) = pulled.pages.iter().position(|page| page.open == open) else {
        return;
    };
    let page = &pulled.pages[place];
    let mut note = |name: &str, value: f64, unit| table.note(bench, name, value, unit);
    note("open cases", open as f64, "records");
    let name = format!(
        "pages until all open cases are usable, of {}",
        pulled.pages.len()
    );
    note(&name, (place + 1) as f64, "pages");
    note("bytes until then", page.bytes as f64, "B");
    note(
        "share of all bytes until then",
        page.bytes as f64 / pulled.last.bytes as f64,
        "×",
    );
    note("time until then", page.seconds, "s");
    let first = pulled.pages.iter().find(|page| page.open > 0);
    if let Some(first) = first {
        note(
            "first page with cases: open cases on it",
            first.open as f64,
            "records",
        );
        note(
            "first page with cases: bytes until it",
            first.bytes as f64,
            "B",
        );
        note("first page with cases: usable after", first.seconds, "s");
    }
}
