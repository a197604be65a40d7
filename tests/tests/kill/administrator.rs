//! Commands of the administrator are killed. They end well when they run again, and no half result is left.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use onegrid_core::domain::category::Categories;
use onegrid_core::id::Hash;
use onegrid_core::net::now_ms;
use onegrid_core::trust::sign::SecretKey;
use onegrid_server::admin::data_dir::{DATABASE, DataDir, KEYS};
use onegrid_server::directory;
use onegrid_server::keys::Keys;
use onegrid_server::store::Counts as Stored;
use onegrid_server::store::sqlite::{SqliteOptions, SqliteStore};
use onegrid_server::store::{Store, StoreError};
use onegrid_tests::killed::serving::{Watched, administer};
use onegrid_tests::killed::{Counts, Point, counting, killed_at};
use onegrid_tests::onegrid::binary;
use onegrid_tests::town::{Files, GRID, Town, VILLAGE, fresh_folder};

use super::{End, play};

const ROUNDS: u64 = 80;
const ROUNDS_QUICK: u64 = 8;
const SIGKILL: i32 = 9;
/// People in the imported table.
const PEOPLE: u64 = 40;
const COMMANDS: [&[&str]; 4] = [
    &["backup", "../new"],
    &["restore", "../backup"],
    &["import", "members", "../people.csv"],
    &["init", "--root-key", "../root.key"],
];

struct Template {
    files: Files,
    /// The counts of the data, and of the earlier backup.
    now: Stored,
    then: Stored,
}

/// A deployment whose server was killed, so that its last work is in the log of the database; a backup that
/// lacks some of that work; a table of people.
static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let mut town = Town::small_at(17, now_ms());
    let mut phone = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut report = |town: &mut Town, title: &str| {
        let (draft, now_ms) = (town.hazard(title), town.now_ms);
        phone.replica().report(&draft, now_ms).unwrap();
        phone.sync(town);
    };
    report(&mut town, "in the backup");
    let folder = fresh_folder();
    let [data, backup] = ["data", "backup"].map(|name| folder.path().join(name));
    for place in [&data, &backup] {
        std::fs::create_dir(place).unwrap();
        town.keys().write(&place.join(KEYS)).unwrap();
    }
    town.copy_store(&backup.join(DATABASE));
    let then = counts(&backup);
    report(&mut town, "after the backup");
    for ending in ["", "-wal"] {
        let from = town.folder().join(format!("server.db{ending}"));
        std::fs::copy(from, data.join(format!("{DATABASE}{ending}"))).unwrap();
    }
    let head = "external_id,public_name,role,areas,unit\n".to_owned();
    let person = |n| format!("new-{n},网格员{n},grid_worker,{GRID},\n");
    let people: Vec<String> = (0..PEOPLE).map(person).collect();
    std::fs::write(folder.path().join("people.csv"), head + &people.concat()).unwrap();
    let files = Files::read(folder.path());
    let now = counts(&data);
    assert!(then.envelopes < now.envelopes);
    Template { files, now, then }
});

static COUNTS: LazyLock<Vec<Counts>> = LazyLock::new(|| {
    let count = |arguments: &&[&str]| {
        let folder = fresh_folder();
        TEMPLATE.files.write(folder.path());
        let log = folder.path().join("calls");
        let data = data_of(folder.path(), arguments);
        let killed = run(counting(binary(), &log), &data, arguments);
        assert!(!killed, "nobody kills it while calls are counted");
        Counts::read(&log)
    };
    COMMANDS.iter().map(count).collect()
});

/// Returns the data folder of a command. A new deployment has a folder of its own.
fn data_of(folder: &Path, arguments: &[&str]) -> PathBuf {
    let data = folder.join(if arguments[0] == "init" {
        "begun"
    } else {
        "data"
    });
    std::fs::create_dir_all(&data).unwrap();
    data
}

/// Runs a command of the administrator; returns whether it was killed.
fn run(mut command: Command, data: &Path, arguments: &[&str]) -> bool {
    command.args(arguments).args(["--lang", "en"]);
    command
        .env("ONEGRID_STORE__PATH", data)
        .current_dir(data)
        .stdin(Stdio::null());
    command.output().unwrap().status.signal() == Some(SIGKILL)
}

fn counts(data: &Path) -> Stored {
    let store = SqliteStore::open(&data.join(DATABASE), SqliteOptions::default()).unwrap();
    let store: &dyn Store = &store;
    store.read::<_, StoreError>(|tx| tx.counts()).unwrap()
}

