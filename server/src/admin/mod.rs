//! Administrator actions on a deployment, from files and the command line.

pub mod backup;
pub mod data_dir;
pub mod export;
pub mod import;
pub mod rotation;
pub mod seed;
pub mod setup;
pub mod take_in;
pub mod verify;
pub mod xlsform;

/// Actor in the audit log for the command line. A running server wakes its phones after a new line of this
/// actor, because the change came from another process.
pub const ADMIN: &str = "admin";
