//! Renewal of certificates. A certificate that no longer fits the roles of its member is renewed with the next
//! connection. While a certificate still allows reading, the phone's next connection renews it;
//! afterwards only an administrator can. Work that was written under an old certificate stays valid, because
//! certificates are never deleted.

use std::sync::Arc;

use onegrid_core::domain::role::{Grant, Scope};
use onegrid_core::id::DeviceId;
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::sign::PublicKey;
use onegrid_core::wire::message::CloseReason;

use super::{audit, devices};
use crate::directory::heirs::with_former_areas;
use crate::directory::{self, Views};
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::RENEW_BEFORE_MS;
use crate::shared::Shared;
use crate::store::{DeviceRow, Reader, Store, StoreResult, Writer};

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

/// Whether the next handshake must replace the certificate: it is about to run out, or a merger of villages
/// has changed its grants.
pub(super) fn is_outdated(
    views: &Views,
    tx: &dyn Reader,
    certificate: &Certificate,
    now_ms: i64,
) -> StoreResult<bool> {
    if is_due(certificate, now_ms) {
        return Ok(true);
    }
    let facts = certificate.facts();
    if is_over(certificate, now_ms) || facts.member.is_none() {
        return Ok(false);
    }
    let member = match facts.member {
        Some(member) => tx.member(member)?,
        None => None,
    };
    // A restored store may have older roles than the phone's certificate. These stay until the office writes
    // them again.
    if !member.is_some_and(|member| are_made_of(&facts.grants, &member.grants)) {
        return Ok(false);
    }
    Ok(grants_now(views, tx, certificate, now_ms)? != facts.grants)
}

/// Whether the grants of a certificate were made of these grants of its member: only areas were added.
fn are_made_of(certified: &[Grant], own: &[Grant]) -> bool {
    let same = |(certified, own): (&Grant, &Grant)| {
        let same_zone = match (&certified.scope, &own.scope) {
            (Scope::Zone { zone, .. }, Scope::Zone { zone: own, .. }) => zone == own,
            _ => false,
        };
        certified.role == own.role && (same_zone || certified.scope == own.scope)
    };
    certified.len() >= own.len() && certified.iter().zip(own).all(same)
}

/// The grants that a new certificate of this device carries. A restored store may lack the member.
fn grants_now(
    views: &Views,
    tx: &dyn Reader,
    certificate: &Certificate,
    now_ms: i64,
) -> StoreResult<Vec<Grant>> {
    let facts = certificate.facts();
    let member = match facts.member {
        Some(member) => tx.member(member)?,
        None => None,
    };
    let Some(member) = member else {
        return Ok(facts.grants.clone());
    };
    let view = views.at(tx)?;
    Ok(with_former_areas(
        &member.grants,
        &view.directory.areas,
        now_ms,
    ))
}

/// Newest certificate of the device. An outdated one is replaced by one with the member's present grants,
/// because a phone asks for renewal by opening a session.
pub(super) fn newest_certificate(
    shared: &Shared,
    device: DeviceId,
    now_ms: i64,
) -> Result<Option<Certificate>> {
    let known = shared.store.read::<_, Problem>(|tx| {
        let Some(newest) = devices::newest(tx, device)? else {
            return Ok(None);
        };
        let is_outdated = is_outdated(&shared.views, tx, &newest, now_ms)?;
        let grants = grants_now(&shared.views, tx, &newest, now_ms)?;
        Ok(Some((newest, is_outdated.then_some(grants))))
    })?;
    let Some((newest, grants)) = known else {
        return Ok(None);
    };
    let Some(grants) = grants else {
        return Ok(Some(newest));
    };
    let keys = std::sync::Arc::clone(&shared.keys);
    let seen = newest.hash();
    shared.store.write::<_, Problem>(move |tx| {
        // Another session of the phone, or a change of roles, may have renewed it already.
        let newest = devices::newest(tx, device)?;
        match newest.filter(|newest| newest.hash() != seen) {
            Some(newest) => Ok(Some(newest)),
            None => reissue(tx, &keys, device, grants, "server", now_ms).map(Some),
        }
    })
}

/// Renews the certificate of a device for an administrator, even if it has run out. The phone gets it
/// with its next connection. Returns the end of reading, ms UTC.
pub fn renew(shared: &Shared, device: DeviceId, actor: &str, now_ms: i64) -> Result<i64> {
    let (keys, actor) = (std::sync::Arc::clone(&shared.keys), actor.to_owned());
    let grants = shared.store.read::<_, Problem>(|tx| {
        let (_, newest) = enrolled(tx, device)?;
        Ok(grants_now(&shared.views, tx, &newest, now_ms)?)
    })?;
    let certificate = shared.store.write::<_, Problem>(move |tx| {
        let certificate = reissue(tx, &keys, device, grants, &actor, now_ms)?;
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
    grants: Vec<Grant>,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::domain::Role;
    use onegrid_core::fixtures::{GRID_WORKER_CHEN, VOLUNTEER_WANG};
    use onegrid_core::id::{AreaId, ZoneId};

    use super::*;

    /// A certificate with other roles is one of another time. Only the office decides about it.
    #[test]
    fn only_added_areas_make_a_certificate_of_the_same_roles() {
        let zone = |areas: &[u8]| Grant {
            role: Role::StationHead,
            scope: Scope::Zone {
                zone: ZoneId([1; 16]),
                areas: areas.iter().map(|n| AreaId([*n; 16])).collect(),
            },
        };
        let (worker, volunteer) = (GRID_WORKER_CHEN.grant(), VOLUNTEER_WANG.grant());
        let own = [zone(&[2]), worker.clone()];
        assert!(are_made_of(&own, &own));
        let wider = [zone(&[2, 3]), worker.clone(), volunteer.clone()];
        assert!(are_made_of(&wider, &own));
        assert!(!are_made_of(&own[..1], &own), "one role less");
        assert!(
            !are_made_of(&[zone(&[2]), volunteer], &own),
            "another scope"
        );
        let elsewhere = Grant {
            role: Role::Mediator,
            ..worker
        };
        assert!(!are_made_of(&[zone(&[2]), elsewhere], &own), "another role");
    }
}
