//! Accounts of administrators: a name for the audit log, and the commands that it may run.
//!
//! **Invariant.** As long as there is no account, every command belongs to the user of the operating
//! system, and the log says so (`os:name`). Afterwards each command that changes or shows data names an
//! account, and an enabled operator is always left to manage the accounts.
//! **Not here:** passwords. A person who can open the data folder can also edit it; the accounts bring
//! order into the work of an office and names into its log.

use onegrid_core::id::{DeviceId, MemberId};

use super::audit;
use crate::error::{Phrase, Problem, Result};
use crate::limits::{ADMIN_NAME_CHARS_MAX, ADMINS_MAX};
use crate::shared::Shared;
use crate::store::{AdminRow, Reader, Writer};

/// Prefix of an actor that is a user of the operating system.
const OS_USER: &str = "os:";

/// Actors of the program itself, and of older versions.
const RESERVED: [&str; 2] = ["server", "admin"];

/// A role of an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminRole {
    /// Runs the server: backup, restore, keys, verification, accounts.
    Operator,
    /// Keeps people, units and areas: import, invitations, revocation, review.
    Registrar,
    /// Looks: audit log, reading log, export.
    Auditor,
}

impl AdminRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Operator, Self::Registrar, Self::Auditor];

    const fn bit(self) -> u8 {
        match self {
            Self::Operator => 1,
            Self::Registrar => 2,
            Self::Auditor => 4,
        }
    }

    /// Stable name, as a command takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Registrar => "registrar",
            Self::Auditor => "auditor",
        }
    }

    /// Code of the word for people.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Operator => "admin.operator",
            Self::Registrar => "admin.registrar",
            Self::Auditor => "admin.auditor",
        }
    }
}

/// Roles of an account, in the order of [`AdminRole::ALL`].
#[must_use]
pub fn roles_of(row: &AdminRow) -> Vec<AdminRole> {
    let has = |role: &AdminRole| row.roles & role.bit() != 0;
    AdminRole::ALL.into_iter().filter(has).collect()
}

fn bits(roles: &[AdminRole]) -> u8 {
    roles.iter().fold(0, |bits, role| bits | role.bit())
}

/// Actor for a user of the operating system.
#[must_use]
pub fn os_actor(user: &str) -> String {
    format!("{OS_USER}{user}")
}

/// Whether a line of the audit log is of an administrator, and so of another process than the server's.
#[must_use]
pub fn is_actor(actor: &str) -> bool {
    let is_id = actor.parse::<MemberId>().is_ok() || actor.parse::<DeviceId>().is_ok();
    actor != "server" && !is_id
}

/// Finds the actor of a command, and checks that the account may run it. `needed` is the role that the
/// command takes; `None` lets every account in.
pub fn authorise(
    tx: &dyn Reader,
    named: Option<&str>,
    os_user: &str,
    needed: Option<AdminRole>,
) -> Result<String> {
    let rows = tx.admins()?;
    let Some(name) = named else {
        return if rows.is_empty() {
            Ok(os_actor(os_user))
        } else {
            Err(Problem::new("admin.actor_missing"))
        };
    };
    let row = rows.iter().find(|row| row.name == name);
    let row = row.ok_or_else(|| Problem::new("admin.unknown").with("name", name))?;
    if row.disabled_ms.is_some() {
        return Err(Problem::new("admin.is_disabled").with("name", name));
    }
    match needed {
        Some(role) if row.roles & role.bit() == 0 => Err(Problem::new("admin.role_missing")
            .with("name", name)
            .with_phrase("role", Phrase::new(role.code()))),
        _ => Ok(row.name.clone()),
    }
}

/// Adds an account.
pub fn add(
    shared: &Shared,
    name: &str,
    roles: &[AdminRole],
    actor: &str,
    now_ms: i64,
) -> Result<()> {
    let (row, actor) = (
        AdminRow {
            name: checked_name(name)?,
            roles: bits(roles),
            added_ms: now_ms,
            disabled_ms: None,
        },
        actor.to_owned(),
    );
    shared.store.write::<_, Problem>(move |tx| {
        let rows = tx.admins()?;
        if rows.iter().any(|known| known.name == row.name) {
            return Err(Problem::new("admin.exists").with("name", &row.name));
        }
        if rows.len() >= ADMINS_MAX {
            return Err(Problem::new("admin.too_many").with("max", ADMINS_MAX));
        }
        change(tx, rows, row.clone(), &actor, "admin.added", now_ms)
    })
}

