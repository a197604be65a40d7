//! Identities and rights: members, devices and their certificates, invitations, sessions, revocations and
//! the audit log.

pub mod admins;
pub(crate) mod anchor;
pub mod audit;
pub mod devices;
pub mod enrolment;
pub mod import;
pub mod members;
pub mod mergers;
pub mod reach;
pub mod reading;
pub mod renewal;
pub mod revocation;
mod rights;
pub mod sessions;
mod slices;
pub mod templates;
pub mod zones;
