//! The files of the replica in memory.

use std::collections::BTreeMap;

use super::*;
use crate::media::{MediaType, attachment_id};
use crate::sync::file_port::{Download, FilePort, FilesLeft, Giver, Upload};
use crate::wire::transfer::FileName;

/// The salt of every file of the tests.
pub(crate) const SALT: [u8; 16] = [7; 16];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileState {
    Waiting,
    Held,
    Wanted,
}

#[derive(Debug, Clone)]
pub(crate) struct MemoryFile {
    pub(crate) bytes: Vec<u8>,
    /// Bytes of the whole file.
    pub(crate) length: u64,
    pub(crate) state: FileState,
    pub(crate) receipt: Option<u32>,
    pub(crate) refusal: Option<&'static str>,
    pub(crate) is_damaged: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryFiles {
    pub(crate) files: BTreeMap<FileName, MemoryFile>,
    /// Whether the disk is full.
    pub(crate) is_full: bool,
    /// Every call fails.
    pub(crate) is_broken: bool,
    /// Lengths by further descriptions.
    pub(crate) others: BTreeMap<FileName, u64>,
    /// Downloads that were not sound.
    pub(crate) unsound: u32,
}

pub(crate) fn name_of(record: RecordId, bytes: &[u8]) -> FileName {
    let id = attachment_id(&SALT, bytes);
    FileName { record, id }
}

impl MemoryReplica {
    /// Holds a whole file.
    pub(crate) fn hold(&mut self, record: RecordId, bytes: &[u8], state: FileState) -> FileName {
        let name = name_of(record, bytes);
        let file = MemoryFile {
            bytes: bytes.to_vec(),
            length: bytes.len() as u64,
            state,
            receipt: None,
            refusal: None,
            is_damaged: false,
        };
        self.files.files.insert(name, file);
        name
    }

    /// Asks for a file.
    pub(crate) fn want(&mut self, name: FileName, length: usize) {
        let file = MemoryFile {
            bytes: Vec::new(),
            length: length as u64,
            state: FileState::Wanted,
            receipt: None,
            refusal: None,
            is_damaged: false,
        };
        self.files.files.insert(name, file);
    }

    fn fine(&self) -> Result<(), PortError> {
        let code = "replica.storage";
        if self.files.is_broken {
            return Err(PortError { code });
        }
        Ok(())
    }

    fn in_state(&self, state: FileState) -> impl Iterator<Item = (&FileName, &MemoryFile)> {
        let files = self.files.files.iter();
        files.filter(move |(_, file)| file.state == state && file.refusal.is_none())
    }
}

impl FilePort for MemoryReplica {
    fn next_upload(&self, without: &BTreeSet<FileName>) -> Result<Option<Upload>, PortError> {
        self.fine()?;
        let waiting = self.in_state(FileState::Waiting);
        let next = waiting
            .filter(|(name, _)| !without.contains(name))
            .min_by_key(|(_, file)| file.length);
        Ok(next.map(|(name, file)| Upload {
            name: *name,
            bytes: file.length,
        }))
    }

    fn read(&self, name: &FileName, offset: u64, bytes_max: usize) -> Result<Vec<u8>, PortError> {
        self.fine()?;
        let code = "media.unreadable";
        let file = self.files.files.get(name).ok_or(PortError { code })?;
        if file.is_damaged {
            return Err(PortError { code });
        }
        let from = usize::try_from(offset).unwrap().min(file.bytes.len());
        let to = file.bytes.len().min(from + bytes_max);
        Ok(file.bytes[from..to].to_vec())
    }

    fn delivered(&mut self, name: &FileName, generation: u32, _: i64) -> Result<(), PortError> {
        self.fine()?;
        let file = self.files.files.get_mut(name).unwrap();
        (file.state, file.receipt) = (FileState::Held, Some(generation));
        Ok(())
    }

    fn refused(&mut self, name: &FileName, code: &'static str, _: i64) -> Result<(), PortError> {
        self.fine()?;
        let refusal = &mut self.files.files.get_mut(name).unwrap().refusal;
        assert_eq!(*refusal, None, "the person is told once");
        *refusal = Some(code);
        Ok(())
    }

    fn unconfirmed(
        &self,
        generation: u32,
        after: Option<&FileName>,
        files_max: usize,
    ) -> Result<Vec<FileName>, PortError> {
        self.fine()?;
        let held = self.in_state(FileState::Held);
        let asked = held.filter(|(name, file)| {
            file.receipt != Some(generation) && after.is_none_or(|after| *name > after)
        });
        Ok(asked.map(|(name, _)| *name).take(files_max).collect())
    }

    fn lacking(&mut self, files: &[FileName], _: i64) -> Result<(), PortError> {
        self.fine()?;
        for name in files {
            self.files.files.get_mut(name).unwrap().state = FileState::Waiting;
        }
        Ok(())
    }

    fn next_download(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError> {
        self.fine()?;
        let mut wanted = self.in_state(FileState::Wanted);
        let next = wanted.find(|(name, _)| !without.contains(name));
        Ok(next.map(|(name, file)| Download {
            name: *name,
            media: MediaType::Jpeg,
            bytes: file.length,
            offset: file.bytes.len() as u64,
        }))
    }

    fn next_wanted(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError> {
        self.next_download(without)
    }

    fn arrived(
        &mut self,
        name: &FileName,
        _: Giver,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), PortError> {
        self.fine()?;
        if self.files.is_full {
            let code = "media.disk_full";
            return Err(PortError { code });
        }
        let file = self.files.files.get_mut(name).unwrap();
        if file.is_damaged {
            let code = "replica.storage";
            return Err(PortError { code });
        }
        if file.bytes.len() as u64 != offset {
            let code = "media.offset";
            return Err(PortError { code });
        }
        file.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn complete(
        &mut self,
        name: &FileName,
        _: Giver,
        generation: Option<u32>,
        _: i64,
    ) -> Result<bool, PortError> {
        self.fine()?;
        let file = self.files.files.get_mut(name).unwrap();
        if file.state != FileState::Wanted || file.bytes.len() as u64 != file.length {
            let code = "media.offset";
            return Err(PortError { code });
        }
        let is_sound = attachment_id(&SALT, &file.bytes) == name.id;
        if is_sound {
            (file.state, file.receipt) = (FileState::Held, generation);
        } else {
            file.bytes.clear();
            self.files.unsound += 1;
        }
        Ok(is_sound)
    }

    fn begin_anew(&mut self, name: &FileName) -> Result<(), PortError> {
        self.fine()?;
        let file = self.files.files.get_mut(name).unwrap();
        if file.state == FileState::Wanted {
            file.bytes.clear();
        }
        Ok(())
    }

    fn other_length(
        &mut self,
        name: &FileName,
        _: Giver,
        bytes: Option<u64>,
    ) -> Result<bool, PortError> {
        self.fine()?;
        let other = self.files.others.get(name).copied();
        let other = other.filter(|other| bytes.is_none_or(|bytes| bytes == *other));
        let Some(other) = other else { return Ok(false) };
        let file = self.files.files.get_mut(name).unwrap();
        file.length = other;
        file.bytes.clear();
        Ok(true)
    }

    fn files_left(&self) -> Result<FilesLeft, PortError> {
        self.fine()?;
        let mut left = FilesLeft::default();
        for (_, file) in self.in_state(FileState::Waiting) {
            left.uploads += 1;
            left.upload_bytes += file.length;
        }
        for (_, file) in self.in_state(FileState::Wanted) {
            left.downloads += 1;
            left.download_bytes += file.length - file.bytes.len() as u64;
        }
        Ok(left)
    }
}
