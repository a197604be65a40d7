//! The smallest phone: opens its account, enrols once, reports a hazard without a network, and syncs.
//!
//! ```text
//!  keys (FileVault) ─▶ Accounts ─▶ Replica ◀─ report          no network
//!                                     ▲
//!                                  Driver ◀─▶ server           sync_once
//! ```
//!
//! An app for people uses the phone SDK instead (`docs/mobile.md`). This program shows the same steps on the
//! core itself, for hosts in Rust.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool"
)]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use onegrid_core::domain::content::{Content, Details, StoredPosition};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::position::{Datum, Position};
use onegrid_core::net::{Address, Driver, NetConfig, OsRandom, Roots, enrol, now_ms};
use onegrid_core::replica::{Draft, Replica};
use onegrid_core::sync::shared::Shared;
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::vault::{Accounts, FileVault};

type Answer<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "onegrid-phone FOLDER INVITATION [URL]   (the URL for a short code; the text of a QR code has it)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let ran = match args.as_slice() {
        [folder, invitation] => run(Path::new(folder), invitation, None),
        [folder, invitation, url] => run(Path::new(folder), invitation, Some(url.clone())),
        _ => Err(USAGE.into()),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, invitation: &str, url: Option<String>) -> Answer<()> {
    let ticket = Ticket::parse(invitation)?;
    let url = ticket.address.clone().or(url).ok_or(USAGE)?;
    let config = NetConfig {
        address: Address::parse(&url, false)?,
        roots: Roots::Public,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let replica = Arc::new(Shared::new(open(folder)?));
    let driver = Driver::new(Arc::clone(&replica), &config)?;

    if replica.lock().certificate().is_none() {
        let signer = replica.lock().signer().clone();
        let own = runtime.block_on(enrol(&config, &ticket, &signer, "the smallest phone"))?;
        replica
            .lock()
            .enrol(&own.anchors, &own.secrets, &own.certificate)?;
        // The first sync brings the areas, so that the phone finds the grid of a position offline.
        runtime.block_on(driver.sync_once())?;
    }

    let record = report(&mut replica.lock(), "Gas cylinders in the stairwell")?;
    let undelivered = replica.lock().undelivered()?;
    println!("reported {record}, undelivered: {undelivered}");

    // Without a network the report waits for the next sync.
    let synced = runtime.block_on(driver.sync_once());
    if let Ok(report) = &synced {
        println!("delivered: {}, equal: {}", report.pushed, report.equal);
    }
    for row in replica.lock().rows()? {
        println!(
            "{}  {}  undelivered: {}",
            row.id, row.title, row.undelivered
        );
    }
    drop(driver);
    let replica = Arc::into_inner(replica).ok_or("the driver still holds the replica")?;
    replica.into_inner().close()?;
    Ok(synced.map(|_| ())?)
}

/// Opens the only account of the device, and makes it the first time. A real phone keeps the keys in its key
/// store, and outside every backup.
fn open(folder: &Path) -> Answer<Replica> {
    let vault = Arc::new(FileVault::open(folder.join("keys"))?);
    let accounts = Accounts::open(folder.join("accounts"), vault)?;
    let account = match accounts.list()?.first() {
        Some(account) => accounts.unlock(account.slot, None, now_ms())?,
        None => accounts.create("phone", None, &mut OsRandom)?,
    };
    let (replica, _way_back) =
        Replica::open_or_recover(account.options(Box::new(OsRandom)), now_ms())?;
    Ok(replica)
}

/// Reports a hazard at a place in Gongshu. When this returns, the report is on disk.
fn report(phone: &mut Replica, title: &str) -> Answer<String> {
    let position = Position::from_degrees(30.312_15, 120.118_78, Datum::Wgs84, Some(8), 0)?;
    let found = phone.locate(&position, now_ms())?;
    let grid = found.grid.ok_or("no grid of this deployment is here")?;
    let content = Content::from(Hazard {
        details: Details {
            title: Some(title.to_owned()),
            position: Some(StoredPosition::of(position)),
            ..Details::default()
        },
        severity: None,
    });
    let record = phone.report(&Draft::staff(content, grid), now_ms())?;
    Ok(record.to_string())
}
