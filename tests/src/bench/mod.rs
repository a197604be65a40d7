//! Benches: the promised figures of the product, measured in one run on the same histories.
//!
//! `make bench` prints one table and writes one JSON file. A missed budget is only printed; with
//! `--check` it is a failure.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]
#![allow(
    clippy::unwrap_used,
    reason = "a bench that can not go on ends with a panic"
)]

mod alone;
mod attack;
mod crowd;
mod deployment;
mod figures;
mod floor;
mod fresh;
mod fresh_phone;
mod hostile;
mod line;
mod local;
mod meeting;
mod office;
mod people;
mod phone;
mod photos;
mod process;
mod recipe;
mod reconnect;
mod stores;
mod table;
mod upload;
mod visits;
mod wire;

use onegrid_core::wire::envelope::VerifiedEnvelope;
use onegrid_core::wire::message::Bundle;
use onegrid_server::rules::Rules;
use onegrid_server::server::Server;

use crate::histories::{self, Cast, Written};
use crate::town::{Extent, MORNING_MS, Town};

pub use fresh_phone::child as fresh_child;
pub use local::child as local_child;
pub use meeting::child as meeting_child;
pub use phone::child as phone_child;
pub use photos::child as photos_child;
pub use table::Table;
pub use visits::child as visits_child;

/// Records of the file of histories.
const RECORDS: usize = 5_000;

/// The sections that can be measured alone, in the order of a whole run.
pub const SECTIONS: [&str; 14] = [
    "upload",
    "stores",
    "hostile",
    "fresh",
    "line",
    "reconnect",
    "local",
    "phone",
    "visits",
    "photos",
    "meeting",
    "crowd",
    "attack",
    "office",
];

/// Runs the named sections, or all.
#[must_use]
pub fn run(only: &[String]) -> Table {
    let mut table = Table::new();
    eprintln!("{}", table.machine);
    for section in SECTIONS {
        if !only.is_empty() && !only.iter().any(|one| one == section) {
            continue;
        }
        let start = std::time::Instant::now();
        match section {
            "upload" => upload_section(&mut table),
            "stores" => stores::measure(&mut table),
            "hostile" => hostile::measure(&mut table),
            "fresh" => fresh::measure(&mut table),
            "line" => line::measure(&mut table),
            "reconnect" => reconnect::measure(&mut table),
            "local" => local::measure(&mut table),
            "phone" => phone::measure(&mut table),
            "visits" => visits::measure(&mut table),
            "photos" => photos::measure(&mut table),
            "meeting" => meeting::measure(&mut table),
            "attack" => attack::measure(&mut table),
            "office" => office::measure(&mut table),
            _ => crowd::measure(&mut table),
        }
        eprintln!("{section}: {:.0} s", start.elapsed().as_secs_f64());
    }
    table
}

fn upload_section(table: &mut Table) {
    eprintln!("histories: writing and signing");
    let (_town, mut cast) = stage();
    let cases = write_all(&mut cast, 0);
    table.note("histories", "records", cases.len() as f64, "records");
    let envelopes: usize = cases.iter().map(|case| case.envelopes.len()).sum();
    table.note("histories", "envelopes", envelopes as f64, "envelopes");
    upload::measure(table, &cases);
}

/// Makes a town without rules, because the histories already hold the moves that rules would make.
fn stage() -> (Town, Cast) {
    let town = Town::on_disk(7, Extent::Whole, Rules::none());
    let cast = Cast::new(town.keys().certificates(), *town.keys().authority());
    (town, cast)
}

fn write_all(cast: &mut Cast, salt: u64) -> Vec<Written> {
    let histories = histories::read();
    assert_eq!(histories.len(), RECORDS, "the histories of the bench");
    histories
        .iter()
        .map(|history| cast.write(history, salt))
        .collect()
}

/// Returns the envelopes and the certificates that they name.
fn bundle_of(cases: &[Written]) -> Bundle {
    let mut bundle = Bundle::default();
    let mut named = std::collections::HashSet::new();
    for envelope in cases.iter().flat_map(|case| &case.envelopes) {
        if let Some(certificate) = envelope.certificate()
            && named.insert(certificate.hash())
        {
            bundle.certificates.push(certificate.raw().clone());
        }
        bundle.envelopes.push(envelope.envelope().raw().clone());
    }
    bundle
}

/// Imports cases directly into the server, in bundles of this size.
fn take_in(server: &Server, cases: &[Written]) {
    for part in cases.chunks(400) {
        take_in_at_once(server, part);
    }
}

fn take_in_at_once(server: &Server, cases: &[Written]) {
    let attested = std::collections::HashMap::new();
    let taken = server
        .ingest(bundle_of(cases), &attested, MORNING_MS)
        .unwrap();
    assert!(taken.missing.is_empty());
    let all_accepted = taken
        .lines
        .iter()
        .all(|line| line.verdict.status == onegrid_core::wire::verdict::Status::Accepted);
    assert!(all_accepted, "the histories are accepted as they are");
}

/// Returns the bytes of signed envelopes, and their size under zstd at level 3 in one block.
fn plain_sizes<'a>(envelopes: impl Iterator<Item = &'a VerifiedEnvelope>) -> (u64, u64) {
    let mut bytes = Vec::new();
    for envelope in envelopes {
        let raw = envelope.envelope().raw();
        bytes.extend_from_slice(&raw.header);
        bytes.extend_from_slice(&raw.body);
        bytes.extend_from_slice(&raw.signature);
    }
    let packed = zstd::encode_all(&bytes[..], 3).unwrap();
    (bytes.len() as u64, packed.len() as u64)
}