fn ends_well(data: &Path, arguments: &[&str]) -> Result<(), String> {
    match administer(data, arguments) {
        (Some(0), _) => Ok(()),
        (code, said) => Err(format!("onegrid {}: {code:?} {said}", arguments.join(" "))),
    }
}

fn same(what: &str, found: &Stored, expected: &Stored) -> Result<(), String> {
    let of = |counts: &Stored| (counts.records, counts.envelopes, counts.devices);
    if of(found) == of(expected) {
        return Ok(());
    }
    Err(format!("{what}: {found:?} instead of {expected:?}"))
}

/// Returns the databases that were set aside.
fn set_aside(data: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.contains(".before-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    names.filter(is_one).collect()
}

/// Checks that the root key fits the server's keys, that the categories are there, and that a server
/// starts.
fn is_a_deployment(data: &Path, root_key: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(root_key).map_err(|error| error.to_string())?;
    let seed = text.lines().nth(1).and_then(|line| line.parse().ok());
    let seed: Hash = seed.ok_or("no root key")?;
    let keys = Keys::read(&data.join(KEYS)).map_err(|problem| problem.code().to_owned())?;
    if SecretKey::from_seed(&seed.0).public() != *keys.anchors().root() {
        return Err("the root key is of another deployment".to_owned());
    }
    let store = SqliteStore::open(&data.join(DATABASE), SqliteOptions::default()).unwrap();
    let store: &dyn Store = &store;
    let known = store.read::<_, StoreError>(|tx| directory::read(tx));
    if known.unwrap().categories != Categories::built_in() {
        return Err("the categories are missing".to_owned());
    }
    let served = Watched::start(Command::new(binary()), data);
    let url = served.url.clone();
    let _ = served.end();
    url.map(drop).ok_or_else(|| "no server starts".to_owned())
}

#[test]
fn a_command_killed_at_any_call_is_done_again_and_nothing_is_half_there() {
    play(ROUNDS, ROUNDS_QUICK, |number, chance| {
        let which = usize::try_from(number).unwrap() % COMMANDS.len();
        let point = COUNTS[which].draw(chance);
        let name = COMMANDS[which][0];
        round(which, point).map_err(|what| format!("{name} killed at {point}: {what}"))
    });
}

fn round(which: usize, point: Point) -> Result<End, String> {
    let folder = fresh_folder();
    TEMPLATE.files.write(folder.path());
    let data = data_of(folder.path(), COMMANDS[which]);
    let new = folder.path().join("new");
    let killed = run(killed_at(binary(), point), &data, COMMANDS[which]);
    match COMMANDS[which][0] {
        "backup" => {
            // If a folder of that name exists, it is a whole backup.
            if !new.exists() {
                ends_well(&data, COMMANDS[which])?;
            }
            ends_well(&new, &["verify"])?;
            same("the backup", &counts(&new), &TEMPLATE.now)?;
            same("the data", &counts(&data), &TEMPLATE.now)?;
        }
        "restore" => {
            ends_well(&data, COMMANDS[which])?;
            same("the data", &counts(&data), &TEMPLATE.then)?;
            let kept = set_aside(&data);
            let whole = |path: &PathBuf| {
                let store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
                let store: &dyn Store = &store;
                let counts = store.read::<_, StoreError>(|tx| tx.counts()).unwrap();
                counts.envelopes == TEMPLATE.now.envelopes
            };
            if !kept.iter().any(whole) {
                return Err(format!("what was there is lost: {kept:?}"));
            }
        }
        "init" => {
            // The command is complete if both are in place.
            if !DataDir::at(&data).is_prepared() {
                ends_well(&data, COMMANDS[which])?;
            }
            is_a_deployment(&data, &folder.path().join("root.key"))?;
        }
        _ => {
            ends_well(&data, COMMANDS[which])?;
            same("the data", &counts(&data), &TEMPLATE.now)?;
            let members = counts(&data).members;
            if members != TEMPLATE.now.members + PEOPLE {
                return Err(format!("{members} members"));
            }
        }
    }
    ends_well(&data, &["verify"])?;
    Ok(End::of(killed))
}

#[test]
fn the_log_of_a_database_that_is_gone_is_not_taken_for_one_of_the_restored() {
    let folder = fresh_folder();
    TEMPLATE.files.write(folder.path());
    let data = folder.path().join("data");
    std::fs::remove_file(data.join(DATABASE)).unwrap();
    assert!(data.join(format!("{DATABASE}-wal")).exists());
    ends_well(&data, COMMANDS[1]).unwrap();
    same("the data", &counts(&data), &TEMPLATE.then).unwrap();
    ends_well(&data, &["verify"]).unwrap();
}
