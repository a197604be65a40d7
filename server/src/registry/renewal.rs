//! Certificates run out: renewed when the phone comes, while they still allow reading; afterwards by an
//! administrator. What was written under an old one stays valid: certificates are kept for good.

use onegrid_core::id::DeviceId;
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::sign::PublicKey;
use onegrid_core::wire::message::Closed;

use super::{audit, devices, directory};
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::RENEW_BEFORE_MS;
use crate::server::Server;
use crate::store::{DeviceRow, Reader, Writer};

/// Whether it is to be renewed at the next handshake: it still allows reading, and not for long.
#[must_use]
pub fn is_due(certificate: &Certificate, now_ms: i64) -> bool {
    let left_ms = certificate.facts().expires_ms.saturating_sub(now_ms);
    left_ms > 0 && left_ms <= RENEW_BEFORE_MS
}

/// Whether it allows reading no more.
#[must_use]
pub fn is_over(certificate: &Certificate, now_ms: i64) -> bool {
    certificate.facts().expires_ms <= now_ms
}

impl Server {
    /// The device's newest certificate. One that is about to run out is replaced by one with the grants of
    /// today: opening a session is how a phone asks for it.
    pub(super) fn newest_certificate(
        &self,
        device: DeviceId,
        now_ms: i64,
    ) -> Result<Option<Certificate>> {
        let newest = self
            .store
            .read::<_, Problem>(|tx| Ok(devices::newest(tx, device)?))?;
        if !newest.as_ref().is_some_and(|newest| is_due(newest, now_ms)) {
            return Ok(newest);
        }
        let keys = std::sync::Arc::clone(&self.keys);
        self.store.write::<_, Problem>(move |tx| {
            // Another session of the phone may have come first.
            let newest = devices::newest(tx, device)?;
            match newest.filter(|newest| !is_due(newest, now_ms)) {
                Some(newest) => Ok(Some(newest)),
                None => reissue(tx, &keys, device, "server", now_ms).map(Some),
            }
        })
    }

    /// An administrator renews the certificate of a device, whether or not it has run out. The phone takes it
    /// when it comes next. Gives until when it allows reading, ms UTC.
    pub fn renew(&self, device: DeviceId, actor: &str, now_ms: i64) -> Result<i64> {
        let (keys, actor) = (std::sync::Arc::clone(&self.keys), actor.to_owned());
        let certificate = self.store.write::<_, Problem>(move |tx| {
            let certificate = reissue(tx, &keys, device, &actor, now_ms)?;
            tx.end_sessions(device)?;
            Ok(certificate)
        })?;
        Ok(certificate.facts().expires_ms)
    }

    /// Why a device may deliver and no longer read, if that is so.
    pub(crate) fn reading_ended(&self, device: DeviceId, now_ms: i64) -> Result<Option<Closed>> {
        let newest = self
            .store
            .read::<_, Problem>(|tx| Ok(devices::newest(tx, device)?))?;
        let over = newest.is_some_and(|newest| is_over(&newest, now_ms));
        Ok(over.then_some(Closed::Expired))
    }
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
    let certificate = devices::issue(keys, &key, member, grants, mark, now_ms)?;
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
