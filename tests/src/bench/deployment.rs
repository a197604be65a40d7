//! A data folder with a past, and the real `onegrid serve` over it in a process of its own.
//!
//! Built folders are kept in `target/bench`, each named by a digest of everything that it depends on. A run
//! works on a copy, so every run begins with the same past.

use std::io::{BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use onegrid_core::id::Hash;
use onegrid_core::net::{OsRandom, Roots, now_ms};
use onegrid_server::admin::data_dir::DataDir;
use onegrid_server::admin::setup;
use onegrid_server::keys::Keys;
use onegrid_server::registry::members::{MemberDescription, id_of_external};
use onegrid_server::rules::Rules;
use onegrid_server::server::Server;
use onegrid_server::store::sqlite::{SqliteOptions, SqliteStore};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tempfile::TempDir;

use super::recipe::{Grids, Recipe};
use super::take_in_at_once;
use crate::histories::{self, Cast, History, Written};
use crate::onegrid::serve;
use crate::town::{DAY_MS, Extent, MORNING_MS, Places, copy_folder};

/// Records that the server gets at once while a past is built.
const RECORDS_A_BUNDLE: usize = 2_000;

pub(super) struct Deployment {
    folder: TempDir,
    places: Arc<Places>,
}

/// A person as a line of the members' table.
pub(super) struct MemberLine {
    pub(super) name: String,
    pub(super) role: &'static str,
    /// Codes of areas, separated by `;`.
    pub(super) areas: String,
    /// The office's id of a unit.
    pub(super) unit: &'static str,
}

impl MemberLine {
    pub(super) fn new(name: &str, role: &'static str, areas: &str) -> Self {
        Self {
            name: name.to_owned(),
            role,
            areas: areas.to_owned(),
            unit: "",
        }
    }

    /// A handler of a unit without any dispatch, so the handler reads only the directory.
    pub(super) fn idle_handler(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            role: "handler",
            areas: String::new(),
            unit: "gas-company",
        }
    }
}

impl Deployment {
    /// Copies the folder of the recipe, which is built first if it is missing.
    pub(super) fn of(recipe: &Recipe) -> Self {
        let histories = histories::read();
        let built = built(recipe, &histories);
        let folder = fresh_folder("run-");
        copy_folder(&built, folder.path());
        Self {
            folder,
            places: Places::import(Extent::Whole),
        }
    }

    fn data(&self) -> DataDir {
        DataDir::at(self.folder.path())
    }

    /// Returns the people of the histories with their keys.
    pub(super) fn cast(&self) -> Cast {
        let keys = Keys::read(&self.data().keys()).unwrap();
        Cast::new(keys.certificates(), *keys.authority())
    }

    /// Opens a second node on the same database in this process, as the administrator's commands do.
    pub(super) fn office(&self) -> Server {
        let keys = Keys::read(&self.data().keys()).unwrap();
        Server::open(self.data().store().unwrap(), keys, Rules::built_in()).unwrap()
    }

    /// Describes people and invites a phone for each; returns the short codes.
    pub(super) fn invite(&self, people: &[MemberLine]) -> Vec<String> {
        let office = self.office();
        let authority = *office.keys().authority();
        let described = people.iter().map(|person| {
            let MemberLine {
                name, role, areas, ..
            } = person;
            let row = self.places.member(name, role, areas, person.unit);
            MemberDescription {
                id: id_of_external(&authority, name),
                public_name: Some(row.public_name),
                area: row.home,
                grants: row.grants,
            }
        });
        let described: Vec<MemberDescription> = described.collect();
        let ids: Vec<_> = described.iter().map(|described| described.id).collect();
        office.put_members(described, "admin", now_ms()).unwrap();
        ids.into_iter()
            .map(|id| {
                let invited = office.invite(id, DAY_MS, "admin", now_ms(), &mut OsRandom);
                invited.unwrap().code
            })
            .collect()
    }

    /// Starts the server on a free port; returns when it listens.
    pub(super) fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    /// Starts the server behind TLS; a phone pins [`own_authority`].
    pub(super) fn serve_tls(&self) -> Serving {
        let file = |name| tls_file(name).display().to_string();
        self.serve_with(&[
            format!("server.tls_cert={}", file("server.pem")),
            format!("server.tls_key={}", file("server.key")),
        ])
    }

    /// The folder of the data.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command of the administrator, in a process of its own.
    pub(super) fn command(&self, args: &[String]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["onegrid", "--lang", "en", "--set", "log.filter=warn"]);
        command.env("ONEGRID_STORE__PATH", self.folder.path());
        command.args(args);
        command
    }

    pub(super) fn serve_with(&self, settings: &[String]) -> Serving {
        let settings = settings
            .iter()
            .flat_map(|setting| ["--set".to_owned(), setting.clone()]);
        let mut command = self.command(&settings.collect::<Vec<_>>());
        let (child, out, url) = serve(&mut command);
        Serving {
            url: url.expect("it says where it listens"),
            child,
            _out: out,
        }
    }
}

