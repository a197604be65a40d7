//! Renewal of certificates. While a certificate still allows reading, the phone's next connection renews it;
//! afterwards only an administrator can. Work that was written under an old certificate stays valid, because
//! certificates are never deleted.

use std::sync::Arc;

use onegrid_core::id::DeviceId;
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::sign::PublicKey;
use onegrid_core::wire::message::CloseReason;

use super::{audit, devices};
use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::RENEW_BEFORE_MS;
use crate::shared::Shared;
use crate::store::{DeviceRow, Reader, Store, Writer};

/// Whether the next handshake must renew the certificate: it still allows reading, but only for a short time.
#[must_use]
pub fn is_due(certificate: &Certificate, now_ms: i64) -> bool {
    let left_ms = certificate.facts().expires_ms.saturating_sub(now_ms);
    left_ms > 0 && left_ms <= RENEW_BEFORE_MS
}

/// Whether the certificate no longer allows reading.
#[must_use]
pub fn is_over(certificate: &Certificate, now_ms: i64) -> bool {
    certificate.facts().expires_ms <= now_ms
}

/// Newest certificate of the device. A certificate that is about to run out is replaced by one with the
/// member's present grants, because a phone asks for renewal by opening a session.
pub(super) fn newest_certificate(
    shared: &Shared,
    device: DeviceId,
    now_ms: i64,
) -> Result<Option<Certificate>> {
    let newest = shared
        .store
        .read::<_, Problem>(|tx| Ok(devices::newest(tx, device)?))?;
    if !newest.as_ref().is_some_and(|newest| is_due(newest, now_ms)) {
        return Ok(newest);
    }
    let keys = std::sync::Arc::clone(&shared.keys);
    shared.store.write::<_, Problem>(move |tx| {
        // Another session of the phone may have renewed it already.
        let newest = devices::newest(tx, device)?;
        match newest.filter(|newest| !is_due(newest, now_ms)) {
            Some(newest) => Ok(Some(newest)),
            None => reissue(tx, &keys, device, "server", now_ms).map(Some),
        }
    })
}

/// Renews the certificate of a device for an administrator, even if it has run out. The phone gets it
/// with its next connection. Returns the end of reading, ms UTC.
pub fn renew(shared: &Shared, device: DeviceId, actor: &str, now_ms: i64) -> Result<i64> {
    let (keys, actor) = (std::sync::Arc::clone(&shared.keys), actor.to_owned());
    let certificate = shared.store.write::<_, Problem>(move |tx| {
        let certificate = reissue(tx, &keys, device, &actor, now_ms)?;
        tx.end_sessions(device)?;
        Ok(certificate)
    })?;
    Ok(certificate.facts().expires_ms)
}

/// Reason why a device may still deliver but no longer read; `None` if it may read.
pub(crate) fn reading_ended(
    store: &Arc<dyn Store>,
    device: DeviceId,
    now_ms: i64,
) -> Result<Option<CloseReason>> {
    let newest = store.read::<_, Problem>(|tx| Ok(devices::newest(tx, device)?))?;
    let over = newest.is_some_and(|newest| is_over(&newest, now_ms));
    Ok(over.then_some(CloseReason::Expired))
}

fn reissue(
    tx: &mut dyn Writer,
    keys: &Keys,
    device: DeviceId,
    actor: &str,
    now_ms: i64,
) -> Result<Certificate> {
    let (row, newest) = enrolled(tx, device)?;
    let key = PublicKey::from_bytes(&row.public_key)
        .map_err(|error| Problem::new("store.damaged").because(&error))?;
    let member = newest
        .facts()
        .member
        .ok_or_else(|| Problem::new("registry.own_author").with("device", device))?;
    let grants = match tx.member(member)? {
        Some(known) => known.grants,
        None => newest.facts().grants.clone(),
    };
    let mark = directory::mark(tx)?;
    let certificate = devices::issue(tx, keys, &key, member, grants, mark, now_ms)?;
    devices::put(tx, &certificate, now_ms)?;
    audit::note(
        tx,
        now_ms,
        actor,
        "certificate.renewed",
        &device.to_string(),
    )?;
    Ok(certificate)
}

fn enrolled(tx: &dyn Reader, device: DeviceId) -> Result<(DeviceRow, Certificate)> {
    let unknown = || Problem::new("registry.unknown_device").with("device", device);
    let row = tx.device(device)?.ok_or_else(unknown)?;
    if row.revoked_ms.is_some() {
        return Err(Problem::new("registry.device_revoked").with("device", device));
    }
    let newest = devices::newest(tx, device)?.ok_or_else(unknown)?;
    Ok((row, newest))
}
