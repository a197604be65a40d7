//! The phones of a deployment as an office looks for them: the failing ones first.

use std::collections::HashMap;

use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{AreaId, DeviceId, MemberId};
use onegrid_core::wire::cursor::{Cursor, CursorAt};

use super::people::is_in;
use crate::directory;
use crate::directory::heirs::with_former_areas;
use crate::directory::routing::{At, read_by};
use crate::error::{Problem, Result};
use crate::registry::devices;
use crate::server::Server;
use crate::store::{DeviceRow, MemberRow, Reader, StoreResult};

/// The worst thing about a phone, in the order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its certificate has run out, so it reads nothing new.
    Expired,
    /// Some of its work waits for review.
    Waiting,
    /// The server has given it nothing since it was enrolled, or since a restore.
    Silent,
    /// It has not read everything yet.
    Behind,
    /// All is well.
    Well,
    /// It is revoked.
    Revoked,
}

impl Standing {
    /// Name for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Waiting => "waiting",
            Self::Silent => "silent",
            Self::Behind => "behind",
            Self::Well => "well",
            Self::Revoked => "revoked",
        }
    }

    /// Whether an office should look at the phone.
    #[must_use]
    pub fn is_failing(self) -> bool {
        !matches!(self, Self::Well | Self::Revoked)
    }
}

/// A phone with the facts that a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// The device as the store has it.
    pub device: DeviceRow,
    /// Its owner.
    pub owner: MemberRow,
    /// Id that the office uses for the owner.
    pub external_id: Option<String>,
    /// Last time that its certificate allows reading, ms UTC.
    pub reads_until_ms: i64,
    /// Entries of its streams that the server has not given it; `None` if the server does not know.
    pub behind: Option<u64>,
    /// Entries of it that wait for review.
    pub waiting: usize,
    /// The worst thing about it.
    pub standing: Standing,
}

/// A question about phones; every condition must hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Of this member.
    pub member: Option<MemberId>,
    /// Of a member who lives in this area, or holds a role in it.
    pub area: Option<AreaId>,
    /// Only failing ones.
    pub failing: bool,
    /// Only this one.
    pub device: Option<DeviceId>,
}

/// Returns the phones that match, the failing ones first, and the directory that names their places.
pub fn find(server: &Server, filter: Filter, now_ms: i64) -> Result<(Vec<Phone>, Directory)> {
    let mut waiting: HashMap<DeviceId, usize> = HashMap::new();
    for one in server.waiting(usize::MAX)? {
        *waiting.entry(one.author).or_default() += 1;
    }
    server.store().read::<_, Problem>(|tx| {
        let directory = directory::read(tx)?;
        let mut heads = HashMap::new();
        let mut found = Vec::new();
        for device in tx.devices()? {
            let is_wanted = filter.device.is_none_or(|wanted| wanted == device.id)
                && filter
                    .member
                    .is_none_or(|member| device.member == Some(member));
            let owner = match device.member.filter(|_| is_wanted) {
                Some(member) => tx.member(member)?,
                None => None,
            };
            let lives = |owner: &MemberRow| {
                let area = filter.area;
                area.is_none_or(|area| is_in(owner, area, &directory))
            };
            let Some(owner) = owner.filter(lives) else {
                continue;
            };
            let at = At {
                directory: &directory,
                now_ms,
            };
            let newest = devices::newest(tx, device.id)?;
            let mut phone = Phone {
                external_id: tx.external_id(owner.id.0)?,
                reads_until_ms: newest.map_or(0, |newest| newest.facts().expires_ms),
                behind: behind(tx, &device, &owner, at, &mut heads)?,
                waiting: waiting.get(&device.id).copied().unwrap_or_default(),
                standing: Standing::Well,
                device,
                owner,
            };
            phone.standing = standing(&phone, now_ms);
            if !filter.failing || phone.standing.is_failing() {
                found.push(phone);
            }
        }
        found.sort_by_key(|phone| {
            let behind = std::cmp::Reverse(phone.behind);
            let id = (phone.external_id.clone(), phone.device.id);
            (phone.standing, behind, id)
        });
        Ok((found, directory))
    })
}

fn standing(phone: &Phone, now_ms: i64) -> Standing {
    if phone.device.revoked_ms.is_some() {
        return Standing::Revoked;
    }
    if phone.reads_until_ms <= now_ms {
        return Standing::Expired;
    }
    match phone.behind {
        _ if phone.waiting > 0 => Standing::Waiting,
        None => Standing::Silent,
        Some(0) => Standing::Well,
        Some(_) => Standing::Behind,
    }
}

