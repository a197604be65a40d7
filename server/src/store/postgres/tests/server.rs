//! Servers of `PostgreSQL` for tests, each in a folder of its own, with a socket and without a port.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::store::postgres::PostgresOptions;
use crate::store::postgres::connect::Connector;
use crate::store::postgres::convert::{Columns as _, values};
use crate::store::postgres::db::Db;
use crate::store::{Store, StoreError};

/// Exit code of the script on a machine without `PostgreSQL`.
const MISSING: i32 = 3;

/// A server that ends with this process or its value.
pub(super) struct Server {
    folder: PathBuf,
    child: Child,
    /// The script runs until this end closes, also if the test is killed.
    input: Option<ChildStdin>,
    databases: AtomicU32,
}

/// The server that all tests of this process share; `None` on a machine without `PostgreSQL`, unless it is the build
/// machine.
pub(super) fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(&[])).as_ref()
}

fn script() -> Command {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres"))
}

impl Server {
    /// Starts a server with these settings.
    pub(super) fn start(settings: &[&str]) -> Option<Self> {
        Self::start_by(&mut script(), settings)
    }

    /// Starts a server that speaks TLS on a port of this machine, and returns the port.
    pub(super) fn start_with_tls() -> Option<(Self, u16)> {
        // Another process may take the port before the server does; nothing else on this machine asks for it by number.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut script = script();
        script.env(
            "TLS",
            concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tls"),
        );
        let settings = [
            "listen_addresses = '127.0.0.1'".to_owned(),
            format!("port = {port}"),
        ];
        let server = Self::start_by(&mut script, &[&settings[0], &settings[1]])?;
        Some((server, port))
    }

    fn start_by(script: &mut Command, settings: &[&str]) -> Option<Self> {
        let mut child = script
            .arg("run")
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut folder = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut folder).unwrap();
        if folder.is_empty() {
            let mut said = String::new();
            let errors = child.stderr.take().unwrap();
            BufReader::new(errors).read_to_string(&mut said).unwrap();
            let code = child.wait().unwrap().code();
            let is_excused = code == Some(MISSING) && std::env::var_os("CI").is_none();
            assert!(is_excused, "{said}");
            eprintln!("left out: {said}");
            return None;
        }
        Some(Self {
            folder: folder.trim().into(),
            input: child.stdin.take(),
            child,
            databases: AtomicU32::new(0),
        })
    }

    /// Makes a database and returns its address.
    pub(super) fn new_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let admin = connect(&self.url("postgres"));
        let name = format!("t{number}");
        admin.run(&format!("CREATE DATABASE {name}")).unwrap();
        self.url(&name)
    }

    /// Address of a database.
    pub(super) fn url(&self, database: &str) -> String {
        let folder = self.folder.to_str().unwrap();
        format!("postgres:///{database}?host={folder}&user=onegrid")
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Stops the server without a checkpoint, as a crash does, and starts it again.
    pub(super) fn crash(&self) {
        self.order("kill");
        self.order("start");
    }

    /// Runs `start`, `stop` or `kill` of the script.
    pub(super) fn order(&self, what: &str) {
        let done = script().arg(what).arg(&self.folder).output().unwrap();
        assert!(done.status.success(), "{what}: {done:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Opens a plain connection.
pub(super) fn connect(url: &str) -> Db {
    // The runtime of the connection must outlive it.
    let connector = Connector::new(url, PostgresOptions::default()).unwrap();
    let connector: &'static Connector = Box::leak(Box::new(connector));
    connector.open().unwrap()
}

/// Lets the server write no file beyond 1.2 MB for the writer of the only node of a database. Segments of the log have
/// 1 MiB, so they fit.
pub(super) fn limit_files(url: &str, store: &Arc<dyn Store>) {
    let before = store.write::<_, StoreError>(|tx| tx.set_meta("limit", &[]));
    before.unwrap();
    let writer = connect(url).one(
        "SELECT pid::bigint FROM pg_stat_activity
         WHERE datname = current_database() AND query = 'COMMIT'",
        values![],
    );
    let pid: i32 = writer.unwrap().unwrap().small(0).unwrap();
    let pid = pid.to_string();
    let limited = script().args(["limit", &pid, "1200100"]).output().unwrap();
    assert!(limited.status.success(), "{limited:?}");
}

/// Waits until a condition holds; the test fails when it does not come true.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::yield_now();
    }
}
