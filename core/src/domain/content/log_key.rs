//! The keys of log entries. A device writes them, and only it may change them.
//!
//! ```text
//!  log.<device>.<id>     8 bytes of the device id in hex · an id of the kind of record
//! ```
//!
//! People edit the other fields together. A log entry is a statement of one phone, such as its way or a scan, so
//! the gate of content refuses each change that writes the key of another device.

use std::fmt;
use std::str::FromStr;

use crate::id::DeviceId;
use crate::limits::LOG_ID_BYTES_MAX;

/// Bytes of a device id that a key holds: as many as the author of a change has.
const DEVICE_BYTES: usize = 8;

/// The key of a log entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    device: [u8; DEVICE_BYTES],
    id: String,
}

/// A text that is no key of a log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the key of a log entry")]
pub struct BadLogKey;

impl LogKey {
    /// The key of an entry of a device. `None` for an id other than 1 to [`LOG_ID_BYTES_MAX`] characters out
    /// of `a-z 0-9 _ -`.
    #[must_use]
    pub fn new(device: DeviceId, id: &str) -> Option<Self> {
        let mut short = [0; DEVICE_BYTES];
        short.copy_from_slice(&device.0[..DEVICE_BYTES]);
        Self::of_parts(short, id)
    }

    fn of_parts(device: [u8; DEVICE_BYTES], id: &str) -> Option<Self> {
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let sound = (1..=LOG_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain);
        let id = id.to_owned();
        sound.then_some(Self { device, id })
    }

    /// The part of the device's id that authors of changes carry.
    #[must_use]
    pub fn device(&self) -> [u8; DEVICE_BYTES] {
        self.device
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{}", u64::from_be_bytes(self.device), self.id)
    }
}

impl FromStr for LogKey {
    type Err = BadLogKey;

    fn from_str(text: &str) -> Result<Self, BadLogKey> {
        let (device, id) = text.split_once('.').ok_or(BadLogKey)?;
        let number = u64::from_str_radix(device, 16).map_err(|_| BadLogKey)?;
        let key = Self::of_parts(number.to_be_bytes(), id).ok_or(BadLogKey)?;
        // Another spelling, such as capitals, would be a second key of the same entry.
        (key.to_string() == text).then_some(key).ok_or(BadLogKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_one_spelling() {
        let key = LogKey::new(DeviceId([0xa7; 16]), "track-12");
        let text = key.as_ref().map(ToString::to_string);
        assert_eq!(text.as_deref(), Some("a7a7a7a7a7a7a7a7.track-12"));
        assert_eq!(text.and_then(|text| text.parse().ok()), key);
        for bad in [
            "",
            "a7.track",
            "A7A7A7A7A7A7A7A7.track",
            "+7a7a7a7a7a7a7a7.track",
            "a7a7a7a7a7a7a7a7",
            "a7a7a7a7a7a7a7a7.",
            "a7a7a7a7a7a7a7a7.a.b",
            "a7a7a7a7a7a7a7a7.Track",
        ] {
            assert_eq!(bad.parse::<LogKey>(), Err(BadLogKey), "{bad}");
        }
        assert_eq!(
            LogKey::new(DeviceId([1; 16]), &"x".repeat(LOG_ID_BYTES_MAX + 1)),
            None
        );
    }
}
