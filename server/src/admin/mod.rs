//! Administrator actions on a deployment, from files and the command line.

pub mod audit_log;
pub mod backup;
pub mod changes;
pub mod data_dir;
pub mod export;
pub mod held;
pub mod import;
pub mod invitation_sheet;
pub mod migrate;
mod new_file;
pub mod people;
pub mod phones;
mod remote;
pub mod restore_losses;
pub mod rotation;
pub mod schedule;
pub mod seed;
pub mod setup;
pub mod take_in;
pub(crate) mod time;
pub mod verify;
pub mod wording;
pub mod xlsform;

/// Actor in the audit log for work that no person ordered by name, such as the setup of a deployment.
pub const ADMIN: &str = "admin";
