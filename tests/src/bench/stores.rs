//! Durable ingest into each kind of store, by many phones at the same time, in one run: `SQLite`, `PostgreSQL` under
//! one node, and under two.
//!
//! Each bundle passes everything that a bundle of a phone passes: signatures, the gate, the rules of permission, one
//! durable transaction. The kinds take turns, and the figure of each is its best round.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use onegrid_server::rules::Rules;
use onegrid_server::server::Server;

use super::table::Table;
use super::take_in_at_once;
use crate::histories::{self, Cast, Written};
use crate::postgres::Postgres;
use crate::town::{Extent, Town};

const BENCH: &str = "durable ingest, 8 senders at the same time, one run";
const CASES: usize = 1_600;
const SENDERS: usize = 8;
const ROUNDS: usize = 2;
/// Records in a bundle: a report with its history, and the work of a week.
const BUNDLES: [(usize, &str); 2] = [(1, "one record a bundle"), (100, "100 records a bundle")];
/// Nodes over a database server, or none, and the name of the kind.
const KINDS: [(Option<usize>, &str); 3] = [
    (None, "SQLite"),
    (Some(1), "PostgreSQL"),
    (Some(2), "PostgreSQL under two nodes"),
];
/// `SQLite` may be this much faster than `PostgreSQL`.
const FASTER_MAX: f64 = 1.0 / 0.6;
/// One node may be this much faster than two; the rest is noise of the machine.
const ONE_OF_TWO_MAX: f64 = 1.1;

pub(super) fn measure(table: &mut Table) {
    eprintln!("stores");
    if Postgres::start().is_none() {
        return;
    }
    let town = Town::on_disk(SEED, Extent::Whole, Rules::none());
    let mut cast = Cast::new(town.keys().certificates(), *town.keys().authority());
    drop(town);
    let histories = histories::read();
    let written = histories.iter().take(CASES);
    let cases: Vec<Written> = written.map(|history| cast.write(history, 0)).collect();
    let mut best = [[0.0_f64; BUNDLES.len()]; KINDS.len()];
    for _ in 0..ROUNDS {
        for ((nodes, _), best) in KINDS.iter().zip(&mut best) {
            let town = Town::on_disk_over(SEED, Extent::Whole, Rules::none(), *nodes);
            let nodes: Vec<&Server> = town.nodes().collect();
            let parts = cases.chunks(CASES / BUNDLES.len());
            for (((size, _), part), best) in BUNDLES.iter().zip(parts).zip(best) {
                *best = best.max(rate(&nodes, part, *size));
            }
        }
    }
    for (at, (_, bundles)) in BUNDLES.iter().enumerate() {
        let [sqlite, one, two] = best.map(|rates| rates[at]);
        for ((_, kind), rate) in KINDS.iter().zip([sqlite, one, two]) {
            table.note(BENCH, &format!("{kind}, {bundles}"), rate, "envelopes/s");
        }
        let name = format!("SQLite as a multiple of PostgreSQL, {bundles}");
        table.budget(BENCH, &name, sqlite / one, "×", FASTER_MAX);
        let name = format!("one node as a multiple of two, {bundles}");
        table.budget(BENCH, &name, one / two, "×", ONE_OF_TWO_MAX);
    }
}

/// Every town of this seed has the same keys.
const SEED: u64 = 7;

/// Delivers all cases through the nodes in turn. Returns envelopes per second.
fn rate(nodes: &[&Server], cases: &[Written], records_a_bundle: usize) -> f64 {
    let bundles: Vec<&[Written]> = cases.chunks(records_a_bundle).collect();
    let (next, begun) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (bundles, next) = (&bundles, &next);
            let node = nodes[sender % nodes.len()];
            scope.spawn(move || {
                while let Some(bundle) = bundles.get(next.fetch_add(1, Ordering::Relaxed)) {
                    take_in_at_once(node, bundle);
                }
            });
        }
    });
    let envelopes: usize = cases.iter().map(|case| case.envelopes.len()).sum();
    envelopes as f64 / begun.elapsed().as_secs_f64()
}
