//! Import of an administrator's data into the registry, in short transactions.
//!
//! **Invariant.** An import that was cut can be repeated: entries and members that are stored already count as
//! unchanged, and the rest follows.

use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use onegrid_core::domain::directory::{Directory, DirectoryEntry};
use onegrid_core::id::{AreaId, MemberId};

use super::members::{self, Effect, MemberDescription, Places, Stamp};
use super::{audit, slices, zones};
use crate::directory;
use crate::directory::moves::{AreaMove, Moves};
use crate::error::{Problem, Result};
use crate::shared::Shared;
use crate::store::{MemberRow, Reader, StoreResult, Writer};

/// Counts of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCounts {
    /// Entries or members that were new or different.
    pub changed: usize,
    /// Entries or members that did not change.
    pub unchanged: usize,
}

/// A member of a file, with the state that the report compared.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The member as the file describes it.
    pub described: MemberDescription,
    /// The stored member at the comparison; `None` for a new one.
    pub before: Option<MemberRow>,
}

impl Compared {
    /// Whether the stored member still says what was compared.
    fn still(&self, now: Option<&MemberRow>) -> bool {
        match (&self.before, now) {
            (None, None) => true,
            (Some(before), Some(now)) => {
                before.public_name == now.public_name
                    && before.area == now.area
                    && members::same_set(&before.grants, &now.grants)
            }
            _ => false,
        }
    }
}

/// The clock of long work: the server time at its beginning goes on with the machine.
#[derive(Debug, Clone, Copy)]
pub struct WorkClock {
    begun_ms: i64,
    since: Instant,
}

impl WorkClock {
    /// Starts at this server time, ms UTC.
    #[must_use]
    pub fn starting_at(now_ms: i64) -> Self {
        Self {
            begun_ms: now_ms,
            since: Instant::now(),
        }
    }

    /// The server time now, ms UTC.
    fn now_ms(&self) -> i64 {
        let passed: Duration = self.since.elapsed();
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        self.begun_ms.saturating_add(passed_ms)
    }
}

/// Publishes entries of the directory: areas, zones, units, categories. If an entry does not fit, none is
/// published.
pub fn publish(
    shared: &Shared,
    entries: Vec<DirectoryEntry>,
    actor: &str,
    now_ms: i64,
) -> Result<ImportCounts> {
    let (all, by, keys) = (entries.len(), actor.to_owned(), Arc::clone(&shared.keys));
    let zones_changed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&zones_changed);
    let mut trial = shared
        .store
        .read::<_, Problem>(|tx| Ok(directory::read(tx)?))?;
    entries
        .iter()
        .try_for_each(|entry| apply(&mut trial, entry))?;
    let publish_some = move |tx: &mut dyn Writer,
                             turns: &mut slices::Turns<'_, DirectoryEntry>,
                             known: &mut Option<Known>| {
        let policy = directory::policy(tx)?;
        let mut now = match known.take().filter(|known| known.policy == policy) {
            Some(now) => now,
            None => Known::read(tx)?,
        };
        let (mut changed, mut has_zones, mut moved) = (0, false, Vec::new());
        for entry in turns {
            let left = left_parent(&now.directory, entry);
            apply(&mut now.directory, entry)?;
            changed += directory::publish(tx, &keys, std::slice::from_ref(entry))?;
            has_zones |= matches!(entry, DirectoryEntry::Zone(_));
            if let Some((area, from, valid_from_ms)) = left {
                moved.push(AreaMove {
                    area,
                    from,
                    at: directory::mark(tx)?,
                    at_ms: now_ms.max(valid_from_ms),
                });
            }
        }
        Moves::note(tx, moved, now_ms)?;
        now.policy = directory::policy(tx)?;
        *known = Some(now);
        if changed > 0 {
            let subject = changed.to_string();
            audit::note(tx, now_ms, &by, "directory.published", &subject)?;
        }
        if changed > 0 && has_zones {
            zones::have_changed(tx)?;
            seen.store(true, Ordering::Relaxed);
        }
        Ok(changed)
    };
    let changed = slices::run(&shared.store, entries, publish_some, &mut |_| {});
    // Also after an error, because earlier slices stay.
    shared.wakeups.notify_all();
    let followed = if zones_changed.load(Ordering::Relaxed) {
        zones::follow(shared, actor, now_ms)
    } else {
        Ok(0)
    };
    let changed = changed?;
    followed?;
    Ok(ImportCounts {
        changed,
        unchanged: all - changed,
    })
}

/// The area that an entry moves, its parent before, and the first instant of its new version, ms UTC.
fn left_parent(directory: &Directory, entry: &DirectoryEntry) -> Option<(AreaId, AreaId, i64)> {
    let DirectoryEntry::Area(area) = entry else {
        return None;
    };
    let from = directory.areas.get(area.id)?.parent()?;
    let moves = area.parent != Some(from);
    moves.then_some((area.id, from, area.version.valid_from_ms))
}

