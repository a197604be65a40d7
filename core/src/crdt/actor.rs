//! The author of a change: the device, and the installation epoch on it.

use std::fmt;

use crate::id::DeviceId;

/// The first 8 bytes of a device id: the part of it that an actor id carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevicePrefix(pub [u8; 8]);

/// The author of changes: 8 bytes of the device id, then 8 random bytes of the installation epoch.
///
/// A restored or cloned installation takes a new epoch, so that it never continues a sequence that another
/// installation continues.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub [u8; 16]);

impl ActorId {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// The actor of a device in an installation epoch.
    #[must_use]
    pub fn new(device: &DeviceId, epoch: [u8; 8]) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&device.0[..8]);
        bytes[8..].copy_from_slice(&epoch);
        Self(bytes)
    }

    /// The device's part.
    #[must_use]
    pub fn device(&self) -> DevicePrefix {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&self.0[..8]);
        DevicePrefix(prefix)
    }

    /// The installation epoch.
    #[must_use]
    pub fn epoch(&self) -> [u8; 8] {
        let mut epoch = [0; 8];
        epoch.copy_from_slice(&self.0[8..]);
        epoch
    }

    pub(super) fn to_automerge(self) -> automerge::ActorId {
        automerge::ActorId::from(&self.0[..])
    }
}

impl DevicePrefix {
    /// The prefix of a device.
    #[must_use]
    pub fn of(device: &DeviceId) -> Self {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&device.0[..8]);
        Self(prefix)
    }

    /// Whether this is the prefix of the device.
    #[must_use]
    pub fn matches(&self, device: &DeviceId) -> bool {
        self.0 == device.0[..8]
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DevicePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
