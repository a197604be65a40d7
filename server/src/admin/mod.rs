//! What an administrator does with a deployment from files and the command line.

pub mod deployment;
pub mod import;
