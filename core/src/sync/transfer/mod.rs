//! Photos and recordings between a phone and the server (`docs/protocol.md`, “Attachments”).
//!
//! ```text
//! loop { match transfer.next(port, channel, now, rng) {
//!     Send(request) => received(answer), or opened, arrived…, ended for a download; or failed(),
//!     Sync(why) => run the star session, then come back,
//!     Wait { until_ms } => come back then,
//!     Done => until there is a new file,
//! } }
//! ```
//!
//! One request is one piece of one file, so records go in between. The order: which of the held files the server
//! lacks, once in each generation; uploads, the smallest first; downloads that were asked for; receipts for files
//! that the server has already. The machine can be thrown away at any moment: the server knows how far each
//! upload is, and the replica how far each download.
//!
//! **Invariants.** Only an answer with the right code counts: without it there is no receipt, no offset and no
//! byte. A file that fails for a reason of its own rests, and the others continue.
//!
//! **Not here:** sockets, the session (star), and the files themselves (the port).

mod machine;
mod message;
mod pieces;
mod rate;
mod refusal;
mod rests;

pub use machine::{Step, SyncCause, Transfer};
pub use message::{FileAnswer, FileRequest, HEADERS_READ};
pub use rate::FilesProgress;

#[cfg(test)]
mod tests;
