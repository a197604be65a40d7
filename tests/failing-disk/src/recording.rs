//! The recording of a group of files.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::fault::{Call, Failure, Fault, Faults};
use crate::vfs;

/// A file, whatever its present name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// One effect on the disk, or a promise between two effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A new, empty file has this name.
    Create(PathBuf, FileId),
    /// Bytes were written at an offset.
    Write(FileId, u64, Arc<[u8]>),
    /// A file was cut, or filled up with zeros, to this length in bytes.
    Cut(FileId, u64),
    /// The data of a file was synced.
    Sync(FileId),
    /// A file has another name, and replaced a file that had it.
    Rename(PathBuf, PathBuf),
    /// A name is gone.
    Remove(PathBuf),
    /// The names were synced.
    SyncFolder,
    /// The program promised something; the number says what, to the test.
    Promise(u64),
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    names: HashMap<PathBuf, FileId>,
    files: u32,
    faults: Faults,
    settings: Vec<(PathBuf, String, String)>,
}

/// Files at the start of a recording.
pub(crate) type Base = BTreeMap<PathBuf, (FileId, Vec<u8>)>;

/// A recording of all files whose paths begin with a prefix.
#[derive(Debug)]
pub struct Recording {
    prefix: PathBuf,
    folder: PathBuf,
    base: Base,
    state: Mutex<State>,
}

/// All recordings that are in use.
static RECORDINGS: Mutex<Vec<Weak<Recording>>> = Mutex::new(Vec::new());

impl Recording {
    /// Records the files whose paths begin with this text: a folder with its end, or a database with its log. The
    /// present files are the base, and all of them count as durable. They must not be open. Recording ends when
    /// the value is dropped and its files are closed.
    pub fn start(prefix: &Path) -> io::Result<Arc<Self>> {
        vfs::install();
        let parent = prefix.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = if prefix.is_dir() { prefix } else { parent };
        let mut found = Vec::new();
        collect(parent, prefix, &mut found)?;
        let mut state = State::default();
        let mut base = Base::new();
        for (path, bytes) in found {
            let file = state.new_file();
            state.names.insert(path.clone(), file);
            base.insert(path, (file, bytes));
        }
        let recording = Arc::new(Self {
            prefix: prefix.to_owned(),
            folder: folder.to_owned(),
            base,
            state: Mutex::new(state),
        });
        let mut all = RECORDINGS.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&recording));
        Ok(recording)
    }

    /// The recording of a file.
    pub(crate) fn of(path: &Path) -> Option<Arc<Self>> {
        let all = RECORDINGS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = all.iter().filter_map(Weak::upgrade);
        all.find(|recording| recording.records(path))
    }

    /// The folder of the recorded files: the prefix itself if it is a folder, otherwise the folder around it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the file belongs to this recording. The shared memory of a log is no file on a disk.
    #[must_use]
    pub fn records(&self, path: &Path) -> bool {
        let (path, prefix) = (path.as_os_str(), self.prefix.as_os_str());
        let (path, prefix) = (path.as_encoded_bytes(), prefix.as_encoded_bytes());
        path.starts_with(prefix) && !path.ends_with(b"-shm")
    }

    /// Notes that the program promised something. The promise is owed after every later power cut.
    pub fn promise(&self, number: u64) {
        self.lock().events.push(Event::Promise(number));
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// Lets the disk fail from now on.
    pub fn fail(&self, fault: Fault) {
        self.lock().faults.arm(fault);
    }

    /// Ends all failures. Returns the number of calls that failed.
    pub fn mend(&self) -> u64 {
        self.lock().faults.mend()
    }

    /// The settings of the databases: file, name and value of each `PRAGMA` that had a value.
    #[must_use]
    pub fn settings(&self) -> Vec<(PathBuf, String, String)> {
        self.lock().settings.clone()
    }

    /// The files at the start, all of them durable.
    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// Notes that the host opened a file; a new one is created by that.
    pub fn opened(&self, path: &Path, is_new: bool) -> FileId {
        let mut state = self.lock();
        match state.names.get(path) {
            Some(file) if !is_new => *file,
            _ => {
                let file = state.new_file();
                state.names.insert(path.to_owned(), file);
                state.events.push(Event::Create(path.to_owned(), file));
                file
            }
        }
    }

    /// Notes written bytes.
    pub fn wrote(&self, file: FileId, offset: u64, bytes: &[u8]) {
        let mut state = self.lock();
        state.events.push(Event::Write(file, offset, bytes.into()));
    }

    /// Notes a cut.
    pub fn cut(&self, file: FileId, length: u64) {
        self.lock().events.push(Event::Cut(file, length));
    }

    /// Notes a sync of a file.
    pub fn synced(&self, file: FileId) {
        self.lock().events.push(Event::Sync(file));
    }

    /// Notes a sync of the names.
    pub fn synced_folder(&self) {
        self.lock().events.push(Event::SyncFolder);
    }

    /// Notes a rename.
    pub fn renamed(&self, from: &Path, to: &Path) {
        let mut state = self.lock();
        if let Some(file) = state.names.remove(from) {
            state.names.insert(to.to_owned(), file);
        }
        let event = Event::Rename(from.to_owned(), to.to_owned());
        state.events.push(event);
    }

    /// Notes a removal.
    pub fn removed(&self, path: &Path) {
        let mut state = self.lock();
        if state.names.remove(path).is_some() {
            state.events.push(Event::Remove(path.to_owned()));
        }
    }

    /// Returns the failure of a call that is about to happen.
    pub fn failure(&self, call: Call) -> Option<Failure> {
        self.lock().faults.on(call)
    }

    pub(crate) fn set(&self, path: &Path, name: String, value: String) {
        let setting = (path.to_owned(), name, value);
        self.lock().settings.push(setting);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new_file(&mut self) -> FileId {
        self.files += 1;
        FileId(self.files)
    }
}

fn collect(folder: &Path, prefix: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let (name, begin) = (path.as_os_str(), prefix.as_os_str());
        let (name, begin) = (name.as_encoded_bytes(), begin.as_encoded_bytes());
        if entry.file_type()?.is_dir() {
            if name.starts_with(begin) || begin.starts_with(name) {
                collect(&path, prefix, found)?;
            }
        } else if name.starts_with(begin) && !name.ends_with(b"-shm") {
            let bytes = std::fs::read(&path)?;
            found.push((path, bytes));
        }
    }
    Ok(())
}
