//! The server's side of a town: its starts and crashes, its backups, and the entrance for requests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onegrid_core::domain::category::Categories;
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::sync::paths::{SESSION_PATH, SYNC_PATH};
use onegrid_core::sync::star::Request;
use onegrid_core::trust::request_mac::{MAC_HEADER, SESSION_HEADER};
use onegrid_core::trust::session::SessionMessage;
use onegrid_failing_disk::Recording;
use onegrid_server::blobs::files::Files;
use onegrid_server::blobs::{BlobCeilings, Blobs};
use onegrid_server::directory;
use onegrid_server::error::Problem;
use onegrid_server::server::Server;
use onegrid_server::store::{Store, StoreError};

use super::backing::Backing;
use super::{Town, copy_database};

/// The fate of the server's disk with photos when the server comes back from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// Its photos are still there.
    Kept,
    /// The disk is lost, so only the photos of the backup are there.
    Lost,
}

/// Free bytes that the server of a town leaves to others.
const FREE_BYTES_MIN: u64 = 1;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The message code of the answer.
    pub mac: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    fn of(problem: &Problem) -> Self {
        Self {
            status: problem.class().http_status(),
            mac: None,
            body: format!("{{\"code\":\"{}\"}}", problem.code()).into_bytes(),
        }
    }
}

impl Town {
    pub(super) fn prepare(&mut self) {
        let shared: Arc<dyn Store> = self.backing.open();
        Server::prepare(&shared, &self.keys, self.now_ms).unwrap();
        drop(shared);
        self.reopen_server();
        let categories = Categories::built_in();
        let categories = categories.iter().cloned().map(DirectoryEntry::Category);
        let entries = categories.chain(self.places.entries()).collect();
        let now_ms = self.now_ms;
        self.server().publish(entries, "admin", now_ms).unwrap();
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("server.db")
    }

