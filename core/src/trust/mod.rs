//! Who may be believed: keys, certificates, and the one way to sign.

pub mod certificate;
pub mod sign;