/// Counts the entries after the cursors of the last answer, over the streams that the owner reads now.
fn behind(
    tx: &dyn Reader,
    device: &DeviceRow,
    owner: &MemberRow,
    at: At<'_>,
    heads: &mut HashMap<StreamId, u64>,
) -> StoreResult<Option<u64>> {
    let given = tx.cursors(device.id)?;
    let cursors = given.and_then(|row| minicbor::decode::<Vec<Cursor>>(&row.cursors).ok());
    let Some(cursors) = cursors else {
        return Ok(None);
    };
    let grants = with_former_areas(&owner.grants, &at.directory.areas, at.now_ms);
    let mut sum = 0;
    for stream in read_by(owner.id, &grants, at) {
        let head = match heads.get(&stream) {
            Some(head) => *head,
            None => tx.head(stream)?.position,
        };
        heads.insert(stream, head);
        let cursor = cursors.iter().find(|cursor| cursor.stream == stream);
        let read = match cursor.map(|cursor| &cursor.at) {
            Some(CursorAt::At { position, .. }) => *position,
            // A first load counts as a whole until it ends.
            Some(CursorAt::Fresh | CursorAt::Loading { .. }) | None => 0,
        };
        sum += head.saturating_sub(read);
    }
    Ok(Some(sum))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::fixtures::{
        GRID_WORKER_CHEN, NOW, TOWN, VILLAGE_LEAD_QIAN, VOLUNTEER_WANG, VOLUNTEER_ZHAO, area,
    };

    use super::*;
    use crate::ingest::tests::world::TestServer;
    use crate::limits::CERTIFICATE_MS;

    fn standings(world: &TestServer, filter: Filter, now_ms: i64) -> Vec<(DeviceId, Standing)> {
        // The cursors of an answer are written with the next commit.
        world.server.try_write(now_ms).unwrap();
        let (found, _) = find(&world.server, filter, now_ms).unwrap();
        found
            .iter()
            .map(|phone| (phone.device.id, phone.standing))
            .collect()
    }

    #[test]
    fn failing_phones_come_first_with_their_reason() {
        let world = TestServer::new();
        let mut well = world.phone(GRID_WORKER_CHEN);
        let mut waiting = world.phone(VOLUNTEER_WANG);
        let lost = world.phone(VOLUNTEER_ZHAO);
        let silent = world.phone(VILLAGE_LEAD_QIAN);
        // A clock that is years ahead.
        let now_ms = waiting.clock_ms;
        waiting.clock_ms += 3 * 366 * 24 * 3_600_000;
        let report = waiting.report("gas");
        waiting.clock_ms = now_ms;
        waiting.push(&world.server, &[&report]);
        let device = lost.session.device;
        world.server.revoke(device, "zhang", NOW).unwrap();
        well.pull(&world.server, 1 << 20);
        let ids = [&waiting, &silent, &well, &lost].map(|phone| phone.session.device);
        let all = standings(&world, Filter::default(), NOW);
        let expected = [
            (ids[0], Standing::Waiting),
            (ids[1], Standing::Silent),
            (ids[2], Standing::Well),
            (ids[3], Standing::Revoked),
        ];
        assert_eq!(all, expected);

        // News that the well phone has not fetched.
        let now_ms = waiting.clock_ms;
        waiting.clock_ms = NOW;
        let report = waiting.report("second");
        waiting.clock_ms = now_ms;
        waiting.push(&world.server, &[&report]);
        let failing = Filter {
            failing: true,
            ..Filter::default()
        };
        let (found, _) = find(&world.server, failing, NOW).unwrap();
        assert_eq!(found.len(), 3);
        let last = &found[2];
        assert_eq!((last.device.id, last.standing), (ids[2], Standing::Behind));
        assert_eq!(last.behind, Some(1));
        let late = standings(&world, failing, NOW + CERTIFICATE_MS);
        assert!(
            late.iter()
                .all(|(_, standing)| *standing == Standing::Expired)
        );
    }

    #[test]
    fn conditions_narrow_the_list() {
        let world = TestServer::new();
        let chen = world.phone(GRID_WORKER_CHEN);
        world.phone(VOLUNTEER_WANG);
        let count = |filter| standings(&world, filter, NOW).len();
        let of_member = Filter {
            member: Some(GRID_WORKER_CHEN.member()),
            ..Filter::default()
        };
        assert_eq!(count(of_member), 1);
        let in_area = |id| Filter {
            area: Some(id),
            ..Filter::default()
        };
        assert_eq!((count(in_area(TOWN)), count(in_area(area(77)))), (2, 0));
        let one = Filter {
            device: Some(chen.session.device),
            ..Filter::default()
        };
        assert_eq!(count(one), 1);
    }
}
