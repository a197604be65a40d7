//! Grants in zones follow the zones. A certificate lists the areas of its zone, so a change of the zone
//! requires new certificates for every member with a role in it.

use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::role::{Grant, Scope};
use onegrid_core::domain::zone::Zone;

use super::members::{self, MemberDescription};
use crate::error::{Problem, Result};
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
    let changed = follow(shared, "server", now_ms)?;
    shared
        .store
        .write::<_, Problem>(move |tx| Ok(tx.set_meta(CHECKED, &now_ms.to_be_bytes())?))?;
    Ok(changed)
}

/// Notes that grants have to follow a changed zone. If the work that follows is cut, [`keep`] does it.
pub(super) fn have_changed(tx: &mut dyn Writer) -> StoreResult<()> {
    tx.set_meta(CHECKED, &i64::MIN.to_be_bytes())
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

/// Gives every role in a zone the present areas of the zone, and returns the number of changed members. The
/// search is outside of any transaction that writes.
pub(super) fn follow(shared: &Shared, actor: &str, now_ms: i64) -> Result<usize> {
    let found = shared.store.read::<_, Problem>(|tx| {
        let view = shared.views.at(tx)?;
        let mut found = Vec::new();
        for member in tx.members()? {
            let id = member.id;
            found.extend(changed(member, &view.directory, now_ms).map(|_| id));
        }
        Ok(found)
    })?;
    if found.is_empty() {
        return Ok(0);
    }
    members::change_all(shared, found, actor, now_ms, move |member, directory| {
        changed(member, directory, now_ms)
    })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::domain::Role;
    use onegrid_core::domain::directory::DirectoryEntry;
    use onegrid_core::domain::names::Names;
    use onegrid_core::domain::zone::{ZoneEntry, ZoneVersion};
    use onegrid_core::fixtures::{NOW, TOWN, VILLAGE};
    use onegrid_core::id::{AreaId, Hash, MemberId, ZoneId};

    use super::*;
    use crate::directory;
    use crate::ingest::tests::world::TestServer;
    use crate::limits::CHANGED_PER_SLICE_MAX;

    const ZONE: ZoneId = ZoneId([0x5a; 16]);
    const HEADS: usize = CHANGED_PER_SLICE_MAX * 2 + 1;

    fn zone(area: AreaId) -> DirectoryEntry {
        DirectoryEntry::Zone(ZoneEntry {
            id: ZONE,
            names: Names::new("中片区", None).unwrap(),
            version: ZoneVersion {
                areas: [area].into(),
                valid_from_ms: 0,
                valid_to_ms: None,
            },
        })
    }

    /// A zone, and many people with a role in it.
    fn manned() -> TestServer {
        let world = TestServer::new();
        let server = &world.server;
        server.publish(vec![zone(VILLAGE)], "zhang", NOW).unwrap();
        let head = |n: usize| MemberDescription {
            id: MemberId::v8(&Hash::of(&[&n.to_be_bytes()])),
            public_name: None,
            area: VILLAGE,
            grants: vec![Grant {
                role: Role::StationHead,
                scope: Scope::Zone {
                    zone: ZONE,
                    areas: vec![VILLAGE],
                },
            }],
        };
        let heads = (0..HEADS).map(head).collect();
        server.put_members(heads, "zhang", NOW).unwrap();
        world
    }

    fn heads_of(world: &TestServer, area: AreaId) -> usize {
        let rows = world.server.store().read(|tx| tx.members()).unwrap();
        let covers = |grant: &Grant| match &grant.scope {
            Scope::Zone { areas, .. } => areas.contains(&area),
            _ => false,
        };
        rows.iter()
            .filter(|row| row.grants.iter().any(covers))
            .count()
    }

    fn policy(world: &TestServer) -> u64 {
        let store = world.server.store();
        store.read(|tx| directory::policy(tx)).unwrap()
    }

    /// Each slice counts as a change of the policy, so a single one would show here.
    #[test]
    fn changed_zone_changes_its_people_in_slices() {
        let world = manned();
        let before = policy(&world);
        let published = world.server.publish(vec![zone(TOWN)], "zhang", NOW + 1);
        assert_eq!(published.unwrap().changed, 1);
        assert_eq!(
            (heads_of(&world, TOWN), heads_of(&world, VILLAGE)),
            (HEADS, 0)
        );
        // One for the zone itself; each person's entry counts too.
        let slices = policy(&world) - before - 1 - HEADS as u64;
        assert_eq!(slices, 3);
    }

    /// The machine goes down between the zone and its people.
    #[test]
    fn cut_change_of_a_zone_is_finished_later() {
        let world = manned();
        assert_eq!(world.server.keep_zones(NOW + 1).unwrap(), 0);
        assert_eq!(heads_of(&world, TOWN), 0);
        let keys = world.keys.clone();
        let store = world.server.store();
        let published = store.write::<_, Problem>(move |tx| {
            directory::publish(tx, &keys, &[zone(TOWN)])?;
            Ok(have_changed(tx)?)
        });
        published.unwrap();
        assert_eq!(heads_of(&world, TOWN), 0);
        assert_eq!(world.server.keep_zones(NOW + 2).unwrap(), HEADS);
        assert_eq!(heads_of(&world, TOWN), HEADS);
        assert_eq!(world.server.keep_zones(NOW + 3).unwrap(), 0, "once");
    }
}
