//! The server of the demo: a temporary folder, the seed, and `onegrid serve` as a process of its own, so that
//! it can be killed, wiped and restored like a real one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use onegrid_core::domain::form::Template;
use onegrid_core::domain::position::Datum;
use onegrid_core::id::{Hash, RecordId};
use onegrid_core::net::{OsRandom, now_ms};
use onegrid_core::wire::digest::Digest;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::place::Place;
use crate::script::Script;
use onegrid_server::admin::data_dir::DataDir;
use onegrid_server::admin::take_in::{
    Mode, Order, Outcome, import_areas, import_members, import_template, import_units,
};
use onegrid_server::admin::{ADMIN, backup, seed, setup};
use onegrid_server::error::{Phrase, Problem, Result};
use onegrid_server::keys::Keys;
use onegrid_server::registry::members::id_of_external;
use onegrid_server::rules::Rules;
use onegrid_server::server::Server;

/// The lifetime of an invitation of the demo, ms.
const INVITATION_MS: i64 = 3_600_000;
/// Rows read from the store at a time.
const ROWS_A_LOOK: usize = 500;

/// The server's state of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// The digest over the settled envelopes of the record.
    pub(crate) digest: Digest,
    /// The code of the record's stage.
    pub(crate) stage: u8,
}

/// A deployment in a temporary folder. Dropping it removes the folder and kills the server.
pub(crate) struct Deployment {
    folder: TempDir,
    data: DataDir,
    listen: SocketAddr,
    running: Option<Child>,
    place: Arc<Place>,
}

impl Deployment {
    /// Prepares a root key, an empty store, the division of Gongshu, and the units and people of the demo.
    pub(crate) fn prepare(script: &mut Script<'_>) -> Result<Self> {
        script.title("demo.title_setup")?;
        let folder = tempfile::tempdir().map_err(|error| io_failed(&error))?;
        let data = DataDir::at(&folder.path().join("server"));
        let root_key = folder.path().join("root.key");
        setup::prepare(&data, &root_key, now_ms(), &mut OsRandom)?;
        let server = open(&data)?;
        script.line(format_args!("  …     {}", script.text("demo.importing")))?;
        let (now, mut quiet) = (now_ms(), |_, _| {});
        let files = seed::gongshu();
        let order = Order {
            mode: Mode::Strict,
            actor: ADMIN,
            now_ms: now,
        };
        let areas = import_areas(&server, &files, Datum::Wgs84, order, &mut quiet)?;
        let areas = taken(&areas)?;
        let units = seed::DEMO_UNITS;
        let units = import_units(&server, "units.csv", units, order, &mut quiet)?;
        let units = taken(&units)?;
        let people = seed::DEMO_MEMBERS;
        let people = import_members(&server, "members.csv", people, order, &mut quiet)?;
        let people = taken(&people)?;
        script.done(
            &Phrase::new("demo.imported")
                .with("areas", areas)
                .with("units", units)
                .with("people", people),
        )?;
        let place = Arc::new(Place::read(&files)?);
        Ok(Self {
            folder,
            data,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            running: None,
            place,
        })
    }

