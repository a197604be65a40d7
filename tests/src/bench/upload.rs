//! The upload of a week: one phone carries everything that its people wrote without network.

use std::time::Instant;

use onegrid_core::sync::port::{Given, PeerPort};
use onegrid_core::wire::envelope::VerifiedEnvelope;

use super::table::Table;
use super::{bundle_of, floor, plain_sizes, process, stage, take_in};
use crate::histories::Written;

const BENCH: &str = "upload of a week from one phone, loopback without network";

#[allow(
    clippy::too_many_lines,
    reason = "one measurement after the other, on the same town"
)]
pub(super) fn measure(table: &mut Table, cases: &[Written]) {
    eprintln!("upload");
    let envelopes: Vec<&VerifiedEnvelope> = cases.iter().flat_map(|case| &case.envelopes).collect();
    let count = envelopes.len() as f64;
    let (plain, packed) = plain_sizes(envelopes.iter().copied());
    table.note(BENCH, "signed envelopes, plain", plain as f64, "B");
    table.note(BENCH, "signed envelopes, zstd-3", packed as f64, "B");

    let (town, _) = stage();
    let floor_s = floor::seconds(town.folder(), &envelopes, town.keys().authority());
    table.note(
        BENCH,
        "floor: verify, hash, append in one transaction",
        floor_s,
        "s",
    );
    let (start, cpu) = (Instant::now(), process::cpu_s());
    take_in(town.server(), cases);
    let alone_s = start.elapsed().as_secs_f64();
    table.note(BENCH, "server alone, bundles of 400 records", alone_s, "s");
    table.note(BENCH, "server alone, CPU", process::cpu_s() - cpu, "s");
    table.note(
        BENCH,
        "server alone, envelopes per second",
        count / alone_s,
        "1/s",
    );
    table.note(
        BENCH,
        "server alone, times the floor",
        alone_s / floor_s,
        "×",
    );
    drop(town);

    let (mut town, _) = stage();
    let mut phone = town.enrol("courier", "district_lead", "330105000000", "");
    phone.sync(&mut town);
    let peer = envelopes[0].certificate().unwrap().clone();
    for part in cases.chunks(100) {
        let given = Given {
            bundle: bundle_of(part),
            ..Given::default()
        };
        phone
            .replica()
            .apply_peer(&given, &peer, town.now_ms)
            .unwrap();
    }
    assert_eq!(
        phone.replica().undelivered().unwrap(),
        envelopes.len() as u64
    );
    let (start, cpu) = (Instant::now(), process::cpu_s());
    let report = phone.sync(&mut town);
    let whole_s = start.elapsed().as_secs_f64();
    assert_eq!(phone.replica().undelivered().unwrap(), 0);
    assert!(report.equal, "phone and server agree");
    table.note(BENCH, "phone and server, wall", whole_s, "s");
    table.note(
        BENCH,
        "phone and server, CPU of both",
        process::cpu_s() - cpu,
        "s",
    );
    table.note(BENCH, "envelopes per second", count / whole_s, "1/s");
    table.budget(BENCH, "times the floor", whole_s / floor_s, "×", 4.0);
    table.note(BENCH, "bytes up", report.bytes_up as f64, "B");
    table.note(
        BENCH,
        "bytes up, of the zstd-3 size",
        report.bytes_up as f64 / packed as f64,
        "×",
    );
    table.note(BENCH, "round trips", f64::from(report.round_trips), "");
}
