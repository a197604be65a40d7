//! The work of administrators that a restore undoes. Phones give back records, verdicts and
//! revocations; they do not have the people who were switched off, the accounts and the roles. The
//! database that was set aside has them, so the commands that do this work once more are told.
//!
//! **Not here:** imports and directories. The lines of the audit log tell that they were made;
//! their files make them again.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::{Grant, Role, Scope};
use onegrid_core::id::{AreaId, Hash};

use crate::directory;
use crate::error::{Problem, Result};
use crate::registry::admins::{self, AdminRole};
use crate::store::sqlite::{Administration, peek_administration};
use crate::store::{AdminRow, AuditRow, MemberRow, Reader, Store};

/// The work of administrators since the backup.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Commands that do it once more, people who were switched off first.
    pub commands: Vec<String>,
    /// People whom the backup does not know, by the id that the office uses. An import brings them.
    pub absent: Vec<String>,
    /// Lines of the audit log that the backup does not have.
    pub audit: Vec<AuditRow>,
}

/// Newest lines of the restored log that are compared with the previous one.
const LINES_COMPARED: usize = 1_000;

/// Compares the database that was set aside with the restored one. Fails if it cannot be read, for
/// example because it is damaged.
pub fn losses(aside: &Path, restored: &Arc<dyn Store>) -> Result<Losses> {
    // The restored log has lines of its own, such as the one of the restore.
    let (directory, after, known) = restored.read::<_, Problem>(|tx| {
        let last = tx.audit_last()?.map_or(0, |row| row.no);
        let after = last.saturating_sub(LINES_COMPARED as u64);
        let known = tx.audit(after, LINES_COMPARED)?.into_iter();
        let known: HashSet<Hash> = known.map(|row| row.hash).collect();
        Ok((directory::read(tx)?, after, known))
    })?;
    let mut before = peek_administration(aside, after)?;
    before.audit.retain(|row| !known.contains(&row.hash));
    restored
        .read::<_, Problem>(|tx| {
            let mut found = Losses::default();
            let words = Words {
                directory: &directory,
                external_ids: &before.external_ids,
            };
            people(tx, &before, words, &mut found)?;
            found
                .commands
                .extend(accounts(&before.admins, &tx.admins()?));
            Ok(found)
        })
        .map(|found| Losses {
            audit: before.audit,
            ..found
        })
}

fn people(
    tx: &dyn Reader,
    before: &Administration,
    words: Words<'_>,
    found: &mut Losses,
) -> Result<()> {
    let (mut standing, mut roles) = (Vec::new(), Vec::new());
    for row in &before.members {
        let id = words.member(row);
        let known = tx.member(row.id)?;
        let is_off = known
            .as_ref()
            .is_some_and(|known| known.disabled_ms.is_some());
        match (row.disabled_ms.is_some(), is_off) {
            (true, false) => standing.push(format!("onegrid members disable {id} --yes")),
            (false, true) => standing.push(format!("onegrid members enable {id}")),
            _ => {}
        }
        let Some(known) = known else {
            found.absent.push(id);
            continue;
        };
        for (verb, one, other) in [
            ("take", &known.grants, &row.grants),
            ("add", &row.grants, &known.grants),
        ] {
            let changed = one.iter().filter(|grant| !other.contains(grant));
            let home = (verb == "add").then_some(row.area);
            let options = changed.filter_map(|grant| words.options(grant, home));
            roles.extend(
                options.map(|options| format!("onegrid members roles {verb} {id} {options}")),
            );
        }
    }
    for list in [&mut standing, &mut roles, &mut found.absent] {
        list.sort();
    }
    // A right that was taken is the more urgent one; “add” comes before “take” in the alphabet.
    roles.sort_by_key(|command| command.starts_with("onegrid members roles add"));
    found.commands.extend(standing);
    found.commands.extend(roles);
    Ok(())
}

