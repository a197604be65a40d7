//! Grants in zones follow the zones. A certificate lists the areas of its zone, so a change of the zone
//! requires new certificates for every member with a role in it.

use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::role::{Grant, Scope};
use onegrid_core::domain::zone::Zone;

use super::members::{self, MemberDescription, Places, Stamp};
use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::shared::Shared;
use crate::store::{MemberRow, Reader, StoreError, StoreResult, Writer};

/// Key of a note in the store: time of the last comparison of grants with zones, ms UTC.
const CHECKED: &str = "zones_checked";

/// Updates grants when a version of a zone begins or ends, and returns the number of changed members.
/// Call it at regular intervals.
pub fn keep(shared: &Shared, now_ms: i64) -> Result<usize> {
    let due = shared.store.read::<_, Problem>(|tx| {
        let since_ms = checked_ms(tx, now_ms)?;
        Ok(turns_between(
            &shared.views.at(tx)?.directory,
            since_ms,
            now_ms,
        ))
    })?;
    if !due {
        return Ok(0);
    }
    let keys = std::sync::Arc::clone(&shared.keys);
    let changed = shared.store.write::<_, Problem>(move |tx| {
        let changed = follow(tx, &keys, "server", now_ms)?;
        tx.set_meta(CHECKED, &now_ms.to_be_bytes())?;
        Ok(changed)
    })?;
    if changed > 0 {
        shared.wakeups.notify_all();
    }
    Ok(changed)
}

/// Time of the last comparison, ms UTC. A time in the future comes from a clock that was ahead, so it says nothing.
fn checked_ms(tx: &dyn Reader, now_ms: i64) -> StoreResult<i64> {
    let Some(bytes) = tx.meta(CHECKED)? else {
        return Ok(i64::MIN);
    };
    let checked_ms = bytes.try_into().map(i64::from_be_bytes);
    let checked_ms = checked_ms.map_err(|_| StoreError::Row("a number of the store's notes"))?;
    Ok(if checked_ms > now_ms {
        i64::MIN
    } else {
        checked_ms
    })
}

/// Whether a version of a zone began or ended after `after_ms` and not after `through_ms`.
fn turns_between(directory: &Directory, after_ms: i64, through_ms: i64) -> bool {
    let within = |at_ms: i64| after_ms < at_ms && at_ms <= through_ms;
    directory
        .zones
        .iter()
        .flat_map(Zone::versions)
        .any(|version| within(version.valid_from_ms) || version.valid_to_ms.is_some_and(within))
}

/// Gives every role in a zone the present areas of the zone, and returns the number of changed members.
pub(super) fn follow(tx: &mut dyn Writer, keys: &Keys, actor: &str, now_ms: i64) -> Result<usize> {
    let directory = directory::read(tx)?;
    let changed: Vec<MemberDescription> = tx
        .members()?
        .into_iter()
        .filter_map(|member| changed(member, &directory, now_ms))
        .collect();
    let mut places = Places::known(tx, directory)?;
    let stamp = Stamp { actor, now_ms };
    members::put_all(tx, keys, changed.iter(), stamp, &mut places)?;
    Ok(changed.len())
}

fn changed(member: MemberRow, directory: &Directory, now_ms: i64) -> Option<MemberDescription> {
    let now: Vec<Grant> = member
        .grants
        .iter()
        .map(|grant| as_of(grant, directory, now_ms))
        .collect();
    (now != member.grants).then_some(MemberDescription {
        id: member.id,
        public_name: member.public_name,
        area: member.area,
        grants: now,
    })
}

fn as_of(grant: &Grant, directory: &Directory, now_ms: i64) -> Grant {
    let Scope::Zone { zone, areas } = &grant.scope else {
        return grant.clone();
    };
    // A missing or ended zone has no areas.
    let known = directory.zones.get(*zone);
    let now = known.and_then(|known| known.areas_at(now_ms));
    let now = now.map(|now| now.iter().copied().collect::<Vec<_>>());
    let now = now.unwrap_or_default();
    let mut same = areas.clone();
    same.sort_unstable();
    let areas = if same == now { areas.clone() } else { now };
    Grant {
        role: grant.role,
        scope: Scope::Zone { zone: *zone, areas },
    }
}
