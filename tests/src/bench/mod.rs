//! Benches: what the product promises in figures, measured in one run on the same histories.
//!
//! `make bench` prints one table and writes one JSON file. A budget that is missed is printed as such and
//! fails nothing.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]
#![allow(
    clippy::unwrap_used,
    reason = "a bench that can not go on ends with a panic"
)]

mod exchange;
mod floor;
mod fresh;
mod local;
mod process;
mod table;
mod upload;

use std::sync::Arc;

use onegrid_core::wire::envelope::VerifiedEnvelope;
use onegrid_core::wire::message::Bundle;
use onegrid_server::rules::Rules;

use crate::histories::{self, Cast, Written};
use crate::town::{Extent, Town};

pub use local::child as local_child;
pub use table::Table;

/// Records of each history file.
const RECORDS: usize = 5_000;

/// Runs the benches that are named, or all.
#[must_use]
pub fn run(only: &[String]) -> Table {
    let mut table = Table::new();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    eprintln!("{}", table.machine);
    eprintln!("histories: writing and signing");
    let (mut town, mut cast) = stage();
    let cases = write_all(&mut cast, 0);
    table.note("histories", "records", cases.len() as f64, "records");
    let envelopes: usize = cases.iter().map(|case| case.envelopes.len()).sum();
    table.note("histories", "envelopes", envelopes as f64, "envelopes");
    if wanted("upload") {
        upload::measure(&mut table, &cases);
    }
    if wanted("fresh") || wanted("local") || wanted("exchange") {
        take_in(&town, &cases);
        let more = write_all(&mut cast, 1);
        if wanted("fresh") {
            fresh::measure(&mut table, &mut town);
        }
        take_in(&town, &more);
        if wanted("exchange") {
            exchange::measure(&mut table, &mut town, &mut cast, &cases);
        }
        if wanted("local") {
            local::measure(&mut table, &mut town);
        }
    }
    table
}

/// A town without rules: the histories hold what rules would do.
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

/// The envelopes and the certificates that they name.
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

/// Straight into the server, in bundles of some size.
fn take_in(town: &Town, cases: &[Written]) {
    for part in cases.chunks(400) {
        let taken = town
            .server()
            .ingest(
                bundle_of(part),
                &std::collections::HashMap::new(),
                town.now_ms,
            )
            .unwrap();
        assert!(taken.missing.is_empty());
        let all_accepted = taken
            .lines
            .iter()
            .all(|line| line.verdict.status == onegrid_core::wire::verdict::Status::Accepted);
        assert!(all_accepted, "the histories are accepted as they are");
    }
}

/// Bytes of signed envelopes, and their size under zstd at level 3 without anything around them.
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

fn certificates_zstd(cast: &Cast) -> u64 {
    let mut bytes = Vec::new();
    for certificate in cast.certificates().map(Arc::as_ref) {
        bytes.extend_from_slice(&certificate.raw().facts);
        bytes.extend_from_slice(&certificate.raw().signature);
    }
    zstd::encode_all(&bytes[..], 3).unwrap().len() as u64
}
