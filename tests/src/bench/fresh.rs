//! A fresh phone pulls 5,000 hazards in packs.

use std::time::{Duration, Instant};

use onegrid_core::replica::Filter;

use super::table::Table;
use super::{process, stage};
use crate::histories::YARDSTICK_BYTES;
use crate::town::{Fault, Town, Turn};

const BENCH: &str = "fresh phone pulls 5,000 hazards, bodies, loopback without network";

pub(super) fn measure(table: &mut Table, town: &mut Town) {
    eprintln!("fresh phone");
    // A phone of somebody to whom nothing is dispatched reads the directory and nothing else.
    let mut idle = town.enrol("idle", "handler", "", "gas-company");
    let directory = idle.sync(town).bytes_down;
    let mut phone = town.enrol("fresh", "district_lead", "330105000000", "");
    let open = Filter {
        open: Some(true),
        ..Filter::default()
    };
    let (start, cpu) = (Instant::now(), process::cpu_s());
    let mut usable: Option<(Duration, u64)> = None;
    let mut counted = Duration::ZERO;
    let mut seen = 0;
    let report = loop {
        match phone.turn(town, Fault::None) {
            Turn::Done(report) => break report,
            Turn::Answered => {
                let looking = Instant::now();
                let now_open = phone.replica().count(&open).unwrap();
                if now_open > seen {
                    seen = now_open;
                    usable = Some((start.elapsed().saturating_sub(counted), now_open));
                }
                counted += looking.elapsed();
            }
            other => panic!("{other:?}"),
        }
    };
    let wall = start.elapsed().saturating_sub(counted).as_secs_f64();
    let cpu_s = process::cpu_s() - cpu;
    assert!(report.equal, "phone and server agree");
    let all = phone.replica().count(&Filter::default()).unwrap();
    table.note(BENCH, "records on the phone", all as f64, "records");
    table.note(BENCH, "bytes down, all", report.bytes_down as f64, "B");
    table.note(
        BENCH,
        "of these the directory (a phone without records)",
        directory as f64,
        "B",
    );
    let certificates = certificates_bytes(town);
    table.note(
        BENCH,
        "of these the certificates of 1,121 people, about",
        certificates as f64,
        "B",
    );
    let packs = report.bytes_down.saturating_sub(directory + certificates) as f64;
    table.note(BENCH, "packs", packs, "B");
    table.budget(
        BENCH,
        "packs, of 1,170,767 B",
        packs / YARDSTICK_BYTES as f64,
        "×",
        2.2,
    );
    table.note(BENCH, "bytes up", report.bytes_up as f64, "B");
    table.note(BENCH, "round trips", f64::from(report.round_trips), "");
    table.note(BENCH, "wall, phone and server", wall, "s");
    table.note(BENCH, "CPU, phone and server", cpu_s, "s");
    if let Some((when, open)) = usable {
        table.note(BENCH, "open cases", open as f64, "records");
        table.note(
            BENCH,
            "the last open case is usable after",
            when.as_secs_f64(),
            "s",
        );
    }
}

/// The certificates of everybody in the histories, compressed apart.
fn certificates_bytes(town: &Town) -> u64 {
    let (_, mut cast) = stage();
    let _ = town;
    super::write_all(&mut cast, 0);
    super::certificates_zstd(&cast)
}
