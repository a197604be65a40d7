//! Devices and their certificates.

use std::sync::Arc;

use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::domain::role::Grant;
use onegrid_core::id::{DeviceId, MemberId};
use onegrid_core::trust::certificate::{Certificate, Facts};
use onegrid_core::trust::sign::PublicKey;

use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::CERTIFICATE_MS;
use crate::store::{DeviceRow, Reader, StoreResult, Writer};

/// Issues a certificate for a device. A phone accepts only a certificate that is issued later than its own. So
/// the new one follows the newest of the device, even when the clock was ahead at that time.
pub fn issue(
    tx: &dyn Reader,
    keys: &Keys,
    device: &PublicKey,
    member: MemberId,
    grants: Vec<Grant>,
    issued_at: DirectoryMark,
    now_ms: i64,
) -> Result<Certificate> {
    let newest = newest(tx, device.device())?;
    let after = |newest: Certificate| newest.facts().issued_ms.saturating_add(1);
    let facts = Facts {
        version: 1,
        device: device.device(),
        device_key: *device.as_bytes(),
        member: Some(member),
        grants,
        issued_ms: newest.map_or(now_ms, |newest| now_ms.max(after(newest))),
        expires_ms: now_ms.saturating_add(CERTIFICATE_MS),
        issued_at,
    };
    Certificate::issue(&facts, keys.certificates(), keys.authority())
        .map_err(|error| Problem::new("registry.too_many_grants").because(&error))
}

/// Stores a certificate and makes it the newest of its device.
pub fn put(tx: &mut dyn Writer, certificate: &Certificate, now_ms: i64) -> StoreResult<()> {
    let facts = certificate.facts();
    tx.put_certificate(certificate.hash(), facts.device, certificate.raw())?;
    let known = tx.device(facts.device)?;
    tx.put_device(&DeviceRow {
        id: facts.device,
        public_key: facts.device_key,
        member: facts.member,
        certificate: certificate.hash(),
        enrolled_ms: known.map_or(now_ms, |known| known.enrolled_ms),
        revoked_ms: revoked_ms(tx, facts.device)?,
    })
}

/// Time of a device's revocation, ms UTC, even if the store does not know the device.
pub fn revoked_ms(tx: &dyn Reader, device: DeviceId) -> StoreResult<Option<i64>> {
    match tx.device(device)?.and_then(|known| known.revoked_ms) {
        Some(revoked_ms) => Ok(Some(revoked_ms)),
        None => directory::revoked_ms(tx, device),
    }
}

/// Stores the server's own author.
pub fn put_author(tx: &mut dyn Writer, author: &Arc<Certificate>, now_ms: i64) -> StoreResult<()> {
    put(tx, author, now_ms)
}

/// Newest certificate of the device.
pub fn newest(tx: &dyn Reader, device: DeviceId) -> StoreResult<Option<Certificate>> {
    let Some(row) = tx.device(device)? else {
        return Ok(None);
    };
    let raw = tx.certificate(row.certificate)?;
    Ok(raw.and_then(|raw| Certificate::from_store(raw).ok()))
}
