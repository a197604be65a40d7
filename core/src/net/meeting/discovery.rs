//! The announcement of a listener for the discovery of the host (DNS-SD, such as `NsdManager`).
//!
//! It tells no name: the instance has a random name for each listener, and the record holds a
//! version alone. Anybody in the network sees that a phone listens. Only a phone of the deployment
//! can meet it.

use rand_core::Rng;

/// The type of the service.
pub const SERVICE_TYPE: &str = "_onegrid._tcp";

/// The announcement of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name of the instance, random.
    pub name: String,
    /// The port.
    pub port: u16,
    /// The record of texts: the version of meetings.
    pub txt: Vec<(String, String)>,
}

impl Service {
    pub(super) fn new(port: u16, rng: &mut impl Rng) -> Self {
        Self {
            name: format!("{:08x}", rng.next_u32()),
            port,
            txt: vec![("v".to_owned(), "1".to_owned())],
        }
    }
}
