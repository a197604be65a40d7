//! The recorded events again, one by one, with the disk as a power cut would leave it after each of them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_core::Rng;

use crate::recording::{Event, FileId, Recording};

/// Bytes that a disk writes whole or not at all. Disks have sectors of 512 or 4,096 bytes; the smaller one
/// tears more.
const SECTOR_BYTES: u64 = 512;

/// The fate of data that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of it survives, as after the end of a process.
    Nothing,
    /// None of it survives.
    Everything,
    /// Each sector survives `kept` times in 8, on its own.
    Sectors {
        /// Times in 8.
        kept: u8,
    },
}

impl Loss {
    /// All losses that a test draws from.
    pub const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Everything,
        Self::Sectors { kept: 1 },
        Self::Sectors { kept: 4 },
        Self::Sectors { kept: 7 },
    ];

    fn keeps(self, rng: &mut dyn Rng) -> bool {
        match self {
            Self::Nothing => true,
            Self::Everything => false,
            Self::Sectors { kept } => rng.next_u32() % 8 < u32::from(kept),
        }
    }
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Arc<[u8]>),
    Cut(u64),
}

#[derive(Debug, Clone, Default)]
struct Content {
    durable: Vec<u8>,
    waiting: Vec<Change>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(PathBuf, FileId),
    Move(PathBuf, PathBuf),
    Remove(PathBuf),
}

type Names = BTreeMap<PathBuf, FileId>;

/// A walk through a recording.
#[derive(Debug)]
pub struct Replay {
    events: Vec<Event>,
    next: usize,
    contents: HashMap<FileId, Content>,
    names: Names,
    waiting: Vec<NameChange>,
    promises: Vec<u64>,
}

/// The files after a power cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(pub BTreeMap<PathBuf, Vec<u8>>);

impl Replay {
    /// Begins before the first event.
    #[must_use]
    pub fn of(recording: &Recording) -> Self {
        let mut names = Names::new();
        let mut contents = HashMap::new();
        for (path, (file, bytes)) in recording.base() {
            names.insert(path.clone(), *file);
            let content = Content {
                durable: bytes.clone(),
                waiting: Vec::new(),
            };
            contents.insert(*file, content);
        }
        Self {
            events: recording.events(),
            next: 0,
            contents,
            names,
            waiting: Vec::new(),
            promises: Vec::new(),
        }
    }

    /// The number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Everything that was promised so far.
    #[must_use]
    pub fn promises(&self) -> &[u64] {
        &self.promises
    }

    /// Lets the next event happen. `None` after the last one.
    pub fn step(&mut self) -> Option<&Event> {
        let event = self.events.get(self.next)?.clone();
        self.next += 1;
        match event {
            Event::Create(path, file) => {
                self.contents.insert(file, Content::default());
                self.waiting.push(NameChange::Add(path, file));
            }
            Event::Write(file, offset, bytes) => {
                self.content(file)
                    .waiting
                    .push(Change::Write(offset, bytes));
            }
            Event::Cut(file, length) => self.content(file).waiting.push(Change::Cut(length)),
            Event::Sync(file) => {
                let content = self.content(file);
                for change in std::mem::take(&mut content.waiting) {
                    apply(&mut content.durable, &change);
                }
            }
            Event::Rename(from, to) => self.waiting.push(NameChange::Move(from, to)),
            Event::Remove(path) => self.waiting.push(NameChange::Remove(path)),
            Event::SyncFolder => {
                for change in std::mem::take(&mut self.waiting) {
                    rename(&mut self.names, change);
                }
            }
            Event::Promise(number) => self.promises.push(number),
        }
        self.events.get(self.next - 1)
    }

    /// The disk after a power cut at this point.
    #[must_use]
    pub fn image(&self, loss: Loss, rng: &mut dyn Rng) -> Image {
        let mut names = self.names.clone();
        let survive = match loss {
            Loss::Nothing => self.waiting.len(),
            Loss::Everything => 0,
            Loss::Sectors { .. } => below(rng, self.waiting.len() + 1),
        };
        for change in self.waiting.iter().take(survive) {
            rename(&mut names, change.clone());
        }
        let file = |(path, file): (PathBuf, FileId)| {
            let content = self.contents.get(&file).cloned().unwrap_or_default();
            (path, survived(content, loss, rng))
        };
        Image(names.into_iter().map(file).collect())
    }

    fn content(&mut self, file: FileId) -> &mut Content {
        self.contents.entry(file).or_default()
    }
}

impl Image {
    /// Writes the files into another folder: `from` is the folder of the recorded files, `to` the new one.
    pub fn write(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        for (path, bytes) in &self.0 {
            let name = path
                .strip_prefix(from)
                .map_err(|_| std::io::ErrorKind::InvalidInput)?;
            let path = to.join(name);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(path, bytes)?;
        }
        Ok(())
    }
}

fn survived(content: Content, loss: Loss, rng: &mut dyn Rng) -> Vec<u8> {
    let mut bytes = content.durable;
    for change in content.waiting {
        match change {
            Change::Cut(_) if loss.keeps(rng) => apply(&mut bytes, &change),
            Change::Cut(_) => {}
            Change::Write(offset, written) => {
                let mut at = 0;
                while at < written.len() {
                    let position = offset + at as u64;
                    let left = SECTOR_BYTES - position % SECTOR_BYTES;
                    let end = usize::try_from(left).map_or(written.len(), |left| at + left);
                    let end = end.min(written.len());
                    if loss.keeps(rng) {
                        put(&mut bytes, position, &written[at..end]);
                    }
                    at = end;
                }
            }
        }
    }
    bytes
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, written) => put(bytes, *offset, written),
        Change::Cut(length) => bytes.resize(index(*length), 0),
    }
}

fn put(bytes: &mut Vec<u8>, offset: u64, written: &[u8]) {
    let begin = index(offset);
    let end = begin + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[begin..end].copy_from_slice(written);
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a test's file fits into memory")
}

fn rename(names: &mut Names, change: NameChange) {
    match change {
        NameChange::Add(path, file) => {
            names.insert(path, file);
        }
        NameChange::Move(from, to) => {
            if let Some(file) = names.remove(&from) {
                names.insert(to, file);
            }
        }
        NameChange::Remove(path) => {
            names.remove(&path);
        }
    }
}

fn below(rng: &mut dyn Rng, end: usize) -> usize {
    let end = u64::try_from(end.max(1)).expect("a usize fits");
    usize::try_from(rng.next_u64() % end).expect("it is below a usize")
}