/// Replaces the roles of an account.
pub fn set_roles(
    shared: &Shared,
    name: &str,
    roles: &[AdminRole],
    actor: &str,
    now_ms: i64,
) -> Result<()> {
    let roles = bits(roles);
    edit(shared, name, actor, "admin.changed", now_ms, move |row| {
        row.roles = roles;
    })
}

/// Switches an account off or on again.
pub fn set_disabled(
    shared: &Shared,
    name: &str,
    is_disabled: bool,
    actor: &str,
    now_ms: i64,
) -> Result<()> {
    let action = if is_disabled {
        "admin.disabled"
    } else {
        "admin.enabled"
    };
    edit(shared, name, actor, action, now_ms, move |row| {
        row.disabled_ms = is_disabled.then_some(now_ms);
    })
}

fn edit(
    shared: &Shared,
    name: &str,
    actor: &str,
    action: &'static str,
    now_ms: i64,
    alter: impl Fn(&mut AdminRow) + Send + 'static,
) -> Result<()> {
    let (name, actor) = (name.to_owned(), actor.to_owned());
    shared.store.write::<_, Problem>(move |tx| {
        let mut rows = tx.admins()?;
        let at = rows.iter().position(|row| row.name == name);
        let at = at.ok_or_else(|| Problem::new("admin.unknown").with("name", &name))?;
        let mut row = rows.swap_remove(at);
        alter(&mut row);
        change(tx, rows, row, &actor, action, now_ms)
    })
}

/// Writes an account beside the others, unless no operator would be left.
fn change(
    tx: &mut dyn Writer,
    mut others: Vec<AdminRow>,
    row: AdminRow,
    actor: &str,
    action: &str,
    now_ms: i64,
) -> Result<()> {
    tx.put_admin(&row)?;
    // Which roles an account got is what the log is for. A name has no blank.
    let roles: Vec<&str> = roles_of(&row).into_iter().map(AdminRole::name).collect();
    let subject = match action {
        "admin.added" | "admin.changed" => format!("{} {}", row.name, roles.join(",")),
        _ => row.name.clone(),
    };
    audit::note(tx, now_ms, actor, action, &subject)?;
    others.push(row);
    let manages =
        |row: &AdminRow| row.disabled_ms.is_none() && row.roles & AdminRole::Operator.bit() != 0;
    if others.iter().any(manages) {
        Ok(())
    } else {
        Err(Problem::new("admin.no_operator"))
    }
}

/// Latin letters, digits, `.`, `-` and `_`, also Chinese, so that a name in the log is taken for nothing else.
/// Letters of other scripts look like Latin ones.
fn checked_name(text: &str) -> Result<String> {
    let name = text.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || is_chinese(c) || ".-_".contains(c);
    let fits = (1..=ADMIN_NAME_CHARS_MAX).contains(&name.chars().count());
    let is_own = name.chars().all(is_plain) && is_actor(name) && !reads_like_a_program(name);
    if fits && is_own {
        Ok(name.to_owned())
    } else {
        Err(Problem::new("admin.bad_name")
            .with("name", name)
            .with("max", ADMIN_NAME_CHARS_MAX))
    }
}

const fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}

