//! Revocation: one transaction in the order of acceptance. The device's earlier deliveries stay; its
//! later ones are held.

use std::collections::HashSet;

use onegrid_core::domain::directory::{DirectoryEntry, Revocation};
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::DeviceId;

use super::audit;
use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::shared::Shared;
use crate::store::{DeviceRow, Writer};

/// Revokes a device. Returns false if it was already revoked.
pub fn revoke(shared: &Shared, device: DeviceId, actor: &str, now_ms: i64) -> Result<bool> {
    let (actor, keys) = (actor.to_owned(), std::sync::Arc::clone(&shared.keys));
    let fresh = shared.store.write::<_, Problem>(move |tx| {
        let row = tx
            .device(device)?
            .ok_or_else(|| Problem::new("registry.unknown_device").with("device", device))?;
        if row.member.is_none() {
            return Err(Problem::new("registry.own_author").with("device", device));
        }
        revoke_in(tx, &keys, &row, &actor, now_ms)
    })?;
    cut_off(shared, &[device]);
    Ok(fresh)
}

/// Revokes a known device inside a job. Returns false if it was already revoked.
pub(super) fn revoke_in(
    tx: &mut dyn Writer,
    keys: &Keys,
    row: &DeviceRow,
    actor: &str,
    now_ms: i64,
) -> Result<bool> {
    let device = row.id;
    if row.revoked_ms.is_some() {
        return Ok(false);
    }
    tx.put_device(&DeviceRow {
        revoked_ms: Some(now_ms),
        ..row.clone()
    })?;
    tx.end_sessions(device)?;
    let revocation = Revocation {
        device,
        revoked_at_ms: now_ms,
    };
    directory::publish(tx, keys, &[DirectoryEntry::Revocation(revocation)])?;
    audit::note(tx, now_ms, actor, "device.revoked", &device.to_string())?;
    Ok(true)
}

/// Ends the connections of revoked devices, and wakes the others, which read of the revocation.
pub(super) fn cut_off(shared: &Shared, devices: &[DeviceId]) {
    for device in devices {
        shared.wakeups.cut(*device);
    }
    shared
        .wakeups
        .notify(&std::iter::once(StreamId::DirectoryBase).collect());
}

/// Cuts off devices that another process revoked. Call it about once a second.
pub fn cut_revoked(shared: &Shared) -> Result<()> {
    let waiting = shared.wakeups.devices();
    if waiting.is_empty() {
        return Ok(());
    }
    let gone = shared.store.read::<_, Problem>(|tx| {
        let revoked: HashSet<DeviceId> = tx.revoked()?.into_iter().collect();
        let gone = waiting
            .into_iter()
            .filter(|device| revoked.contains(device));
        Ok(gone.collect::<Vec<_>>())
    })?;
    for device in gone {
        shared.wakeups.cut(device);
    }
    Ok(())
}