    /// Returns the running server.
    #[must_use]
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("the server is running")
    }

    /// Returns all running nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &Server> {
        self.server.iter().chain(&self.others)
    }

    /// Returns the server's photos.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        self.blobs.as_ref().expect("the server is running")
    }

    /// Returns the folder of the server's photos.
    #[must_use]
    pub fn photo_files(&self) -> Files {
        Files::at(&self.folder.path().join("blobs"))
    }

    /// Returns the server's store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        self.server().store()
    }

    /// Whether the server runs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.server.is_some()
    }

    /// Cuts the power of the server, so only durable data stay.
    pub fn crash_server(&mut self) {
        let kept = self.folder.path().join("power-cut.db");
        let file = match &self.backing {
            Backing::File(path) => Some(path.clone()),
            Backing::Server { .. } => None,
        };
        if let Some(file) = &file {
            copy_database(file, &kept);
        }
        for store in self.stores.drain(..) {
            store.lose_what_waits();
        }
        self.drop_nodes();
        if let Some(file) = &file {
            copy_database(&kept, file);
        }
    }

    fn drop_nodes(&mut self) {
        self.blobs = None;
        self.server = None;
        self.others.clear();
    }

    /// Shuts the server down in order.
    pub fn close_server(&mut self) {
        for store in self.stores.drain(..) {
            store.catch_up().unwrap();
        }
        self.drop_nodes();
    }

    /// Starts the server on the present files.
    pub fn reopen_server(&mut self) {
        self.drop_nodes();
        self.stores = (0..self.backing.nodes())
            .map(|_| self.backing.open())
            .collect();
        let nodes = self.stores.iter().map(|store| {
            let store: Arc<dyn Store> = Arc::clone(store) as _;
            Server::open(store, self.keys.clone(), self.rules.clone()).unwrap()
        });
        let mut nodes: Vec<Server> = nodes.collect();
        let server = nodes.remove(0);
        self.others = nodes;
        let ceilings = BlobCeilings::with_reserve(FREE_BYTES_MIN);
        let files = self.photo_files();
        self.blobs = Some(server.open_files(files.folder(), ceilings).unwrap());
        self.server = Some(server);
    }

    /// Starts the server again on a disk that records everything and can fail.
    pub fn record_server(&mut self) -> Arc<Recording> {
        self.close_server();
        let recording = Recording::start(&self.database()).unwrap();
        self.reopen_server();
        recording
    }

    /// Makes a backup while the server continues to run.
    pub fn backup(&mut self) -> PathBuf {
        let to = self.unused("backup");
        self.copy_store(&to);
        add_files(&self.photo_files(), &photos_of(&to));
        to
    }

    /// Copies the database alone into a new file while the server continues to run.
    pub fn copy_store(&self, to: &Path) {
        assert!(self.is_up());
        for store in &self.stores {
            store.catch_up().unwrap();
        }
        self.backing.copy_to(&self.keys, to);
    }

    /// Replaces the server by a backup, as a new generation.
    pub fn restore(&mut self, backup: &Path) {
        self.restore_onto(Disk::Kept, backup);
    }

    /// Replaces the server by a backup, as a new generation, on a disk that has its photos or has
    /// lost them. As the command of the administrator does, it adds the photos of the backup, and
    /// forgets those that are gone.
    pub fn restore_onto(&mut self, disk: Disk, backup: &Path) {
        self.crash_server();
        let files = self.photo_files();
        self.backing.replace(&self.keys, backup);
        if disk == Disk::Lost && files.folder().exists() {
            std::fs::remove_dir_all(files.folder()).unwrap();
        }
        add_files(&photos_of(backup), &files);
        self.reopen_server();
        self.forget_lost_photos();
        self.generation += 1;
        let generation = self.generation;
        self.store()
            .write::<_, StoreError>(move |tx| {
                tx.forget_visitors()?;
                directory::set_generation(tx, generation)?;
                directory::bump_policy(tx)
            })
            .unwrap();
        // The memory of the process belongs to the old past.
        self.close_server();
        self.reopen_server();
    }

    fn forget_lost_photos(&self) {
        let files = self.photo_files();
        let write = self.store().write::<_, StoreError>(move |tx| {
            for row in tx.attachment_files(None, usize::MAX)? {
                if files.length(row.key).ok().flatten() != Some(row.bytes) {
                    tx.drop_attachment_file(row.key)?;
                }
            }
            Ok(())
        });
        write.unwrap();
    }

    /// Handles a request through the functions that HTTP uses. `None` if no server runs.
    pub fn post(&mut self, request: &Request) -> Option<Reply> {
        self.turn += 1;
        let mut nodes = self.server.iter().chain(&self.others);
        let server = nodes.nth(self.turn % self.backing.nodes())?;
        let now_ms = self.now_ms;
        let header = |name: &str| {
            let found = request.headers.iter().find(|(known, _)| *known == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let answered = match request.path {
            SESSION_PATH => match SessionMessage::of(&request.body) {
                Ok(SessionMessage::Hello) => {
                    server.handle_hello(&request.body, now_ms, &mut self.rng)
                }
                Ok(SessionMessage::Prove) => server.handle_prove(&request.body, now_ms),
                Err(error) => Err(Problem::new(error.code())),
            }
            .map(|body| (body, None)),
            SYNC_PATH => server
                .handle_sync(
                    (header(SESSION_HEADER), header(MAC_HEADER)),
                    SYNC_PATH,
                    &request.body,
                    now_ms,
                )
                .map(|answered| (answered.body, Some(answered.mac))),
            other => panic!("no such address: {other}"),
        };
        Some(match answered {
            Ok((body, mac)) => Reply {
                status: 200,
                mac,
                body,
            },
            Err(problem) => Reply::of(&problem),
        })
    }
}

/// The photos of a backup.
fn photos_of(backup: &Path) -> Files {
    Files::at(&backup.with_extension("photos"))
}

/// Adds all photos of one folder to another.
fn add_files(from: &Files, to: &Files) {
    if !from.folder().exists() {
        return;
    }
    to.make().unwrap();
    for number in 0..=u8::MAX {
        for key in from.keys(number).unwrap() {
            assert!(to.add(from, key).unwrap(), "a photo can be read");
        }
    }
}
