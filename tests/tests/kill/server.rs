//! The server is killed while phones push: every receipt stays true.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::net::{Driver, Roots, now_ms};
use onegrid_core::replica::{Draft, Replica};
use onegrid_core::sync::shared;
use onegrid_core::wire::verdict::{Status, Verdict};
use onegrid_server::admin::data_dir::{DATABASE, KEYS};
use onegrid_server::store::sqlite::{SqliteOptions, SqliteStore};
use onegrid_server::store::{Store, StoreError};
use onegrid_tests::killed::serving::{Watched, administer};
use onegrid_tests::killed::{Counts, Point, counting, killed_at};
use onegrid_tests::onegrid::{binary, hazard, home, way_to};
use onegrid_tests::town::{Card, Files, Town, copy_database, copy_folder, fresh_folder};
use tempfile::TempDir;

use super::{End, enrolled, play};

const ROUNDS: u64 = 300;
const ROUNDS_QUICK: u64 = 10;
/// Pushes of a round.
const PUSHES: usize = 4;

struct Template {
    files: Files,
    cards: Vec<Card>,
}

/// A deployment in the form that `onegrid serve` needs, and phones that are enrolled in it.
static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let mut town = Town::small_at(13, now_ms());
    let cards = enrolled(&mut town).into();
    town.close_server();
    let folder = fresh_folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    copy_database(&town.folder().join("server.db"), &data.join(DATABASE));
    town.keys().write(&data.join(KEYS)).unwrap();
    copy_folder(&town.folder().join("phones"), &folder.path().join("phones"));
    let files = Files::read(folder.path());
    Template { files, cards }
});

static COUNTS: LazyLock<Counts> = LazyLock::new(|| {
    let folder = fresh_folder();
    let log = folder.path().join("calls");
    let round = Round::new();
    let server = Watched::start(counting(binary(), &log), &round.data());
    let pushed = round.push(server.url.as_deref().unwrap());
    assert!(!server.end(), "nobody kills it while calls are counted");
    assert_eq!(
        pushed, PUSHES,
        "a server that is left alone takes everything"
    );
    Counts::read(&log)
});

type Shared = Arc<shared::Shared<Replica>>;

struct Round {
    folder: TempDir,
    phones: Vec<Shared>,
    said: Mutex<Vec<(usize, RecordId, EnvelopeId)>>,
}

impl Round {
    fn new() -> Self {
        let folder = fresh_folder();
        TEMPLATE.files.write(folder.path());
        let open = |card: &Card| {
            let at = folder.path().join("phones").join(&card.name);
            Arc::new(shared::Shared::new(card.open_at(at, 1).into_replica()))
        };
        Self {
            phones: TEMPLATE.cards.iter().map(open).collect(),
            folder,
            said: Mutex::default(),
        }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Lets phones report and sync in turn until everything is sent or the server is gone; returns the
    /// number of successful syncs.
    fn push(&self, url: &str) -> usize {
        let drivers = self.drivers(url);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.unwrap();
        for push in 0..PUSHES {
            let who = push % self.phones.len();
            for part in 0..3 {
                let draft = Draft::staff(hazard(&format!("第{push}次第{part}件")), home());
                let mut replica = lock(&self.phones[who]);
                let record = replica.report(&draft, now_ms()).unwrap();
                let loaded = replica.load(record).unwrap().unwrap();
                let mut said = self.said.lock().unwrap();
                said.push((who, record, loaded.nodes()[0].id));
            }
            if runtime.block_on(drivers[who].sync_once()).is_err() {
                return push;
            }
        }
        PUSHES
    }

    fn drivers(&self, url: &str) -> Vec<Driver<Shared>> {
        let way = way_to(url, Roots::default());
        let driver = |phone: &Shared| Driver::new(Arc::clone(phone), &way).unwrap();
        self.phones.iter().map(driver).collect()
    }

    /// Returns the verdicts that the phones hold.
    fn receipts(&self) -> BTreeMap<EnvelopeId, Verdict> {
        let said = self.said.lock().unwrap();
        let verdict = |(who, record, id): &(usize, RecordId, EnvelopeId)| {
            let loaded = lock(&self.phones[*who]).load(*record).unwrap()?;
            Some((*id, loaded.node(*id)?.verdict?))
        };
        said.iter().filter_map(verdict).collect()
    }

    /// Checks that the server starts again, that everybody syncs, and that all agree.
    fn goes_on(&self) -> Result<(), String> {
        let server = Watched::start(Command::new(binary()), &self.data());
        let url = server.url.clone().ok_or("it does not start any more")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.unwrap();
        for driver in self.drivers(&url) {
            let report = runtime.block_on(driver.sync_once());
            let report = report.map_err(|error| format!("sync: {}", error.code()))?;
            if !report.equal || !report.incidents.is_empty() {
                return Err(format!("no agreement: {report:?}"));
            }
        }
        let killed = server.end();
        assert!(!killed, "nobody kills it now");
        Ok(())
    }

    fn receipts_are_true(&self, given: &BTreeMap<EnvelopeId, Verdict>) -> Result<(), String> {
        let database = self.data().join(DATABASE);
        let store = SqliteStore::open(&database, SqliteOptions::default()).unwrap();
        let store: &dyn Store = &store;
        for (id, given) in given {
            let known = store.read::<_, StoreError>(|tx| tx.verdict(*id)).unwrap();
            if known.map(|(_, verdict)| verdict) != Some(*given) {
                return Err(format!(
                    "{id} had the receipt {given:?}; the server has {known:?}"
                ));
            }
        }
        let said = self.said.lock().unwrap();
        for (_, _, id) in said.iter() {
            let known = store.read::<_, StoreError>(|tx| tx.verdict(*id)).unwrap();
            if known.map(|(_, verdict)| verdict.status) != Some(Status::Accepted) {
                return Err(format!("{id} was said and is {known:?}"));
            }
        }
        Ok(())
    }
}

fn lock(phone: &Shared) -> shared::Turn<'_, Replica> {
    phone.lock()
}

#[test]
fn a_server_killed_at_any_call_keeps_every_receipt() {
    play(ROUNDS, ROUNDS_QUICK, |_, chance| {
        let point = COUNTS.draw(chance);
        round(point).map_err(|what| format!("killed at {point}: {what}"))
    });
}

fn round(point: Point) -> Result<End, String> {
    let round = Round::new();
    let server = Watched::start(killed_at(binary(), point), &round.data());
    if let Some(url) = &server.url {
        round.push(url);
    }
    let killed = server.end();
    let receipts = round.receipts();
    checked(&round.data())?;
    round.goes_on()?;
    round.receipts_are_true(&receipts)?;
    Ok(End::of(killed))
}

/// Checks that `onegrid verify` finds nothing wrong.
fn checked(data: &Path) -> Result<(), String> {
    match administer(data, &["verify"]) {
        (Some(0), _) => Ok(()),
        (code, said) => Err(format!("onegrid verify: {code:?} {said}")),
    }
}