    /// Returns the division as a phone shows it.
    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// Returns a folder inside the temporary one.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).map_err(|error| io_failed(&error))?;
        Ok(path)
    }

    /// Returns the address of the server.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Returns a one-time code for a member, found by the office's own id.
    pub(crate) fn invite(&self, external_id: &str) -> Result<String> {
        let server = open(&self.data)?;
        let member = id_of_external(server.keys().authority(), external_id);
        let invited = server.invite(member, INVITATION_MS, ADMIN, now_ms(), &mut OsRandom)?;
        Ok(invited.code)
    }

    /// Imports a version of a checklist while the server runs, as `onegrid import templates` does.
    pub(crate) fn import(&self, template: &Template) -> Result<()> {
        let file = format!("{}.json", template.id());
        let server = open(&self.data)?;
        taken(&import_template(
            &server,
            &file,
            &template.to_bytes(),
            ADMIN,
            now_ms(),
        )?)
        .map(drop)
    }

    /// Starts the server: first on a free port, later on the same one. Returns once it listens.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let demo = std::env::current_exe().map_err(|error| io_failed(&error))?;
        // Both programs are built into one folder.
        let program = demo.with_file_name(format!("onegrid{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg("--json")
            .arg(format!("--listen={}", self.listen))
            .arg(format!("--set=store.path={}", self.data.path().display()))
            .arg("--set=log.filter=warn")
            // Only the demo's own settings count, not the files in the folder where it was started.
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ONEGRID_") {
                command.env_remove(name);
            }
        }
        let mut child = command.spawn().map_err(|error| io_failed(&error))?;
        let stdout = child.stdout.take();
        let mut first = String::new();
        if let Some(stdout) = stdout {
            let read = BufReader::new(stdout).read_line(&mut first).await;
            read.map_err(|error| io_failed(&error))?;
        }
        self.listen = listening(&first).ok_or_else(|| Problem::new("demo.no_server"))?;
        self.running = Some(child);
        Ok(())
    }

    /// Kills the server with SIGKILL, so that it finishes nothing.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.running.take() {
            child.kill().await.map_err(|error| io_failed(&error))?;
        }
        Ok(())
    }

    /// Ends the server. Its last work does not matter any more.
    pub(crate) async fn stop(&mut self) {
        // The same Ctrl-C may have ended it already.
        let _ = self.kill().await;
    }

    /// Copies the store while the server runs.
    pub(crate) fn backup(&self) -> Result<PathBuf> {
        let to = self.folder.path().join("backup");
        backup::backup(&self.data, &to, ADMIN, now_ms())?;
        Ok(to)
    }

    /// Removes all data of the server, and puts the backup in their place. Returns the generation.
    pub(crate) fn wipe_and_restore(&self, from: &Path) -> Result<u32> {
        std::fs::remove_dir_all(self.data.path()).map_err(|error| io_failed(&error))?;
        Ok(backup::restore(&self.data, from, None, now_ms())?.generation)
    }

    /// Returns every photo whose whole file the server has, with its record.
    pub(crate) fn files(&self) -> Result<BTreeSet<(RecordId, Hash)>> {
        files(&self.data)
    }

    /// Returns every record that the server holds.
    pub(crate) fn records(&self) -> Result<BTreeMap<RecordId, Held>> {
        let store = self.data.store()?;
        let mut held = BTreeMap::new();
        let mut after = None;
        loop {
            let rows = store.read(|tx| tx.records(after, ROWS_A_LOOK))?;
            let Some(last) = rows.last() else {
                return Ok(held);
            };
            after = Some(last.id);
            held.extend(rows.iter().map(|row| {
                let one = Held {
                    digest: row.digest,
                    stage: row.state,
                };
                (row.id, one)
            }));
        }
    }
}

/// Returns the photos whose files the server has whole, each with its record.
fn files(data: &DataDir) -> Result<BTreeSet<(RecordId, Hash)>> {
    let store = data.store()?;
    let mut held = BTreeSet::new();
    let mut after = None;
    loop {
        let rows = store.read(|tx| tx.attachment_files(after, ROWS_A_LOOK))?;
        let Some(last) = rows.last() else {
            return Ok(held);
        };
        after = Some(last.key);
        held.extend(rows.iter().map(|row| (row.key.record, row.key.id)));
    }
}

fn open(data: &DataDir) -> Result<Server> {
    Server::open(data.store()?, Keys::read(&data.keys())?, Rules::built_in())
}

/// Returns the number of rows; the seed has no bad row.
fn taken(outcome: &Outcome) -> Result<usize> {
    match outcome.bad.first() {
        None => Ok(outcome.changed + outcome.unchanged),
        Some(bad) => Err(Problem::new("demo.bad_seed").with("code", bad.code)),
    }
}

/// Returns the address in the server's first line.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let url = line.get("listening")?.as_str()?;
    url.strip_prefix("http://")?.parse().ok()
}

pub(crate) fn io_failed(error: &std::io::Error) -> Problem {
    Problem::new("demo.io").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_server_tells_its_port() {
        let found = listening("{\"listening\":\"http://127.0.0.1:4711\"}\n");
        assert_eq!(found, Some(SocketAddr::from(([127, 0, 0, 1], 4711))));
        for bad in ["", "onegrid: refused", "{\"listening\":3}"] {
            assert_eq!(listening(bad), None, "{bad}");
        }
    }
}
