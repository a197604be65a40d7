//! Renewal of certificates. A certificate that no longer fits the roles of its member is renewed with the next
//! connection. While a certificate still allows reading, the phone's next connection renews it;
//! afterwards only an administrator can. Work that was written under an old certificate stays valid, because
//! certificates are never deleted.

use std::sync::Arc;

use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::role::{Grant, Scope};
use onegrid_core::id::{AreaId, DeviceId};
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
    let Some(member) = member else {
        return Ok(false);
    };
    // A restored store may have older roles than the phone's certificate. These stay until the office writes
    // them again.
    if !are_made_of(
        &facts.grants,
        &member.grants,
        &views.at(tx)?.directory.areas,
        now_ms,
    ) {
        return Ok(false);
    }
    Ok(grants_now(views, tx, certificate, now_ms)? != facts.grants)
}

/// Whether the grants of a certificate were made of these grants of its member: only areas were added, and each
/// of the added grants is one of the member's roles in an area that has ended.
fn are_made_of(certified: &[Grant], own: &[Grant], areas: &Areas, now_ms: i64) -> bool {
    let has_ended = |id: AreaId| {
        let area = areas.get(id);
        area.is_some_and(|area| area.version_at(now_ms).is_none())
    };
    let is_former = |grant: &Grant| {
        let ends = match &grant.scope {
            Scope::Area(path) => path.ids().iter().any(|id| has_ended(*id)),
            Scope::Zone { .. } | Scope::Unit(_) => false,
        };
        ends && own.iter().any(|own| own.role == grant.role)
    };
    let same = |(certified, own): (&Grant, &Grant)| {
        let same_zone = match (&certified.scope, &own.scope) {
            (Scope::Zone { zone, .. }, Scope::Zone { zone: own, .. }) => zone == own,
            _ => false,
        };
        certified.role == own.role && (same_zone || certified.scope == own.scope)
    };
    let added = certified.get(own.len()..);
    certified.iter().zip(own).all(same) && added.is_some_and(|more| more.iter().all(is_former))
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
            None => reissue(tx, &keys, device, grants.clone(), "server", now_ms).map(Some),
        }
    })
}

/// Renews the certificate of a device for an administrator, even if it has run out. The phone gets it
/// with its next connection. Returns the end of reading, ms UTC.
pub fn renew(shared: &Shared, device: DeviceId, actor: &str, now_ms: i64) -> Result<i64> {
    let (keys, actor) = (std::sync::Arc::clone(&shared.keys), actor.to_owned());
    let view = shared.store.read(|tx| shared.views.at(tx))?;
    let certificate = shared.store.write::<_, Problem>(move |tx| {
        // In the same transaction, because a colleague may take a role at any time.
        let (_, newest) = enrolled(tx, device)?;
        let views = Views::starting_with(Arc::clone(&view));
        let grants = grants_now(&views, tx, &newest, now_ms)?;
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
    use onegrid_core::domain::AreaPath;
    use onegrid_core::domain::Role;
    use onegrid_core::domain::area::{AreaLevel, AreaVersion};
    use onegrid_core::domain::areas::AreaEntry;
    use onegrid_core::domain::names::Names;
    use onegrid_core::fixtures::{GRID_WORKER_CHEN, VOLUNTEER_WANG};
    use onegrid_core::id::ZoneId;

    use super::*;

    /// A district with two towns, of which the second has ended.
    fn areas() -> (Areas, [AreaPath; 2]) {
        let mut areas = Areas::new();
        let rows = [
            ("330105000000", AreaLevel::District, None, None),
            ("330105001000", AreaLevel::Town, Some("330105000000"), None),
            (
                "330105002000",
                AreaLevel::Town,
                Some("330105000000"),
                Some(5),
            ),
        ];
        for (code, level, parent, valid_to_ms) in rows {
            let entry = AreaEntry {
                id: AreaId::of_first_code(code),
                level,
                parent: parent.map(AreaId::of_first_code),
                version: AreaVersion {
                    code: code.parse().unwrap(),
                    names: Names::new("area", None).unwrap(),
                    boundary: None,
                    valid_from_ms: 0,
                    valid_to_ms,
                },
                successors: Vec::new(),
            };
            areas.apply(entry).unwrap();
        }
        let path = |code| areas.path(AreaId::of_first_code(code)).unwrap();
        let paths = ["330105001000", "330105002000"].map(path);
        (areas, paths)
    }

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
        let (areas, [present, former]) = areas();
        let made = |certified: &[Grant], own: &[Grant]| are_made_of(certified, own, &areas, 10);
        let (worker, volunteer) = (GRID_WORKER_CHEN.grant(), VOLUNTEER_WANG.grant());
        let own = [zone(&[2]), worker.clone()];
        assert!(made(&own, &own));
        let more = |grant: Grant| [zone(&[2, 3]), worker.clone(), grant];
        let of = |role, path| Grant {
            role,
            scope: Scope::Area(path),
        };
        assert!(made(&more(of(worker.role, former)), &own));
        // A store that was restored may lack a role that the phone has.
        assert!(!made(&more(of(worker.role, present)), &own), "in force");
        assert!(!made(&more(of(Role::Mediator, former)), &own), "a new role");
        assert!(!made(&more(volunteer.clone()), &own), "unknown place");
        assert!(!made(&own[..1], &own), "one role less");
        assert!(!made(&[zone(&[2]), volunteer], &own), "another scope");
        let elsewhere = Grant {
            role: Role::Mediator,
            ..worker
        };
        assert!(!made(&[zone(&[2]), elsewhere], &own), "another role");
    }
}
