//! The files of a meeting: photos and recordings that one side was asked for and the other has.
//!
//! They come last, because work is more important. First the caller asks, piece by piece, then it lets the
//! listener ask. A file goes on in the next meeting where this one ended. Only files of shared records are named,
//! so neither side learns which others the other one wants or has.
#![allow(
    clippy::wildcard_imports,
    reason = "a part of its parent, in a file of its own"
)]

use super::*;
use crate::limits::PEER_FILE_BYTES;
use crate::sync::file_port::{Download, Giver};
use crate::wire::transfer::FileName;

impl Peer {
    /// The caller asks for its next file, and after the last one lets the listener ask.
    pub(super) fn ask_for_files(&mut self, port: &dyn PeerPort) -> Result<State, PeerError> {
        let ask = self.next_ask(port)?;
        let turn = ask.unwrap_or(PeerMessage::YourFiles);
        let is_mine = matches!(turn, PeerMessage::AskFile { .. });
        self.send(&turn)?;
        Ok(if is_mine {
            State::CallerFile
        } else {
            State::CallerFilesOfOther
        })
    }

    /// The next request for a piece; `None` when this side wants no more.
    pub(super) fn next_ask(
        &mut self,
        port: &dyn PeerPort,
    ) -> Result<Option<PeerMessage>, PeerError> {
        loop {
            let Some(next) = port.next_wanted(&self.wanted.without)? else {
                self.wanted.current = None;
                return Ok(None);
            };
            if self.shared.contains(&next.name.record) {
                self.wanted.current = Some(next);
                return Ok(Some(PeerMessage::AskFile {
                    record: next.name.record,
                    id: next.name.id,
                    offset: next.offset,
                }));
            }
            self.wanted.without.insert(next.name);
        }
    }

    /// Keeps a piece of the file that this side asked for. An empty one says that the other side does not have
    /// the file, or has no more of it.
    pub(super) fn take_piece(
        &mut self,
        port: &mut dyn PeerPort,
        piece: &[u8],
        now_ms: i64,
    ) -> Result<(), PeerError> {
        let file = self.wanted.current.take().ok_or(PeerError::OutOfTurn)?;
        let left = file.bytes.saturating_sub(file.offset);
        let count = piece.len() as u64;
        if piece.len() > PEER_FILE_BYTES {
            return Err(PeerError::OutOfTurn);
        }
        let ends_early = piece.is_empty() && left > 0;
        if ends_early || count > left {
            self.wanted.without.insert(file.name);
            // The description may tell a false length, so another one comes first next time.
            if (file.offset > 0 || !ends_early)
                && let Err(error) = port.other_length(&file.name, Giver::Phone, None)
            {
                tracing::warn!(code = error.code, "a file keeps its description");
            }
            return Ok(());
        }
        match keep(port, &file, piece, now_ms) {
            Ok(Arrival::Part) => {}
            Ok(Arrival::Whole) => {
                self.report.files_taken = self.report.files_taken.saturating_add(1);
            }
            // The phone has no room, or the file arrived damaged. The rest of the meeting does not suffer.
            Ok(Arrival::Damaged) | Err(_) => drop(self.wanted.without.insert(file.name)),
        }
        Ok(())
    }

    /// Answers a request for a piece. Of a file that is not here, or not shared, the piece is empty.
    pub(super) fn send_piece(
        &mut self,
        port: &dyn PeerPort,
        name: &FileName,
        offset: u64,
    ) -> Result<(), PeerError> {
        let piece = if self.shared.contains(&name.record) {
            // A file that cannot be read is like one that is not here.
            port.read(name, offset, PEER_FILE_BYTES).unwrap_or_default()
        } else {
            Vec::new()
        };
        self.send(&PeerMessage::Piece(piece.into()))
    }

    /// The listener asks for its next file, or says that it wants no more.
    pub(super) fn ask_back(&mut self, port: &dyn PeerPort) -> Result<(), PeerError> {
        let ask = self.next_ask(port)?;
        self.send(&ask.unwrap_or(PeerMessage::YourFiles))
    }
}

/// The state of a file after a piece.
enum Arrival {
    Part,
    Whole,
    Damaged,
}

fn keep(
    port: &mut dyn PeerPort,
    file: &Download,
    piece: &[u8],
    now_ms: i64,
) -> Result<Arrival, PortError> {
    port.arrived(&file.name, Giver::Phone, file.offset, piece)?;
    if file.offset + (piece.len() as u64) < file.bytes {
        return Ok(Arrival::Part);
    }
    let is_sound = port.complete(&file.name, Giver::Phone, None, now_ms)?;
    Ok(if is_sound {
        Arrival::Whole
    } else {
        Arrival::Damaged
    })
}