/// The authority that certifies the key of a server behind TLS.
pub(super) fn own_authority() -> Roots {
    Roots::Pinned(std::fs::read(tls_file("ca.pem")).unwrap())
}

fn tls_file(name: &str) -> PathBuf {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "data", "tls"].iter().collect();
    folder.join(name)
}

/// A running server; killed when dropped.
pub(super) struct Serving {
    pub(super) url: String,
    child: Child,
    // Held open, because a server that cannot print its last words reports an error.
    _out: BufReader<ChildStdout>,
}

impl Serving {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The server may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a folder beside the built ones, on the same disk.
fn fresh_folder(prefix: &str) -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).tempdir_in(shelf()).unwrap()
}

/// The folder of the built folders.
fn shelf() -> PathBuf {
    let shelf: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "target", "bench"]
        .iter()
        .collect();
    std::fs::create_dir_all(&shelf).unwrap();
    shelf
}

/// Returns the folder of a recipe, and builds it if it is missing.
fn built(recipe: &Recipe, histories: &[History]) -> PathBuf {
    let folder = shelf().join(format!("{}-{}", recipe.name, &key(recipe)[..12]));
    if folder.is_dir() {
        return folder;
    }
    let base = recipe.base.map(|base| built(base, histories));
    let making = fresh_folder("making-");
    match base {
        Some(base) => copy_folder(&base, making.path()),
        None => found(making.path()),
    }
    fill(recipe, histories, making.path());
    // Another run may have finished first; then its folder is used.
    if std::fs::rename(making.path(), &folder).is_ok() {
        let _ = making.keep();
    }
    folder
}

/// Returns a key over everything that the content of a built folder depends on: the schema, the histories,
/// their writing, their encoding and their signatures.
fn key(recipe: &Recipe) -> String {
    let (keys, _) = Keys::create(MORNING_MS, &mut ChaCha20Rng::seed_from_u64(SEED)).unwrap();
    let mut cast = Cast::new(keys.certificates(), *keys.authority());
    let histories = histories::read();
    let mut parts: Vec<Vec<u8>> = vec![
        recipe.text().into(),
        // The signed bytes do not contain the rule of the digests.
        include_bytes!("../../../core/src/wire/digest.rs").to_vec(),
        env!("CARGO_PKG_VERSION").into(),
    ];
    parts.extend(migrations());
    for case in histories.iter().take(20) {
        let written = cast.write(case, 0);
        let ids = written.envelopes.iter().map(|one| one.envelope().id());
        parts.extend(ids.map(|id| id.0.to_vec()));
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Hash::of(&parts).to_string()
}

/// The steps of the store's schema.
fn migrations() -> Vec<Vec<u8>> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/store/sqlite/migrations");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// Every folder has the same keys.
const SEED: u64 = 7;

/// Makes a new deployment with the division of the district.
fn found(folder: &Path) {
    let data = DataDir::at(folder);
    let root = folder.join("root.key");
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let keys = setup::prepare(&data, &root, MORNING_MS, &mut rng).unwrap();
    let server = Server::open(data.store().unwrap(), keys, Rules::none()).unwrap();
    let entries = Places::import(Extent::Whole).entries();
    server.publish(entries, "admin", MORNING_MS).unwrap();
}

/// Writes the cases of a recipe on one thread while the server imports them on another.
fn fill(recipe: &Recipe, histories: &[History], folder: &Path) {
    let data = DataDir::at(folder);
    let keys = Keys::read(&data.keys()).unwrap();
    let mut cast = Cast::new(keys.certificates(), *keys.authority());
    let options = SqliteOptions {
        cache_kib: 256 * 1_024,
        ..SqliteOptions::default()
    };
    let store = Arc::new(SqliteStore::open(&data.database(), options).unwrap());
    // The histories already hold the moves that rules would make.
    let server = Server::open(store, keys, Rules::none()).unwrap();
    let grids = Grids::of(histories);
    let (send, receive) = sync_channel::<Vec<Written>>(2);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut part = Vec::with_capacity(RECORDS_A_BUNDLE);
            for case in recipe.cases.clone() {
                part.push(recipe.write(&mut cast, histories, &grids, case));
                if part.len() == RECORDS_A_BUNDLE || case + 1 == recipe.cases.end {
                    let full = std::mem::take(&mut part);
                    send.send(full).expect("the server takes everything in");
                }
            }
        });
        let (mut done, mut told) = (0, 0);
        for part in receive {
            done += part.len();
            take_in_at_once(&server, &part);
            told = tell(recipe, done, told, start);
        }
    });
}

/// Prints the progress line: redrawn on a terminal, one line per ten per cent elsewhere.
fn tell(recipe: &Recipe, done: usize, told: usize, start: Instant) -> usize {
    let all = recipe.cases.len();
    let seconds = start.elapsed().as_secs();
    let line = format!("  {}: {done} / {all} records, {seconds} s", recipe.name);
    if std::io::stderr().is_terminal() {
        eprint!("\r{line}{}", if done == all { "\n" } else { "" });
        let _ = std::io::stderr().flush();
    } else if done * 10 / all > told {
        eprintln!("{line}");
    }
    done * 10 / all
}
