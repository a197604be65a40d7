//! Photos and recordings of a replica as files: sealed, in a folder beside the database.
//!
//! ```text
//!  bytes of a host ─▶ NewAttachment (clean, small picture) ─▶ FileFolder ─▶ row `staged`
//!  download ─▶ FileFolder (whole segments), rest in the row ─▶ hash and content ─▶ row `delivered`
//! ```
//!
//! **Contract.** A file has a random name and a key of its own; both are in its row, so a file
//! without a row is of no use and is removed. A row with a file that is whole was committed after
//! the file was durable. A row gives its file up first, in a transaction, and the file is removed
//! after it ([`clean_up`]). So a crash leaves a file too many, and never a row without its file.
//!
//! **Not here:** descriptions in records (`projection`, `engine`), and the transfer (`port`).

pub(super) mod clean_up;
pub(super) mod folder;
pub(super) mod new;
