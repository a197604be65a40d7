//! A phone's process is killed while it rescues a damaged replica.

use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use onegrid_core::fixtures::photo;
use onegrid_core::id::{Hash, RecordId};
use onegrid_core::replica::{RecordRow, ReplicaError};
use onegrid_tests::killed::life::{PHOTO_BYTES, hex};
use onegrid_tests::killed::{Counts, Point, counting, killed_at};
use onegrid_tests::town::{Card, Phone, Town, TownTemplate, VILLAGE};

use super::{End, play};

const ROUNDS: u64 = 100;
const ROUNDS_QUICK: u64 = 8;
const SIGKILL: i32 = 9;
const OWN: usize = 3;

struct Template {
    town: TownTemplate,
    card: Card,
    /// The rows on the phone: records from the server in packs, and its own.
    rows: Vec<RecordRow>,
    /// The phone's own records, which no server has.
    own: Vec<RecordId>,
    /// A photo that no record names yet.
    staged: Hash,
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let mut town = Town::small(23);
    let mut first = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    for n in 0..6 {
        let (draft, now_ms) = (town.hazard(&format!("sent {n}")), town.now_ms);
        first.replica().report(&draft, now_ms).unwrap();
    }
    first.sync(&mut town);
    first.close();
    let member = town.describe("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut phone = town.enrol_phone("second", member);
    phone.sync(&mut town);
    let mut report = |n| {
        let (draft, now_ms) = (town.hazard(&format!("not sent {n}")), town.now_ms);
        phone.replica().report(&draft, now_ms).unwrap()
    };
    let own = (0..OWN).map(&mut report).collect();
    let rows = phone.replica().rows().unwrap();
    assert_eq!(rows.len(), 6 + OWN);
    let staged = phone
        .replica()
        .add_attachment(&photo(PHOTO_BYTES, 1), town.now_ms);
    let staged = staged.unwrap().id;
    phone.close();
    let card = phone.card();
    Template {
        town: town.into_template(),
        card,
        rows,
        own,
        staged,
    }
});

/// The number of each call of a rescue: of a readable file, and of a file whose first page is
/// damaged.
static COUNTS: LazyLock<[Counts; 2]> = LazyLock::new(|| {
    [false, true].map(|damaged| {
        let town = TEMPLATE.town.copy(0);
        let log = town.folder().join("calls");
        assert!(!rescue(counting(program(), &log), &town, damaged));
        Counts::read(&log)
    })
});

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_killed_rescue"))
}

fn folder(town: &Town) -> PathBuf {
    town.folder().join("phones").join(&TEMPLATE.card.name)
}

/// Lets the phone rescue its replica; returns whether it was killed.
fn rescue(mut command: Command, town: &Town, damaged: bool) -> bool {
    let folder = folder(town);
    if damaged {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).open(folder.join("replica.db")).unwrap();
        // The salt of the file stays, because nothing at all could be read without it.
        file.write_all_at(&[0x5a; 512], 64).unwrap();
    }
    command.arg(folder).arg(hex(&TEMPLATE.card.seed));
    command.args(["1000".to_owned(), town.now_ms.to_string()]);
    let done = command.stdin(Stdio::null()).output().unwrap();
    let killed = done.status.signal() == Some(SIGKILL);
    assert!(killed || done.status.success(), "{done:?}");
    killed
}

#[test]
fn a_rescue_killed_at_any_call_costs_nothing() {
    play(ROUNDS, ROUNDS_QUICK, |number, chance| {
        let (damaged, again) = (number % 2 == 1, number % 4 >= 2);
        let point = COUNTS[usize::from(damaged)].draw(chance);
        round((damaged, again), point).map_err(|what| format!("killed at {point}: {what}"))
    });
}

fn round((damaged, again): (bool, bool), point: Point) -> Result<End, String> {
    let mut town = TEMPLATE.town.copy(0);
    let killed = rescue(killed_at(program(), point), &town, damaged);
    let mut phone = TEMPLATE.card.at(folder(&town), 2_000);
    starts(&mut phone, again, town.now_ms).map_err(|error| error.code().to_owned())?;
    let (undelivered, rows) = (phone.replica().undelivered(), phone.replica().rows());
    if undelivered.as_ref().ok() != Some(&(OWN as u64)) {
        return Err(format!("{undelivered:?} in the outbox"));
    }
    let own = |row: &&RecordRow| !damaged || TEMPLATE.own.contains(&row.id);
    if !rows.unwrap().iter().eq(TEMPLATE.rows.iter().filter(own)) {
        return Err("not every record is shown".to_owned());
    }
    let read = phone
        .replica()
        .read_attachment(None, TEMPLATE.staged, 0, 2 * PHOTO_BYTES);
    if read.map_err(|error| error.code().to_owned())? != photo(PHOTO_BYTES, 1) {
        return Err("the staged photo is another one".to_owned());
    }
    let report = phone.try_sync(&mut town)?;
    let rows = phone.replica().rows().unwrap();
    if !report.equal || phone.replica().undelivered().unwrap() != 0 || rows.len() != 6 + OWN {
        return Err(format!("no end to the sync: {report:?}"));
    }
    Ok(End::of(killed))
}

/// Starts the app again. It opens the file and rescues it if it is damaged, or rescues it at once if
/// the damage was known.
fn starts(phone: &mut Phone, again: bool, now_ms: i64) -> Result<(), ReplicaError> {
    match phone.try_reopen() {
        Ok(()) if !again => Ok(()),
        Ok(()) | Err(ReplicaError::Damaged) => phone.rescue(now_ms).map(drop),
        Err(error) => Err(error),
    }
}
