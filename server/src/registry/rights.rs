//! Changes of a member for the audit log: roles with their places, in codes and ids, never names.
//! So the log tells who gave which right, and when it was taken.
//!
//! ```text
//! 2de13e42-… +district_lead@330105000000 -volunteer@T-7 area:330105013003>330105013004 name
//! ```

use std::fmt::Write as _;

use onegrid_core::domain::Scope;
use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::role::Grant;
use onegrid_core::id::AreaId;

use super::members::MemberDescription;
use crate::store::{MemberRow, Reader, StoreResult};

/// The subject of a line about a member who is added or changed.
pub(super) fn subject(
    tx: &dyn Reader,
    directory: &Directory,
    described: &MemberDescription,
    known: Option<&MemberRow>,
) -> StoreResult<String> {
    let mut text = described.id.to_string();
    let before = known.map_or(&[][..], |known| &known.grants);
    let after = &described.grants;
    for (sign, one, other) in [('+', &after[..], before), ('-', before, &after[..])] {
        for grant in one.iter().filter(|grant| !other.contains(grant)) {
            let (role, place) = (grant.role.name(), place(tx, directory, grant)?);
            // Writing into a String cannot fail.
            let _ = write!(text, " {sign}{role}@{place}");
        }
    }
    if let Some(known) = known {
        if known.area != described.area {
            let (from, to) = (code(directory, known.area), code(directory, described.area));
            let _ = write!(text, " area:{from}>{to}");
        }
        if known.public_name != described.public_name {
            text.push_str(" name");
        }
    }
    Ok(text)
}

/// Code of an area, id of the office for a unit, or id of a zone.
fn place(tx: &dyn Reader, directory: &Directory, grant: &Grant) -> StoreResult<String> {
    Ok(match &grant.scope {
        Scope::Area(path) => code(directory, path.leaf()),
        Scope::Unit(unit) => match tx.external_id(unit.0)? {
            // A blank would part the subject.
            Some(id) => id.split_whitespace().collect::<Vec<_>>().join("_"),
            None => unit.to_string(),
        },
        Scope::Zone { zone, .. } => zone.to_string(),
    })
}

fn code(directory: &Directory, id: AreaId) -> String {
    let area = directory.areas.get(id);
    area.map_or_else(|| id.to_string(), |area| area.newest().code.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::fixtures::{GRID_WORKER_CHEN, NOW, VOLUNTEER_WANG};

    use super::*;
    use crate::ingest::tests::world::TestServer;

    #[test]
    fn log_tells_which_right_was_given_and_taken() {
        let world = TestServer::new();
        let member = VOLUNTEER_WANG.member();
        let unit = VOLUNTEER_WANG.grant().scope.unit().unwrap();
        let ids = vec![(unit.0, "T 7".to_owned())];
        world.server.note_external_ids(ids).unwrap();
        let last = || {
            let row = world.server.store().read(|tx| tx.audit_last());
            let row = row.unwrap().unwrap();
            (row.action, row.subject)
        };
        let line = |action: &str, rest: &str| (action.to_owned(), format!("{member}{rest}"));
        world.member(VOLUNTEER_WANG, vec![VOLUNTEER_WANG.grant()]);
        assert_eq!(last(), line("member.added", " +volunteer@T_7"));
        let (directory, _) = Directory::of(onegrid_core::fixtures::directory());
        let Scope::Area(grid) = GRID_WORKER_CHEN.grant().scope else {
            panic!("a grid");
        };
        let grid = code(&directory, grid.leaf());
        world.member(VOLUNTEER_WANG, vec![GRID_WORKER_CHEN.grant()]);
        let rest = format!(" +grid_worker@{grid} -volunteer@T_7");
        assert_eq!(last(), line("member.changed", &rest));
        let changed = world
            .server
            .change_member(member, "zhang", NOW, |described| {
                described.public_name = Some("另一个名字".to_owned());
                Ok(())
            });
        assert!(changed.unwrap());
        assert_eq!(last(), line("member.changed", " name"));
    }
}