/// Whether a name reads like the server, or like the id of a person or phone.
fn reads_like_a_program(name: &str) -> bool {
    let letters: String = name.chars().filter(|c| !".-_".contains(*c)).collect();
    let letters = letters.to_lowercase();
    let is_id = letters.len() >= 16 && letters.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_chinese = ["系统", "服务器"].contains(&&*letters);
    letters.is_empty() || is_id || is_chinese || RESERVED.contains(&&*letters)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::fixtures::NOW;

    use super::*;
    use crate::ingest::tests::world::TestServer;

    fn asked(world: &TestServer, named: Option<&str>, needed: AdminRole) -> String {
        let found = world
            .server
            .store()
            .read::<_, Problem>(|tx| authorise(tx, named, "wang", Some(needed)));
        found.unwrap_or_else(|problem| problem.code().to_owned())
    }

    #[test]
    fn account_runs_only_commands_of_its_roles() {
        let world = TestServer::new();
        let shared = &world.server.shared;
        assert_eq!(asked(&world, None, AdminRole::Registrar), "os:wang");
        assert_eq!(
            asked(&world, Some("li"), AdminRole::Registrar),
            "admin.unknown",
            "no name may be made up"
        );
        add(shared, "zhang", &[AdminRole::Operator], "os:wang", NOW).unwrap();
        add(shared, "李四", &[AdminRole::Registrar], "zhang", NOW).unwrap();
        assert_eq!(
            asked(&world, None, AdminRole::Operator),
            "admin.actor_missing"
        );
        assert_eq!(asked(&world, Some("zhang"), AdminRole::Operator), "zhang");
        assert_eq!(
            asked(&world, Some("zhang"), AdminRole::Registrar),
            "admin.role_missing"
        );
        assert_eq!(asked(&world, Some("李四"), AdminRole::Registrar), "李四");
        let roles = [AdminRole::Operator, AdminRole::Auditor];
        set_roles(shared, "李四", &roles, "zhang", NOW).unwrap();
        assert_eq!(
            asked(&world, Some("李四"), AdminRole::Registrar),
            "admin.role_missing"
        );
        assert_eq!(asked(&world, Some("李四"), AdminRole::Auditor), "李四");
        let last = world.server.store().read(|tx| tx.audit_last()).unwrap();
        assert_eq!(last.unwrap().subject, "李四 operator,auditor");
        set_disabled(shared, "李四", true, "zhang", NOW).unwrap();
        assert_eq!(
            asked(&world, Some("李四"), AdminRole::Auditor),
            "admin.is_disabled"
        );
        let last = world.server.store().read(|tx| tx.audit_last()).unwrap();
        let last = last.unwrap();
        let line = (last.actor.as_str(), last.action.as_str());
        assert_eq!(line, ("zhang", "admin.disabled"));
        assert_eq!(last.subject, "李四");
    }

    /// Only an operator manages the accounts.
    #[test]
    fn one_operator_is_always_left() {
        let world = TestServer::new();
        let shared = &world.server.shared;
        let code = |done: Result<()>| done.unwrap_err().code();
        let first = add(shared, "li", &[AdminRole::Auditor], "os:wang", NOW);
        assert_eq!(code(first), "admin.no_operator");
        assert!(
            world
                .server
                .store()
                .read(|tx| tx.admins())
                .unwrap()
                .is_empty()
        );
        add(shared, "zhang", &[AdminRole::Operator], "os:wang", NOW).unwrap();
        let taken = set_roles(shared, "zhang", &[AdminRole::Auditor], "zhang", NOW);
        assert_eq!(code(taken), "admin.no_operator");
        let off = set_disabled(shared, "zhang", true, "zhang", NOW);
        assert_eq!(code(off), "admin.no_operator");
        add(shared, "li", &[AdminRole::Operator], "zhang", NOW).unwrap();
        set_disabled(shared, "zhang", true, "li", NOW).unwrap();
    }

    #[test]
    fn name_that_reads_like_another_actor_is_refused() {
        let world = TestServer::new();
        let member = "0".repeat(32);
        let long = "a".repeat(ADMIN_NAME_CHARS_MAX + 1);
        let alike = [
            "Server",
            "ADMIN",
            "s\u{435}rver",
            "\u{ff53}erver",
            "server.",
            "-admin",
            "系统",
            "se-rver",
            "z\u{430}hang",
            &"0".repeat(31),
        ];
        let plain = ["", "server", "admin", "os:root", "a b", &member, &long];
        for name in plain.into_iter().chain(alike) {
            let done = add(
                &world.server.shared,
                name,
                &[AdminRole::Operator],
                "os:w",
                NOW,
            );
            assert_eq!(done.unwrap_err().code(), "admin.bad_name", "{name}");
        }
        let named = |actor: &str| is_actor(actor);
        assert!(named("os:root") && named("admin") && named("张三"));
        assert!(!named("server") && !named(&member));
    }
}
