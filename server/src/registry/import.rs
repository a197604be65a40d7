//! Import of an administrator's data into the registry, each call in one transaction.

use std::sync::Arc;

use onegrid_core::domain::directory::DirectoryEntry;

use super::members::{self, MemberDescription, Places};
use super::{audit, zones};
use crate::directory;
use crate::error::{Problem, Result};
use crate::shared::Shared;

/// Counts of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCounts {
    /// Entries or members that were new or different.
    pub changed: usize,
    /// Entries or members that did not change.
    pub unchanged: usize,
}

/// Publishes entries of the directory: areas, zones, units, categories.
pub fn publish(
    shared: &Shared,
    entries: Vec<DirectoryEntry>,
    actor: &str,
    now_ms: i64,
) -> Result<ImportCounts> {
    let (all, actor, keys) = (entries.len(), actor.to_owned(), Arc::clone(&shared.keys));
    let changed = shared.store.write::<_, Problem>(move |tx| {
        let mut known = directory::read(tx)?;
        for entry in &entries {
            entry
                .check_size()
                .and_then(|()| known.apply(entry.clone()))
                .map_err(|error| Problem::new(error.code()).because(&error))?;
        }
        let changed = directory::publish(tx, &keys, &entries)?;
        if changed > 0 {
            let subject = changed.to_string();
            audit::note(tx, now_ms, &actor, "directory.published", &subject)?;
        }
        let of_zones = |entry: &DirectoryEntry| matches!(entry, DirectoryEntry::Zone(_));
        if changed > 0 && entries.iter().any(of_zones) {
            zones::follow(tx, &keys, &actor, now_ms)?;
        }
        Ok(changed)
    })?;
    shared.wakeups.notify_all();
    Ok(ImportCounts {
        changed,
        unchanged: all - changed,
    })
}

/// Writes members with their grants.
pub fn put_members(
    shared: &Shared,
    members: Vec<MemberDescription>,
    actor: &str,
    now_ms: i64,
) -> Result<ImportCounts> {
    let (all, actor, keys) = (members.len(), actor.to_owned(), Arc::clone(&shared.keys));
    let changed = shared.store.write::<_, Problem>(move |tx| {
        let (mut changed, mut places) = (0, Places::default());
        for described in &members {
            let is_new = members::put(tx, &keys, described, &actor, now_ms, &mut places)?;
            changed += usize::from(is_new);
        }
        Ok(changed)
    })?;
    shared.wakeups.notify_all();
    Ok(ImportCounts {
        changed,
        unchanged: all - changed,
    })
}
