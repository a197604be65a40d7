//! Photos and recordings.

use onegrid_core::{net, replica};

use super::Word;

/// How far a photo or recording has got on its way from or to this phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum AttachmentState {
    /// It waits for its first use, because no record names it yet.
    Staged,
    /// It is on this phone, and the server does not have it.
    Waiting,
    /// It is on this phone and on the server.
    Delivered,
    /// It is not on this phone.
    Absent,
    /// It is not on this phone, and the person asked for it.
    Wanted,
    /// A part of it is on this phone.
    Arriving,
}

/// A photo or recording, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AttachmentInfo {
    /// Names the photo or recording in reports, moves, answers and captions: 64 hex digits.
    pub id: String,
    /// The record; absent while it is staged.
    pub record: Option<String>,
    /// `photo` or `recording`.
    pub media: Word,
    /// The type of the bytes: `image/jpeg` or `audio/mp4`.
    pub media_type: String,
    /// Bytes of the whole file, 1 to 8,388,608 (8 MiB).
    pub size: u64,
    /// Pixels from left to right as shown, for a photo whose author gave them.
    pub width: Option<u32>,
    /// Pixels from top to bottom as shown, for a photo whose author gave them.
    pub height: Option<u32>,
    /// Length of a recording in ms, if its author gave it.
    pub duration_ms: Option<u32>,
    /// How far it has got.
    pub state: AttachmentState,
    /// Whether the file is here and the server said that it has it, after its last restore from a backup too. Only
    /// such a file is removed where storage is short.
    pub confirmed: bool,
    /// The time when the server first confirmed that it has the whole file, ms UTC.
    pub delivered_ms: Option<i64>,
    /// The reason why the server refused the file or its description, with sentences. The phone keeps the file.
    pub refusal: Option<Word>,
    /// Whether there is a small picture.
    pub has_thumbnail: bool,
}

/// Whether syncs transfer photos and recordings. An app chooses by the network, the battery and the wish of the
/// person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Enum)]
pub enum FilesPolicy {
    /// Files follow the records of each sync.
    #[default]
    EverySync,
    /// Only `sync_files` transfers files; records and small pictures sync as always.
    OnRequest,
}

impl From<replica::AttachmentState> for AttachmentState {
    fn from(state: replica::AttachmentState) -> Self {
        match state {
            replica::AttachmentState::Staged => Self::Staged,
            replica::AttachmentState::Waiting => Self::Waiting,
            replica::AttachmentState::Delivered => Self::Delivered,
            replica::AttachmentState::Absent => Self::Absent,
            replica::AttachmentState::Wanted => Self::Wanted,
            replica::AttachmentState::Arriving => Self::Arriving,
        }
    }
}

impl From<FilesPolicy> for net::FilesPolicy {
    fn from(policy: FilesPolicy) -> Self {
        match policy {
            FilesPolicy::EverySync => Self::Always,
            FilesPolicy::OnRequest => Self::Never,
        }
    }
}
