//! Photos and recordings of a replica, as their transfer needs them.
//!
//! A file is named by its record and its id, because the server keeps it for the record that it was sent for.
//! Every method that writes is durable when it returns `Ok`; when it returns an error, nothing has
//! changed, except that a download whose bytes are damaged begins anew (`media.offset`).
//! The transfer makes no calls in parallel.

use std::collections::BTreeSet;

use super::port_error::PortError;
use crate::media::MediaType;
use crate::wire::transfer::FileName;

/// A file that waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upload {
    /// Its record and id.
    pub name: FileName,
    /// Bytes of the whole file.
    pub bytes: u64,
}

/// A file that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Download {
    /// Its record and id.
    pub name: FileName,
    /// Its type, by the description.
    pub media: MediaType,
    /// Bytes of the whole file, by the description.
    pub bytes: u64,
    /// Bytes that are here already, from the beginning.
    pub offset: u64,
}

/// The other side of a download. The bytes of both are kept apart, because neither may spoil the bytes of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver {
    /// The server.
    Server,
    /// Another phone, in a meeting.
    Phone,
}

/// How many files and bytes are still to be transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FilesLeft {
    /// Files that wait to be sent.
    pub uploads: u64,
    /// Their bytes. The server may have some of them.
    pub upload_bytes: u64,
    /// Files that were asked for.
    pub downloads: u64,
    /// Their bytes that are not here yet.
    pub download_bytes: u64,
}

/// The photos and recordings of a replica.
pub trait FilePort {
    /// The next file to send, the smallest first, none of `without`. The server knows its
    /// description, unless it lost it in a restore. The record may be withdrawn from this phone.
    fn next_upload(&self, without: &BTreeSet<FileName>) -> Result<Option<Upload>, PortError>;

    /// Reads plain bytes of a file that is here, at most `bytes_max`; fewer only at the end of the file. An
    /// error with the code `media.unreadable` means that the sealed file is damaged or gone.
    fn read(&self, name: &FileName, offset: u64, bytes_max: usize) -> Result<Vec<u8>, PortError>;

    /// The server has the whole file in this generation, as an answer with its code says: the receipt.
    fn delivered(&mut self, name: &FileName, generation: u32, now_ms: i64)
    -> Result<(), PortError>;

    /// The server refuses the file for good. The file stays, and the person is told once.
    fn refused(
        &mut self,
        name: &FileName,
        code: &'static str,
        now_ms: i64,
    ) -> Result<(), PortError>;

    /// Whole files that are here, are not waiting to be sent, and have no receipt of this generation; in
    /// ascending order after `after`, at most `files_max`. The server is asked about them.
    fn unconfirmed(
        &self,
        generation: u32,
        after: Option<&FileName>,
        files_max: usize,
    ) -> Result<Vec<FileName>, PortError>;

    /// The server lacks these files and takes them from this phone: they wait to be sent again.
    fn lacking(&mut self, files: &[FileName], now_ms: i64) -> Result<(), PortError>;

    /// The next file that was asked for, in the order of the requests, none of `without`.
    fn next_download(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError>;

    /// The next file that was asked for and that another phone may give, in the order of the requests, none of
    /// `without`. The server gives only files whose description it has accepted; a phone gives others too.
    fn next_wanted(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError>;

    /// Keeps bytes of a file that was asked for. `offset` is the number of bytes from this giver that are here
    /// already; at another offset nothing is kept, and the code is `media.offset`.
    fn arrived(
        &mut self,
        name: &FileName,
        giver: Giver,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), PortError>;

    /// All bytes of this giver have arrived; before that nothing changes, and the code is `media.offset`. The
    /// file is checked: its id, and that it is a clean file of its type. Returns whether it is sound; otherwise
    /// the bytes of this giver are removed, and its next download begins anew. `generation` is the one of the
    /// server that sent it; `None` if another phone did, or if it is not known.
    fn complete(
        &mut self,
        name: &FileName,
        giver: Giver,
        generation: Option<u32>,
        now_ms: i64,
    ) -> Result<bool, PortError>;

    /// Drops the bytes of the server that have arrived of a file that was asked for: its next download begins
    /// at 0.
    fn begin_anew(&mut self, name: &FileName) -> Result<(), PortError>;

    /// The file has another length than its description tells: `bytes`, if the giver has shown it. Takes the next
    /// description of another length, and drops the bytes that have arrived. Returns whether there was one. A
    /// phone refutes no length that the server has shown.
    fn other_length(
        &mut self,
        name: &FileName,
        giver: Giver,
        bytes: Option<u64>,
    ) -> Result<bool, PortError>;

    /// How many files and bytes are still to be transferred.
    fn files_left(&self) -> Result<FilesLeft, PortError>;
}
