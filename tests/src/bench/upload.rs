//! The upload of a week: one phone delivers everything that its people wrote without network.
//!
//! Each round measures the floor, the server alone, and phone and server together, one after the other. The
//! figures are the best of the rounds, floor included, so other work of the machine distorts none of them
//! alone. Processor time beside it shows the gain of a second core.

use std::time::Instant;

use onegrid_core::sync::port::{Handover, PeerPort};
use onegrid_core::sync::report::Report;
use onegrid_core::wire::envelope::VerifiedEnvelope;

use super::table::Table;
use super::{bundle_of, floor, plain_sizes, process, stage, take_in};
use crate::histories::Written;

const BENCH: &str = "upload of a week from one phone, loopback without network";
const ROUNDS: usize = 3;

/// Wall and processor time, seconds.
#[derive(Clone, Copy)]
struct Spent {
    wall_s: f64,
    cpu_s: f64,
}

impl Spent {
    fn of(work: impl FnOnce()) -> Self {
        let (start, cpu) = (Instant::now(), process::cpu_s());
        work();
        Self {
            wall_s: start.elapsed().as_secs_f64(),
            cpu_s: process::cpu_s() - cpu,
        }
    }

    /// Returns the least of each.
    fn best(rounds: &[Self]) -> Self {
        let least = |figure: fn(&Self) -> f64| rounds.iter().map(figure).fold(f64::MAX, f64::min);
        Self {
            wall_s: least(|spent| spent.wall_s),
            cpu_s: least(|spent| spent.cpu_s),
        }
    }
}

pub(super) fn measure(table: &mut Table, cases: &[Written]) {
    eprintln!("upload");
    let envelopes: Vec<&VerifiedEnvelope> = cases.iter().flat_map(|case| &case.envelopes).collect();
    let (plain, packed) = plain_sizes(envelopes.iter().copied());
    table.note(BENCH, "signed envelopes, plain", plain as f64, "B");
    table.note(BENCH, "signed envelopes, zstd-3", packed as f64, "B");
    let (mut floors, mut alones, mut wholes) = (Vec::new(), Vec::new(), Vec::new());
    let mut report = Report::default();
    for _ in 0..ROUNDS {
        let (town, _) = stage();
        let (mut kept, authority) = (floor::open(town.folder()), *town.keys().authority());
        floors.push(Spent::of(|| {
            floor::append(&mut kept, &envelopes, &authority);
        }));
        drop(kept);
        alones.push(Spent::of(|| take_in(town.server(), cases)));
        drop(town);
        let (spent, told) = whole(cases, envelopes.len() as u64);
        wholes.push(spent);
        report = told;
    }
    let [floor, alone, whole] = [&floors, &alones, &wholes].map(|rounds| Spent::best(rounds));
    let count = envelopes.len() as f64;
    for (name, value, unit) in [
        ("rounds, best of each", ROUNDS as f64, ""),
        (
            "floor: verify, hash, append in one transaction",
            floor.wall_s,
            "s",
        ),
        ("floor, CPU", floor.cpu_s, "s"),
        ("server alone, bundles of 400 records", alone.wall_s, "s"),
        ("server alone, CPU", alone.cpu_s, "s"),
        (
            "server alone, envelopes per second",
            count / alone.wall_s,
            "1/s",
        ),
        (
            "server alone, times the floor",
            alone.wall_s / floor.wall_s,
            "×",
        ),
        ("phone and server, wall", whole.wall_s, "s"),
        ("phone and server, CPU of both", whole.cpu_s, "s"),
        (
            "CPU of both beyond the server alone: the phone, pages",
            whole.cpu_s - alone.cpu_s,
            "s",
        ),
        (
            "CPU of both, times the floor's",
            whole.cpu_s / floor.cpu_s,
            "×",
        ),
        ("envelopes per second", count / whole.wall_s, "1/s"),
    ] {
        table.note(BENCH, name, value, unit);
    }
    let times = whole.wall_s / floor.wall_s;
    table.budget(BENCH, "times the floor", times, "×", 4.0);
    table.note(BENCH, "bytes up", report.bytes_up as f64, "B");
    table.note(
        BENCH,
        "bytes up, of the zstd-3 size",
        report.bytes_up as f64 / packed as f64,
        "×",
    );
    table.note(BENCH, "round trips", f64::from(report.round_trips), "");
}

/// Uploads everything from a phone that carries all of it to a server that has none of it.
fn whole(cases: &[Written], count: u64) -> (Spent, Report) {
    let (mut town, _) = stage();
    let mut phone = town.enrol("courier", "district_lead", "330105000000", "");
    phone.sync(&mut town);
    let peer = cases[0].envelopes[0].certificate().unwrap().clone();
    for part in cases.chunks(100) {
        let given = Handover {
            bundle: bundle_of(part),
            ..Handover::default()
        };
        let taken = phone.replica().apply_peer(&given, &peer, town.now_ms);
        taken.unwrap();
    }
    assert_eq!(phone.replica().undelivered().unwrap(), count);
    let mut report = Report::default();
    let spent = Spent::of(|| report = phone.sync(&mut town));
    assert_eq!(phone.replica().undelivered().unwrap(), 0);
    assert!(report.equal, "phone and server agree");
    (spent, report)
}