/// The directory at a count of the policy.
struct Known {
    policy: u64,
    directory: Directory,
}

impl Known {
    fn read(tx: &dyn Reader) -> StoreResult<Self> {
        Ok(Self {
            policy: directory::policy(tx)?,
            directory: directory::read(tx)?,
        })
    }
}

fn apply(directory: &mut Directory, entry: &DirectoryEntry) -> Result<()> {
    entry
        .check_size()
        .and_then(|()| directory.apply(entry.clone()))
        .map_err(|error| Problem::new(error.code()).because(&error))
}

/// Writes members with their grants. `progress` is called after each transaction with the number of members
/// that are done.
pub fn put_members(
    shared: &Shared,
    members: Vec<MemberDescription>,
    actor: &str,
    now_ms: i64,
    progress: &mut dyn FnMut(usize),
) -> Result<ImportCounts> {
    let (all, actor, keys) = (members.len(), actor.to_owned(), Arc::clone(&shared.keys));
    let put_some = move |tx: &mut dyn Writer,
                         turns: &mut slices::Turns<'_, MemberDescription>,
                         places: &mut Places| {
        let stamp = Stamp {
            actor: &actor,
            now_ms,
        };
        members::put_all(tx, &keys, turns, stamp, places)
    };
    let changed = slices::run(&shared.store, members, put_some, progress);
    shared.wakeups.notify_all();
    let changed = changed?;
    Ok(ImportCounts {
        changed,
        unchanged: all - changed,
    })
}

/// Writes members as they were compared. A member whom a colleague has changed since stays; these are returned.
/// `progress` is called after each transaction with the number of members that are done.
pub fn put_compared(
    shared: &Shared,
    members: Vec<Compared>,
    actor: &str,
    clock: WorkClock,
    progress: &mut dyn FnMut(usize),
) -> Result<(ImportCounts, Vec<MemberId>)> {
    let (all, actor, keys) = (members.len(), actor.to_owned(), Arc::clone(&shared.keys));
    let put_some =
        move |tx: &mut dyn Writer, turns: &mut slices::Turns<'_, Compared>, places: &mut Places| {
            let stamp = Stamp {
                actor: &actor,
                now_ms: clock.now_ms(),
            };
            let (mut done, mut rights) = (PutCompared::default(), false);
            for member in turns {
                let described = &member.described;
                if !member.still(tx.member(described.id)?.as_ref()) {
                    done.stale.push(described.id);
                    continue;
                }
                let effect = members::put(tx, &keys, described, stamp, places)?;
                done.changed += usize::from(effect != Effect::None);
                rights |= effect == Effect::Rights;
            }
            if rights {
                places.bump_policy(tx)?;
            }
            Ok(done)
        };
    let done = slices::run(&shared.store, members, put_some, progress);
    shared.wakeups.notify_all();
    let PutCompared { changed, stale } = done?;
    let counts = ImportCounts {
        changed,
        unchanged: all - changed - stale.len(),
    };
    Ok((counts, stale))
}

/// Result of a slice of compared members, and the sum over all slices.
#[derive(Default)]
struct PutCompared {
    changed: usize,
    /// Members that a colleague has changed since.
    stale: Vec<MemberId>,
}

impl AddAssign for PutCompared {
    fn add_assign(&mut self, more: Self) {
        self.changed += more.changed;
        self.stale.extend(more.stale);
    }
}

