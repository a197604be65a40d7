//! What an administrator does with a deployment from files and the command line.

pub mod backup;
pub mod data_dir;
pub mod export;
pub mod import;
pub mod seed;
pub mod setup;
pub mod take_in;
pub mod verify;

/// Who the audit log names when an administrator acts by the command line. A running server wakes its phones
/// when it finds a new line of this actor: the change came from another process.
pub const ADMIN: &str = "admin";
