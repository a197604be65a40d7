//! A server of `PostgreSQL` for tests, in a folder of its own, with a socket and without a port.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use onegrid_server::config::{DatabaseConfig, DatabaseUrl};

/// Exit code of the script on a machine without `PostgreSQL`.
const MISSING: i32 = 3;

/// Names the store of the suites: nothing for files, `postgres` for one node over a database server,
/// or `nodes` for two.
const CHOICE: &str = "ONEGRID_TEST_STORE";

/// The nodes over a database server that the suites run with; `None` for one server over a file.
///
/// # Panics
/// If the variable has another value.
#[must_use]
pub fn chosen_nodes() -> Option<usize> {
    let choice = std::env::var(CHOICE).unwrap_or_default();
    match choice.as_str() {
        "" => None,
        "postgres" => Some(1),
        "nodes" => Some(2),
        other => panic!("{CHOICE}={other}: postgres, nodes, or nothing"),
    }
}

/// The server that all tests of a process share, where the suites run on a database server. It ends with the process.
///
/// # Panics
/// If the machine has no `PostgreSQL`, because the caller has chosen it.
#[must_use]
pub fn shared() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(|| Postgres::start().expect("PostgreSQL is installed"))
}

/// The configuration of a database on a test server.
///
/// # Panics
/// If it is no address.
#[must_use]
pub fn config_of(url: &str) -> DatabaseConfig {
    DatabaseConfig {
        url: DatabaseUrl::parse(url).expect("the address of a database"),
        password: None,
    }
}

/// A running server; stopped when dropped.
pub struct Postgres {
    databases: AtomicU32,
    folder: String,
    child: Child,
    /// The script runs until this end closes, also if the test is killed.
    input: Option<ChildStdin>,
}

fn script() -> Command {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres"))
}

impl Postgres {
    /// Starts a server. Returns `None` on a machine without `PostgreSQL`, unless it is the build machine.
    ///
    /// # Panics
    /// If the server does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut child = script()
            .arg("run")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the script runs");
        let out = child.stdout.take().expect("its output is piped");
        let mut folder = String::new();
        BufReader::new(out)
            .read_line(&mut folder)
            .expect("it names its folder");
        if folder.is_empty() {
            let mut said = String::new();
            let errors = child.stderr.take().expect("its errors are piped");
            BufReader::new(errors)
                .read_to_string(&mut said)
                .expect("its errors are text");
            let code = child.wait().expect("it ended").code();
            let is_excused = code == Some(MISSING) && std::env::var_os("CI").is_none();
            assert!(is_excused, "{said}");
            eprintln!("left out: {said}");
            return None;
        }
        Some(Self {
            databases: AtomicU32::new(0),
            folder: folder.trim().to_owned(),
            input: child.stdin.take(),
            child,
        })
    }

    /// Address of its one database, which is empty.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=onegrid", self.folder)
    }

    /// Makes an empty database and returns its address.
    ///
    /// # Panics
    /// If the server refuses.
    #[must_use]
    pub fn new_database(&self) -> String {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let done = script().args(["database", &self.folder, &name]).output();
        let done = done.expect("the script runs");
        assert!(done.status.success(), "{done:?}");
        format!("postgres:///{name}?host={}&user=onegrid", self.folder)
    }

    /// Path of the socket that it listens on.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        Path::new(&self.folder).join(".s.PGSQL.5432")
    }

    /// Starts a standby that has each commit before the server answers it. Returns the address of the pair: clients use
    /// the one that takes writes.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn with_standby(&self) -> String {
        self.order("standby");
        let hosts = format!("host={0}&host={0}/standby", self.folder);
        format!("postgres:///postgres?{hosts}&user=onegrid&target_session_attrs=read-write")
    }

    /// Makes the standby a server that takes writes.
    ///
    /// # Panics
    /// If it does not.
    pub fn promote_standby(&self) {
        self.order("promote");
    }

    /// Stops the server without a checkpoint, as a crash does.
    pub fn crash(&self) {
        self.order("kill");
    }

    /// Starts the server again.
    pub fn start_again(&self) {
        self.order("start");
    }

    fn order(&self, what: &str) {
        let done = script().arg(what).arg(&self.folder).output();
        let done = done.expect("the script runs");
        assert!(done.status.success(), "{what}: {done:?}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.input.take());
        // The script stops the server.
        let _ = self.child.wait();
    }
}