/// Notes the ids that the office uses for members and units. They stay on the server.
pub fn note_external_ids(shared: &Shared, ids: Vec<([u8; 16], String)>) -> Result<usize> {
    let note_some =
        |tx: &mut dyn Writer, turns: &mut slices::Turns<'_, ([u8; 16], String)>, (): &mut ()| {
            let mut changed = 0;
            for (id, external_id) in turns {
                changed += usize::from(tx.put_external_id(*id, external_id)?);
            }
            Ok(changed)
        };
    slices::run(&shared.store, ids, note_some, &mut |_| {})
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::domain::Grant;
    use onegrid_core::fixtures::{
        GRID_WORKER_CHEN, NOW, Person, VILLAGE, VOLUNTEER_WANG, VOLUNTEER_ZHAO,
    };

    use super::*;
    use crate::ingest::tests::world::TestServer;
    use crate::limits::SLICE_ROWS_MAX;

    fn described(person: Person, grants: Vec<Grant>) -> MemberDescription {
        MemberDescription {
            id: person.member(),
            public_name: Some(person.name.to_owned()),
            area: VILLAGE,
            grants,
        }
    }

    /// A crowd of new members without phones.
    fn crowd(count: usize) -> Vec<MemberDescription> {
        let one = |n: usize| MemberDescription {
            id: MemberId::v8(&onegrid_core::id::Hash::of(&[&n.to_be_bytes()])),
            public_name: Some(format!("志愿者{n}")),
            area: VILLAGE,
            grants: vec![VOLUNTEER_WANG.grant()],
        };
        (0..count).map(one).collect()
    }

    fn policy(world: &TestServer) -> u64 {
        world
            .server
            .store()
            .read(|tx| directory::policy(tx))
            .unwrap()
    }

    fn lines(world: &TestServer) -> u64 {
        let last = world.server.store().read(|tx| tx.audit_last()).unwrap();
        last.map_or(0, |row| row.no)
    }

    /// A cut lets the first slices stay. The same file once more brings the rest, and nothing twice.
    #[test]
    fn cut_import_continues_and_changes_nothing_twice() {
        let world = TestServer::new();
        let members = crowd(SLICE_ROWS_MAX + 20);
        let first = lines(&world);
        let cut = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            put_members(
                &world.server.shared,
                members.clone(),
                "zhang",
                NOW,
                &mut |_| {
                    panic!("the machine goes down after the first slice");
                },
            )
        }));
        assert!(cut.is_err());
        let done = usize::try_from(lines(&world) - first).unwrap();
        assert!((1..=SLICE_ROWS_MAX).contains(&done), "{done}");
        let all = members.len();
        let server = world.reopened();
        let again = server
            .put_members(members.clone(), "zhang", NOW + 1)
            .unwrap();
        assert_eq!((again.changed, again.unchanged), (all - done, done));
        assert_eq!(lines(&world) - first, all as u64, "one line a member");
        let once_more = server.put_members(members, "zhang", NOW + 2).unwrap();
        assert_eq!(once_more.changed, 0);
        assert_eq!(lines(&world) - first, all as u64);
    }

    /// The command works in another process than the server, and `SQLite` lets one of them write. With one
    /// transaction for all, a phone waited as long as the import took.
    #[test]
    fn other_process_writes_while_an_import_runs() {
        use std::time::{Duration, Instant};

        let world = TestServer::new();
        let office = world.reopened();
        let members = crowd(8 * SLICE_ROWS_MAX);
        let (mut longest, mut writes) = (Duration::ZERO, 0);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let import = scope.spawn(|| office.put_members(members, "zhang", NOW).unwrap());
            while !import.is_finished() {
                let asked = Instant::now();
                world.server.try_write(NOW).unwrap();
                longest = longest.max(asked.elapsed());
                writes += 1;
            }
        });
        let whole = begun.elapsed();
        assert!(writes >= 8, "one between two slices: {writes}");
        assert!(longest < whole / 3, "waited {longest:?} of {whole:?}");
    }

    /// Every change of the policy makes each node read the directory anew, and voids uploads under way.
    #[test]
    fn new_members_leave_the_policy_as_it_is() {
        let world = TestServer::new();
        let before = policy(&world);
        world.server.put_members(crowd(50), "zhang", NOW).unwrap();
        assert_eq!(policy(&world), before);
        let mut renamed = crowd(50);
        for member in &mut renamed {
            member.public_name = Some("新名".to_owned());
        }
        world.server.put_members(renamed, "zhang", NOW).unwrap();
        assert_eq!(policy(&world), before, "a name is no right");
        let mut fewer = crowd(50);
        fewer[0].grants.clear();
        world.server.put_members(fewer, "zhang", NOW).unwrap();
        assert!(policy(&world) > before);
    }

    #[test]
    fn change_of_a_role_of_a_phone_changes_the_policy() {
        let world = TestServer::new();
        let _phone = world.phone(VOLUNTEER_ZHAO);
        let before = policy(&world);
        world.member(VOLUNTEER_ZHAO, vec![]);
        assert!(policy(&world) > before);
    }

    /// Spreadsheets are sorted by people. Another order must not cost every phone a new certificate.
    #[test]
    fn other_order_of_the_same_roles_changes_nothing() {
        let world = TestServer::new();
        let mut grants = vec![VOLUNTEER_WANG.grant(), GRID_WORKER_CHEN.grant()];
        let server = &world.server;
        let first = described(VOLUNTEER_WANG, grants.clone());
        server.put_members(vec![first], "zhang", NOW).unwrap();
        grants.reverse();
        let turned = described(VOLUNTEER_WANG, grants);
        let counts = server.put_members(vec![turned], "zhang", NOW).unwrap();
        assert_eq!((counts.changed, counts.unchanged), (0, 1));
    }

    #[test]
    fn entry_that_does_not_fit_publishes_none() {
        use onegrid_core::domain::names::Names;
        use onegrid_core::domain::unit::{Unit, UnitKind};
        use onegrid_core::id::{AreaId, UnitId};

        let world = TestServer::new();
        let unit = |n: u8, area| {
            DirectoryEntry::Unit(Unit {
                id: UnitId([n; 16]),
                names: Names::new("单位", None).unwrap(),
                kind: UnitKind::Department,
                area,
                dissolved_at_ms: None,
            })
        };
        let before = lines(&world);
        let entries = vec![unit(91, VILLAGE), unit(92, AreaId([9; 16]))];
        let done = world.server.publish(entries, "zhang", NOW);
        assert_eq!(done.unwrap_err().code(), "directory.unknown_area");
        assert_eq!(lines(&world), before);
    }
}
