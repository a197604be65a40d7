//! The keys that phones seal parcels to. Another phone brings the parcel and cannot read it.
//!
//! A retired key opens parcels for as long as a courier may carry one. A key that leaked opens none. A key
//! that opens no parcel any more leaves the list and the file, so older parcels stay closed to a thief.

use onegrid_core::id::DeviceId;
use onegrid_core::limits::{PARCEL_AGE_MS_MAX, PARCEL_CONTENT_BYTES_MAX};
use onegrid_core::trust::certificate::{ServerKey, ServerPurpose};
use onegrid_core::trust::parcel::{ParcelKey, SealedParcel};
use onegrid_core::wire::frame::{self, FrameError};
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::parcel::ParcelOutcome;
use rand_core::CryptoRng;

use super::{Ending, Keys};
use crate::limits::{KEY_HANDOVER_MS, SERVER_KEY_SLACK_MS};

impl Keys {
    /// Opens a parcel. The error is a refusal.
    pub fn open_parcel(&self, bytes: &[u8], now_ms: i64) -> Result<Bundle, ParcelOutcome> {
        let sealed = SealedParcel::from_bytes(bytes)?;
        let id = sealed.key();
        let listed = self.anchors.list().keys.iter();
        let opens = listed
            .filter(|key| key.purpose == ServerPurpose::Parcels && still_opens(key, now_ms))
            .any(|key| DeviceId::of_key(&key.key) == id);
        let key = self.parcels.iter().find(|key| opens && key.id() == id);
        let key = key.ok_or(ParcelOutcome::UnknownKey)?;
        let content = key.open(&sealed, self.authority())?;
        frame::decode(&content, PARCEL_CONTENT_BYTES_MAX).map_err(|error| match error {
            FrameError::TooLarge | FrameError::Inflates => ParcelOutcome::TooLarge,
            FrameError::Version | FrameError::Damaged | FrameError::Shape => {
                ParcelOutcome::Malformed
            }
        })
    }

    /// Whether the file has the secret of each parcel key in use.
    pub(super) fn has_parcel_keys(&self) -> bool {
        let listed = self.anchors.list().keys.iter();
        let mut in_use =
            listed.filter(|key| key.purpose == ServerPurpose::Parcels && key.until_ms.is_none());
        in_use.all(|listed| self.parcels.iter().any(|key| key.public() == listed.key))
    }

    /// The parcel keys after a change, the one in use first, and their entries for the list. A list without
    /// such a key gets one.
    pub(super) fn next_parcel_keys(
        &self,
        ending: Option<Ending>,
        now_ms: i64,
        generation_max: u32,
        rng: &mut dyn CryptoRng,
    ) -> (Vec<ParcelKey>, Vec<ServerKey>) {
        let present = self.anchors.list().keys.iter();
        let present =
            present.filter(|key| key.purpose == ServerPurpose::Parcels && still_opens(key, now_ms));
        let mut entries: Vec<ServerKey> = match ending {
            Some(Ending::Leaked) => Vec::new(),
            Some(Ending::Retired) => present
                .map(|key| ServerKey {
                    until_ms: key.until_ms.or(Some(now_ms + KEY_HANDOVER_MS)),
                    ..key.clone()
                })
                .collect(),
            None => present
                .map(|key| ServerKey {
                    generation_max: match key.until_ms {
                        None => generation_max,
                        Some(_) => key.generation_max,
                    },
                    ..key.clone()
                })
                .collect(),
        };
        let stays = |key: &&ParcelKey| entries.iter().any(|entry| entry.key == key.public());
        let mut keys: Vec<ParcelKey> = self.parcels.iter().filter(stays).cloned().collect();
        if !entries.iter().any(|entry| entry.until_ms.is_none()) {
            let new = ParcelKey::generate(rng);
            let from_ms = now_ms - SERVER_KEY_SLACK_MS;
            entries.push(ServerKey::for_parcels(
                new.public(),
                from_ms,
                generation_max,
            ));
            keys.insert(0, new);
        }
        (keys, entries)
    }
}

/// Whether a phone may still carry a parcel for this key.
fn still_opens(key: &ServerKey, now_ms: i64) -> bool {
    key.until_ms
        .is_none_or(|until_ms| now_ms <= until_ms.saturating_add(PARCEL_AGE_MS_MAX))
}