/// Commands for accounts. The first operator is added first, because afterwards each command names
/// an account.
fn accounts(before: &[AdminRow], restored: &[AdminRow]) -> Vec<String> {
    let mut commands = Vec::new();
    for row in before {
        let (name, roles) = (&row.name, roles(row));
        let known = restored.iter().find(|known| known.name == row.name);
        match known {
            None => commands.push(format!("onegrid admins add {name} --role {roles}")),
            Some(known) if known.roles != row.roles => {
                commands.push(format!("onegrid admins roles {name} --role {roles}"));
            }
            Some(_) => {}
        }
        let was_off = known.is_some_and(|known| known.disabled_ms.is_some());
        match (was_off, row.disabled_ms.is_some()) {
            (false, true) => commands.push(format!("onegrid admins disable {name}")),
            (true, false) => commands.push(format!("onegrid admins enable {name}")),
            _ => {}
        }
    }
    let operator = AdminRole::Operator.name();
    commands.sort_by_key(|command| {
        let gives_operator = command.contains(operator);
        let ends = command.starts_with("onegrid admins disable");
        (ends, !gives_operator)
    });
    commands
}

fn roles(row: &AdminRow) -> String {
    let names: Vec<&str> = admins::roles_of(row)
        .into_iter()
        .map(AdminRole::name)
        .collect();
    names.join(",")
}

#[derive(Clone, Copy)]
struct Words<'a> {
    directory: &'a Directory,
    external_ids: &'a HashMap<[u8; 16], String>,
}

impl Words<'_> {
    fn member(self, row: &MemberRow) -> String {
        let id = self.external_ids.get(&row.id.0);
        quoted(id.map_or_else(|| row.id.to_string(), Clone::clone))
    }

    fn code(self, id: AreaId) -> String {
        let area = self.directory.areas.get(id);
        area.map_or_else(|| id.to_string(), |area| area.newest().code.to_string())
    }

    /// The options of a command about a role; `None` for a zone, whose roles follow the zone.
    /// Members of a team are added with the area where they live.
    fn options(self, grant: &Grant, home: Option<AreaId>) -> Option<String> {
        let role = grant.role.name();
        let home = home.filter(|_| matches!(grant.role, Role::Volunteer | Role::TeamLead));
        let home = home.map(|id| format!(" --area {}", self.code(id)));
        match &grant.scope {
            Scope::Area(path) => Some(format!("--role {role} --area {}", self.code(path.leaf()))),
            Scope::Unit(unit) => {
                let id = self.external_ids.get(&unit.0);
                let id = quoted(id.map_or_else(|| unit.to_string(), Clone::clone));
                Some(format!(
                    "--role {role}{} --unit {id}",
                    home.unwrap_or_default()
                ))
            }
            Scope::Zone { .. } => None,
        }
    }
}

/// One word of a shell.
fn quoted(text: String) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    fn account(name: &str, roles: u8, is_off: bool) -> AdminRow {
        AdminRow {
            name: name.to_owned(),
            roles,
            added_ms: 1,
            disabled_ms: is_off.then_some(2),
        }
    }

    #[test]
    fn accounts_return_in_an_order_that_works() {
        let before = [
            account("cai", 4, false),
            account("li", 2, true),
            account("wang", 1, false),
        ];
        let restored = [account("li", 1, false)];
        let expected = [
            "onegrid admins add wang --role operator",
            "onegrid admins add cai --role auditor",
            "onegrid admins roles li --role registrar",
            "onegrid admins disable li",
        ];
        assert_eq!(accounts(&before, &restored), expected);
        assert_eq!(accounts(&restored, &restored), Vec::<String>::new());
    }

    #[test]
    fn id_of_an_office_is_one_word() {
        assert_eq!(quoted("W-1.7".to_owned()), "W-1.7");
        assert_eq!(quoted("王 7".to_owned()), "'王 7'");
        assert_eq!(quoted("a'; rm".to_owned()), "'a'\\''; rm'");
        assert_eq!(quoted("-x".to_owned()), "'-x'");
    }
}
